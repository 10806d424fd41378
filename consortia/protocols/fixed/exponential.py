"""Exponential, logarithm and powers of shared numbers."""

import math

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.divide import divide
from consortia.protocols.fixed.normal import Powers, leading
from consortia.protocols.fixed.numbers import (
    Fixed,
    bits_as_numbers,
    multiply,
    polynomial,
    public,
    stacked,
    unstacked,
    with_fraction,
)
from consortia.protocols.shares import Arithmetic, Boolean

PRECISION = 28
"""Fraction bits of the exponent and of what comes out of its polynomial."""
LOG_PRECISION = 30
"""The same for logarithms."""
LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
EXP2 = (
    1.0000000026391238, 0.6931469246802928, 0.24023054946360722, 0.05548022281237578, 0.00968497438779294,
    0.0012384310322743819, 0.00021889234545177696,
)  # fmt: skip
"""2^z on [0, 1] to 2.7e-9."""
LOG = (
    -0.28768207245178107, 0.3333333405500223, -0.05555555776833908, 0.012345535361484488, -0.0030863757092874115,
    0.0008238399443780584, -0.00022886729956822003, 6.354875219467941e-05, -1.850882535559993e-05,
    7.324947080888933e-06, -2.2080031217538734e-06,
)  # fmt: skip
"""ln((w + 3) / 4) on [-1, 1] to 9.5e-10."""


def exponential(engine: Engine, x: Fixed, fraction: int, highest: int) -> Fixed:
    """e^x with ``fraction`` fraction bits, for x <= ``highest`` (a public integer that the caller proves).

    Maximum error: two units and 2^-(g-3) of the result, g = min(28, 58 - fraction - b), b = highest in bits of 2^b;
    with fraction 20 and highest 6 that is 2^-25. From -(fraction + 2) ln 2 downwards the result is at most one unit.
    Raises InternalError ``fixed/range`` if g would be below 12, or if |x| can reach 2^31 in its units.
    """
    above = max(0, math.ceil(highest * LOG2_E))
    offset = fraction + 2
    precision = min(PRECISION, 60 - offset - above)
    if precision < 12:
        raise InternalError("fixed/range", f"e^{highest} with {fraction} fraction bits leaves no precision")
    # t = x log2(e) + offset, so that what gives less than a unit is below zero
    scaled = x.scaled(round(LOG2_E * 2**30))
    exponent = with_fraction(engine.narrow("base-2"), Fixed(scaled.carried, x.fraction + 30, scaled.limit), PRECISION)
    t = exponent + public(engine, x.length, offset << PRECISION, PRECISION)
    if exponent.limit >= offset << PRECISION:
        t = _not_below_zero(engine.narrow("floor"), t)
    # the range of x is used here: t <= offset + above
    whole_bits = (offset + above + 1).bit_length()
    planes = engine.narrow("planes").decompose(t.carried, PRECISION + whole_bits)
    places = [planes.planes(PRECISION + j, PRECISION + j + 1) for j in range(whole_bits)]
    bits = bits_as_numbers(engine.narrow("bits"), places)
    whole = bits[0]
    for j, bit in enumerate(bits[1:], start=1):
        whole = whole + bit.scaled(1 << j)
    rest = Fixed(t.carried - whole.scaled(1 << PRECISION), PRECISION, 1 << PRECISION)

    value = polynomial(engine.narrow("rest"), rest, EXP2)
    value = with_fraction(engine.narrow("precision"), value, precision)
    power = _power_of_two(engine.narrow("power"), bits)
    carried = engine.narrow("result").multiply_truncate(value.carried, power, precision + offset - fraction)
    return Fixed(carried, fraction, 1 << (above + fraction + 1))


def _not_below_zero(engine: Engine, x: Fixed) -> Fixed:
    negative = engine.narrow("bit").bit_to_arithmetic(engine.narrow("sign").negative(x.carried, x.bits))
    return Fixed(x.carried - engine.narrow("cut").multiply(negative, x.carried), x.fraction, x.limit)


def _power_of_two(engine: Engine, bits: list[Arithmetic]) -> Arithmetic:
    """2^(sum of 2^j bits[j]): products of 1 + (2^(2^j) - 1) bits[j], in pairs."""
    one = public(engine, bits[0].length, 1, 0).carried
    factors = [one + bit.scaled((1 << (1 << j)) - 1) for j, bit in enumerate(bits)]
    level = 0
    while len(factors) > 1:
        level += 1
        pairs = len(factors) // 2
        left, right = stacked(factors[0 : 2 * pairs : 2]), stacked(factors[1 : 2 * pairs : 2])
        products = unstacked(engine.narrow(f"level-{level}").multiply(left, right), pairs)
        factors = products + factors[2 * pairs :]
    return factors[0]


def logarithm(engine: Engine, x: Fixed, fraction: int) -> tuple[Fixed, Boolean]:
    """Natural logarithm of x with ``fraction`` fraction bits (at most 28), for 0 <= x, and valid: x > 0.

    Where x = 0 the result is 0 (NULL). Maximum error: one unit and 2^-24.
    Raises InternalError ``fixed/range`` if x can reach 2^61 as carried.
    """
    bits = max(1, x.limit.bit_length())
    if bits > 61 or fraction > LOG_PRECISION - 2:
        raise InternalError("fixed/range", f"ln of {bits} bits with {fraction} fraction bits is not defined")
    found = leading(engine.narrow("leading"), x.carried, bits)
    zero = engine.narrow("zero").bit_to_arithmetic(found.zero)
    power = Powers(engine, found.places.reversed_planes()).all()
    normal = engine.narrow("normal").multiply(x.carried + zero, power)
    cut = bits - LOG_PRECISION
    unit = engine.narrow("unit").truncate(normal, cut) if cut > 0 else normal.scaled(1 << -cut)
    # x = u 2^(m + 1 - fraction of x), u in [1/2, 1), w = 4 u - 3
    w = Fixed(unit, LOG_PRECISION, 1 << LOG_PRECISION).scaled(4) - public(
        engine, x.length, 3 << LOG_PRECISION, LOG_PRECISION
    )
    curve = polynomial(engine.narrow("curve"), Fixed(w.carried, LOG_PRECISION, 1 << LOG_PRECISION), LOG)
    place = _place(engine.narrow("place"), found.places)
    step = round(LN_2 * 2**LOG_PRECISION)
    line = Fixed(place, 0, bits).scaled(step) + public(engine, x.length, (1 - x.fraction) * step, 0)
    total = curve + Fixed(line.carried, LOG_PRECISION, line.limit)
    kept = total.carried - engine.narrow("kept").multiply(total.carried, zero)
    result = with_fraction(engine.narrow("result"), Fixed(kept, LOG_PRECISION, total.limit), fraction)
    return result, engine.invert(found.zero)


def _place(engine: Engine, places: Boolean) -> Arithmetic:
    """The number of the plane that is set: bit t of it is the exclusive or of the planes whose number has that bit."""
    count = places.bits
    width = max(1, (count - 1).bit_length())
    none = engine.constant_boolean(np.zeros((places.length, 1), np.uint64), 1)
    number: Boolean | None = None
    for t in range(width):
        bit = none
        for plane in range(count):
            if plane >> t & 1:
                bit = bit ^ places.planes(plane, plane + 1)
        number = bit if number is None else number.below(bit)
    if number is None:
        raise InternalError("fixed/range", "there is no plane")
    return engine.compose(number)


def power(engine: Engine, x: Fixed, exponent: int) -> Fixed:
    """x^exponent for a public exponent >= 0, with the fraction of x.

    Maximum error: exponent units times |x|^(exponent - 1), or times 1 if that is more. Raises InternalError
    ``fixed/range`` where a product could reach 2^62.
    """
    if exponent < 0:
        raise InternalError("fixed/range", "a negative power is the reciprocal of a positive one: use `negative_power`")
    result: Fixed | None = None
    square = x
    place = 0
    while exponent >> place:
        if place:
            square = multiply(engine.narrow(f"square-{place}"), square, square, x.fraction)
        if exponent >> place & 1:
            result = square if result is None else multiply(engine.narrow(f"join-{place}"), result, square, x.fraction)
        place += 1
    return public(engine, x.length, 1 << x.fraction, x.fraction) if result is None else result


def negative_power(engine: Engine, x: Fixed, exponent: int, fraction: int) -> tuple[Fixed, Boolean]:
    """x^-exponent for a public exponent > 0, and valid: x^exponent != 0 as carried.

    Error of ``power``, then one unit.
    """
    positive = power(engine.narrow("power"), x, exponent)
    return divide(engine.narrow("reciprocal"), public(engine, x.length, 1, 0), positive, fraction)
