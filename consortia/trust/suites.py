"""The signature suites: how each makes, encodes, signs and verifies.

``ed25519+ml-dsa-65``: both signatures stand over the same message and both must verify, so it holds as long as one of
the two schemes does. Layout is constant: public key 32 + 1,952 bytes, signature 64 + 3,309 bytes, Ed25519 first
(RFC 8032; FIPS 204 with empty context). ``ecdsa-p256``: for keys in HSMs; SHA-256, public key as 65 bytes
uncompressed (SEC 1), signature as r | s of 32 bytes each (IEEE P1363) with s in its lower half, since a second
signature that anybody can compute would give a signed document a second digest.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class SuiteKey(Protocol):
    """The private half of a key of one suite; ``parts`` are its PKCS#8 keys in file order."""

    @property
    def parts(self) -> tuple[PrivateKeyTypes, ...]: ...

    def public(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class SignatureSuite(Protocol):
    """A suite. ``verify`` raises InvalidSignature, ``check_public`` ValueError; neither returns a verdict."""

    name: ClassVar[str]

    @classmethod
    def generate(cls) -> SuiteKey: ...

    @classmethod
    def from_parts(cls, parts: Sequence[PrivateKeyTypes]) -> SuiteKey | None:
        """The key made of ``parts``, or None if these are not the parts of this suite."""

    @classmethod
    def check_public(cls, public: bytes) -> None: ...

    @classmethod
    def verify(cls, public: bytes, message: bytes, signature: bytes) -> None: ...


class HybridKey:
    """Private key of ``ed25519+ml-dsa-65``."""

    def __init__(self, classical: ed25519.Ed25519PrivateKey, lattice: mldsa.MLDSA65PrivateKey) -> None:
        self._classical = classical
        self._lattice = lattice

    @property
    def parts(self) -> tuple[PrivateKeyTypes, ...]:
        return (self._classical, self._lattice)

    def public(self) -> bytes:
        return self._classical.public_key().public_bytes_raw() + self._lattice.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._classical.sign(message) + self._lattice.sign(message)


class HybridSuite:
    """``ed25519+ml-dsa-65``."""

    name: ClassVar[str] = "ed25519+ml-dsa-65"
    _PUBLIC = (32, 1952)
    _SIGNATURE = (64, 3309)

    @classmethod
    def generate(cls) -> HybridKey:
        return HybridKey(ed25519.Ed25519PrivateKey.generate(), mldsa.MLDSA65PrivateKey.generate())

    @classmethod
    def from_parts(cls, parts: Sequence[PrivateKeyTypes]) -> HybridKey | None:
        match parts:
            case [ed25519.Ed25519PrivateKey() as classical, mldsa.MLDSA65PrivateKey() as lattice]:
                return HybridKey(classical, lattice)
        return None

    @classmethod
    def check_public(cls, public: bytes) -> None:
        cls._public(public)

    @classmethod
    def verify(cls, public: bytes, message: bytes, signature: bytes) -> None:
        classical, lattice = cls._public(public)
        if len(signature) != sum(cls._SIGNATURE):
            raise InvalidSignature
        classical.verify(signature[: cls._SIGNATURE[0]], message)
        lattice.verify(signature[cls._SIGNATURE[0] :], message)

    @classmethod
    def _public(cls, public: bytes) -> tuple[ed25519.Ed25519PublicKey, mldsa.MLDSA65PublicKey]:
        if len(public) != sum(cls._PUBLIC):
            raise ValueError(f"a public key of {cls.name} has {sum(cls._PUBLIC)} bytes, not {len(public)}")
        return (
            ed25519.Ed25519PublicKey.from_public_bytes(public[: cls._PUBLIC[0]]),
            mldsa.MLDSA65PublicKey.from_public_bytes(public[cls._PUBLIC[0] :]),
        )


class EcdsaKey:
    """Private key of ``ecdsa-p256``."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @property
    def parts(self) -> tuple[PrivateKeyTypes, ...]:
        return (self._key,)

    def public(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + min(s, _P256_ORDER - s).to_bytes(32, "big")


class EcdsaSuite:
    """``ecdsa-p256``."""

    name: ClassVar[str] = "ecdsa-p256"

    @classmethod
    def generate(cls) -> EcdsaKey:
        return EcdsaKey(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_parts(cls, parts: Sequence[PrivateKeyTypes]) -> EcdsaKey | None:
        match parts:
            case [ec.EllipticCurvePrivateKey() as key] if isinstance(key.curve, ec.SECP256R1):
                return EcdsaKey(key)
        return None

    @classmethod
    def check_public(cls, public: bytes) -> None:
        cls._public(public)

    @classmethod
    def verify(cls, public: bytes, message: bytes, signature: bytes) -> None:
        key = cls._public(public)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if len(signature) != 64 or s > _P256_ORDER // 2:
            raise InvalidSignature
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))

    @classmethod
    def _public(cls, public: bytes) -> ec.EllipticCurvePublicKey:
        # Only the uncompressed form: one key has one encoding and so one fingerprint.
        if len(public) != 65 or public[0] != 4:
            raise ValueError(f"a public key of {cls.name} has 65 bytes and begins with 04")
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)


SUITES: tuple[type[SignatureSuite], ...] = (HybridSuite, EcdsaSuite)
"""All suites; the first is the default."""
DEFAULT_SUITE = HybridSuite.name
