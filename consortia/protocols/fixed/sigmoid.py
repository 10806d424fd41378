"""The logistic function 1 / (1 + e^-x).

``sigmoid``: over all x by five pieces, chosen by four comparisons in one batch: 0 below -8, 1 from 8 on, an odd
polynomial of degree 5 on [-2, 2), a polynomial of degree 5 on [2, 8) and its mirror image. The pieces meet, rise
everywhere and stay within 0.0004 and 0.9997. ``sigmoid_polynomial``: one odd polynomial of degree 7 for |x| <= 8,
without comparisons, for training where the scale of scores is known.

``sigmoid`` with ``continuous`` keeps the value of its pieces at -8 and 8 beyond these. Up to ``CONTINUOUS_UNITS`` units
of 28 fraction bits it is then a function that rises everywhere, by at most ``SLOPE``, and never jumps: a step of
gradient descent by it brings two vectors of weights no further apart (Hardt, Recht and Singer, ICML 2016).
"""

from fractions import Fraction
from typing import Final

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed, polynomial, public, stacked, unstacked
from consortia.protocols.shares import Arithmetic

END, MIDDLE = 8, 2
CENTRE = (END + MIDDLE) // 2
INNER = {1: 0.9967623544080401, 3: -1.223316445106811, 5: 1.1305746051908356}
"""sigmoid(4 w) - 1/2 on |w| <= 1/2: error 2.3e-4, exact at the ends."""
OUTER = (
    0.9932325916774062, 0.026379993271486775, -0.04982118876172076, 0.07024632752243293, -0.07894063115134412,
    0.04219731887379711,
)  # fmt: skip
"""sigmoid(5 + 4 w) on |w| <= 3/4: error 7.9e-5, exact at the ends."""
WHOLE = (0.5, 1.7644515867957946, 0.0, -4.38039041530716, 0.0, 5.713720144130572, 0.0, -2.617009556772137)
"""sigmoid(8 z) on |z| <= 1: error 0.0189."""
COEFFICIENT_BITS = 28
SLOPE: Final = Fraction(1, 4)
"""By how much ``sigmoid`` rises at most; its steepest place is 0, at 0.2492. Tests bound both pieces exactly."""
CONTINUOUS_UNITS: Final = 3
"""Evaluation (2 units), the pieces meeting at -2 and 2 (a quarter), the rounded ends (a half): added up, rounded up."""


def sigmoid(engine: Engine, x: Fixed, *, continuous: bool = False) -> Fixed:
    """1 / (1 + e^-x) with the fraction of x (8 to 28 bits), for any x.

    Maximum error 3.5e-4 and 8 units; 0 for x < -8 and 1 for x >= 8 exactly; between -8 and 8 within (0, 1) and rising
    but for the rounding of 8 units. ``continuous``: 0.0003 below and 0.9997 from 8 on, without a jump there.
    1 + ceil(log2(bits of x)) rounds and 12.
    """
    if not 8 <= x.fraction <= 28:
        raise InternalError("fixed/range", f"sigmoid takes 8 to 28 fraction bits, not {x.fraction}")
    below = _below_cuts(engine.narrow("cuts"), x)
    low, inner, high = below[1] - below[0], below[2] - below[1], below[3] - below[2]
    one = public(engine, x.length, 1, 0).carried

    inside = engine.narrow("inside").multiply(x.carried, low + inner + high)
    centred = inside - (high - low).scaled(CENTRE << x.fraction)
    # w = centred / 4 lies in [-3/4, 3/4]
    w = Fixed(centred, x.fraction + 2, 3 << x.fraction)
    coefficients = []
    for j in range(1, 6):
        outside = (low + high) if j % 2 else (high - low)
        coefficient = outside.scaled(_carried(OUTER[j]))
        coefficients.append(coefficient + inner.scaled(_carried(INNER[j])) if j in INNER else coefficient)
    powers = _powers(engine.narrow("powers"), w)
    terms = engine.narrow("terms").multiply(stacked(coefficients), stacked(powers))
    total = unstacked(terms, 5)
    value = (
        inner.scaled(_carried(0.5)) + high.scaled(_carried(OUTER[0])) + low.scaled(_carried(1) - _carried(OUTER[0]))
    ) + (one - below[3]).scaled(last_value() if continuous else _carried(1))
    if continuous:
        value = value + below[0].scaled(_carried(1) - last_value())
    carried = value.scaled(1 << w.fraction)
    for term in total:
        carried = carried + term
    result = engine.narrow("sum").truncate(carried, COEFFICIENT_BITS + w.fraction - x.fraction)
    return Fixed(result, x.fraction, 1 << x.fraction)


def sigmoid_polynomial(engine: Engine, x: Fixed) -> Fixed:
    """1 / (1 + e^-x) with the fraction of x (at most 20 bits), for |x| <= 8. Maximum error 0.019 and 16 units.

    Leaves [0, 1] by up to 0.019. Ten rounds. Raises InternalError ``fixed/range`` if |x| can exceed 8.
    """
    if x.limit > END << x.fraction or x.fraction > 20:
        raise InternalError(
            "fixed/range",
            f"the polynomial sigmoid holds for |x| <= {END} and 20 fraction bits",
            remedy="use `sigmoid`, or scale the features",
        )
    z = Fixed(x.carried, x.fraction + 3, 1 << (x.fraction + 3))
    value = polynomial(engine.narrow("polynomial"), z, WHOLE)
    carried = engine.narrow("fraction").truncate(value.carried, 3)
    return Fixed(carried, x.fraction, (value.limit >> 3) + 1)


def last_value() -> int:
    """What the outer piece has at 8, with ``COEFFICIENT_BITS`` fraction bits, rounded to the nearest."""
    parts = 4 ** (len(OUTER) - 1)  # 8 lies 3/4 of the piece's unit from its centre
    whole = sum(_carried(factor) * 3**j * (parts // 4**j) for j, factor in enumerate(OUTER))
    return int(whole + parts // 2) // int(parts)


def _below_cuts(engine: Engine, x: Fixed) -> list[Arithmetic]:
    """[x < c] for c = -8, -2, 2, 8 as numbers."""
    cuts = (-END, -MIDDLE, MIDDLE, END)
    differences = [x - public(engine, x.length, cut << x.fraction, x.fraction) for cut in cuts]
    signs = engine.narrow("sign").negative(
        stacked([difference.carried for difference in differences]), differences[0].bits
    )
    return unstacked(engine.narrow("bits").bit_to_arithmetic(signs), len(cuts))


def _powers(engine: Engine, w: Fixed) -> list[Arithmetic]:
    """W to w^5."""
    second = engine.narrow("2").multiply_truncate(w.carried, w.carried, w.fraction)
    higher = engine.narrow("3").multiply_truncate(stacked([w.carried, second]), stacked([second, second]), w.fraction)
    third, fourth = unstacked(higher, 2)
    fifth = engine.narrow("5").multiply_truncate(w.carried, fourth, w.fraction)
    return [w.carried, second, third, fourth, fifth]


def _carried(coefficient: float) -> int:
    return round(coefficient * (1 << COEFFICIENT_BITS))
