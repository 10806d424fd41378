"""Bounds of expressions: which integers a value can take, proved from the catalogue, and whether it can be NULL.

Interval arithmetic in carried units. Nothing is assumed of data: a bound that reaches 2^126 is refused here,
whichever operator makes it, so that all forms of the same arithmetic get one verdict.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consortia.errors import RequestError
from consortia.plans.columns import Column
from consortia.plans.evaluate import truncated
from consortia.plans.expressions import Call, Const, Expr, Ref, columns_of
from consortia.plans.function_ranges import FUNCTIONS, absolute, function_range, greatest, rounding
from consortia.plans.meaning import SIGNS, type_of
from consortia.plans.types import REFUSED_FROM, Bounds

Columns = Mapping[str, Column]

FARTHEST_DAY = 10**9
"""Days from 1970-01-01 within which all engines hold a date, and the number that moves it, in 32 bits. An owner's
database that failed on a date beyond would tell, by failing, that it has a row that leads there."""


@dataclass(frozen=True)
class Range:
    """Inclusive bounds (None: keys and texts, which have no arithmetic) and whether NULL is possible."""

    bounds: Bounds | None
    nullable: bool


def magnitude(bounds: Bounds) -> int:
    """The largest absolute value within."""
    return max(abs(bounds.lo), abs(bounds.hi))


def hull(parts: list[Bounds]) -> Bounds:
    """The least interval that holds all of ``parts``."""
    return Bounds(lo=min(part.lo for part in parts), hi=max(part.hi for part in parts))


def nearest(bounds: Bounds, base: int) -> Bounds:
    """Bounds of the nearest multiples of ``base``."""
    lo, hi = ((end + base // 2) // base * base for end in (bounds.lo, bounds.hi))
    return Bounds(lo=lo, hi=hi)


def summed(bounds: Bounds, rows: int) -> Bounds:
    """Bounds of a sum of at most ``rows`` values; no value at all gives 0."""
    return Bounds(lo=min(0, bounds.lo * rows), hi=max(0, bounds.hi * rows))


def checked(bounds: Bounds, operator: str, columns: frozenset[str]) -> Bounds:
    """``bounds``, unless they reach 2^126: then RequestError ``plans/capacity`` with column, bound and operator."""
    if magnitude(bounds) < REFUSED_FROM:
        return bounds
    names = ", ".join(f"`{name}`" for name in sorted(columns)) or "a constant"
    raise RequestError(
        "plans/capacity",
        f"{operator} over {names} can reach {magnitude(bounds)}, and exact arithmetic ends at 2^126",
        place=f"column {names}",
        remedy="narrow the bounds of the column or its max_rows in the catalogue",
    )


def infer(expression: Expr, columns: Columns) -> Range:
    """The range of ``expression`` over ``columns``; every intermediate is checked."""
    match expression:
        case Ref(column=name):
            return _column(columns[name])
        case Const(type=kind, integer=integer):
            empty = integer is None and expression.text is None
            if integer is None:
                return Range(Bounds(lo=0, hi=0) if empty and kind.kind not in ("text", "key") else None, empty)
            return Range(checked(Bounds(lo=integer, hi=integer), "a constant", frozenset()), nullable=False)
        case Call(op="member"):
            return Range(None, nullable=False)
        case Call(op="case", args=args):
            _ = [infer(truth, columns) for truth in args[:-1:2]]
            return _either([infer(value, columns) for value in (*args[1::2], args[-1])])
        case Call(op="coalesce", args=args):
            parts = [infer(arg, columns) for arg in args]
            return Range(_either(parts).bounds, nullable=all(part.nullable for part in parts))
        case Call(op="greatest" | "least", args=args):
            return _greatest(expression, [infer(arg, columns) for arg in args])
        case Call(op="is_null", args=args):
            _ = [infer(arg, columns) for arg in args]
            return Range(Bounds(lo=0, hi=1), nullable=False)
        case Call(args=args):
            return _strict(expression, [infer(arg, columns) for arg in args], columns)


def _column(column: Column) -> Range:
    if column.bounds is None:
        if column.type.kind in ("int", "decimal"):
            raise RequestError(
                "plans/no-bounds",
                f"column `{column.name}` has no bounds, so no result over it can be proved exact",
                place=f"column `{column.name}`",
                remedy="the members must sign a catalogue that declares them",
            )
        return Range(None, column.nullable)
    bounds = checked(column.bounds, "reading", frozenset((column.name,)))
    return Range(bounds, column.nullable)


def _either(parts: list[Range]) -> Range:
    known = [part.bounds for part in parts if part.bounds is not None]
    return Range(hull(known) if known else None, nullable=any(part.nullable for part in parts))


def _greatest(call: Call, parts: list[Range]) -> Range:
    """The greatest or least of the arguments that are not NULL."""
    known = [part.bounds for part in parts if part.bounds is not None]
    all_known = not any(part.nullable for part in parts)
    bounds = greatest(known, all_known=all_known, least=call.op == "least") if known else None
    return Range(bounds, nullable=all(part.nullable for part in parts))


def _strict(call: Call, parts: list[Range], columns: Columns) -> Range:
    nullable = any(part.nullable for part in parts)
    numbers = [part.bounds for part in parts if part.bounds is not None]
    if call.type.kind == "bool":
        return Range(Bounds(lo=0, hi=1), nullable)
    if call.op in ("divide", "modulo"):
        nullable = nullable or numbers[1].lo <= 0 <= numbers[1].hi
    types = {name: columns[name].type for name in columns_of(call)}
    scales = [type_of(arg, types).scale for arg in call.args]
    operator = f"`{SIGNS.get(call.op, call.op.upper())}`"
    if call.op in FUNCTIONS:
        bounds, partial = _function(call, numbers, scales)
        nullable = nullable or partial
    else:
        bounds = _computed(call, numbers, scales)
    checked(bounds, operator, columns_of(call))
    if call.type.kind == "date" and magnitude(bounds) > FARTHEST_DAY:
        names = ", ".join(f"`{name}`" for name in sorted(columns_of(call))) or "a constant"
        raise RequestError(
            "plans/capacity",
            f"{operator} over {names} can reach a date {magnitude(bounds)} days from 1970, and dates end"
            f" {FARTHEST_DAY} days from it",
            place=f"column {names}",
            remedy="move the date by fewer days",
        )
    return Range(bounds, nullable)


def _function(call: Call, numbers: list[Bounds], scales: list[int]) -> tuple[Bounds, bool]:
    try:
        return function_range(call, numbers, scales)
    except OverflowError as error:
        names = ", ".join(f"`{name}`" for name in sorted(columns_of(call))) or "a constant"
        raise RequestError(
            "plans/capacity",
            f"{call.op.upper()} over {names} can reach 2^126, where exact arithmetic ends",
            place=f"column {names}",
            remedy="narrow the bounds of the column, or keep its argument small, LEAST(x, 40)",
        ) from error


def _computed(call: Call, numbers: list[Bounds], scales: list[int]) -> Bounds:
    match call.op, numbers:
        case "add", [a, b]:
            return Bounds(lo=a.lo + b.lo, hi=a.hi + b.hi)
        case "subtract", [a, b]:
            return Bounds(lo=a.lo - b.hi, hi=a.hi - b.lo)
        case "multiply", [a, b]:
            corners = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
            return Bounds(lo=min(corners), hi=max(corners))
        case "negate", [a]:
            return Bounds(lo=-a.hi, hi=-a.lo)
        case "cast", [a]:
            factor = int(10 ** (call.type.scale - scales[0]))
            return Bounds(lo=a.lo * factor, hi=a.hi * factor)
        case "modulo", [a, b]:
            # the sign is the dividend's, the size less than the divisor's and not more than the dividend's
            size = min(magnitude(a), max(0, magnitude(b) - 1))
            return Bounds(lo=-size if a.lo < 0 else 0, hi=size if a.hi > 0 else 0)
        case "divide", [a, b]:
            return _quotient(call, a, b, scales)
        case "abs", [a]:
            return absolute(a)
        case "round" | "floor" | "ceil", [a]:
            return rounding(call, a, scales[0])
    raise TypeError(call.op)


def _quotient(call: Call, a: Bounds, b: Bounds, scales: list[int]) -> Bounds:
    if call.type.kind == "int":
        divisors = [d for d in (b.lo, b.hi, -1, 1) if d != 0 and b.lo <= d <= b.hi] or [1]
        corners = [truncated(x, d) for x in (a.lo, a.hi) for d in divisors]
        return Bounds(lo=min(0, *corners), hi=max(0, *corners))
    # rounding moves a quotient by less than one unit of the last place; a divisor is at least one carried unit
    size = magnitude(a) * int(10 ** (call.type.scale - scales[0] + scales[1]))
    # the owner's database scales the dividend before it divides, so that must fit too, however large the divisor
    checked(Bounds(lo=-size, hi=size), "the scaled dividend of `/`", columns_of(call))
    least = min((abs(d) for d in (b.lo, b.hi)), default=1) if b.lo > 0 or b.hi < 0 else 1
    size = size // max(1, least) + 1
    return Bounds(lo=-size if a.lo < 0 or b.lo < 0 else 0, hi=size)
