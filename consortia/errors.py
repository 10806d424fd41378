"""Every error that a person can meet, grouped by who must act on it.

    ConsortiaError
    ├── RequestError      the analyst: the question can't be answered as asked          exit 2
    ├── PolicyRefusal     the analyst or an officer: a policy does not allow it         exit 3
    │   └── BudgetExhausted  the quota of queries or the privacy budget is used up      exit 6
    ├── OperatorError     the operator of this member: files, keys, data, configuration exit 1
    ├── PeerError         the operator of another member: it is absent, slow or wrong   exit 5
    │   └── NoProgress    nothing came from a peer for longer than the set limit        exit 124
    ├── ProtocolAbort     everybody: a message is forged, replayed or inconsistent      exit 1
    └── InternalError     us: an invariant of the program does not hold                 exit 1

Each carries a stable code (``room/slug``, listed in docs/errors.md with its remedy), what happened, where,
and what to do next. Texts are lower case, without a full stop, with the user's own words in backticks.
About an owner's data, other parties are told ``public()`` only: code and party, never the details.
"""

import traceback
from collections.abc import Iterator
from pathlib import PurePath
from typing import ClassVar


class ConsortiaError(Exception):
    """Root of the tree; never raised itself."""

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        place = f" ({self.place})" if self.place else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.code}: {self.message}{place}{remedy}"

    def as_dict(self) -> dict[str, str]:
        """The error as the JSON object that ``--json`` prints: kind, code, message, place, remedy."""
        return {
            "kind": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "place": self.place,
            "remedy": self.remedy,
        }

    def public(self, party: str) -> dict[str, str]:
        """What other parties may learn: the code and the party, no detail of anybody's data."""
        return {"kind": type(self).__name__, "code": self.code, "party": party}


class RequestError(ConsortiaError):
    """The question can't be answered as asked; the analyst must change it."""

    exit_code = 2


class PolicyRefusal(ConsortiaError):
    """A policy does not allow it; the text names the rule and, where there is one, what would pass."""

    exit_code = 3


class BudgetExhausted(PolicyRefusal):
    """A policy allows it, and an owner has no room for it now: the same question may pass later."""

    exit_code = 6


class OperatorError(ConsortiaError):
    """Files, keys, data or configuration of this member are not as they must be."""

    exit_code = 1


class PeerError(ConsortiaError):
    """Another member's node (or the coordinator) is absent, unreachable or not what it claims."""

    exit_code = 5


class NoProgress(PeerError):
    """A peer was silent for longer than the set limit."""

    exit_code = 124


class ProtocolAbort(ConsortiaError):
    """A message is forged, altered, replayed, out of order or contradicts another; nothing was opened."""


class InternalError(ConsortiaError):
    """An invariant of this program does not hold: a defect of ours, please report it."""


def unexpected(error: BaseException) -> dict[str, list[str]]:
    """What a log may hold of an exception that nobody foresaw: types and places in the code, of its causes too.

    Never its text, an argument or a local variable: libraries quote the values that they stumble over.
    """
    chain = list(_chain(error))
    return {
        "types": [type(one).__name__ for one in chain],
        "places": [place for one in chain for place in _places(one)],
    }


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what it came from, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _places(error: BaseException) -> Iterator[str]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = "/".join(PurePath(frame.f_code.co_filename).parts[-2:])
        yield f"{file}:{line} {frame.f_code.co_name}"
