"""What lint reports: a place, what is wrong there, and what is expected."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.language.reader import Path

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong (error: the policy is refused, or denies what it seems to permit) or noteworthy (warning).

    ``line`` and ``column`` are counted from 1; ``path`` is the dotted place in the file ("" where there is none);
    ``check`` says which check found it, ``remedy`` what is expected or would help ("" where nothing needs to change).
    """

    line: int
    column: int
    severity: Severity
    check: str
    path: str
    text: str
    remedy: str = ""


def at(loaded: LoadedPolicy, path: Path, severity: Severity, check: str, text: str, expected: str = "") -> Problem:
    """A problem at ``path`` of a policy that could be read."""
    mark = loaded.mark(path)
    remedy = f"expected {expected}" if expected else ""
    return Problem(mark.line, mark.column, severity, check, ".".join(map(str, path)), text, remedy)


def error(loaded: LoadedPolicy, path: Path, check: str, text: str, expected: str) -> Problem:
    """An error."""
    return at(loaded, path, "error", check, text, expected)


def warning(loaded: LoadedPolicy, path: Path, check: str, text: str, expected: str = "") -> Problem:
    """A warning."""
    return at(loaded, path, "warning", check, text, expected)


def errors(problems: Iterable[Problem]) -> int:
    """How many of ``problems`` are errors."""
    return sum(problem.severity == "error" for problem in problems)
