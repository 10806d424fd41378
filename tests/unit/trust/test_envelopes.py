"""Envelopes: one form, exact bytes, expected signers, and no other."""

import json
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import ConsortiaError, OperatorError, ProtocolAbort, RequestError
from consortia.trust.documents import Document
from consortia.trust.envelope import MOST_SIGNATURES, Envelope, seal_document, seal_envelope
from consortia.trust.keys import PrivateKey
from consortia.trust.verify import verify, verify_by_one, verify_document

KIND = "consortia/note/v1"
A, B, C = (PrivateKey.generate(suite) for suite in ("ecdsa-p256", "ed25519+ml-dsa-65", "ecdsa-p256"))
KEYS = {"a@x": A.public, "b@y": B.public}


class Note(Document):
    type: Literal["consortia/note/v1"] = "consortia/note/v1"
    text: str


def test_the_payload_and_its_signers_come_out() -> None:
    verified = verify(seal_envelope(KIND, b"bytes", (B, A)), KIND, KEYS, 2)
    assert (verified.payload, verified.signers) == (b"bytes", ("a@x", "b@y"))


def test_an_envelope_comes_back_from_its_bytes() -> None:
    envelope = seal_envelope(KIND, b"bytes", (A, B))
    assert Envelope.from_bytes(envelope.to_bytes()) == envelope


def test_each_refusal_has_its_code() -> None:
    good = seal_envelope(KIND, b"bytes", (A,))
    other = seal_envelope(KIND, b"other", (A,))
    cases: list[tuple[str, type[ConsortiaError], Envelope, int]] = [
        ("trust/wrong-type", ProtocolAbort, seal_envelope("consortia/other/v1", b"bytes", (A,)), 1),
        ("trust/unknown-key", ProtocolAbort, seal_envelope(KIND, b"bytes", (C,)), 1),
        ("trust/unknown-key", ProtocolAbort, seal_envelope(KIND, b"bytes", (A, C)), 1),
        ("trust/signature", ProtocolAbort, good.model_copy(update={"payload": b"bytez".hex()}), 1),
        ("trust/signature", ProtocolAbort, good.model_copy(update={"signatures": other.signatures}), 1),
        ("trust/too-few-signatures", OperatorError, good.model_copy(update={"signatures": ()}), 1),
        ("trust/too-few-signatures", OperatorError, good, 2),
        ("trust/envelope", ProtocolAbort, good.model_copy(update={"signatures": good.signatures * 2}), 2),
        (
            "trust/wrong-suite",
            ProtocolAbort,
            good.model_copy(
                update={"signatures": (good.signatures[0].model_copy(update={"suite": "ed25519+ml-dsa-65"}),)}
            ),
            1,
        ),
    ]
    for code, kind, envelope, at_least in cases:
        with pytest.raises(kind, match=code):
            verify(envelope, KIND, KEYS, at_least)


def test_a_signature_does_not_carry_over_to_another_type() -> None:
    envelope = seal_envelope(KIND, b"bytes", (A,)).model_copy(update={"payload_type": "consortia/other/v1"})
    with pytest.raises(ProtocolAbort, match="trust/signature"):
        verify(envelope, "consortia/other/v1", KEYS)


def test_one_signer_means_exactly_that_one() -> None:
    document = Note(text="hello")
    assert verify_by_one(seal_document(document, (A,)), Note, "a@x", A.public) == document
    with pytest.raises(ProtocolAbort, match="trust/unknown-key"):
        verify_by_one(seal_document(document, (A, B)), Note, "a@x", A.public)


def test_a_signed_document_that_is_not_canonical_is_refused() -> None:
    for payload in (
        b'{"type": "consortia/note/v1", "text": "x"}',
        b'{"text":"x"}',
        b'{"text":"x","type":"y"}',
        b"\xff",
    ):
        with pytest.raises(RequestError, match="trust/document"):
            verify_document(seal_envelope(KIND, payload, (A,)), Note, KEYS)


def test_nobody_may_ask_for_no_signature_or_count_a_key_twice() -> None:
    envelope = seal_envelope(KIND, b"bytes", (A,))
    with pytest.raises(ValueError, match="proves nothing"):
        verify(envelope, KIND, KEYS, 0)
    with pytest.raises(ValueError, match="share a key"):
        verify(envelope, KIND, {"a@x": A.public, "twin@x": A.public})


WHOLE = seal_envelope(KIND, b"bytes", (A,)).to_bytes()


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_change_of_any_byte_of_an_envelope_is_refused(place: int, change: int) -> None:
    altered = bytearray(WHOLE)
    altered[place] ^= change
    with pytest.raises(ConsortiaError):
        verify(Envelope.from_bytes(bytes(altered)), KIND, {"a@x": A.public})


def test_malformed_envelopes_are_refused_before_anything_is_verified() -> None:
    envelope = seal_envelope(KIND, b"bytes", (A,))
    value = json.loads(envelope.to_bytes())
    signature = value["signatures"][0]
    many = [{**signature, "key_id": f"{number:064x}"} for number in range(MOST_SIGNATURES + 1)]
    for data in (
        b"",
        b"[]",
        json.dumps(value).encode(),
        envelope.to_bytes() + b"\n",
        Envelope(payload_type=KIND, payload="", signatures=()).to_bytes()[:-1],
        _canonical({**value, "extra": 1}),
        _canonical({**value, "payload": "ABCD"}),
        _canonical({**value, "payload": "abc"}),
        _canonical({**value, "signatures": [signature, signature]}),
        _canonical({**value, "signatures": many}),
    ):
        with pytest.raises(ProtocolAbort, match="trust/envelope"):
            Envelope.from_bytes(data)
    with pytest.raises(ProtocolAbort, match="trust/envelope"):
        Envelope.from_bytes(envelope.to_bytes(), largest=100)


def test_a_second_signature_is_added_once() -> None:
    envelope = seal_envelope(KIND, b"bytes", (A,)).with_signature(B)
    assert verify(envelope, KIND, KEYS, 2).signers == ("a@x", "b@y")
    with pytest.raises(ProtocolAbort, match="trust/envelope"):
        envelope.with_signature(B)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
