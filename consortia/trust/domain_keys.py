"""Hashing keys of key domains: drawn by one owner, sealed to every data owner, and used to hash identifiers alike.

The key K has 32 bytes. Its id is a commitment: SHA-256 over the canonical JSON of ["consortia/domain-key-id/v1",
consortium, domain, K in hexadecimal]; the signed catalogue names it, so a key that somebody else seals is refused.

A value is hashed to the first ``bits`` bits of HMAC-SHA-256(K, m), where m is the canonical JSON (RFC 8785) of
[consortium, domain, id type, normal form, value]: five strings, so no two inputs have the same encoding. Under the
normal form ``nfc`` the value is brought to Unicode NFC first; ``none`` leaves it as it is. NULL stays NULL and never
matches. Whoever holds K can test guesses, so helpers, coordinator and analysts never get it.
"""

import hashlib
import hmac
import json
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import rfc8785

from consortia.errors import OperatorError, ProtocolAbort, RequestError
from consortia.trust import hpke
from consortia.trust.documents import Document, Frozen, Hex, Name

KEY_BYTES = 32


class SealedKey(Frozen):
    """K sealed to one member's KEM key."""

    receiver: Name
    ciphertext: Hex


class DomainKeyGrant(Document):
    """K for every data owner; signed with the node key of ``sender``."""

    type: Literal["consortia/domain-key/v1"] = "consortia/domain-key/v1"
    consortium: Name
    domain: Name
    key_id: Hex
    sender: Name
    sealed: tuple[SealedKey, ...]


@dataclass(frozen=True, slots=True)
class HashDomain:
    """What is hashed into a value beside itself; ``bits`` is a multiple of 8 from 64 to 256."""

    consortium: str
    domain: str
    id_type: str
    normal_form: Literal["nfc", "none"]
    bits: int

    def __post_init__(self) -> None:
        if self.bits % 8 or not 64 <= self.bits <= 256:
            raise RequestError(
                "trust/key-bits",
                f"keys of {self.bits} bits are not supported",
                place=self.domain,
                remedy="use a multiple of 8 from 64 to 256 (96 is right for up to 2^28 rows)",
            )


def new_key() -> bytes:
    """A fresh K from the operating system's randomness."""
    return secrets.token_bytes(KEY_BYTES)


def key_id_of(key: bytes, consortium: str, domain: str) -> str:
    """The commitment to K, 64 hexadecimal digits. It hides K because K is uniform."""
    return hashlib.sha256(rfc8785.dumps(["consortia/domain-key-id/v1", consortium, domain, key.hex()])).hexdigest()


def check_commitment(key: bytes, consortium: str, domain: str, key_id: str) -> None:
    """Raise OperatorError ``trust/domain-key`` unless ``key`` is the key that ``key_id`` commits to."""
    if not hmac.compare_digest(key_id_of(key, consortium, domain), key_id):
        raise OperatorError(
            "trust/domain-key",
            f"this is not the hashing key of `{domain}` that the catalogue names",
            place=key_id[:16],
            remedy="accept the sealed key again with `consortia domain-key accept`",
        )


def grant(key: bytes, consortium: str, domain: str, sender: str, kem_keys: Mapping[str, str]) -> DomainKeyGrant:
    """K sealed to every member of ``kem_keys`` (member to public KEM key, hexadecimal)."""
    key_id = key_id_of(key, consortium, domain)
    return DomainKeyGrant(
        consortium=consortium,
        domain=domain,
        key_id=key_id,
        sender=sender,
        sealed=tuple(
            SealedKey(
                receiver=receiver,
                ciphertext=hpke.seal(public, key, _info(consortium, domain, key_id, sender, receiver)).hex(),
            )
            for receiver, public in sorted(kem_keys.items())
        ),
    )


def open_grant(document: DomainKeyGrant, receiver: str, private: hpke.KemPrivateKey) -> bytes:
    """K, opened by ``receiver`` and checked against the commitment.

    Raises ProtocolAbort ``trust/domain-key-receiver`` (nothing is sealed to this member) or ``trust/sealed``, and
    OperatorError ``trust/domain-key`` (what was sealed is another key).
    """
    texts = [entry.ciphertext for entry in document.sealed if entry.receiver == receiver]
    if len(texts) != 1:
        raise ProtocolAbort(
            "trust/domain-key-receiver",
            f"the key of `{document.domain}` is sealed {len(texts)} times to `{receiver}`",
            remedy=f"ask `{document.sender}` to create it again for every data owner",
        )
    info = _info(document.consortium, document.domain, document.key_id, document.sender, receiver)
    key = private.open(bytes.fromhex(texts[0]), info)
    check_commitment(key, document.consortium, document.domain, document.key_id)
    return key


def hash_keys(key: bytes, domain: HashDomain, values: Sequence[str | None]) -> list[bytes | None]:
    """Each value hashed to ``domain.bits`` / 8 bytes, None for None; about 2 s for 10^6 values.

    Raises RequestError ``trust/key-text`` for a text with a lone surrogate, which no encoding can carry.
    """
    size = domain.bits // 8
    prefix = rfc8785.dumps([domain.consortium, domain.domain, domain.id_type, domain.normal_form, ""])[:-3]
    # The canonical form of a string is what json writes without escaping beyond ASCII; a test compares the two.
    quote = json.encoder.encode_basestring
    normal = domain.normal_form == "nfc"
    digest = hmac.digest
    hashed: list[bytes | None] = []
    try:
        for value in values:
            if value is None:
                hashed.append(None)
                continue
            text = unicodedata.normalize("NFC", value) if normal else value
            hashed.append(digest(key, b"%b%b]" % (prefix, quote(text).encode()), "sha256")[:size])
    except UnicodeEncodeError as error:
        raise RequestError(
            "trust/key-text",
            "an identifier is not valid Unicode text",
            place=f"{domain.domain}, value {len(hashed) + 1}",
            remedy="correct the identifier at its source",
        ) from error
    return hashed


def _info(consortium: str, domain: str, key_id: str, sender: str, receiver: str) -> bytes:
    return rfc8785.dumps(["consortia/domain-key/v1", consortium, domain, key_id, sender, receiver])
