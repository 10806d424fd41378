"""A mark beside the database: how far its ledger had come. It tells that an older copy of the file was put back.

The mark is written after the transactions that it counts, so after a crash the ledger may be ahead of it and never
behind. It belongs into no backup: a database without its mark, or behind it, is one that was put back.
"""

import os
from pathlib import Path

from consortia.errors import OperatorError


class Mark:
    """The file ``path`` with one number, written through to the disk; None keeps no mark (a database in memory)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> int | None:
        """The number; None if there is no mark. Raises OperatorError ``parties/ledger-mark`` if it is damaged."""
        if self._path is None:
            return None
        try:
            text = self._path.read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        if not text.strip().isdecimal():
            raise OperatorError(
                "parties/ledger-mark",
                "the mark of the ledger is damaged",
                place=str(self._path),
                remedy="delete it, then reconcile the ledger with `consortia budget reconcile`",
            )
        return int(text)

    def write(self, number: int) -> None:
        """Put ``number`` on the disk; a lower one than is there changes nothing."""
        before = self.read()
        if before is None or before < number:
            self.reset(number)

    def reset(self, number: int) -> None:
        """Put ``number`` on the disk, also a lower one: after a reconciliation."""
        if self._path is None:
            return
        draft = self._path.with_suffix(f".{os.getpid()}-{number}")
        with draft.open("w", encoding="ascii") as file:
            file.write(f"{number}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
