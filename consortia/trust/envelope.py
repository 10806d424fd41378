"""DSSE envelopes: exact bytes, their type, and signatures over both.

The signed message is the pre-authentication encoding of DSSE v1 (``DSSEv1 LEN(type) type LEN(payload) payload``),
so neither the type nor the payload can be exchanged. Signatures name their suite and key.
"""

from collections.abc import Sequence
from typing import Protocol

from consortia.trust.documents import Frozen, Hex

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
    """A payload of ``payload_type`` (``consortia/NAME/v1``) with its signatures."""

    payload_type: str
    payload: Hex
    signatures: tuple[Signature, ...]


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
