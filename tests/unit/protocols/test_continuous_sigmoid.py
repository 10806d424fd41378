"""The sigmoid that never jumps: it rises everywhere, by at most its slope, and is off by no more units than stated."""

import random
from fractions import Fraction
from math import comb

import pytest

from consortia.plans import bounded as plans
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.fixed import sigmoid as pieces
from consortia.protocols.fixed.numbers import Fixed
from tests.exact_sigmoid import END, INNER, OUTER, UNIT, exact, value
from tests.learning_world import numbers, signed_values


def slopes(coefficients):
    """Of a piece in w, the derivative by x = 4 w."""
    return [j * c / 4 for j, c in enumerate(coefficients)][1:]


def bernstein(coefficients, lo, hi):
    """Numbers between the least and greatest of which the polynomial stays on [lo, hi] (its Bernstein coefficients)."""
    n = len(coefficients) - 1
    # in t of [0, 1]: the coefficients of p(lo + (hi - lo) t)
    shifted = [
        sum(c * comb(j, k) * lo ** (j - k) for j, c in enumerate(coefficients) if j >= k) * (hi - lo) ** k
        for k in range(n + 1)
    ]
    return [sum(Fraction(comb(i, k), comb(n, k)) * shifted[k] for k in range(i + 1)) for i in range(n + 1)]


@pytest.mark.parametrize(
    ("coefficients", "end"), [(INNER, Fraction(1, 2)), (OUTER, Fraction(3, 4))], ids=["inner", "outer"]
)
def test_each_piece_rises_everywhere_by_at_most_the_slope(coefficients, end):
    steps = 64
    for place in range(steps):
        lo, hi = (-end + 2 * end * Fraction(at, steps) for at in (place, place + 1))
        bounds = bernstein(slopes(coefficients), lo, hi)
        assert min(bounds) >= 0
        assert max(bounds) <= pieces.SLOPE == plans.SLOPE


def evaluated(coefficients, end):
    """Units by which evaluation is off at most: products of powers are truncated at 30 fraction bits, the sum at 28."""
    second = Fraction(1)
    third = end * second + 1
    fourth = 2 * end**2 * second + 1 + UNIT
    fifth = end * fourth + 1
    off = sum(abs(c) * e for c, e in zip(coefficients[2:], (second, third, fourth, fifth), strict=True))
    return off / 4 + 1


def test_evaluation_pieces_that_meet_and_rounded_ends_are_within_the_units_that_are_stated():
    meeting = abs(value(INNER, Fraction(1, 2)) - value(OUTER, Fraction(-3, 4))) / UNIT
    ends = abs(END - value(OUTER, Fraction(3, 4))) / UNIT
    off = max(evaluated(INNER, Fraction(1, 2)), evaluated(OUTER, Fraction(3, 4)))
    assert off + meeting + ends <= pieces.CONTINUOUS_UNITS == plans.SIGMOID_UNITS


def test_the_continuous_sigmoid_is_off_by_no_more_units_than_stated_and_keeps_its_ends():
    draw = random.Random(5)
    places = [draw.randrange(-9 << 28, 9 << 28) for _ in range(4000)]
    places += [cut + beside for cut in (-(8 << 28), -(2 << 28), 2 << 28, 8 << 28) for beside in (-1, 0, 1)]
    places += [1 << 42, -(1 << 42)]
    engine = ClearEngine()
    found = pieces.sigmoid(engine, Fixed(numbers(engine, places), 28, 1 << 43), continuous=True)
    apart = [abs(Fraction(int(got)) - exact(Fraction(x, 1 << 28)) / UNIT)
             for x, got in zip(places, signed_values(found.carried), strict=True)]  # fmt: skip
    assert max(apart) <= pieces.CONTINUOUS_UNITS
    assert [int(got) for got in signed_values(found.carried)[-2:]] == [
        pieces.last_value(), (1 << 28) - pieces.last_value(),
    ]  # fmt: skip
