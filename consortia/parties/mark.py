"""A mark beside the database: how far its ledger had come. It tells that an older copy of the file was put back.

The mark is written after the transactions that it counts, so after a crash the ledger may be ahead of it and never
behind. It belongs into no backup: a database without its mark, or behind it, is one that was put back.
"""

import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from consortia.errors import OperatorError


class Mark:
    """The file ``path`` with one number, written through to the disk; None keeps no mark (a database in memory)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    @property
    def kept(self) -> bool:
        """Whether there is a file: a database in memory has no mark."""
        return self._path is not None

    def read(self) -> int | None:
        """The number; None if there is no mark. Raises OperatorError ``parties/ledger-mark`` if it is damaged."""
        if self._path is None:
            return None
        try:
            text = self._path.read_bytes().decode("ascii", errors="replace")
        except FileNotFoundError:
            return None
        if not text.isascii() or not text.strip().isdecimal():
            raise OperatorError(
                "parties/ledger-mark",
                "the mark of the ledger is damaged",
                place=str(self._path),
                remedy="delete it, then reconcile the ledger with `consortia budget reconcile`",
            )
        return int(text)

    def write(self, number: int) -> None:
        """Put ``number`` on the disk; a lower one than is there changes nothing."""
        self.follow(lambda: number)

    def follow(self, count: Callable[[], int]) -> None:
        """Put what ``count`` says on the disk, as ``write`` does; one thread at a time counts and writes."""
        with self._lock:
            number, before = count(), self.read()
            if before is None or before < number:
                self._put(number)

    def reset(self, number: int) -> None:
        """Put ``number`` on the disk, also a lower one: after a reconciliation."""
        with self._lock:
            self._put(number)

    def _put(self, number: int) -> None:
        if self._path is None:
            return
        descriptor, draft = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{number}\n")
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self._path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
