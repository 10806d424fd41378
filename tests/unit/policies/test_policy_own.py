"""The owner's own part of a verdict: it only narrows, every rule counts, a denial before a hold, and it is total."""

import pytest

from consortia.plans.model import Plan
from consortia.policies.decide import decide
from consortia.policies.own import OwnCase, OwnFinding, OwnRule, decide_own, tables_needed
from tests.fixtures_catalogue import CATALOGUE, PURPOSE, STATISTICS
from tests.policies_world import NOW, SCORE_QUERY, draft_of, make_world

WORLD = make_world()
PLAN = draft_of(STATISTICS, WORLD)
DECISION = decide(PLAN, WORLD, NOW)


def case(*tables: str, owner: str = "bank-a", plan: Plan = PLAN) -> OwnCase:
    [loaded] = WORLD.policies_of("bank-a", PURPOSE)
    return OwnCase(owner, loaded, plan, CATALOGUE, dict.fromkeys(tables, "0" * 64), NOW)


def finding(effect: str, code: str) -> OwnRule:
    return lambda _: OwnFinding("deny" if effect == "deny" else "hold", code, "why", "what now")


def test_the_owner_needs_the_tables_under_a_local_table() -> None:
    assert tables_needed(PLAN, "bank-a", CATALOGUE) == {"accounts", "transactions"}
    assert tables_needed(PLAN, "bank-d", CATALOGUE) == frozenset()


def test_the_owners_own_part_only_narrows() -> None:
    assert decide_own(DECISION, case("accounts", "transactions")).verdict == "permit"
    missing = decide_own(DECISION, case("accounts"))
    assert (missing.verdict, missing.code) == ("deny", "policies/data-missing")
    assert "transactions" in missing.text
    assert decide_own(DECISION, case("accounts", owner="bank-d")).verdict == "deny"
    denied = decide(draft_of(SCORE_QUERY, WORLD), WORLD, NOW)
    assert decide_own(denied, case("accounts", "transactions")).code == "policies/denied"


@pytest.mark.parametrize("turned", [False, True])
def test_a_denial_counts_before_a_hold_in_any_order(turned: bool) -> None:
    rules = (finding("hold", "policies/first"), finding("deny", "policies/second"))
    found = decide_own(DECISION, case(), rules[::-1] if turned else rules)
    assert (found.verdict, found.code, found.text, found.remedy) == ("deny", "policies/second", "why", "what now")
    assert decide_own(DECISION, case(), rules[:1]).verdict == "hold"


def test_a_rule_that_raises_denies() -> None:
    def broken(_: OwnCase) -> OwnFinding | None:
        raise ZeroDivisionError("no such rate")

    found = decide_own(DECISION, case(), (broken,))
    assert (found.verdict, found.code) == ("deny", "policies/own-part")
    assert "no such rate" in found.text
