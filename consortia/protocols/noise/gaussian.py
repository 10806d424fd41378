"""An exact sampler of the discrete Gaussian N_Z(0, v): P(x) is proportional to exp(-x^2 / (2 v)) for integers x.

After Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020, algorithms 1 to 3:
rejection from a discrete Laplace, every choice a coin of exact rational probability. There is no floating point, so
no value is more or less likely than the privacy proof says. The number of coins depends on the value drawn (Jin et
al., S&P 2022): noise is therefore drawn before the secure stage, where no other party can time it.

``Below`` is the source of randomness: a function that gives a uniform integer of 0 to bound - 1, in use
``secrets.randbelow``. Samplers are pure otherwise.
"""

import secrets
from collections.abc import Callable
from fractions import Fraction
from math import isqrt

Below = Callable[[int], int]


def gaussians(variance: Fraction, count: int, below: Below = secrets.randbelow) -> list[int]:
    """``count`` independent draws of N_Z(0, ``variance``), a positive rational; in the mean some 20 coins each."""
    numerator, denominator = variance.numerator, variance.denominator
    return [_gaussian(numerator, denominator, below) for _ in range(count)]


def _gaussian(numerator: int, denominator: int, below: Below) -> int:
    """One draw, the variance being ``numerator`` / ``denominator`` (algorithm 3)."""
    scale = isqrt(numerator // denominator) + 1
    spread = denominator * scale
    bound = 2 * numerator * spread * scale
    while True:
        drawn = _laplace(scale, below)
        # (|y| - v / t)^2 / (2 v) with v = numerator / denominator and t = scale, as one fraction
        if _exponential_coin((abs(drawn) * spread - numerator) ** 2, bound, below):
            return drawn


def _laplace(scale: int, below: Below) -> int:
    """One draw with P(x) proportional to exp(-|x| / ``scale``) (algorithm 2)."""
    while True:
        rest = below(scale)
        if not _exponential_coin(rest, scale, below):
            continue
        whole = 0
        while _exponential_coin(1, 1, below):
            whole += 1
        size = rest + scale * whole
        negative = below(2)
        if size or not negative:  # zero has one sign only
            return -size if negative else size


def _exponential_coin(numerator: int, denominator: int, below: Below) -> bool:
    """True with probability exp(-``numerator`` / ``denominator``) (algorithm 1)."""
    while numerator > denominator:
        if not _small_coin(1, 1, below):
            return False
        numerator -= denominator
    return _small_coin(numerator, denominator, below)


def _small_coin(numerator: int, denominator: int, below: Below) -> bool:
    """The same for an exponent of at most 1: the first k whose coin of g / k fails is odd with probability exp(-g)."""
    turn = 1
    while below(denominator * turn) < numerator:
        turn += 1
    return turn % 2 == 1
