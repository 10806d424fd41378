"""Properties of decisions: restrictions only narrow, order does not matter, all parties agree, any plan is answered."""

from functools import cache
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.plans.model import Plan
from consortia.policies.decide import decide
from consortia.policies.language.parse import LoadedPolicy, parse_policy
from consortia.policies.rules import ALL
from consortia.policies.verdicts import Decision
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import STATISTICS, STRUCTURING
from tests.policies_world import NOW, SCORE_QUERY, draft_of, make_world, policy_text

QUERIES = (
    STATISTICS,
    STRUCTURING,
    SCORE_QUERY,
    "SELECT currency, COUNT(*) AS n FROM deposits WHERE country IN ('DE', 'FR') GROUP BY currency",
    "SELECT country, SUM(amount_minor) AS s FROM deposits WHERE currency = 'EUR' GROUP BY 1 HAVING COUNT(*) > 100",
    "SELECT SUM(risk_score) AS s FROM accounts",
)
RESTRICTIONS = (
    ("operations: [filter, group]}\n        country", "operations: [filter]}\n        country"),
    ("country: {class: quasi, operations: [filter, group]}", "country: {class: quasi, operations: []}"),
    ("amount_minor: {class: sensitive, operations: [filter, sum, compare]}",
     "amount_minor: {class: sensitive, operations: [filter, compare]}"),
    ("operations: [count, compare, compare-members]", "operations: [count]"),
    ("submit: [bank-a, bank-b]", "submit: [bank-b]"),
    ("recipients: [bank-a, bank-b]", "recipients: []"),
    ("minimum-entities: 10", "minimum-entities: 30"),
    ("minimum-members: 3", "minimum-members: 4"),
    ("maximum-rows: 1000", "maximum-rows: 3"),
    ("not-together: []", "not-together: [[bank-a, bank-b]]"),
    ("compute: [bank-a, bank-b, bank-c]", "compute: [bank-a, bank-c]"),
    ("threat-model: semi-honest", "threat-model: malicious"),
    ("not-after: 2027-01-15\n  review: 2027-01-04", "not-after: 2026-11-24\n  review: 2026-11-10"),
    ("rows: all", "rows: country = 'DE'"),
    ("    deposits:\n      rows", "    deposits_x:\n      rows"),
)  # fmt: skip
"""Edits that each permit less; they touch different lines, so any set of them can be applied together."""

subsets = st.frozensets(st.integers(0, len(RESTRICTIONS) - 1), max_size=4)


@cache
def restricted(owner: str, chosen: frozenset[int]) -> LoadedPolicy:
    text = policy_text(owner)
    for number in sorted(chosen):
        text = text.replace(*RESTRICTIONS[number], 1)
    return parse_policy(text.encode())


PLANS = {sql: draft_of(sql, make_world()) for sql in QUERIES}


def answer(sql: str, *policies: LoadedPolicy) -> Decision:
    return decide(PLANS[sql], make_world(*policies), NOW)


def test_each_restriction_changes_the_policy() -> None:
    for number in range(len(RESTRICTIONS)):
        assert restricted("bank-a", frozenset((number,))).digest != restricted("bank-a", frozenset()).digest


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.sampled_from(QUERIES), subsets, st.integers(0, len(RESTRICTIONS) - 1), st.sampled_from(["bank-a", "bank-c"]))
def test_adding_a_restriction_never_permits_more(sql: str, chosen: frozenset[int], added: int, owner: str) -> None:
    looser = answer(sql, restricted(owner, chosen))
    tighter = answer(sql, restricted(owner, chosen | {added}))
    assert looser.permitted or not tighter.permitted
    if tighter.permitted:
        assert tighter.obligations.minimum_entities >= looser.obligations.minimum_entities
        assert tighter.obligations.minimum_members >= looser.obligations.minimum_members
        assert set(map(repr, tighter.obligations.row_scopes)) >= set(map(repr, looser.obligations.row_scopes))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.sampled_from(QUERIES), subsets, st.permutations(range(3)), st.permutations(range(len(ALL))))
def test_order_of_policies_and_rules_is_irrelevant_and_all_parties_get_the_same_bytes(
    sql: str, chosen: frozenset[int], policy_order: list[int], rule_order: list[int]
) -> None:
    world = make_world(restricted("bank-b", chosen))
    shuffled = PolicyWorld(
        make_world().manifest,
        world.catalogue,
        dict(reversed(list(world.cards.items()))),
        tuple(world.policies[place] for place in policy_order),
    )
    rules = tuple(ALL[place] for place in rule_order)
    again = Plan.parse(PLANS[sql].canonical())
    assert decide(again, shuffled, NOW, rules).canonical() == decide(PLANS[sql], world, NOW).canonical()


@st.composite
def damaged_plans(draw: st.DrawFn) -> Plan:
    """Real plans with steps dropped, doubled, moved, re-linked or relabelled."""
    plan = PLANS[draw(st.sampled_from(QUERIES))]
    steps = list(plan.steps)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(steps) - 1))
        step = steps[place]
        match draw(st.integers(0, 6)):
            case 0 if len(steps) > 1:
                del steps[place]
            case 1:
                steps.insert(place, step)
            case 2:
                other = draw(st.integers(0, len(steps) - 1))
                steps[place], steps[other] = steps[other], steps[place]
            case 3:
                inputs = draw(st.lists(st.sampled_from([s.id for s in steps] + ["s99"]), max_size=2))
                steps[place] = step.model_copy(update={"inputs": tuple(inputs)})
            case 4:
                where = draw(st.sampled_from(["shared", "recipient", "owner:bank-b", "owner:nobody", ""]))
                steps[place] = step.model_copy(update={"at": where})
            case 5:
                kept = tuple(column for column in step.columns if draw(st.booleans()))
                steps[place] = step.model_copy(update={"columns": kept})
            case _:
                steps[place] = step.model_copy(update={"id": draw(st.sampled_from(["s0", "s1", "x", ""]))})
    return plan.model_copy(update={"steps": tuple(steps)})


@settings(max_examples=200, derandomize=True, deadline=None)
@given(damaged_plans())
def test_any_plan_is_answered_with_a_reason_for_every_denial(plan: Plan) -> None:
    decision = decide(plan, make_world(), NOW)
    for verdict in decision.verdicts:
        assert verdict.reasons
    assert [verdict.owner for verdict in decision.verdicts] == sorted(set(plan.owners()))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.sampled_from(QUERIES), st.lists(subsets, min_size=3, max_size=3))
def test_the_strictest_owner_wins(sql: str, chosen: list[frozenset[int]]) -> None:
    policies = [restricted(owner, part) for owner, part in zip(("bank-a", "bank-b", "bank-c"), chosen, strict=True)]
    joint = answer(sql, *policies)
    alone = [answer(sql, policy) for policy in policies]
    assert joint.permitted == all(decision.permitted for decision in alone)
    if joint.permitted:
        minima = [decision.obligations.minimum_entities for decision in alone]
        assert joint.obligations.minimum_entities == max(minima)
    assert all(left.owner < right.owner for left, right in pairwise(joint.verdicts))
