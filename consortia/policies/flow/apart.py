"""Whether two sets of conditions can be TRUE of no common row: read from comparisons with constants, column by column.

``currency = 'EUR'`` and ``currency IN ('USD', 'CHF')`` are apart, and so are two months. What is not seen is not apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consortia.plans.expressions import Call, Const, Expr
from consortia.plans.narrowing import MIRRORED
from consortia.plans.trees import conjuncts
from consortia.policies.flow.populations import text_of


@dataclass(frozen=True, slots=True)
class Allowed:
    """Values that a column may have: from ``lo`` to ``hi`` (None: no bound), and of ``values`` if these are given."""

    lo: int | None = None
    hi: int | None = None
    values: frozenset[int] | None = None

    def met(self, other: "Allowed") -> "Allowed":
        """Values that both allow."""
        lows = [bound for bound in (self.lo, other.lo) if bound is not None]
        highs = [bound for bound in (self.hi, other.hi) if bound is not None]
        given = [values for values in (self.values, other.values) if values is not None]
        return Allowed(
            max(lows, default=None), min(highs, default=None), frozenset.intersection(*given) if given else None
        )

    @property
    def is_empty(self) -> bool:
        """Whether no value is left."""
        if self.lo is not None and self.hi is not None and self.lo > self.hi:
            return True
        if self.values is None:
            return False
        return not any(
            (self.lo is None or value >= self.lo) and (self.hi is None or value <= self.hi) for value in self.values
        )


def are_apart(one: Iterable[Expr], other: Iterable[Expr]) -> bool:
    """Whether no row meets all conditions of both."""
    left, right = _allowed(one), _allowed(other)
    return any(left[column].met(right[column]).is_empty for column in left.keys() & right.keys())


def _allowed(conditions: Iterable[Expr]) -> Mapping[str, Allowed]:
    found: dict[str, Allowed] = {}
    for condition in conditions:
        for part in conjuncts(condition):
            read = _read(part)
            if read is not None:
                column, allowed = read
                found[column] = found.get(column, Allowed()).met(allowed)
    return found


def _read(part: Expr) -> tuple[str, Allowed] | None:
    """The expression that ``part`` compares with constants, and the values that make it TRUE; None if it does not."""
    match part:
        case Call(op="in", args=[value, *candidates]):
            numbers = [each.integer for each in candidates if isinstance(each, Const) and each.integer is not None]
            if len(numbers) == len(candidates):
                return text_of(value), Allowed(values=frozenset(numbers))
        case Call(op=op, args=[value, Const(integer=int(number))]) if op in MIRRORED:
            return text_of(value), _compared(op, number)
        case Call(op=op, args=[Const(integer=int(number)), value]) if op in MIRRORED:
            return text_of(value), _compared(MIRRORED[op], number)
        case Call(op="not", args=[value]):
            return text_of(value), Allowed(0, 0)
        case _ if not isinstance(part, Const):
            return text_of(part), Allowed(1, 1)
    return None


def _compared(op: str, number: int) -> Allowed:
    match op:
        case "eq":
            return Allowed(number, number)
        case "lt" | "le":
            return Allowed(hi=number - int(op == "lt"))
        case "gt" | "ge":
            return Allowed(lo=number + int(op == "gt"))
        case _:
            return Allowed()
