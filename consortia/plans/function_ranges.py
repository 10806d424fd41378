"""Ranges of functions by monotonicity: their values at the ends of an interval, with room for their errors.

Ends are computed with exact decimals (``plans/functions``), so every party proves the same bounds. What shares or an
owner's database compute differs from them by less than ``margin`` (docs/reference/functions.md).
"""

from collections.abc import Callable
from fractions import Fraction

from consortia.plans.expressions import FUNCTION_SCALE, Call
from consortia.plans.functions import exponential, logarithm, power, rounded, square_root
from consortia.plans.types import Bounds

UNIT: int = 10**FUNCTION_SCALE
FUNCTIONS = ("sqrt", "ln", "exp", "sigmoid", "power")


def margin(value: int) -> int:
    """The largest error of a function whose value is ``value``: some units, and a part of the value itself."""
    return 64 + (abs(value) >> 11)


def greatest(parts: list[Bounds], *, all_known: bool, least: bool) -> Bounds:
    """Bounds of the greatest (``least``: the least) of the values that are not NULL."""
    if not all_known:
        return Bounds(lo=min(part.lo for part in parts), hi=max(part.hi for part in parts))
    choose: Callable[..., int] = min if least else max
    return Bounds(lo=choose(part.lo for part in parts), hi=choose(part.hi for part in parts))


def rounding(call: Call, argument: Bounds, scale: int) -> Bounds:
    """Bounds of round, floor and ceil, which never fall as their argument rises."""
    divisor = int(10 ** (scale - call.type.scale))

    def at(value: int) -> int:
        if call.op == "round":
            return rounded(value, divisor)
        return value // divisor if call.op == "floor" else -(-value // divisor)

    return Bounds(lo=at(argument.lo), hi=at(argument.hi))


def absolute(argument: Bounds) -> Bounds:
    """Bounds of a size."""
    ends = abs(argument.lo), abs(argument.hi)
    return Bounds(lo=0 if argument.lo <= 0 <= argument.hi else min(ends), hi=max(ends))


def function_range(call: Call, numbers: list[Bounds], scales: list[int]) -> tuple[Bounds, bool]:
    """Bounds of a function of ``FUNCTION_SCALE`` places, and whether it has no value somewhere in its argument.

    Raises OverflowError where the value reaches 2^126.
    """
    argument, scale = numbers[0], scales[0]
    if call.op == "sigmoid":
        return Bounds(lo=0, hi=UNIT), False
    points = _points(argument)
    match call.op:
        case "sqrt":
            values = [square_root(point, scale) for point in points]
            partial = argument.lo < 0
        case "ln":
            values = [logarithm(point, scale) for point in points]
            partial = argument.lo <= 0
        case "exp":
            values, partial = [exponential(point, scale) for point in points], False
        case _:
            exponent = Fraction(numbers[1].lo, int(10 ** scales[1]))
            values = [power(point, scale, exponent) for point in points]
            no_root = exponent.denominator != 1 and argument.lo < 0
            partial = no_root or (exponent < 0 and argument.lo <= 0 <= argument.hi)
    known = [value for value in values if value is not None] or [0]
    lo, hi = min(known), max(known)
    return Bounds(lo=lo - margin(lo), hi=hi + margin(hi)), partial


def _points(argument: Bounds) -> list[int]:
    """The ends, and those around 0, between which every function is monotone."""
    inner = [point for point in (-1, 0, 1) if argument.lo <= point <= argument.hi]
    return [argument.lo, *inner, argument.hi]
