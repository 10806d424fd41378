"""Division by a public integer: exact, at a fraction of the cost of a secret divisor.

How: the dividend is made positive by a public multiple of the divisor. Times floor(2^f / d), cut at f bits, it is the
quotient to within two, where f bits say more than the dividend has; three comparisons of the remainder put it right.
A dividend of too many bits for such a product first gives an approximate quotient of its upper 30 bits, and what that
leaves is divided. All products are with public numbers, so they cost nothing.
"""

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import CAPACITY, public, stacked, unstacked
from consortia.protocols.shares import Arithmetic

UPPER = 30
"""Bits of the dividend that an approximate quotient uses."""


def floor_divided(engine: Engine, x: Arithmetic, limit: int, divisor: int) -> Arithmetic:
    """floor(x / divisor) for |x| <= limit and a public divisor >= 1.

    About eleven rounds; four more where the square of the limit, divided by the divisor, reaches about 2^62. Raises
    InternalError ``fixed/range`` unless 2 * limit + 2 * divisor is below 2^62 and the divisor below 2^54.
    """
    if divisor == 1:
        return x
    multiple = limit // divisor + 1
    if limit + multiple * divisor >= CAPACITY:
        raise InternalError("fixed/range", f"{limit} is too much to be divided by {divisor} within 62 bits")
    raised = x + public(engine, x.length, multiple * divisor, 0).carried
    quotient = _positive(engine, raised, limit + multiple * divisor, divisor)
    return quotient - public(engine, x.length, multiple, 0).carried


def _positive(engine: Engine, x: Arithmetic, limit: int, divisor: int) -> Arithmetic:
    """floor(x / divisor) for 0 <= x <= limit."""
    fraction = max(f for f in range(63) if limit * ((1 << f) // divisor) < CAPACITY)
    if limit >> fraction:
        return _by_upper_bits(engine, x, limit, divisor)
    near = engine.narrow("near").truncate(x.scaled((1 << fraction) // divisor), fraction) if fraction else x.scaled(0)
    rest = x - near.scaled(divisor)
    # floor(rest / divisor) is -1, 0, 1 or 2: the number of multiples from 0 on that the rest reaches, less one
    marks = stacked([rest - public(engine, x.length, step * divisor, 0).carried for step in range(3)])
    below = engine.narrow("compare").negative(marks, (4 * divisor).bit_length() + 1)
    counts = unstacked(engine.narrow("counts").bit_to_arithmetic(below), 3)
    return near + public(engine, x.length, 2, 0).carried - counts[0] - counts[1] - counts[2]


def _by_upper_bits(engine: Engine, x: Arithmetic, limit: int, divisor: int) -> Arithmetic:
    cut = limit.bit_length() - UPPER
    fraction = UPPER + divisor.bit_length()
    upper = engine.narrow("upper").truncate(x, cut)
    near = upper.scaled((1 << fraction) // divisor)
    if fraction > cut:
        near = engine.narrow("part").truncate(near, fraction - cut)
    rest = x - near.scaled(divisor)
    # one unit of the upper bits, of the reciprocal and of the quotient
    left = (1 << cut) + (limit >> UPPER) + 3 * divisor
    if 4 * left > limit:
        raise InternalError("fixed/range", f"{limit} can't be divided by {divisor} within 62 bits")
    return near + floor_divided(engine.narrow("rest"), rest, left, divisor)
