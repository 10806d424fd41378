"""Hashing identifiers: the encoding is unambiguous, normal forms count, and K reaches its owners only."""

import hmac
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import OperatorError, ProtocolAbort, RequestError
from consortia.trust.domain_keys import (
    DomainKeyGrant,
    HashDomain,
    check_commitment,
    grant,
    hash_keys,
    key_id_of,
    new_key,
    open_grant,
)
from consortia.trust.hpke import KemPrivateKey

KEY = bytes(range(32))
DOMAIN = HashDomain("aml", "customer", "customer-number", "nfc", 96)
VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "vectors" / "domain_keys.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["note"] for vector in VECTORS])
def test_published_vectors(vector: dict[str, Any]) -> None:
    fields = ("consortium", "domain", "id_type", "normal_form", "bits")
    domain = HashDomain(*(vector[name] for name in fields))
    (hashed,) = hash_keys(bytes.fromhex(vector["key"]), domain, [vector["value"]])
    assert hashed is not None
    assert hashed.hex() == vector["hashed"]


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text(), st.text(alphabet=st.characters(max_codepoint=0xFF)))
def test_the_message_is_the_canonical_list(first: str, second: str) -> None:
    domain = HashDomain("aml", "customer", "customer-number", "none", 256)
    for value, hashed in zip((first, second), hash_keys(KEY, domain, [first, second]), strict=True):
        message = rfc8785.dumps(["aml", "customer", "customer-number", "none", value])
        assert hashed == hmac.digest(KEY, message, "sha256")


def test_null_stays_null_and_order_is_kept() -> None:
    hashed = hash_keys(KEY, DOMAIN, ["a", None, "b", "a"])
    assert hashed[1] is None
    assert hashed[0] == hashed[3] != hashed[2]
    assert {len(one) for one in hashed if one is not None} == {12}
    assert hash_keys(KEY, DOMAIN, []) == []


def test_composed_and_decomposed_text_are_one_under_nfc_and_two_under_none() -> None:
    composed, decomposed = "José", unicodedata.normalize("NFD", "José")
    assert len(set(hash_keys(KEY, DOMAIN, [composed, decomposed]))) == 1
    as_it_is = HashDomain("aml", "customer", "customer-number", "none", 96)
    assert len(set(hash_keys(KEY, as_it_is, [composed, decomposed]))) == 2


def test_visually_equal_but_different_identifiers_stay_different() -> None:
    values = ["007", "7", "７", "00123", "123", "123 ", "", "\0"]
    assert len(set(hash_keys(KEY, DOMAIN, values))) == len(values)


def test_every_part_of_the_input_counts() -> None:
    others = [
        HashDomain("am", "lcustomer", "customer-number", "nfc", 96),
        HashDomain("aml", "account", "customer-number", "nfc", 96),
        HashDomain("aml", "customer", "iban", "nfc", 96),
        HashDomain("aml", "customer", "customer-number", "none", 96),
    ]
    hashed = {hash_keys(KEY, domain, ["x"])[0] for domain in (DOMAIN, *others)}
    hashed.add(hash_keys(bytes(32), DOMAIN, ["x"])[0])
    assert len(hashed) == 6


def test_a_lone_surrogate_is_refused_with_its_place() -> None:
    with pytest.raises(RequestError, match=r"trust/key-text.*value 3"):
        hash_keys(KEY, DOMAIN, ["a", None, "\ud800"])


@pytest.mark.parametrize("bits", [0, 56, 65, 264])
def test_an_unsupported_width_is_refused(bits: int) -> None:
    with pytest.raises(RequestError, match="trust/key-bits"):
        HashDomain("aml", "customer", "x", "nfc", bits)


def test_the_key_reaches_its_receivers_and_is_the_one_committed_to() -> None:
    key, private = new_key(), {name: KemPrivateKey.generate() for name in ("bank-a", "bank-b")}
    document = grant(key, "aml", "customer", "bank-a", {name: one.public for name, one in private.items()})
    for name, one in private.items():
        assert open_grant(document, name, one) == key
    check_commitment(key, "aml", "customer", document.key_id)
    assert key.hex() not in document.canonical().decode()
    with pytest.raises(ProtocolAbort, match="trust/domain-key-receiver"):
        open_grant(document, "bank-c", private["bank-a"])
    with pytest.raises(ProtocolAbort, match="trust/sealed"):
        open_grant(document, "bank-a", private["bank-b"])


def test_a_grant_changed_in_any_field_opens_nothing() -> None:
    key, private = new_key(), KemPrivateKey.generate()
    document = grant(key, "aml", "customer", "bank-a", {"bank-b": private.public})
    for name, value in (("consortium", "other"), ("domain", "account"), ("sender", "bank-c"), ("key_id", "00")):
        with pytest.raises(ProtocolAbort, match="trust/sealed"):
            open_grant(document.model_copy(update={name: value}), "bank-b", private)


def test_another_key_than_the_committed_one_is_refused() -> None:
    private = KemPrivateKey.generate()
    honest, false = (grant(new_key(), "aml", "customer", "bank-a", {"bank-b": private.public}) for _ in range(2))
    mixed = DomainKeyGrant(**{**honest.model_dump(), "sealed": false.sealed})
    with pytest.raises(ProtocolAbort, match="trust/sealed"):
        open_grant(mixed, "bank-b", private)
    with pytest.raises(OperatorError, match="trust/domain-key"):
        check_commitment(new_key(), "aml", "customer", honest.key_id)
    assert key_id_of(KEY, "aml", "customer") != key_id_of(KEY, "aml", "account")
