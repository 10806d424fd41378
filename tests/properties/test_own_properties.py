"""Properties of the owner's own part: it only narrows, is monotone in quotas and budget, total, and knows no order."""

import random
from dataclasses import replace
from datetime import timedelta
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.plans.model import Plan
from consortia.plans.zcdp import RHO_PARTS
from consortia.policies.accounting import Charge
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.own import RULES, OwnCase, Standing, decide_own
from consortia.policies.own.case import PastCharge
from consortia.policies.verdicts import Decision
from tests.fixtures_catalogue import PURPOSE
from tests.noisy_policies import clip, compiled, noise, world_of
from tests.policies_world import NOW, loaded, own_case
from tests.properties.test_policy_properties import damaged_plans

Limits = tuple[int, ...]
STRICTNESS = {"permit": 0, "hold": 1, "deny": 2}
LIMITS: tuple[int | str, ...] = (1, 2, 3, 5, "off")
"""Quotas, from the narrowest to the widest."""
BUDGETS = ("1/10", "1/5", "3/10", "1/2")
"""Budgets of a period, from the smallest; one query costs nearly 1/10."""


@cache
def policy(analyst: int, day: int, period: int, budget: int) -> LoadedPolicy:
    """A policy with these limits, by their place in ``LIMITS`` and ``BUDGETS``."""
    return loaded(
        "bank-a",
        ("queries-per-analyst-and-day: off", f"queries-per-analyst-and-day: {LIMITS[analyst]}"),
        ("queries-per-day: off", f"queries-per-day: {LIMITS[day]}"),
        ("queries-per-period: off", f"queries-per-period: {LIMITS[period]}"),
        noise(rho_per_period=BUDGETS[budget]),
        clip(-100, 50_000),
    )


@cache
def decided() -> tuple[Plan, Decision]:
    found = compiled(world=world_of())
    return found.plan, found.decision


def case(rules: Limits, standing: Standing, plan: Plan | None = None) -> OwnCase:
    return own_case(plan or decided()[0], policy(*rules), standing=standing)


def verdict(rules: Limits, standing: Standing) -> str:
    return decide_own(decided()[1], case(rules, standing)).verdict


rules_of = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 3))
charges_of = st.lists(
    st.builds(
        PastCharge,
        at=st.integers(0, 120).map(lambda days: NOW - timedelta(days=days)),
        unit=st.sampled_from(["customer", "account"]),
        charge=st.integers(0, 3).map(lambda tenths: Charge(tenths * RHO_PARTS // 10)),
    ),
    max_size=4,
).map(tuple)
standings = st.builds(
    Standing,
    analyst_today=st.integers(0, 5),
    today=st.integers(0, 5),
    period=st.integers(0, 5),
    charges=charges_of,
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rules_of, standings, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), charges_of)
def test_what_was_used_before_never_frees_room(
    rules: Limits, less: Standing, analyst: int, day: int, period: int, more: tuple[PastCharge, ...]
) -> None:
    used = Standing(
        less.analyst_today + analyst, less.today + day, less.period + period, charges=(*less.charges, *more)
    )
    assert STRICTNESS[verdict(rules, used)] >= STRICTNESS[verdict(rules, less)]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rules_of, rules_of, standings)
def test_a_larger_quota_or_budget_never_denies_more(one: Limits, other: Limits, standing: Standing) -> None:
    wider = tuple(max(pair) for pair in zip(one, other, strict=True))
    narrower = tuple(min(pair) for pair in zip(one, other, strict=True))
    assert STRICTNESS[verdict(narrower, standing)] >= STRICTNESS[verdict(wider, standing)]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(rules_of, standings, st.permutations(range(len(RULES))))
def test_the_order_of_rules_and_of_past_charges_does_not_change_the_verdict(
    rules: Limits, standing: Standing, order: list[int]
) -> None:
    turned = replace(standing, charges=standing.charges[::-1])
    again = decide_own(decided()[1], case(rules, turned), tuple(RULES[place] for place in order))
    assert again.verdict == verdict(rules, standing)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(rules_of, standings)
def test_a_static_denial_stays_one(rules: Limits, standing: Standing) -> None:
    plan, decision = decided()
    denied = decision.model_copy(
        update={
            "verdicts": tuple(
                each.model_copy(update={"verdict": "deny"}) if each.owner == "bank-c" else each
                for each in decision.verdicts
            )
        }
    )
    assert decide_own(denied, case(rules, standing, plan)).verdict == "deny"


@settings(max_examples=60, derandomize=True, deadline=None)
@given(damaged_plans(), standings)
def test_any_plan_is_answered(plan: Plan, standing: Standing) -> None:
    found = decide_own(decided()[1], case((0, 0, 0, 0), standing, plan))
    assert found.owner == "bank-a"
    assert found.verdict in STRICTNESS
    assert found.verdict == "permit" or (found.code and found.text)


def test_the_cases_that_are_drawn_are_permitted_and_denied_by_quotas_and_by_the_budget() -> None:
    """Guards the tests above: they must meet denials of each kind, or they show nothing."""
    draw = random.Random(1)
    codes = {
        decide_own(
            decided()[1],
            case(
                (draw.randrange(5), draw.randrange(5), draw.randrange(5), draw.randrange(4)),
                Standing(
                    draw.randrange(3),
                    draw.randrange(3),
                    draw.randrange(3),
                    (PastCharge(NOW, "customer", Charge(draw.randrange(4) * RHO_PARTS // 10)),),
                ),
            ),
        ).code
        for _ in range(60)
    }
    assert {"", "policies/rates", "policies/budget"} <= codes
    assert policy(0, 0, 0, 0).policy.purpose.code == PURPOSE
