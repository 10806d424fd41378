"""Private keys on disk: PKCS#8 in PEM blocks, readable by their owner alone, never overwritten.

Invariants: a file is created with mode 0600 in one step (it never exists with another mode) and only if nothing is
there; a file that its group or the world may read is refused, whether or not it has a passphrase; white space, CRLF
and a byte order mark around the blocks do no harm, since editors and secret stores add them. All file access of keys
is here.
"""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from consortia.errors import OperatorError

SHORTEST_PASSPHRASE = 16
"""PKCS#8 as the library writes it stretches a passphrase by 2,048 rounds only: its length has to do the work."""
_LARGEST_FILE = 64 * 1024
_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Create ``path`` with ``content`` and ``mode``; raises OperatorError ``trust/exists`` if it is there already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise OperatorError(
            "trust/exists",
            "the file is there already and is never overwritten",
            place=str(path),
            remedy="move it away if you mean to replace it",
        ) from error
    except OSError as error:
        raise OperatorError("trust/write", f"the file can't be written: {error.strerror}", place=str(path)) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_secret(path: Path) -> bytes:
    """The bytes of a secret file without surrounding white space.

    Raises OperatorError ``trust/key-missing``, ``trust/key-mode`` (group or world may read it) or ``trust/key-file``
    (far too large to be a key).
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise OperatorError(
            "trust/key-missing",
            f"the key can't be read: {error.strerror}",
            place=str(path),
            remedy="check the path; `consortia init` makes the keys of a member, `consortia person add` of a person",
        ) from error
    with file:
        # The open file is looked at, not the path: nothing can be exchanged between the check and the reading.
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise OperatorError(
                "trust/key-mode",
                f"others than its owner may use this key (mode {mode:04o})",
                place=str(path),
                remedy=f"run `chmod 600 {path}`; if others had access, replace the key",
            )
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise OperatorError("trust/key-file", "the file is too large to be a key", place=str(path))
    return content.removeprefix(b"\xef\xbb\xbf").strip()


def save_private_keys(path: Path, keys: Sequence[PrivateKeyTypes], passphrase: bytes | None = None) -> None:
    """Write ``keys`` as PEM blocks in this order into the new file ``path``, mode 0600.

    Raises OperatorError ``trust/exists``, ``trust/write`` or ``trust/passphrase`` (fewer than 16 bytes).
    """
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        if len(passphrase) < SHORTEST_PASSPHRASE:
            raise OperatorError(
                "trust/passphrase",
                f"the passphrase has fewer than {SHORTEST_PASSPHRASE} characters",
                place=str(path),
                remedy="use five or more random words",
            )
        protection = serialization.BestAvailableEncryption(passphrase)
    blocks = [
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection) for key in keys
    ]
    write_new(path, b"".join(blocks), 0o600)


def load_private_keys(path: Path, passphrase: bytes | None = None) -> tuple[PrivateKeyTypes, ...]:
    """The private keys of ``path``, in the order of their PEM blocks.

    Raises OperatorError ``trust/key-missing``, ``trust/key-mode``, ``trust/key-file`` (no key in it, or damaged) or
    ``trust/passphrase`` (it needs one, or this is the wrong one).
    """
    content = read_secret(path).replace(b"\r\n", b"\n")
    keys = []
    for block in _BLOCK.finditer(content):
        encrypted = b"ENCRYPTED" in block.group(1)
        if encrypted and passphrase is None:
            raise OperatorError(
                "trust/passphrase",
                "the key is encrypted and no passphrase was given",
                place=str(path),
                remedy="give the file that holds it with --passphrase-file",
            )
        try:
            # A passphrase may be set for all keys of a folder while this one has none.
            keys.append(serialization.load_pem_private_key(block.group(0), passphrase if encrypted else None))
        except (ValueError, TypeError) as error:
            code, remedy = "trust/key-file", "restore it from your backup"
            if encrypted:
                code, remedy = "trust/passphrase", "check the passphrase; if it is right, the file is damaged"
            raise OperatorError(code, "the key can't be opened", place=str(path), remedy=remedy) from error
    if not keys:
        raise OperatorError(
            "trust/key-file", "there is no private key in this file", place=str(path), remedy="check the path"
        )
    return tuple(keys)


def read_passphrase(path: Path | None) -> bytes | None:
    """The passphrase in ``path`` without white space around it; None for no path. Errors as ``read_secret``."""
    return None if path is None else read_secret(path)
