"""DSSE envelopes: exact bytes, their type, and signatures over both.

The signed message is the pre-authentication encoding of DSSE v1 (``DSSEv1 LEN(type) type LEN(payload) payload``),
so neither the type nor the payload can be exchanged. Signatures name their suite and key.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol, Self

from pydantic import ValidationError

from consortia.errors import ProtocolAbort
from consortia.trust.documents import Document, Frozen, Hex, canonical_bytes

LARGEST_ENVELOPE = 16 * 1024 * 1024
"""Bytes of an envelope beyond which nothing is parsed."""
MOST_SIGNATURES = 256

Suite = str
"""``ed25519+ml-dsa-65`` (both must verify), or ``ecdsa-p256`` for keys in HSMs."""


class Signature(Frozen):
    """One signature; ``key_id`` is the fingerprint (SHA-256, hexadecimal) of the public key it verifies under."""

    key_id: Hex
    suite: Suite
    signature: Hex


class Signer(Protocol):
    """Something that signs: a key file, later an HSM."""

    @property
    def key_id(self) -> str: ...

    @property
    def suite(self) -> Suite: ...

    def sign(self, message: bytes) -> bytes: ...


class Envelope(Frozen):
    """A payload of ``payload_type`` (``consortia/NAME/v1``) with its signatures.

    ``to_bytes`` is the one form in which an envelope is stored, sent and hashed: JSON after RFC 8785.
    """

    payload_type: str
    payload: Hex
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return canonical_bytes(self.model_dump(mode="json"))

    def digest(self) -> str:
        """SHA-256 of the canonical bytes (signatures included), hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def payload_bytes(self) -> bytes:
        """The payload, unverified: use what ``verify`` returns."""
        return bytes.fromhex(self.payload)

    @classmethod
    def from_bytes(cls, data: bytes, largest: int = LARGEST_ENVELOPE) -> Self:
        """The envelope in ``data``.

        Raises ProtocolAbort ``trust/envelope`` if it is larger than ``largest`` bytes, malformed, not exactly
        canonical, or holds more than 256 signatures or two of the same key.
        """
        if len(data) > largest:
            raise _malformed(f"it has {len(data)} bytes and {largest} are allowed")
        try:
            envelope = cls.model_validate_json(data)
        except ValidationError as error:
            raise _malformed(error.errors()[0]["msg"]) from error
        if envelope.to_bytes() != data:
            raise _malformed("it is not in canonical form")
        envelope.check_signature_list()
        return envelope

    def check_signature_list(self) -> None:
        """Raise ProtocolAbort ``trust/envelope`` for too many signatures, or two under the same key."""
        if len(self.signatures) > MOST_SIGNATURES:
            raise _malformed(f"it has {len(self.signatures)} signatures and {MOST_SIGNATURES} are allowed")
        if len({signature.key_id for signature in self.signatures}) != len(self.signatures):
            raise _malformed("one key signed it twice")

    def with_signature(self, signer: "Signer") -> Self:
        """This envelope with one more signature; raises ``trust/envelope`` if the key has signed already."""
        added = seal_envelope(self.payload_type, self.payload_bytes(), (signer,)).signatures
        envelope = self.model_copy(update={"signatures": self.signatures + added})
        envelope.check_signature_list()
        return envelope


def _malformed(reason: str) -> ProtocolAbort:
    return ProtocolAbort(
        "trust/envelope", f"this is not a well-formed envelope: {reason}", remedy="fetch it again from its author"
    )


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal_envelope(payload_type: str, payload: bytes, signers: Sequence[Signer]) -> Envelope:
    """``payload`` signed by all ``signers``, in their order."""
    message = pre_authentication_encoding(payload_type, payload)
    return Envelope(
        payload_type=payload_type,
        payload=payload.hex(),
        signatures=tuple(
            Signature(key_id=signer.key_id, suite=signer.suite, signature=signer.sign(message).hex())
            for signer in signers
        ),
    )


def seal_document(document: Document, signers: Sequence[Signer]) -> Envelope:
    """The document's canonical bytes under its own type, signed by all ``signers``."""
    return seal_envelope(document.type, document.canonical(), signers)
