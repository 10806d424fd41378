"""Roots, logarithms, exponentials, the sigmoid and powers of exact decimals, correctly rounded.

A number is a carried integer and its scale. Results are carried at ``FUNCTION_SCALE`` places, rounded to the nearest,
halves away from zero; None where the function has no value. Every result is proved: digits are added until the error
of the computation can't change the rounding. What can reach 2^126 raises OverflowError; the planner has refused it by
bounds before. The work is bounded whatever the argument (docs/reference/functions.md).
"""

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import isqrt

from consortia.plans.expressions import FUNCTION_SCALE
from consortia.plans.types import REFUSED_FROM

UNIT: int = 10**FUNCTION_SCALE
PRECISIONS = (60, 150, 1000)
"""Digits tried in turn. Only a value that lies exactly between two results is undecided at the last, and rounds up."""
VANISHES = -20
"""The exponential of less is nearer to 0 than to the first place that a result has."""
OVERFLOWS = 80
"""The exponential of more reaches 2^126 at ``FUNCTION_SCALE`` places."""
MOST_EXACT = 1000
"""Integer powers up to this are computed as fractions."""


def rounded(dividend: int, divisor: int) -> int:
    """The quotient rounded to the nearest, halves away from zero; the divisor is not 0."""
    size = (2 * abs(dividend) + abs(divisor)) // (2 * abs(divisor))
    return size if (dividend < 0) == (divisor < 0) else -size


def square_root(value: int, scale: int) -> int | None:
    """The root of a number that is not negative."""
    if value < 0:
        return None
    shift = 2 * FUNCTION_SCALE - scale
    square, divisor = value * 10 ** max(0, shift), 10 ** max(0, -shift)
    floor = isqrt(square // divisor)
    return floor + int(4 * square >= (2 * floor + 1) ** 2 * divisor)


def logarithm(value: int, scale: int) -> int | None:
    """The natural logarithm of a positive number."""
    if value <= 0:
        return None
    number = _decimal(value, scale)
    return _proved(lambda context: context.ln(number))


def exponential(value: int, scale: int) -> int:
    """E to the power of a number; OverflowError where that reaches 2^126."""
    number = _decimal(value, scale)
    if number < VANISHES:
        return 0
    if number > OVERFLOWS:
        raise OverflowError("exp")
    return _within(_proved(lambda context: context.exp(number)))


def sigmoid(value: int, scale: int) -> int:
    """1 / (1 + e^-x), which is 0 and 1 at the far ends."""
    number = _decimal(value, scale)
    if abs(number) > -VANISHES:
        return UNIT if value > 0 else 0
    one = Decimal(1)
    return _proved(lambda context: context.divide(one, context.add(one, context.exp(-number))))


def power(value: int, scale: int, exponent: Fraction) -> int | None:
    """A number to a constant; None for 0 to a negative one and for a negative number to one that is no integer.

    0 to the power of 0 is 1, as in PostgreSQL. OverflowError where the result reaches 2^126.
    """
    whole = exponent.denominator == 1
    if value == 0:
        return None if exponent < 0 else UNIT * int(exponent == 0)
    if value < 0 and not whole:
        return None
    sign = -1 if value < 0 and exponent.numerator % 2 else 1
    if abs(value) == 10**scale or exponent == 0:
        return sign * UNIT
    number = abs(_decimal(value, scale))
    size = _exponent(number, exponent, Context(prec=30, Emax=MAX_EMAX, Emin=MIN_EMIN))
    if size > OVERFLOWS:
        raise OverflowError("power")
    if size < VANISHES:
        return 0
    if whole and abs(exponent) <= MOST_EXACT:
        exact = Fraction(abs(value), 10**scale) ** exponent.numerator
        return sign * _within(rounded(exact.numerator * UNIT, exact.denominator))
    return sign * _within(_proved(lambda context: context.exp(_exponent(number, exponent, context))))


def _exponent(number: Decimal, exponent: Fraction, context: Context) -> Decimal:
    """The natural logarithm of ``number`` to ``exponent``."""
    share = context.divide(Decimal(exponent.numerator), Decimal(exponent.denominator))
    return context.multiply(share, context.ln(number))


def _decimal(value: int, scale: int) -> Decimal:
    """The number itself; nothing is rounded."""
    return Decimal((int(value < 0), tuple(map(int, str(abs(value)))), -scale))


def _within(result: int) -> int:
    if abs(result) >= REFUSED_FROM:
        raise OverflowError("the result reaches 2^126")
    return result


def _proved(compute: Callable[[Context], Decimal]) -> int:
    """The rounded result of a computation of a few operations, each exact to the last digit of its context.

    An exponent of a power is at most ``OVERFLOWS``, so its error of some units in the last digit makes one of some
    hundred in the result: four digits are given away.
    """
    result = 0
    for digits in PRECISIONS:
        context = Context(prec=digits, rounding=ROUND_HALF_EVEN, Emax=MAX_EMAX, Emin=MIN_EMIN)
        value = compute(context).scaleb(FUNCTION_SCALE, context)
        error = Decimal((0, (1,), value.adjusted() + 5 - digits))
        wide = Context(prec=digits + 40, Emax=MAX_EMAX, Emin=MIN_EMIN)
        low, high = (
            int(bound.to_integral_value(ROUND_HALF_UP))
            for bound in (wide.subtract(value, error), wide.add(value, error))
        )
        result = max(low, high, key=abs)
        if low == high:
            break
    return result
