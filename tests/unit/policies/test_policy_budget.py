"""The privacy budget as a filter: what a plan costs, whose budget it is, and that reserved and spent count alike."""

from datetime import timedelta

from consortia.plans.model import Plan
from consortia.plans.noised import Noised
from consortia.plans.steps_of_noise import Noise as NoiseStep
from consortia.policies.accounting import Charge, charge_of
from consortia.policies.language.parse import read_policy
from consortia.policies.own import OwnCase, PastCharge, Standing
from consortia.policies.own.budget import charges_of, units_of, within_budget
from consortia.policies.own.case import OwnFinding
from tests.fixtures_catalogue import CATALOGUE, STATISTICS
from tests.policies_world import NOW, draft_of, loaded, make_world, policy_text

BASE = draft_of(STATISTICS, make_world())


def noisy(variance: int = 1000, sensitivity: int = 10, cells: int = 4) -> Plan:
    """The statistics plan with a step that adds noise before the release."""
    step = NoiseStep(
        id=f"s{len(BASE.steps)}", inputs=(BASE.steps[-1].id,), at="shared", rows=cells, columns=(), keys=(),
        noised=(Noised(column="total", sensitivity=sensitivity, variance=variance),),
    )  # fmt: skip
    return BASE.model_copy(update={"steps": (*BASE.steps, step)})


PLAN = noisy()
COST = charge_of(PLAN)
POLICY = loaded("bank-a").policy
UNIT = "customer"


def found(
    plan: Plan = PLAN, past: tuple[PastCharge, ...] = (), per_release: str = "1/10", per_period: str = "1/10"
) -> OwnFinding | None:
    noise = f"noise: {{rho-per-release: {per_release}, rho-per-period: {per_period}, period-days: 30}}"
    policy = read_policy(policy_text("bank-a", ("noise: off", noise)).encode())
    return within_budget(OwnCase("bank-a", policy, plan, CATALOGUE, {}, NOW, Standing(charges=past)))


def past(charge: Charge, days: float = 1, unit: str = UNIT) -> PastCharge:
    return PastCharge(NOW - timedelta(days=days), unit, charge)


def test_an_exact_plan_costs_nothing_and_is_not_limited() -> None:
    assert charges_of(BASE, "bank-a", POLICY, CATALOGUE) == {}
    assert found(BASE, (past(Charge(10**9)),)) is None


def test_a_noisy_plan_costs_the_same_at_every_owner_by_its_units() -> None:
    assert units_of(PLAN, "bank-a", POLICY, CATALOGUE) == (UNIT,)
    for owner in ("bank-a", "bank-b", "bank-c"):
        assert charges_of(PLAN, owner, loaded(owner).policy, CATALOGUE) == {UNIT: COST}


def test_the_last_of_a_budget_is_given_and_not_one_part_more() -> None:
    limit = 10**8  # 1/10 in billionths
    fits = past(Charge(limit - COST.rho))
    assert found(past=(fits,)) is None
    one_more = past(Charge(limit - COST.rho + 1))
    denied = found(past=(one_more,))
    assert denied is not None
    assert (denied.effect, denied.code) == ("deny", "policies/budget")


def test_only_the_same_unit_and_the_days_of_the_policy_count() -> None:
    whole = Charge(10**8)
    assert found(past=(past(whole, unit="another"),)) is None
    assert found(past=(past(whole, days=30.0001),)) is None
    assert found(past=(past(whole, days=29.9),)) is not None
    assert found(past=(past(whole, days=-1),)) is not None  # a clock that was put back frees nothing


def test_delta_is_spent_too() -> None:
    assert found(past=(past(Charge(0, 1)),)) is not None


def test_one_release_may_not_cost_more_than_the_policy_says() -> None:
    assert found(per_release="1/1000000") is not None


def test_a_smaller_budget_never_permits_more() -> None:
    budgets = ["1/10", "1/50", "1/100", "1/1000", "1/100000"]
    denied = [found(past=(past(Charge(10**7)),), per_period=budget) is not None for budget in budgets]
    assert denied == sorted(denied)
    assert denied[0] is False
    assert denied[-1] is True
