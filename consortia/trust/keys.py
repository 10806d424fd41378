"""Signing keys: a suite name and bytes, with one fingerprint.

The fingerprint of a public key, which is also its key id in signatures, is SHA-256 over the suite's name, a zero
byte and the encoded key, in hexadecimal: the suite is part of it, so a key can't be taken for one of another suite.
A private key never prints, compares or pickles.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidSignature

from consortia.errors import OperatorError, ProtocolAbort, RequestError
from consortia.trust.keyfiles import load_private_keys, save_private_keys
from consortia.trust.suites import DEFAULT_SUITE, SUITES, SignatureSuite, SuiteKey


def suite_named(name: str) -> type[SignatureSuite]:
    """The suite of this name; raises RequestError ``trust/suite`` if there is none."""
    for suite in SUITES:
        if suite.name == name:
            return suite
    raise RequestError(
        "trust/suite",
        f"`{name}` is not a signature suite",
        remedy="use one of " + ", ".join(suite.name for suite in SUITES),
    )


class PublicKey:
    """A public key of one suite; construction refuses bytes that are no key of it (``trust/public-key``)."""

    def __init__(self, suite: str, encoded: bytes) -> None:
        self._suite = suite_named(suite)
        try:
            self._suite.check_public(encoded)
        except ValueError as error:
            raise RequestError(
                "trust/public-key",
                f"these bytes are not a public key of {suite}",
                remedy="fetch the document again from its author",
            ) from error
        self._encoded = encoded

    @classmethod
    def from_hex(cls, suite: str, text: str) -> "PublicKey":
        """The key that documents hold as ``suite`` and hexadecimal ``text``."""
        try:
            encoded = bytes.fromhex(text)
        except ValueError as error:
            raise RequestError("trust/public-key", "the key is not written in hexadecimal") from error
        return cls(suite, encoded)

    @property
    def suite(self) -> str:
        """Name of the suite."""
        return self._suite.name

    @property
    def encoded(self) -> bytes:
        """The bytes of the key in the suite's constant layout."""
        return self._encoded

    @property
    def hex(self) -> str:
        """``encoded`` as it stands in documents."""
        return self._encoded.hex()

    @cached_property
    def key_id(self) -> str:
        """The fingerprint: 64 hexadecimal digits."""
        return hashlib.sha256(self.suite.encode() + b"\0" + self._encoded).hexdigest()

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise ProtocolAbort ``trust/signature`` unless ``signature`` is of this key over ``message``."""
        try:
            self._suite.verify(self._encoded, message, signature)
        except InvalidSignature as error:
            raise ProtocolAbort(
                "trust/signature",
                "the signature does not fit the document",
                place=f"key {short(self.key_id)}",
                remedy="the document was altered or damaged after it was signed; fetch it again from its author",
            ) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and (self.suite, self.encoded) == (other.suite, other.encoded)

    def __hash__(self) -> int:
        return hash((self.suite, self.encoded))

    def __repr__(self) -> str:
        return f"PublicKey({self.suite}, {short(self.key_id)})"


class PrivateKey:
    """A private key in memory; an ``envelope.Signer``."""

    def __init__(self, suite: type[SignatureSuite], key: SuiteKey) -> None:
        self._key = key
        self._public = PublicKey(suite.name, key.public())

    @classmethod
    def generate(cls, suite: str = DEFAULT_SUITE) -> "PrivateKey":
        """A new key from the operating system's randomness."""
        chosen = suite_named(suite)
        return cls(chosen, chosen.generate())

    @classmethod
    def load(cls, path: Path, passphrase: bytes | None = None) -> "PrivateKey":
        """The key in the file ``path``; its suite follows from the PEM blocks in it.

        Raises OperatorError as ``keyfiles.load_private_keys`` does, and ``trust/key-file`` if the blocks are those
        of no suite.
        """
        parts = load_private_keys(path, passphrase)
        for suite in SUITES:
            key = suite.from_parts(parts)
            if key is not None:
                return cls(suite, key)
        raise OperatorError(
            "trust/key-file",
            "the file holds no signing key of a known suite",
            place=str(path),
            remedy="check that it is the signing key, not a TLS or KEM key",
        )

    def save(self, path: Path, passphrase: bytes | None = None) -> None:
        """Write the key to the new file ``path`` with mode 0600. Raises as ``keyfiles.save_private_keys``."""
        save_private_keys(path, self._key.parts, passphrase)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    @property
    def key_id(self) -> str:
        return self._public.key_id

    @property
    def suite(self) -> str:
        return self._public.suite

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"PrivateKey({self.suite}, {short(self.key_id)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is never pickled: save it with `save`")


def short(fingerprint: str) -> str:
    """The first 16 hexadecimal digits in groups of four, for people to compare and for messages."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, 16, 4))
