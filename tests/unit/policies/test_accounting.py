"""The accounting: filter, grants, and epsilon against opendp and dp-accounting."""

import dp_accounting
import opendp.prelude as dp
import pytest

from consortia.plans.zcdp import DELTA_PARTS, RHO_PARTS, Release, cost, selection_delta
from consortia.policies.accounting import NOTHING, Charge, admits, epsilon, grant_of, total
from consortia.policies.language.model import Noise


def parts(rho: float) -> Charge:
    return Charge(rho=round(rho * RHO_PARTS))


def test_grants_are_rounded_down_and_charges_add_up() -> None:
    grant = grant_of(Noise.model_validate({"rho-per-release": "1/3", "rho-per-period": "2", "period-days": 30}))
    assert grant.per_release.rho == 333_333_333
    assert grant.per_period.rho == 2 * RHO_PARTS
    assert grant.period_days == 30
    assert (grant.per_release.delta, grant.per_period.delta) == (0, 0)
    selecting = Noise.model_validate({"delta-per-release": "1/3000000", "delta-per-period": "1/1000000"})
    assert grant_of(selecting).per_release.delta == 333_333_333
    assert total([Charge(1, 2), Charge(3, 4)]) == Charge(4, 6)
    assert Charge(7, 1).left(Charge(10, 0)) == Charge(3, 0)


def test_the_filter_admits_up_to_the_limit_and_no_part_more() -> None:
    limit = Charge(10, 5)
    assert admits(limit, Charge(6, 0), Charge(4, 5))
    assert not admits(limit, Charge(6, 0), Charge(5, 0))
    assert not admits(limit, Charge(6, 5), Charge(1, 1))
    assert admits(NOTHING, NOTHING, NOTHING)


@pytest.mark.parametrize("rho", [1e-6, 0.01, 0.5])
@pytest.mark.parametrize("delta", [1e-10, 1e-6])
def test_epsilon_is_no_less_than_the_exact_one_and_no_more_than_the_renyi_grid(rho: float, delta: float) -> None:
    """One Gaussian of this rho: its exact epsilon (by its privacy loss) is a floor; a grid of orders a ceiling."""
    ours = epsilon(parts(rho), delta)
    gaussian = dp_accounting.GaussianDpEvent((1 / (2 * rho)) ** 0.5)
    orders = [1 + 10 ** (k / 40 - 3) for k in range(320)]
    renyi = dp_accounting.rdp.RdpAccountant(orders).compose(gaussian).get_epsilon(delta)
    exact = dp_accounting.pld.PLDAccountant().compose(gaussian).get_epsilon(delta) if rho >= 0.001 else 0.0
    assert exact <= ours * (1 + 1e-3)
    assert ours <= renyi * (1 + 1e-6) + 1e-9
    assert ours >= renyi * 0.98


@pytest.mark.parametrize("rho", [0.001, 0.1, 2.0])
def test_epsilon_agrees_with_opendp(rho: float) -> None:
    dp.enable_features("contrib")
    space = dp.atom_domain(T=int), dp.absolute_distance(T=int)
    scale = (1 / (2 * rho)) ** 0.5
    curve = dp.c.make_zCDP_to_approxDP(dp.m.make_gaussian(*space, scale=scale)).map(1)
    assert epsilon(parts(rho), 1e-6) == pytest.approx(curve.epsilon(1e-6), rel=0.01)


def test_delta_that_was_spent_is_taken_off() -> None:
    spent = Charge(RHO_PARTS // 100, DELTA_PARTS // 10**7)
    assert epsilon(spent, 1e-6) > epsilon(Charge(RHO_PARTS // 100), 1e-6)
    assert epsilon(spent, 1e-7) == float("inf")
    assert epsilon(NOTHING, 1e-6) == 0.0


def test_the_threshold_of_opendp_is_of_the_same_size() -> None:
    """opendp's thresholded counts with noise of this variance: our delta, for less noise than is there, is no less."""
    dp.enable_features("contrib")
    space = dp.map_domain(dp.atom_domain(T=str), dp.atom_domain(T=int)), dp.l02inf_distance(dp.absolute_distance(T=int))
    for threshold in (20, 30):
        measure = dp.m.make_gaussian_threshold(*space, scale=30.0**0.5, threshold=threshold)
        rho, delta = measure.map((1, 1, 1))
        assert rho == pytest.approx(1 / 60)
        ours = selection_delta(threshold, 30, cells=1) / DELTA_PARTS
        assert delta <= ours


def test_charges_of_several_releases_are_those_of_dp_accounting() -> None:
    """Three Gaussian releases composed: our sum of rho, told as epsilon, beside the same events in its accountant."""
    releases = [Release(9, 50, 1), Release(4, 2000, 1), Release(100, 9000, 1)]
    charge = total(Charge(cost(release)) for release in releases)
    accountant = dp_accounting.rdp.RdpAccountant([1 + 10 ** (k / 40 - 3) for k in range(320)])
    for release in releases:
        accountant.compose(dp_accounting.GaussianDpEvent((release.variance / release.sensitivity) ** 0.5))
    assert epsilon(charge, 1e-6) == pytest.approx(accountant.get_epsilon(1e-6), rel=0.02)
