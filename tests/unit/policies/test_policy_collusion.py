"""The strictest policy chooses the engine: how many computers may collude, and what that costs."""

from dataclasses import replace

import pytest

from consortia.client.explain import explanation_text
from consortia.errors import RequestError
from consortia.execution.estimate import estimate
from consortia.plans.cost import LINKS, machine_of, microseconds
from consortia.plans.engines import choose_engine
from consortia.plans.model import Plan
from consortia.policies.compiling import Compiled, compile_analysis, refusal
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import BANKS, PURPOSE, STATISTICS, environment
from tests.policies_world import NOW, loaded, make_world

FIVE = (*BANKS, "bank-d", "bank-e")
COMPUTE = ("compute: [bank-a, bank-b, bank-c]", f"compute: [{', '.join(FIVE)}]")


def world(collusion: dict[str, int], computers: tuple[str, ...] = FIVE) -> PolicyWorld:
    """Policies of the three banks that own tables; all five members may compute."""
    policies = [
        loaded(bank, COMPUTE, ("threat-model: semi-honest", f"threat-model: semi-honest\n  collusion: {asked}"))
        for bank, asked in ((bank, collusion.get(bank, 1)) for bank in BANKS)
    ]
    made = make_world(*policies, members=FIVE)
    return replace(made, manifest=made.manifest.model_copy(update={"computers": computers}))


def compiled(made: PolicyWorld, sql: str = STATISTICS) -> Compiled:
    return compile_analysis(sql, PURPOSE, "ana@bank-a", NOW, made, estimate, NOW)


def chosen(plan: Plan) -> tuple[str, int, tuple[str, ...]]:
    return plan.engine, plan.collusion, plan.computers


def test_one_owner_that_asks_for_two_is_enough() -> None:
    found = compiled(world({"bank-b": 2}))
    assert found.permitted
    assert chosen(found.plan) == ("shamir", 2, FIVE)
    assert "collusion" in {reason.rule for verdict in found.decision.verdicts for reason in verdict.reasons}


def test_without_such_an_owner_the_first_three_computers_run_the_ring() -> None:
    assert chosen(compiled(world({})).plan) == ("ring3", 1, BANKS)


def test_the_most_that_an_owner_asks_for_counts_and_no_more_computers_than_needed() -> None:
    asked = environment(computers=tuple(f"m-{i}" for i in range(9)), collusion={"a": 2, "b": 3, "elsewhere": 4})
    assert choose_engine(asked, ["a", "b"]).computers == tuple(f"m-{i}" for i in range(7))
    assert choose_engine(asked, ["a", "b"]).collusion == 3
    assert choose_engine(asked, ["a", "elsewhere"]).collusion == 4
    assert choose_engine(asked, ["other"]).engine == "ring3"


def test_too_few_computers_are_a_denial_that_says_how_many_are_needed() -> None:
    found = compiled(world({"bank-c": 2}, computers=FIVE[:4]))
    assert not found.permitted
    denied = refusal(found)
    assert "collusion" in denied.message
    assert "5 computers" in denied.remedy


def test_explain_shows_the_engine_and_its_price() -> None:
    ring, shamir = compiled(world({})), compiled(world({"bank-a": 2}))
    text = explanation_text(shamir, world({"bank-a": 2}), ())
    assert "2 of them may collude: engine shamir" in text
    assert shamir.estimate.bytes > 10 * ring.estimate.bytes
    assert f"{shamir.estimate.rounds} rounds\n" in text
    assert "circuits of" not in text
    assert microseconds(shamir.estimate, LINKS[0], machine_of(shamir.plan)) > 1000 * shamir.estimate.rounds
    assert "bits under a random mask" in text


def test_a_plan_that_the_engine_does_not_carry_is_refused_with_the_estimate() -> None:
    plan = compiled(world({"bank-a": 2})).plan
    nine = (*plan.computers, "m-6", "m-7", "m-8", "m-9")
    with pytest.raises(RequestError, match=r"rounds, and `bank-a` sends [\d,]+ bytes") as caught:
        estimate(plan.model_copy(update={"computers": nine, "collusion": 4}))
    assert caught.value.code == "shamir/too-large"
    assert "`collusion: 1`" in caught.value.remedy
