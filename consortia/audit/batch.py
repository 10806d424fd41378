"""Many packs: verified on all processors, each pack by itself, with one line of outcome each."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from consortia.audit.believed import Memory
from consortia.audit.verify import verify_pack
from consortia.errors import ConsortiaError, RequestError

ENDING = ".pack"
_FEW = 40
"""So many packs take as long as starting another process."""
_PIECES = 4
"""Pieces of work for each processor: few enough to profit from what was verified before, enough to end together."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One pack: session, member and the manifest's fingerprint if it verified, else ``code`` and ``why`` not."""

    file: str
    session: str = ""
    member: str = ""
    code: str = ""
    why: str = ""
    fingerprint: str = ""

    @property
    def verified(self) -> bool:
        """Whether every check passed."""
        return not self.code


def packs_in(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files named, and of folders every file that ends in ``.pack``; sorted within a folder."""
    found = [sorted(path.glob(f"*{ENDING}")) if path.is_dir() else [path] for path in paths]
    return tuple(file for files in found for file in files)


def verify_files(files: Sequence[Path], fingerprint: str, processes: int | None = None) -> tuple[Outcome, ...]:
    """The outcome of each file, in order, on ``processes`` processors; None: all, or one where files are few."""
    usual = 1 if len(files) < _FEW else os.cpu_count() or 1
    workers = min(processes or usual, len(files))
    if workers <= 1:
        return _verify_piece(files, fingerprint)
    size = -(-len(files) // (workers * _PIECES))
    pieces = [files[start : start + size] for start in range(0, len(files), size)]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        done = list(pool.map(_verify_piece, pieces, [fingerprint] * len(pieces)))
    return tuple(outcome for piece in done for outcome in piece)


def read_pack(path: Path) -> bytes:
    """The bytes of a pack; raises RequestError ``audit/file``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestError(
            "audit/file", f"the file can't be read: {error.strerror}", place=str(path), remedy="check the path"
        ) from error


def _verify_piece(files: Sequence[Path], fingerprint: str) -> tuple[Outcome, ...]:
    memory = Memory()
    return tuple(_verify_one(file, fingerprint, memory) for file in files)


def _verify_one(file: Path, fingerprint: str, memory: Memory) -> Outcome:
    try:
        verified = verify_pack(read_pack(file), fingerprint, memory)
    except ConsortiaError as error:
        return Outcome(str(file), code=error.code, why=error.message)
    return Outcome(str(file), verified.session, verified.opened.pack.member, fingerprint=verified.fingerprint)
