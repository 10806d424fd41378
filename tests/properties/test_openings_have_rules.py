"""Input P2: nothing can open a value without a rule that is asked first. A new way to open one fails here.

Two walls: in code, the only calls that make a share known are listed with what guards each; in plans, every aggregate
and every kind of output has a rule that denies it where a policy grants nothing, and limits it where one grants all.
"""

import ast
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

import consortia
from consortia.plans.cost import Estimate
from consortia.plans.model import AggregateFunction, AggregateStep, Control, Plan, Release
from consortia.plans.query import QueryFunction
from consortia.policies.compiling import compile_analysis
from consortia.policies.decide import decide
from tests.fixtures_catalogue import PURPOSE
from tests.policies_world import NOW, draft_of, generous_world, loaded, make_world

PACKAGE = Path(consortia.__file__).parent
OPENING = ("part", "open_flag", "open_to_computer")
"""The methods of an engine that make a value known to somebody."""
GUARDED = {
    ("parties/release.py", "part"): 1,  # a release step: kind of output, recipients, the control step before it
    ("protocols/relational/join.py", "open_flag"): 1,  # one bit, in the leakage report; `join` must be granted
    # one bit, in the leakage report: more paths than the stated bound; `match-count` must be open
    ("protocols/graph/expand.py", "open_flag"): 1,
}
"""How many such calls a file has."""
ENGINES = ("protocols/clear/", "protocols/shamir/", "protocols/sharing/", "protocols/ring3.py", "protocols/counting.py")
"""Where engines carry these calls out. What they open inside of an operation is masked or shuffled, which
tests/differential/test_record_of_openings.py shows by equal traces."""

NOTHING = make_world(*(
    loaded(name, ("operations: [count, compare, compare-members]", "operations: []"),
           ("operations: [filter, sum, compare]", "operations: []"),
           ("currency: {class: free, operations: [filter, group]}", "currency: {class: free, operations: [filter]}"),
           ("country: {class: quasi, operations: [filter, group]}", "country: {class: quasi, operations: []}"),
           ("operations: [alert, count]", "operations: []"))
    for name in ("bank-a", "bank-b", "bank-c")
))  # fmt: skip
EVERYTHING = generous_world()
COLUMN = "FROM deposits WHERE currency = 'EUR'"
OPENS: dict[str, str] = {
    "sum": f"SELECT SUM(amount_minor) AS x, COUNT(*) AS n {COLUMN}",
    "count": "SELECT COUNT(risk_score) AS x FROM accounts WHERE risk_score > 3",
    "count-rows": f"SELECT COUNT(*) AS x {COLUMN}",
    "avg": f"SELECT AVG(amount_minor) AS x {COLUMN}",
    "count-members": f"SELECT COUNT(DISTINCT member()) AS x {COLUMN}",
    "count-entities": f"SELECT COUNT(DISTINCT customer_key) AS x {COLUMN}",
    "count-distinct": f"SELECT COUNT(DISTINCT country) AS x {COLUMN}",
    "min": f"SELECT MIN(amount_minor) AS x {COLUMN}",
    "max": f"SELECT MAX(ts) AS x {COLUMN}",
    "quantile": f"SELECT PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY amount_minor) AS x {COLUMN}",
    "median": f"SELECT MEDIAN(amount_minor) AS x {COLUMN}",
    "variance": "SELECT VAR_SAMP(risk_score) AS x FROM accounts WHERE risk_score IS NOT NULL",
    "variance-pop": "SELECT VAR_POP(risk_score) AS x FROM accounts WHERE risk_score IS NOT NULL",
    "deviation": "SELECT STDDEV_SAMP(risk_score) AS x FROM accounts WHERE risk_score IS NOT NULL",
    "deviation-pop": "SELECT STDDEV_POP(risk_score) AS x FROM accounts WHERE risk_score IS NOT NULL",
}
"""For each function that a query may ask for, one that opens it."""


BY_PARTS = {"count", "count-rows"}
"""Owners count in clear, and the computers add up."""
INSIDE = {"has-member", "largest", "magnitude", "count-beside"}
"""Aggregates that only control and ownership read."""

NEVER = ("min", "max")
"""Functions that no policy can grant on these columns, by their class: the least value is one customer's."""


def final(sql: str) -> Plan | None:
    """The plan under policies that grant everything, None if even these deny it."""
    compiled = compile_analysis(sql, PURPOSE, "ana@bank-a", NOW, EVERYTHING, lambda _: Estimate(), NOW)
    return compiled.plan if compiled.permitted else None


def opened_functions(plan: Plan) -> set[str]:
    """Aggregates of ``plan`` on shares that its release opens."""
    [names] = [{column.name for column in step.columns} for step in plan.steps if isinstance(step, Release)]
    groups = [step for step in plan.steps if isinstance(step, AggregateStep) and step.at == "shared"]
    return {made.function for step in groups for made in step.aggregates if made.name in names}


def test_every_call_that_opens_a_share_is_guarded_and_listed() -> None:
    found: Counter[tuple[str, str]] = Counter()
    for file in PACKAGE.rglob("*.py"):
        place = file.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            opens = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in OPENING
            if opens and not place.startswith(ENGINES):
                found[place, node.func.attr] += 1
    assert found == GUARDED


def test_every_function_of_a_query_has_an_output_rule() -> None:
    assert OPENS.keys() == set(get_args(QueryFunction))


@pytest.mark.parametrize("function", sorted(OPENS))
def test_a_function_that_no_policy_grants_is_denied_by_the_rule_of_operations(function: str) -> None:
    decision = decide(draft_of(OPENS[function], NOTHING), NOTHING, NOW)
    assert "operations" in {reason.rule for _, reason in decision.denials()}


def test_every_aggregate_is_opened_by_one_of_these_queries_or_only_read_inside() -> None:
    plans = [draft_of(sql, EVERYTHING) for sql in OPENS.values()]
    assert set().union(*map(opened_functions, plans)) | BY_PARTS == set(get_args(AggregateFunction)) - INSIDE


@pytest.mark.parametrize("function", sorted(OPENS))
def test_under_policies_that_grant_all_an_opened_number_still_passes_both_minima(function: str) -> None:
    plan = final(OPENS[function])
    assert (plan is None) == (function in NEVER)
    if plan is None:
        return
    [control] = [step for step in plan.steps if isinstance(step, Control)]
    [release] = [step for step in plan.steps if isinstance(step, Release)]
    assert release.inputs == (control.id,)
    assert {rule.by for rule in control.rules if rule.rule == "minimum-contributors"} == {"entity", "member"}
