"""Properties of decisions: restrictions only narrow, order does not matter, all parties agree, any plan is answered."""

import random
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import RequestError
from consortia.plans.build import build_plan
from consortia.plans.model import (
    Aggregate,
    AggregateStep,
    Join,
    JoinKey,
    Limit,
    Plan,
    SortKey,
    Step,
    Union,
    Window,
    WindowFunction,
)
from consortia.plans.sql import bind
from consortia.policies.decide import decide
from consortia.policies.language.parse import LoadedPolicy, parse_policy
from consortia.policies.lineage import flow_of
from consortia.policies.rules import ALL
from consortia.policies.verdicts import Decision
from consortia.policies.world import PolicyWorld
from tests.fixtures_catalogue import AS_OF, BANKS, CATALOGUE, STATISTICS, STRUCTURING, environment
from tests.policies_world import GENEROUS, NOW, SCORE_QUERY, draft_of, generous_world, make_world, policy_text
from tests.random_relations import relation_query

TABLES = (
    STATISTICS,
    STRUCTURING,
    SCORE_QUERY,
    "SELECT currency, COUNT(*) AS n FROM deposits WHERE country IN ('DE', 'FR') GROUP BY currency",
    "SELECT country, SUM(amount_minor) AS s FROM deposits WHERE currency = 'EUR' GROUP BY 1 HAVING COUNT(*) > 100",
    "SELECT SUM(risk_score) AS s FROM accounts WHERE risk_score IS NOT NULL",
)
RELATIONS = (
    """SELECT d.country, COUNT(*) AS n FROM deposits AS d JOIN
    (SELECT customer_key, SUM(amount_minor) AS t FROM deposits WHERE currency = 'EUR' GROUP BY customer_key) AS x
    ON x.customer_key = d.customer_key WHERE x.t > 100 GROUP BY d.country""",
    """SELECT d.country, COUNT(*) AS n FROM deposits AS d LEFT JOIN accounts AS a ON a.customer_key = d.customer_key
    GROUP BY d.country ORDER BY n DESC LIMIT 2""",
    """SELECT country, SUM(amount_minor) AS s FROM (SELECT customer_key, country, amount_minor,
    RANK() OVER (PARTITION BY customer_key ORDER BY amount_minor) AS p FROM deposits WHERE currency = 'EUR') AS x
    WHERE p <= 3 GROUP BY country""",
    """SELECT country, SUM(t) AS s FROM (SELECT customer_key, country, SUM(amount_minor) AS t FROM deposits
    WHERE currency = 'EUR' GROUP BY customer_key, country ORDER BY t DESC LIMIT 30) AS x GROUP BY country""",
    "SELECT customer_key FROM deposits INTERSECT SELECT customer_key FROM accounts",
    """SELECT customer_key FROM deposits WHERE customer_key NOT IN (SELECT customer_key FROM accounts)
    GROUP BY customer_key HAVING COUNT(*) > 2""",
    """SELECT country, VARIANCE(amount_minor) AS v, MEDIAN(amount_minor) AS m FROM deposits WHERE currency = 'EUR'
    GROUP BY country""",
)
QUERIES = (*TABLES, *RELATIONS)
RESTRICTIONS = (
    ("currency: {class: free, operations: [filter, group, ", "currency: {class: free, operations: [filter, "),
    ("country: {class: quasi, operations: [filter, group, ", "country: {class: quasi, operations: [filter, "),
    ("amount_minor: {class: sensitive, operations: [filter, count, sum, ",
     "amount_minor: {class: sensitive, operations: [filter, count, "),
    ("[count, compare, compare-members, count-members, score, train, evaluate]", "[count]"),
    ("submit: [bank-a, bank-b]", "submit: [bank-b]"),
    ("recipients: [bank-a, bank-b]", "recipients: []"),
    ("minimum-entities: 10", "minimum-entities: 30"),
    ("minimum-members: 3", "minimum-members: 4"),
    ("maximum-rows: off", "maximum-rows: 3"),
    ("not-together: []", "not-together: [[bank-a, bank-b]]"),
    ("compute: [bank-a, bank-b, bank-c]", "compute: [bank-a, bank-c]"),
    ("threat-model: semi-honest", "threat-model: malicious"),
    ("not-after: 2027-01-15\n  review: 2027-01-04", "not-after: 2026-11-24\n  review: 2026-11-10"),
    ("rows: all", "rows: country = 'DE'"),
    ("    deposits:\n      rows", "    deposits_x:\n      rows"),
    ("[alert, count, compare, join, trace]", "[alert, count, compare, trace]"),
    (" rank, quantile, variance, trace, train, evaluate]}\n        currency", " quantile]}\n        currency"),
    (" alert, join, rank, trace, train, evaluate]}\n    accounts", " alert]}\n    accounts"),
)  # fmt: skip
"""Edits that each permit less; they touch different places, so any set of them can be applied together."""

subsets = st.frozensets(st.integers(0, len(RESTRICTIONS) - 1), max_size=4)


@cache
def restricted(owner: str, chosen: frozenset[int]) -> LoadedPolicy:
    """The policy that permits what a policy can, but for the edits ``chosen``."""
    text = policy_text(owner, *GENEROUS)
    for number in sorted(chosen):
        old, new = RESTRICTIONS[number]
        text = text.replace(old, new)
    return parse_policy(text.encode())


PLANS = {sql: draft_of(sql, generous_world()) for sql in QUERIES}


def answer(sql: str, *policies: LoadedPolicy) -> Decision:
    given = {policy.policy.identity.owner for policy in policies}
    others = (restricted(owner, frozenset()) for owner in BANKS if owner not in given)
    return decide(PLANS[sql], make_world(*policies, *others), NOW)


def test_each_restriction_changes_the_policy() -> None:
    for number in range(len(RESTRICTIONS)):
        assert restricted("bank-a", frozenset((number,))).digest != restricted("bank-a", frozenset()).digest


@pytest.mark.parametrize("sql", QUERIES)
def test_every_query_is_permitted_where_everything_is(sql: str) -> None:
    found = answer(sql)
    assert found.permitted, found.denials()


@settings(max_examples=120, derandomize=True, deadline=None)
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
    world = make_world(
        restricted("bank-b", chosen), *(restricted(owner, frozenset()) for owner in ("bank-a", "bank-c"))
    )
    shuffled = PolicyWorld(
        make_world().manifest,
        world.catalogue,
        dict(reversed(list(world.cards.items()))),
        tuple(world.policies[place] for place in policy_order),
    )
    rules = tuple(ALL[place] for place in rule_order)
    again = Plan.parse(PLANS[sql].canonical())
    assert decide(again, shuffled, NOW, rules).canonical() == decide(PLANS[sql], world, NOW).canonical()


def _relation_step(draw: st.DrawFn, step: Step) -> Step:
    """A join, window, limit or nested group in the place of ``step``, over names that it may not have."""
    names = st.sampled_from([column.name for column in step.columns] + ["nothing"])
    base = {"id": step.id, "inputs": step.inputs, "at": step.at, "rows": step.rows, "columns": step.columns}
    order = (SortKey(column=draw(names)),)
    match draw(st.integers(0, 4)):
        case 0:
            on = (JoinKey(left=draw(names), right=draw(names)),)
            how = draw(st.sampled_from(["inner", "left", "semi", "anti", "not-in"]))
            uniqueness = draw(st.sampled_from(["grouped", "owner", "opened"]))
            twice = base | {"inputs": step.inputs * 2}
            return Join.model_validate({**twice, "how": how, "on": on, "uniqueness": uniqueness})
        case 1:
            made = WindowFunction(name="w", function=draw(st.sampled_from(["rank", "sum"])), column=draw(names))
            return Window.model_validate({**base, "partition": (draw(names),), "order": order, "functions": (made,)})
        case 2:
            return Limit.model_validate({**base, "count": 1})
        case 3:
            return Union.model_validate({**base, "inputs": step.inputs * 2, "owners": ()})
        case _:
            made = Aggregate(name="m", function=draw(st.sampled_from(["max", "quantile", "sum"])), column=draw(names))
            return AggregateStep.model_validate({**base, "keys": (draw(names),), "aggregates": (made,)})


@st.composite
def damaged_plans(draw: st.DrawFn) -> Plan:
    """Real plans with steps dropped, doubled, moved, re-linked or relabelled."""
    plan = PLANS[draw(st.sampled_from(QUERIES))]
    steps = list(plan.steps)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(steps) - 1))
        step = steps[place]
        match draw(st.integers(0, 8)):
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
            case 6:
                steps[place] = step.model_copy(update={"id": draw(st.sampled_from(["s0", "s1", "x", ""]))})
            case 7:
                steps[place] = _relation_step(draw, step)
            case _:
                steps.insert(place, _relation_step(draw, step))
    return plan.model_copy(update={"steps": tuple(steps)})


@settings(max_examples=200, derandomize=True, deadline=None)
@given(damaged_plans())
def test_any_plan_is_answered_with_a_reason_for_every_denial(plan: Plan) -> None:
    decision = decide(plan, generous_world(), NOW)
    for verdict in decision.verdicts:
        assert verdict.reasons
    assert [verdict.owner for verdict in decision.verdicts] == sorted(set(plan.owners()))


def test_every_planned_query_is_followed_and_called_the_kind_that_it_is() -> None:
    followed = 0
    for seed in range(120):
        sql = relation_query(random.Random(seed), unique=seed % 2 == 0)
        try:
            plan = build_plan(bind(sql, CATALOGUE, AS_OF), environment())
        except RequestError:
            continue
        [output] = flow_of(plan).outputs
        assert output.groups is not None, sql
        assert output.kind == output.release.output_kind, sql
        followed += 1
    assert followed >= 50


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
