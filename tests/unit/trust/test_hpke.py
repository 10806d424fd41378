"""Sealing to a public key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from consortia.errors import ProtocolAbort, RequestError
from consortia.trust.hpke import OVERHEAD_BYTES, KemPrivateKey, check_public, seal, unseal


@pytest.fixture(scope="module")
def key() -> KemPrivateKey:
    return KemPrivateKey.generate()


@pytest.mark.parametrize("text", [b"", b"x" * 32, bytes(100_000)])
def test_what_is_sealed_comes_back(key: KemPrivateKey, text: bytes) -> None:
    sealed = seal(key.public, text, b"info")
    assert len(sealed) == len(text) + OVERHEAD_BYTES
    assert unseal(key, sealed, b"info") == text
    assert sealed != seal(key.public, text, b"info")


def test_another_key_info_or_byte_opens_nothing(key: KemPrivateKey) -> None:
    sealed = seal(key.public, b"secret", b"info")
    changed = [sealed[:-1], sealed[:40], b"", sealed[:1088] + bytes(32) + sealed[1120:]]
    for place in (0, 1087, 1088, 1119, 1120, len(sealed) - 1):
        one = bytearray(sealed)
        one[place] ^= 1
        changed.append(bytes(one))
    for text in changed:
        with pytest.raises(ProtocolAbort, match="trust/sealed"):
            unseal(key, text, b"info")
    for private, info in ((KemPrivateKey.generate(), b"info"), (key, b"other")):
        with pytest.raises(ProtocolAbort, match="trust/sealed"):
            unseal(private, sealed, info)


@pytest.mark.parametrize(
    "make", [lambda key: "", lambda key: key[:-2], lambda key: "zz" + key[2:], lambda key: "ff" * 1216]
)
def test_bytes_that_are_no_kem_key_are_refused(key: KemPrivateKey, make: Callable[[str], str]) -> None:
    with pytest.raises(RequestError, match="trust/kem-key"):
        check_public(make(key.public))


def test_a_point_of_low_order_is_refused(key: KemPrivateKey) -> None:
    with pytest.raises(RequestError, match="trust/kem-key"):
        seal(key.public[: 2 * 1184] + "00" * 32, b"secret", b"")


def test_a_kem_key_comes_back_from_its_file(key: KemPrivateKey, tmp_path: Path) -> None:
    key.save(tmp_path / "kem.pem")
    again = KemPrivateKey.load(tmp_path / "kem.pem")
    assert unseal(again, seal(key.public, b"secret", b""), b"") == b"secret"
