"""Signs, comparison, choice and rounding of fixed-point numbers: exact."""

from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed, check_fractions, public, stacked, unstacked
from consortia.protocols.shares import Arithmetic, Boolean


def less(engine: Engine, x: Fixed, y: Fixed) -> Boolean:
    """One plane: x < y, of equal fraction."""
    difference = x - y
    return engine.narrow("sign").negative(difference.carried, difference.bits)


def select(engine: Engine, bit: Boolean, x: Fixed, y: Fixed) -> Fixed:
    """X where the bit is 1, y elsewhere. Three rounds."""
    check_fractions(x, y)
    chosen = engine.narrow("bit").bit_to_arithmetic(bit)
    carried = y.carried + engine.narrow("choose").multiply(chosen, x.carried - y.carried)
    return Fixed(carried, x.fraction, max(x.limit, y.limit))


def absolute(engine: Engine, x: Fixed) -> tuple[Fixed, Arithmetic]:
    """|x|, and 1 where x < 0. The sign's rounds and three."""
    negative = engine.narrow("bit").bit_to_arithmetic(engine.narrow("sign").negative(x.carried, x.bits))
    carried = x.carried - engine.narrow("choose").multiply(negative, x.carried).scaled(2)
    return Fixed(carried, x.fraction, x.limit), negative


def clipped(engine: Engine, x: Fixed, end: Fixed) -> Fixed:
    """X, or ``end`` where x is above it, or -``end`` where x is below that; 0 <= end. The sign's rounds and three."""
    over, under = end - x, end + x
    both = stacked([over.carried, under.carried])
    beyond = engine.narrow("bits").bit_to_arithmetic(engine.narrow("signs").negative(both, over.bits))
    high, low = unstacked(engine.narrow("take").multiply(beyond, both), 2)
    return Fixed(x.carried + high - low, x.fraction, end.limit)


def floor(engine: Engine, x: Fixed, fraction: int) -> Fixed:
    """The largest number of ``fraction`` fraction bits that is not above x; fraction below that of x.

    With fraction = that of x - k, then read as an integer, it is the shift right by k.
    """
    cut = x.fraction - fraction
    return Fixed(engine.truncate(x.carried, cut, exact=True), fraction, (x.limit >> cut) + 1)


def rounded(engine: Engine, x: Fixed, fraction: int) -> Fixed:
    """The nearest number of ``fraction`` fraction bits, halves away from zero; fraction below that of x."""
    cut = x.fraction - fraction
    # floor((x + half) / 2^cut) takes halves up; below zero one unit less takes them down
    negative = engine.narrow("bit").bit_to_arithmetic(engine.narrow("sign").negative(x.carried, x.bits))
    half = Fixed(x.carried - negative, x.fraction, x.limit + 1)
    raised = half + public(engine, x.length, 1 << (cut - 1), x.fraction)
    return floor(engine.narrow("floor"), raised, fraction)
