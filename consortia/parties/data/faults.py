"""What is wrong with a file of data, and how it is told to its owner: the first fault by place, and how many.

A fault names line (or row) and column, never the value: the text of an error may reach a log. Readers and
converters collect faults; ``raise_first`` turns them into the one OperatorError that the operator meets.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from consortia.errors import OperatorError


class Reject(Exception):
    """One value is not what its column declares: ``code`` of the error, what is wrong, what to do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class Fault:
    """``count`` values of a column are wrong in the same way; the first stands in ``row`` (from 0)."""

    row: int
    column: str
    code: str
    message: str
    remedy: str
    count: int = 1


def raise_first(faults: Iterable[Fault], file: str, place: Callable[[int], str]) -> None:
    """Raise the OperatorError of the first fault by row; faults of one row stay in the order of columns.

    ``place`` names a row for the operator: ``line 5`` or ``row 4``.
    """
    ordered = sorted(faults, key=lambda fault: fault.row)
    if not ordered:
        return
    first = ordered[0]
    others = sum(fault.count for fault in ordered) - 1
    more = f", and {others} more faulty value{'s' if others > 1 else ''} in the file" if others else ""
    raise OperatorError(
        first.code,
        f"{first.message}{more}",
        place=f"{file}, {place(first.row)}, column `{first.column}`",
        remedy=first.remedy,
    )
