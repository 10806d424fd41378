"""What noise costs: against the formula in floating point, and the least noise against the cost, both ways round."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.plans.zcdp import (
    DELTA_PARTS,
    RHO_PARTS,
    Release,
    cost,
    least_threshold,
    least_variance,
    selection_delta,
)

SETTINGS = settings(derandomize=True, deadline=None, max_examples=60)


def formula(sensitivity: int, variance: int, cells: int) -> float:
    tau = 10 * math.exp(-(math.pi**2) * variance / 2)
    return sensitivity / (2 * variance) + cells * tau / 4


@pytest.mark.parametrize(
    ("sensitivity", "variance", "cells"), [(1, 4, 1), (1, 4, 1000), (9, 5, 12), (10**12, 10**14, 3)]
)
def test_cost_is_the_formula_rounded_up(sensitivity: int, variance: int, cells: int) -> None:
    exact = formula(sensitivity, variance, cells) * RHO_PARTS
    parts = cost(Release(sensitivity, variance, cells))
    assert exact <= parts <= exact + 2.001


def test_the_second_term_counts_where_noise_is_small_and_cells_are_many() -> None:
    many, few = cost(Release(1, 4, 100_000)), cost(Release(1, 4, 1))
    assert many - few == pytest.approx(RHO_PARTS * 99_999 * 10 * math.exp(-2 * math.pi**2) / 4, rel=1e-6)


def test_noise_below_the_least_variance_has_no_cost() -> None:
    with pytest.raises(ValueError, match="below the least"):
        cost(Release(1, 3, 1))


@SETTINGS
@given(st.integers(1, 10**30), st.integers(1, 10**6), st.integers(2, 10**10))
def test_the_least_variance_costs_no_more_than_what_is_given(sensitivity: int, cells: int, rho: int) -> None:
    variance = least_variance(sensitivity, cells, rho)
    assert variance is not None
    assert cost(Release(sensitivity, variance, cells)) <= rho
    if variance > 4:
        assert cost(Release(sensitivity, variance - 1, cells)) > rho


def test_nothing_pays_for_no_noise() -> None:
    assert least_variance(1, 1, 1) is None
    assert least_variance(1, 1, 0) is None


@SETTINGS
@given(st.integers(1, 10**12), st.integers(4, 10**12), st.integers(1, 1000))
def test_the_cost_never_falls_when_the_noise_falls(sensitivity: int, variance: int, cells: int) -> None:
    assert cost(Release(sensitivity, variance, cells)) >= cost(Release(sensitivity, variance + 1, cells))
    assert cost(Release(sensitivity + 1, variance, cells)) >= cost(Release(sensitivity, variance, cells))


@pytest.mark.parametrize("variance", [4, 30])
def test_the_delta_of_a_threshold_is_at_least_the_exact_probability(variance: int) -> None:
    """The chance that the sum of three discrete Gaussians of half the variance reaches one less than the threshold."""
    reach = 60
    half = {x: math.exp(-x * x / variance) for x in range(-reach, reach + 1)}
    whole = math.fsum(half.values())
    sums = {0: 1.0}
    for _ in range(3):
        wider: dict[int, float] = {}
        for x, p in sums.items():
            for y, q in half.items():
                wider[x + y] = wider.get(x + y, 0.0) + p * q / whole
        sums = wider
    for threshold in (3, 8, 15, 20):
        exact = 3 * math.fsum(p for x, p in sums.items() if x >= threshold - 1)
        assert selection_delta(threshold, variance, cells=3) / DELTA_PARTS >= exact


@SETTINGS
@given(st.integers(4, 10**12), st.integers(1, 10_000), st.integers(1, DELTA_PARTS))
def test_the_least_threshold_costs_no_more_delta_than_is_given(variance: int, cells: int, delta: int) -> None:
    threshold = least_threshold(variance, cells, delta)
    assert threshold is not None
    assert selection_delta(threshold, variance, cells) <= delta
    if threshold > 2:
        assert selection_delta(threshold - 1, variance, cells) > delta
    assert least_threshold(variance, cells, 0) is None
