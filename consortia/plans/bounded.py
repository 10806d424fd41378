"""A regression whose weights are opened with noise: its public steps, and by how much one privacy unit changes them.

A unit has one example, so that two data sets which differ in one unit differ in one row that counts or does not (the
relation of all noise here, docs/reference/noise.md). The steps are those of ``protocols.learning.bounded``: features in
[-1, 1] and a 1 behind them, so a row's norm is at most R = sqrt(features + 1). With s continuous, rising, by at most
``SLOPE``, a step of ``size`` over m rows of weight at most V is non-expansive for size m V SLOPE R^2 <= 2 (1 - pull),
and brings two vectors together by the factor 1 - pull (Hardt, Recht and Singer, ICML 2016, lemma 3.7; with the pull
taken out of the gradient nothing need be differentiable). The row that is gone adds size V R, once a pass; then

    D <- (1 - pull)^batches D + size V R + 2 batches E

for each pass, from 0, the row taken to be in the last batch, where nothing brings it together any more (Wu et al.,
SIGMOD 2017). E is what one step is off from that of real numbers: m V (sigmoid + score) R from the rows, and R from the
coordinates, in units of weights; it counts twice, for it may be of either sign in either world. Clipping weights brings
nothing apart, and the last rounding, down to a decimal place, adds one place a coordinate.
The batches are cut from rows shuffled by a secret uniform permutation, before anything of them is rounded: given one,
both worlds differ in one row at one place and all others meet the same draws, and a mixture over permutations is no
further apart than the worst of them (quasi-convexity of the Renyi divergence; van Erven and Harremoes 2014, theorem
13).

Pure, in integers and fractions, rounded up: every party and every owner's policy computes the same number.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isqrt
from typing import Final

from consortia.errors import RequestError
from consortia.plans.learning import MILLION, RegressionMethod
from consortia.plans.types import WIDE_FROM, Bounds

FEATURE_BITS: Final = 14
"""Fraction bits of scaled features."""
WEIGHT_BITS: Final = 28
"""Fraction bits of weights, scores and probabilities in training."""
LARGEST: Final = 64
"""What weights are clipped to after each pass."""
DIGITS: Final = 6
"""Decimal places of weights that are opened."""
SLOPE: Final = Fraction(1, 4)
"""By how much the sigmoid rises at most (``protocols.fixed.sigmoid``)."""
SIGMOID_UNITS: Final = 3
"""How far it is from a continuous function that rises, in units of 2^-``WEIGHT_BITS``."""
REMEDY_TOO_SMALL: Final = "take a larger rate, or smaller batches"
REMEDY_TOO_LARGE: Final = "take fewer features, a smaller `positive-weight`, or other batches"
INTERCEPT: Final = "intercept"
_MOST_SHIFT = 40
_LEAST_SIZE = 1 << 6
_FINE = 64
"""Bits of a fraction to which bounds are rounded up."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """``rows`` a batch, padding included; ``size`` and ``pull`` of a step with ``shift`` fraction bits."""

    features: int
    epochs: int
    batches: int
    rows: int
    size: int
    pull: int
    shift: int
    positive_weight: int


def largest_rate(features: int, positive_weight: int, penalty: int) -> int:
    """The largest permitted rate, with that penalty; both in millionths. At most 1."""
    steep = positive_weight * (features + 1) * MILLION * SLOPE + 2 * penalty
    return min(MILLION, int(2 * MILLION * MILLION / steep))


def schedule(method: RegressionMethod, features: int, rows: int) -> Schedule:
    """The public steps over so many padded rows.

    Raises RequestError ``plans/capacity`` for steps that do not fit 62 bits or have too few, ``plans/spec`` for a rate
    that is too large.
    """
    batches = max(1, -(-rows // method.batch))
    each = -(-rows // batches)
    found = next(
        (
            made
            for shift in range(_MOST_SHIFT, 0, -1)
            if _fits(made := _of_shift(method, features, batches, each, shift))
        ),
        None,
    )
    if found is None or found.size < _LEAST_SIZE:
        raise RequestError(
            "plans/capacity",
            f"steps of rate {method.rate / MILLION:f} over {rows} rows, {method.batch} a step, do not fit into 62 bits",
            place="batch",
            remedy=REMEDY_TOO_SMALL if found is not None else REMEDY_TOO_LARGE,
        )
    if not is_non_expansive(found):
        most = largest_rate(features, method.positive_weight, method.penalty)
        raise RequestError(
            "plans/spec",
            f"steps of rate {method.rate / MILLION:f} could take weights further apart that differ by one row",
            place="rate",
            remedy=f"take a rate of at most {most / MILLION:f}",
        )
    return found


def is_non_expansive(steps: Schedule) -> bool:
    """Whether no step brings two vectors of weights further apart."""
    size, pull = Fraction(steps.size, 1 << steps.shift), Fraction(steps.pull, 1 << steps.shift)
    return size * steps.rows * steps.positive_weight * SLOPE * (steps.features + 1) <= 2 * (1 - pull)


def sensitivity(steps: Schedule) -> int:
    """D^2: one unit changes the vector of opened weights by at most D in the Euclidean norm, in places of ``DIGITS``.

    A ValueError for steps that are not non-expansive, of which nothing is proven.
    """
    if not is_non_expansive(steps):
        raise ValueError("nothing bounds what one row changes by such steps")
    size, pull = Fraction(steps.size, 1 << steps.shift), Fraction(steps.pull, 1 << steps.shift)
    norm, weight = _root(steps.features + 1), steps.positive_weight
    moved = size * weight * norm
    off = size * steps.rows * weight * (SIGMOID_UNITS + SLOPE) * norm + (size + 1) * norm
    each_pass = _up(moved + 2 * steps.batches * off / (1 << WEIGHT_BITS))
    together = _power(1 - pull, steps.batches)
    apart = Fraction(0)
    for _ in range(steps.epochs):
        apart = _up(together * apart + each_pass)
    return ceil((apart * 10**DIGITS + norm) ** 2)


def weight_bounds() -> Bounds:
    """Bounds of a weight as carried, without noise; it is rounded down."""
    return Bounds(lo=-LARGEST * 10**DIGITS - 1, hi=LARGEST * 10**DIGITS)


def _of_shift(method: RegressionMethod, features: int, batches: int, rows: int, shift: int) -> Schedule:
    size = (method.rate << shift) // (MILLION * method.batch)
    pull = (method.rate * method.penalty << shift) // (MILLION * MILLION)
    return Schedule(features, method.epochs, batches, rows, size, pull, shift, method.positive_weight)


def _fits(steps: Schedule) -> bool:
    """Whether every number of a step stays below 2^62 (``protocols.learning.bounded.check``)."""
    gradient = (steps.rows * steps.positive_weight << WEIGHT_BITS) + 1
    weight = (LARGEST << WEIGHT_BITS) + steps.batches * ((gradient * steps.size >> steps.shift) + 2)
    worst = max(
        (steps.features + 1) * weight << FEATURE_BITS,
        gradient << FEATURE_BITS,
        gradient * steps.size + weight * steps.pull,
    )
    return worst < WIDE_FROM and steps.pull < 1 << steps.shift


def _up(value: Fraction) -> Fraction:
    return Fraction(ceil(value * (1 << _FINE)), 1 << _FINE)


def _root(value: int) -> Fraction:
    """A square root, rounded up."""
    return Fraction(isqrt(value << 2 * _FINE) + 1, 1 << _FINE)


def _power(base: Fraction, exponent: int) -> Fraction:
    """A power of a number from 0 to 1, rounded up."""
    found, square = Fraction(1), base
    while exponent:
        if exponent & 1:
            found = _up(found * square)
        square, exponent = _up(square * square), exponent >> 1
    return min(found, Fraction(1))
