"""Roots, logarithms, exponentials, the sigmoid and powers of decimals on shares.

A decimal is a carried integer and a public scale; results are carried at ``PLACES`` places. Errors, beside one unit of
the last place (docs/reference/functions.md): 2^-25 of a root, 2^-23 for a logarithm, 2^-22 of the largest value that
the bounds allow for an exponential or a power that is no integer, 3.5e-4 for the sigmoid; integer powers are exact.
What lies between is a random choice of the two neighbours, right in the mean, so runs can differ by it. Intervals of
results include the errors; whoever makes a column of them clips it to the bounds of the exact function.
"""

from __future__ import annotations

import math
from fractions import Fraction

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.exponential import exponential, logarithm
from consortia.protocols.fixed.numbers import Fixed, check_limit, with_fraction
from consortia.protocols.fixed.roots import square_root
from consortia.protocols.fixed.sigmoid import sigmoid as sigmoid_of
from consortia.protocols.relational.choice import clipped
from consortia.protocols.relational.comparisons import both, is_negative, signed_bits
from consortia.protocols.relational.quotients import by_constant, quotient
from consortia.protocols.relational.values import Number, constant, multiply, scale, shared
from consortia.protocols.shares import Arithmetic, Boolean

PLACES = 6
"""Decimal places of results."""
UNIT = 10**PLACES
ROOM = 61
"""Bits below which every carried value stays."""
LOG_FRACTION = 28
VANISHES = 20
"""e to the power of less than minus this is nearer to 0 than to the first place of a result."""
ROUGH = ("sqrt", "ln", "exp", "sigmoid", "power")
"""Operators whose values are approximate."""


def root(engine: Engine, length: int, x: Number, places: int) -> Number:
    """The square root of a decimal of ``places``; NULL below zero."""
    value, known = _from_zero(engine.narrow("domain"), length, x)
    odd = places % 2
    radicand = value.scaled(10**odd)
    limit = max(0, x.hi) * 10**odd
    half = (places + odd) // 2
    factor, divisor = 10 ** max(0, PLACES - half), 10 ** max(0, half - PLACES)
    largest = math.isqrt(limit) + 1
    fraction = max(0, min(28, ROOM - 1 - (largest * factor).bit_length()))
    found = square_root(engine.narrow("root"), Fixed(radicand, 0, limit), fraction)
    result = _decimal(engine, found, factor, found.limit)
    error = 2 + (largest * factor >> 24)
    made = Number(result, 0, -error, largest * factor + error, known, x.clean)
    return made if divisor == 1 else by_constant(engine.narrow("places"), length, made, divisor, "rounded")


def natural_logarithm(engine: Engine, length: int, x: Number, places: int) -> Number:
    """The natural logarithm of a decimal of ``places``; NULL from zero downwards."""
    found, valid, known = _logarithm(engine, length, x)
    # ln of the carried integer, less that of the power of ten
    offset = round(places * math.log(10) * (1 << LOG_FRACTION) * UNIT)
    value = Number(found.carried.scaled(UNIT), -offset, -1, 1)
    result = engine.narrow("decimal").truncate(shared(engine, length, value), LOG_FRACTION)
    lo = math.floor(-places * math.log(10) * UNIT) - 2
    hi = math.ceil((math.log(max(1, x.hi)) - places * math.log(10)) * UNIT) + 2
    return Number(result, 0, min(lo, 0), max(hi, 0), both(engine.narrow("valid"), known, valid))


def _logarithm(engine: Engine, length: int, x: Number) -> tuple[Fixed, Boolean, Boolean | None]:
    """Ln of the carried integer, one plane where it is above zero, and where it is not NULL nor below zero."""
    value, known = _from_zero(engine.narrow("domain"), length, x)
    found, valid = logarithm(engine.narrow("logarithm"), Fixed(value, 0, max(1, x.hi)), LOG_FRACTION)
    return found, valid, known


def natural_exponential(engine: Engine, length: int, x: Number, places: int) -> Number:
    """E to the power of a decimal of ``places``."""
    inside = x
    if x.lo < -VANISHES * 10**places:  # the rest is zero anyway, and the range decides the precision
        inside = clipped(engine.narrow("range"), length, x, -VANISHES * 10**places, max(x.hi, -VANISHES * 10**places))
    power = _binary(engine.narrow("binary"), length, inside, places, 30)
    return _exponential(engine, power, Fraction(x.hi, 10**places), x.known)


def _exponential(engine: Engine, power: Fixed, highest: Fraction, known: Boolean | None) -> Number:
    """E to a power of at most ``highest``, as a decimal."""
    above = max(0, math.ceil(math.ceil(highest) * math.log2(math.e)))
    fraction = max(0, min(26, 30 - above))
    check_limit(1 << (above + fraction + 1 + UNIT.bit_length()))
    found = exponential(engine.narrow("exponential"), power, fraction, math.ceil(highest))
    result = _decimal(engine, found, UNIT, found.limit)
    largest = UNIT << above
    return Number(result, 0, -2, largest + (largest >> 10) + 2, known)


def logistic(engine: Engine, length: int, x: Number, places: int) -> Number:
    """1 / (1 + e^-x) of a decimal of ``places``."""
    value = _binary(engine.narrow("binary"), length, x, places, 60, most=20)
    if value.fraction < 8:
        raise InternalError("fixed/range", f"a sigmoid of up to {x.largest} leaves no precision")
    found = sigmoid_of(engine.narrow("sigmoid"), value)
    result = _decimal(engine, found, UNIT, found.limit)
    return Number(result, 0, -10, UNIT + 10, x.known)


def power(engine: Engine, length: int, x: Number, places: int, exponent: Fraction) -> Number:
    """A decimal of ``places`` to a public exponent.

    NULL for 0 to a negative exponent, and for a negative number to one that is no integer.
    """
    if exponent.denominator == 1:
        return _integer_power(engine, length, x, places, exponent.numerator)
    if exponent == Fraction(1, 2):
        return root(engine, length, x, places)
    found, valid, known = _logarithm(engine, length, x)
    # of all arguments above zero the logarithm lies between these
    low, high = -places * math.log(10), math.log(max(1, x.hi)) - places * math.log(10)
    ends = sorted((float(exponent) * low, float(exponent) * high))
    size = max(abs(ends[0]), abs(ends[1]), 1.0)
    fraction = ROOM - 2 - math.ceil(max(size, 45 * abs(float(exponent)))).bit_length()
    extra = fraction - LOG_FRACTION
    if extra < 12:
        raise InternalError("fixed/range", f"a power {exponent} leaves no precision")
    factor = round(exponent * (1 << extra))
    offset = round(low * factor * (1 << LOG_FRACTION)) if places else 0
    line = Number(found.carried.scaled(factor), offset, -1, 1)
    carried = shared(engine, length, line)
    exact = Fixed(carried, fraction, math.ceil(size * 2**fraction) + 1)
    power_of_e = with_fraction(engine.narrow("power"), exact, 30 - math.ceil(size).bit_length())
    result = _exponential(engine, power_of_e, Fraction(ends[1]), None)
    if exponent < 0:
        return Number(result.vector, 0, result.lo, result.hi, both(engine.narrow("valid"), known, valid))
    above = engine.narrow("bit").bit_to_arithmetic(valid)
    kept = engine.narrow("zero").multiply(above, shared(engine, length, result))
    return Number(kept, 0, result.lo, result.hi, known, x.clean)


def _integer_power(engine: Engine, length: int, x: Number, places: int, exponent: int) -> Number:
    """Exact, as long as the powers of the carried integer fit."""
    if exponent == 0:
        known = constant(engine, length, UNIT)
        return Number(known.vector, known.offset, UNIT, UNIT, x.known)
    size = abs(exponent)
    result: Number | None = None
    square, place = x, 0
    while size >> place:
        if place:
            square = _product(engine.narrow(f"square-{place}"), length, square, square)
        if size >> place & 1:
            result = square if result is None else _product(engine.narrow(f"join-{place}"), length, result, square)
        place += 1
    if result is None:
        raise InternalError("fixed/range", "there is no power")
    if exponent % 2 == 0:
        result = Number(result.vector, result.offset, min(0, result.hi), result.hi, result.known, result.clean)
    if exponent < 0:
        one = constant(engine, length, 10 ** (PLACES + size * places))
        return quotient(engine.narrow("reciprocal"), length, one, result, "rounded")
    digits = size * places - PLACES
    if digits <= 0:
        return scale(result, 10**-digits)
    return by_constant(engine.narrow("places"), length, result, 10**digits, "rounded")


def _product(engine: Engine, length: int, x: Number, y: Number) -> Number:
    check_limit(x.largest * y.largest)
    return multiply(engine, length, x, y)


def _from_zero(engine: Engine, length: int, x: Number) -> tuple[Arithmetic, Boolean | None]:
    """The number with zero in place of what is below zero, and where it is known and not below zero."""
    value = shared(engine, length, x)
    if x.lo >= 0:
        return value, x.known
    below = is_negative(engine, value, signed_bits(x.lo, x.hi))
    inside = engine.invert(below)
    bit = engine.narrow("bit").bit_to_arithmetic(inside)
    return engine.narrow("cut").multiply(bit, value), both(engine.narrow("known"), x.known, inside)


def _binary(engine: Engine, length: int, x: Number, places: int, bits: int, *, most: int = 60) -> Fixed:
    """A decimal as a number of ``bits`` bits with as many fraction bits as fit, at most ``most``."""
    value, limit = shared(engine, length, x), max(1, x.largest)
    whole = (limit // 10**places + 1).bit_length()
    fraction = max(0, min(most, bits - whole))
    # the factor holds about 61 bits together with the number
    up = min(60, ROOM - 1 - limit.bit_length() + (10**places).bit_length() - 1)
    factor = round(Fraction(1 << up, 10**places))
    precise = Fixed(value.scaled(factor), up, limit * factor)
    return with_fraction(engine, precise, min(fraction, up))


def _decimal(engine: Engine, x: Fixed, factor: int, limit: int) -> Arithmetic:
    """The number times ``factor`` as an integer: one of the two neighbours."""
    check_limit(limit * factor)
    if x.fraction == 0:
        return x.carried.scaled(factor)
    return engine.narrow("decimal").truncate(x.carried.scaled(factor), x.fraction)
