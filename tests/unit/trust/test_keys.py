"""Signing keys: suites, fingerprints, files."""

import pickle
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from consortia.errors import OperatorError, ProtocolAbort, RequestError
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keyfiles import read_secret
from consortia.trust.keys import PrivateKey, PublicKey, short
from consortia.trust.suites import SUITES, EcdsaSuite, HybridSuite

NAMES = [suite.name for suite in SUITES]
SIZES = {"ed25519+ml-dsa-65": (1984, 3373), "ecdsa-p256": (65, 64)}
PASSPHRASE = b"correct horse battery staple"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture(params=NAMES)
def key(request: pytest.FixtureRequest) -> PrivateKey:
    return PrivateKey.generate(request.param)


def test_a_signature_verifies_and_has_the_constant_layout(key: PrivateKey) -> None:
    signature = key.sign(b"message")
    key.public.verify(b"message", signature)
    assert (len(key.public.encoded), len(signature)) == SIZES[key.suite]


def test_another_message_key_or_length_is_refused(key: PrivateKey) -> None:
    signature = key.sign(b"message")
    other = PrivateKey.generate(key.suite)
    for public, message, given in (
        (key.public, b"messagf", signature),
        (other.public, b"message", signature),
        (key.public, b"message", signature[:-1]),
        (key.public, b"message", signature + b"\0"),
        (key.public, b"message", b""),
    ):
        with pytest.raises(ProtocolAbort, match="trust/signature"):
            public.verify(message, given)


def test_a_change_of_any_byte_of_a_signature_is_refused(key: PrivateKey) -> None:
    signature = key.sign(b"message")
    for place in {0, 31, 32, 63, len(signature) // 2, len(signature) - 1}:
        changed = bytearray(signature)
        changed[place] ^= 1
        with pytest.raises(ProtocolAbort, match="trust/signature"):
            key.public.verify(b"message", bytes(changed))


def test_both_halves_of_the_hybrid_must_verify() -> None:
    key, other = HybridSuite.generate(), HybridSuite.generate()
    good, bad = key.sign(b"message"), other.sign(b"message")
    public = PublicKey(HybridSuite.name, key.public())
    for mixed in (bad[:64] + good[64:], good[:64] + bad[64:]):
        with pytest.raises(ProtocolAbort, match="trust/signature"):
            public.verify(b"message", mixed)


def test_the_second_ecdsa_signature_that_anybody_can_compute_is_refused() -> None:
    key = PrivateKey.generate(EcdsaSuite.name)
    signature = key.sign(b"message")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    assert decode_dss_signature(encode_dss_signature(r, s)) == (r, s)
    twin = signature[:32] + (P256_ORDER - s).to_bytes(32, "big")
    with pytest.raises(ProtocolAbort, match="trust/signature"):
        key.public.verify(b"message", twin)


def test_the_fingerprint_covers_the_suite_and_every_byte(key: PrivateKey) -> None:
    public = key.public
    assert PublicKey.from_hex(public.suite, public.hex) == public
    assert len(public.key_id) == 64
    assert public.key_id != PrivateKey.generate(key.suite).key_id
    assert short(public.key_id).replace(" ", "") == public.key_id[:16]


@pytest.mark.parametrize(
    ("suite", "text", "code"),
    [
        ("ed25519", "00" * 32, "trust/suite"),
        ("ecdsa-p256", "00" * 65, "trust/public-key"),
        ("ecdsa-p256", "04" + "00" * 64, "trust/public-key"),
        ("ed25519+ml-dsa-65", "00" * 1983, "trust/public-key"),
        ("ecdsa-p256", "zz", "trust/public-key"),
    ],
)
def test_bytes_that_are_no_key_are_refused(suite: str, text: str, code: str) -> None:
    with pytest.raises(RequestError, match=code):
        PublicKey.from_hex(suite, text)


def test_the_compressed_point_of_a_key_is_refused_so_that_a_key_has_one_fingerprint() -> None:
    encoded = PrivateKey.generate("ecdsa-p256").public.encoded
    compressed = bytes([2 + encoded[-1] % 2]) + encoded[1:33]
    with pytest.raises(RequestError, match="trust/public-key"):
        PublicKey("ecdsa-p256", compressed)


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_key_comes_back_from_its_file(key: PrivateKey, passphrase: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    key.save(file, passphrase)
    assert file.stat().st_mode & 0o777 == 0o600
    assert PrivateKey.load(file, passphrase).public == key.public


def test_a_file_is_never_overwritten(key: PrivateKey, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    key.save(file)
    with pytest.raises(OperatorError, match="trust/exists"):
        PrivateKey.generate().save(file)
    assert PrivateKey.load(file).public == key.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_key_that_others_may_use_is_refused(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    PrivateKey.generate("ecdsa-p256").save(file)
    file.chmod(mode)
    with pytest.raises(OperatorError, match=r"trust/key-mode.*chmod 600"):
        PrivateKey.load(file)


def test_white_space_line_ends_and_a_byte_order_mark_around_a_key_do_no_harm(key: PrivateKey, tmp_path: Path) -> None:
    plain, edited = tmp_path / "key.pem", tmp_path / "edited.pem"
    key.save(plain)
    text = plain.read_bytes().replace(b"\n", b"\r\n")
    edited.touch(mode=0o600)
    edited.write_bytes(b"\xef\xbb\xbf \r\n" + text + b"\r\n\r\n\t")
    assert PrivateKey.load(edited).public == key.public


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "trust/key-file"),
        (b"not a key", "trust/key-file"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "trust/key-file"),
        (b"x" * 100_000, "trust/key-file"),
    ],
)
def test_a_file_without_a_key_is_named_as_such(content: bytes, code: str, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.touch(mode=0o600)
    file.write_bytes(content)
    with pytest.raises(OperatorError, match=code) as caught:
        PrivateKey.load(file)
    assert caught.value.place == str(file)


def test_a_missing_key_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"trust/key-missing.*consortia init"):
        PrivateKey.load(tmp_path / "none.pem")


def test_a_passphrase_is_needed_right_and_long(tmp_path: Path) -> None:
    key, file = PrivateKey.generate("ecdsa-p256"), tmp_path / "key.pem"
    with pytest.raises(OperatorError, match="trust/passphrase"):
        key.save(file, b"short")
    assert not file.exists()
    key.save(file, PASSPHRASE)
    for given in (None, b"another passphrase!"):
        with pytest.raises(OperatorError, match="trust/passphrase"):
            PrivateKey.load(file, given)


def test_a_key_of_another_purpose_is_refused(tmp_path: Path) -> None:
    KemPrivateKey.generate().save(tmp_path / "kem.pem")
    PrivateKey.generate().save(tmp_path / "key.pem")
    with pytest.raises(OperatorError, match="trust/key-file"):
        PrivateKey.load(tmp_path / "kem.pem")
    with pytest.raises(OperatorError, match="trust/key-file"):
        KemPrivateKey.load(tmp_path / "key.pem")


def test_half_a_hybrid_key_is_refused(tmp_path: Path) -> None:
    PrivateKey.generate().save(tmp_path / "key.pem")
    half = tmp_path / "half.pem"
    half.touch(mode=0o600)
    half.write_bytes(
        (tmp_path / "key.pem").read_bytes().split(b"-----END PRIVATE KEY-----")[0] + b"-----END PRIVATE KEY-----"
    )
    with pytest.raises(OperatorError, match="trust/key-file"):
        PrivateKey.load(half)


def test_private_keys_neither_print_nor_pickle(key: PrivateKey, tmp_path: Path) -> None:
    key.save(tmp_path / "key.pem")
    secret = (tmp_path / "key.pem").read_text().splitlines()[1]
    assert secret not in repr(key) + str(key) + repr(vars(key))
    for private in (key, KemPrivateKey.generate()):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(private)


def test_a_secret_with_a_line_break_is_read_without_it(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.touch(mode=0o600)
    file.write_bytes(PASSPHRASE + b"\r\n")
    assert read_secret(file) == PASSPHRASE


def test_a_folder_in_the_place_of_a_key_is_an_error_with_place_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="trust/key-missing") as caught:
        PrivateKey.load(tmp_path)
    assert caught.value.remedy
    assert caught.value.place
