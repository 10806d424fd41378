"""Zero-concentrated differential privacy of sums with discrete Gaussian noise: what it costs, how much noise it takes.

A release of ``cells`` numbers, whose vector one privacy unit changes by at most D in the Euclidean norm, with noise
of which two honest computers' parts reach variance s^2, costs

    rho = D^2 / (2 s^2) + cells * tau / 4,    tau = 10 exp(-pi^2 s^2 / 2)

(Bun and Steinke, TCC 2016; Canonne, Kamath and Steinke, NeurIPS 2020; the second term, because the sum of two discrete
Gaussians is not quite one: Kairouz, Liu and Steinke, ICML 2021, theorem 1). Below s^2 = 4 nothing is offered.

Amounts are integers: rho in billionths, delta in millionths of a billionth, always rounded so that too much is
charged and too little is granted. Exponentials are of ``decimal``, which rounds the same everywhere: all parties
compute equal charges.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from math import ceil

RHO_PARTS = 10**9
"""Parts of rho = 1."""
DELTA_PARTS = 10**15
"""Parts of delta = 1."""
LEAST_VARIANCE = 4
"""The least s^2: below, the sum of the computers' parts is too far from a discrete Gaussian."""

_DECIMAL = Context(prec=40, rounding=ROUND_CEILING)
_PI_SQUARED = Decimal("9.86960440108935861883449099987")  # rounded down, so tau is rounded up


@dataclass(frozen=True, slots=True)
class Release:
    """``cells`` numbers with noise of ``variance`` s^2, D^2 being at most ``sensitivity`` (both integers)."""

    sensitivity: int
    variance: int
    cells: int


def cost(release: Release) -> int:
    """The parts of rho that ``release`` costs, rounded up; a ValueError if its variance is below the least."""
    if release.variance < LEAST_VARIANCE:
        raise ValueError(f"noise of variance {release.variance} is below the least, {LEAST_VARIANCE}")
    return ceil(Fraction(release.sensitivity * RHO_PARTS, 2 * release.variance)) + _defect(
        release.variance, release.cells
    )


def least_variance(sensitivity: int, cells: int, rho: int) -> int | None:
    """The least s^2 with which ``cells`` numbers of this squared sensitivity cost at most ``rho`` parts.

    None if no variance does: less than two parts of rho do not even pay for the rounding.
    """
    if rho < 2:
        return None
    enough = LEAST_VARIANCE
    while cost(Release(sensitivity, enough, cells)) > rho:
        enough *= 2
    less = max(LEAST_VARIANCE - 1, enough // 2)  # the cost falls with the variance, so halving the distance finds it
    while enough - less > 1:
        middle = (less + enough) // 2
        if cost(Release(sensitivity, middle, cells)) > rho:
            less = middle
        else:
            enough = middle
    return enough


def selection_delta(threshold: int, variance: int, cells: int) -> int:
    """Parts of delta that it costs to show only cells whose noisy number of entities reaches ``threshold``, rounded up.

    ``cells`` are those that one entity is in. It alone may be in some of them, so that they are there or not with it:
    they show with the probability that noise reaches ``threshold`` - 1, at most exp(-(threshold - 1)^2 / (3 s^2)) for
    the three parts of s^2 / 2 together, which are subgaussian (Canonne, Kamath and Steinke 2020, corollary 17).
    """
    above = Decimal(threshold - 1)
    exponent = _DECIMAL.divide(_DECIMAL.multiply(above, -above), Decimal(3 * variance))
    return max(1, ceil(_DECIMAL.multiply(Decimal(cells * DELTA_PARTS), _DECIMAL.exp(exponent))))


def least_threshold(variance: int, cells: int, delta: int) -> int | None:
    """The least threshold that costs at most ``delta`` parts; None if none does, as one part is the least cost."""
    if delta < 1:
        return None
    enough = 2
    while selection_delta(enough, variance, cells) > delta:
        enough *= 2
    less = enough // 2
    while enough - less > 1:
        middle = (less + enough) // 2
        if selection_delta(middle, variance, cells) > delta:
            less = middle
        else:
            enough = middle
    return enough


def _defect(variance: int, cells: int) -> int:
    """Parts of rho charged for the sum of two discrete Gaussians not being one; never less than one part."""
    exponent = _DECIMAL.divide(_DECIMAL.multiply(_PI_SQUARED, Decimal(-variance)), Decimal(2))
    tau = _DECIMAL.multiply(Decimal(10), _DECIMAL.exp(exponent))
    return max(1, ceil(_DECIMAL.multiply(tau, Decimal(cells * RHO_PARTS)) / 4))
