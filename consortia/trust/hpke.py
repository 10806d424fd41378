"""Sealing to a public key: HPKE (RFC 9180, base mode, one shot) with ML-KEM-768 and X25519, AES-256-GCM.

The sender is not authenticated by a sealed text: the document around it must be signed. There is no associated
data, so everything that a text is bound to goes into ``info``. A key pair is made for one use (a result, an attempt)
or stands in a member's card. Public keys are hexadecimal text in documents: ML-KEM (1,184 bytes), then X25519 (32).
Sealing adds 1,136 bytes.
"""

from functools import cached_property
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from consortia.errors import OperatorError, ProtocolAbort, RequestError
from consortia.trust.keyfiles import load_private_keys, save_private_keys

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_LATTICE_BYTES = 1184
_CURVE_BYTES = 32
OVERHEAD_BYTES = 1136
"""Bytes that sealing adds: the encapsulated key (1,120) and the tag (16)."""


class KemPrivateKey:
    """A private KEM key in memory. It never prints, compares or pickles."""

    def __init__(self, lattice: mlkem.MLKEM768PrivateKey, curve: x25519.X25519PrivateKey) -> None:
        self._lattice = lattice
        self._curve = curve

    @classmethod
    def generate(cls) -> "KemPrivateKey":
        """A new key pair from the operating system's randomness."""
        return cls(mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None = None) -> "KemPrivateKey":
        """The key in the file ``path``; raises OperatorError as ``keyfiles.load_private_keys``, ``trust/key-file``."""
        match load_private_keys(path, passphrase):
            case (mlkem.MLKEM768PrivateKey() as lattice, x25519.X25519PrivateKey() as curve):
                return cls(lattice, curve)
        raise OperatorError(
            "trust/key-file",
            "the file holds no KEM key",
            place=str(path),
            remedy="check that it is the KEM key, not a signing or TLS key",
        )

    def save(self, path: Path, passphrase: bytes | None = None) -> None:
        """Write the key to the new file ``path`` with mode 0600. Raises as ``keyfiles.save_private_keys``."""
        save_private_keys(path, (self._lattice, self._curve), passphrase)

    @cached_property
    def public(self) -> str:
        """The public half, hexadecimal, as it stands in documents."""
        lattice, curve = self._lattice.public_key(), self._curve.public_key()
        return (lattice.public_bytes_raw() + curve.public_bytes_raw()).hex()

    def open(self, ciphertext: bytes, info: bytes) -> bytes:
        """See ``unseal``."""
        try:
            return _SUITE.decrypt(ciphertext, hpke.MLKEM768X25519PrivateKey(self._lattice, self._curve), info)
        except InvalidTag as error:
            raise ProtocolAbort(
                "trust/sealed",
                "the sealed text can't be opened with this key",
                remedy="it was altered, or sealed to another key or for another purpose; ask its sender again",
            ) from error

    def __repr__(self) -> str:
        return "KemPrivateKey(mlkem768x25519)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is never pickled: save it with `save`")


def check_public(public: str) -> None:
    """Raise RequestError ``trust/kem-key`` unless ``public`` is a public KEM key in hexadecimal."""
    _public(public)


def seal(public: str, plaintext: bytes, info: bytes) -> bytes:
    """``plaintext`` sealed to the public key ``public`` (hexadecimal) and bound to ``info``.

    Raises RequestError ``trust/kem-key`` if ``public`` is no key.
    """
    try:
        return _SUITE.encrypt(plaintext, _public(public), info)
    except ValueError as error:  # a point of low order gives no shared secret
        raise _not_a_key() from error


def unseal(private: KemPrivateKey, ciphertext: bytes, info: bytes) -> bytes:
    """The plaintext; raises ProtocolAbort ``trust/sealed`` unless key, ciphertext and ``info`` belong together."""
    return private.open(ciphertext, info)


def _public(text: str) -> hpke.MLKEM768X25519PublicKey:
    try:
        encoded = bytes.fromhex(text)
        if len(encoded) != _LATTICE_BYTES + _CURVE_BYTES:
            raise ValueError("wrong length")
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(encoded[:_LATTICE_BYTES]),
            x25519.X25519PublicKey.from_public_bytes(encoded[_LATTICE_BYTES:]),
        )
    except ValueError as error:
        raise _not_a_key() from error


def _not_a_key() -> RequestError:
    return RequestError(
        "trust/kem-key",
        "these bytes are not a public KEM key (ML-KEM-768 with X25519)",
        remedy="fetch the document again from its author",
    )
