"""Square root of a shared number.

How: the number is brought to u in [1/4, 1) by a power of four from its leading bit; 1/sqrt(u) comes from three Newton
steps y (3 - u y^2) / 2 from a polynomial of degree two, whose error 0.0241 becomes 2^-38, so that rounding rules; u
times it is sqrt(u), which the root of the power brings back.
"""

import math

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.normal import Powers, leading
from consortia.protocols.fixed.numbers import Fixed, multiply, polynomial, public

PRECISION = 29
"""Fraction bits of u and of 1/sqrt(u), which is at most 2: its square fits."""
START = (2.670873846698748, -3.285471448520581, 1.638647190493392)
"""1/sqrt(u) on [1/4, 1] to 0.0241 of itself."""
NEWTON_STEPS = 3


def square_root(engine: Engine, x: Fixed, fraction: int) -> Fixed:
    """sqrt(x) with ``fraction`` fraction bits, for 0 <= x (below zero the result is meaningless).

    Maximum error: two units and 2^-25 of the root. The root of zero is zero.
    Raises InternalError ``fixed/range`` if x can reach 2^60 as carried.
    """
    even = x.scaled(2) if x.fraction % 2 else x
    half_fraction = (x.fraction + 1) // 2
    bits = max(2, even.limit.bit_length() + even.limit.bit_length() % 2)
    if bits > 60:
        raise InternalError("fixed/range", f"a root of {bits} bits can't be taken, only of up to 60")
    found = leading(engine.narrow("leading"), even.carried, bits)
    zero = engine.narrow("zero").bit_to_arithmetic(found.zero)

    # plane j: the leading bit is at place 2j or 2j + 1; no plane where the number is zero
    places = found.places
    pairs = places.planes(0, 1) ^ found.zero ^ places.planes(1, 2)
    for low in range(2, bits, 2):
        pairs = pairs.below(places.planes(low, low + 1) ^ places.planes(low + 1, low + 2))
    up = Powers(engine.narrow("up"), pairs.reversed_planes()).all()
    factor = engine.narrow("factor").multiply(up, up)
    normal = engine.narrow("normal").multiply(even.carried, factor) + zero.scaled(1 << (bits - 1))

    cut = bits - PRECISION
    unit = engine.narrow("unit").truncate(normal, cut) if cut > 0 else normal.scaled(1 << -cut)
    u = Fixed(unit, PRECISION, 1 << PRECISION)
    root = multiply(engine.narrow("root"), u, _inverse_root(engine.narrow("newton"), u), PRECISION)

    # sqrt(number) = root 2^(j + 1), j the plane that is set
    shift = 1 - PRECISION + fraction - half_fraction
    down = Powers(engine.narrow("down"), pairs)
    carried = down.times(engine.narrow("result"), root.carried, PRECISION + 1, shift)
    scaled = even.limit << max(0, 2 * (fraction - half_fraction)) >> max(0, 2 * (half_fraction - fraction))
    limit = math.isqrt(scaled)
    limit += (limit >> 20) + 3
    return Fixed(carried, fraction, limit)


def _inverse_root(engine: Engine, u: Fixed) -> Fixed:
    """1/sqrt(u) for u in [1/4, 1], to 2^-26 of itself."""
    y = _bounded(polynomial(engine.narrow("start"), u, START))
    three = public(engine, u.length, 3 << PRECISION, PRECISION)
    for number in range(1, NEWTON_STEPS + 1):
        step = engine.narrow(f"step-{number}")
        square = multiply(step.narrow("square"), y, y, PRECISION)
        product = multiply(step.narrow("product"), u, square, PRECISION)
        # u y^2 is within a tenth of 1; the half is taken with the fraction
        correction = Fixed((three - product).carried, PRECISION, (21 << PRECISION) // 10)
        carried = step.narrow("correct").multiply_truncate(y.carried, correction.carried, PRECISION + 1)
        y = _bounded(Fixed(carried, PRECISION, 3 << PRECISION))
    return y


def _bounded(y: Fixed) -> Fixed:
    """An approximation of 1/sqrt(u), which is at most 2, by 2.5 hundredths."""
    return Fixed(y.carried, y.fraction, (206 << PRECISION) // 100)
