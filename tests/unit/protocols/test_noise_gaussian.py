"""The discrete Gaussian sampler against the exact distribution: chi-square, moments, small variances, big integers."""

import math
import random
from collections import Counter
from fractions import Fraction

import pytest

from consortia.protocols.noise.gaussian import gaussians


def probabilities(variance: Fraction, reach: int) -> dict[int, float]:
    """The exact distribution on -reach..reach; what lies outside is below 1e-15 for a reach of nine deviations."""
    weights = {x: math.exp(-x * x / (2 * float(variance))) for x in range(-reach, reach + 1)}
    whole = math.fsum(weights.values())
    return {x: weight / whole for x, weight in weights.items()}


def chi_square(counts: Counter[int], expected: dict[int, float], draws: int) -> tuple[float, int]:
    """The statistic and its degrees of freedom, values expected less than ten times pooled into the two tails."""
    kept = [x for x, p in expected.items() if p * draws >= 10]
    low, high = min(kept), max(kept)
    pooled = Counter({x: counts[x] for x in range(low + 1, high)})
    pooled[low] = sum(count for x, count in counts.items() if x <= low)
    pooled[high] = sum(count for x, count in counts.items() if x >= high)
    mass = {x: expected[x] for x in range(low + 1, high)}
    mass[low] = math.fsum(p for x, p in expected.items() if x <= low)
    mass[high] = math.fsum(p for x, p in expected.items() if x >= high)
    statistic = math.fsum((pooled[x] - draws * p) ** 2 / (draws * p) for x, p in mass.items())
    return statistic, len(mass) - 1


def limit_of(degrees: int) -> float:
    """The 1 - 1e-6 quantile of chi-square, after Wilson and Hilferty."""
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + 4.753 * spread**0.5) ** 3


@pytest.mark.parametrize("variance", [Fraction(1, 2), Fraction(2), Fraction(7, 3), Fraction(50)])
def test_draws_follow_the_exact_distribution(variance: Fraction) -> None:
    draws = 15_000
    counts = Counter(gaussians(variance, draws, random.Random(7).randrange))
    statistic, degrees = chi_square(counts, probabilities(variance, 9 * math.isqrt(int(variance) + 1) + 9), draws)
    assert statistic < limit_of(degrees)


def test_the_test_of_the_distribution_notices_a_variance_that_is_a_tenth_too_small() -> None:
    draws = 15_000
    counts = Counter(gaussians(Fraction(9, 5), draws, random.Random(7).randrange))
    statistic, degrees = chi_square(counts, probabilities(Fraction(2), 30), draws)
    assert statistic > limit_of(degrees)


def test_large_variances_are_drawn_in_exact_integers() -> None:
    variance = Fraction(10**36, 2)
    drawn = gaussians(variance, 2_000, random.Random(3).randrange)
    mean_square = sum(x * x for x in drawn) / len(drawn)
    assert mean_square == pytest.approx(float(variance), rel=0.15)
    assert len({x % 1024 for x in drawn}) > 700  # the low bits are as random as the high ones


def test_the_default_source_gives_different_draws() -> None:
    assert gaussians(Fraction(10**12), 8) != gaussians(Fraction(10**12), 8)
