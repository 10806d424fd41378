"""The leakage report of every query lists exactly the traffic and the openings that its exact cost declares."""

import pytest

from consortia.execution.estimate import estimate
from consortia.plans.build import build_plan
from consortia.plans.leakage import leakage_report
from consortia.plans.model import Release, Share
from consortia.plans.obligations import Obligations
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, CATALOGUE, STATISTICS, STRUCTURING, environment
from tests.unit.plans.test_query_meaning import QUERIES

SMALL = CATALOGUE.model_copy(
    update={"tables": tuple(each.model_copy(update={"max_rows": 60}) for each in CATALOGUE.tables)}
)


@pytest.mark.parametrize("sql", [STRUCTURING, STATISTICS, *QUERIES])
def test_the_report_is_the_declared_cost_and_every_release(sql: str) -> None:
    entity = "customer_key" if "deposits" in sql.split("FROM")[1] else "person"
    rules = Obligations(entity=entity, minimum_entities=3, minimum_members=2)
    plan = build_plan(bind(sql, SMALL, AS_OF), environment(SMALL), rules)
    cost = estimate(plan)
    entries = leakage_report(plan, cost).entries
    traffic = [(entry.step, entry.rounds, entry.amount) for entry in entries if entry.kind == "traffic"]
    assert traffic == [(c.step, c.rounds, c.total_bytes) for c in cost.steps if c.rounds or c.total_bytes]
    opened = [(entry.step, entry.amount, entry.who) for entry in entries if entry.kind == "opening"]
    assert sorted(opened) == sorted((o.step, o.elements, tuple(sorted(o.to))) for o in cost.openings)
    sizes = [(entry.step, entry.amount) for entry in entries if entry.kind == "size"]
    assert sizes == [(step.id, step.rows) for step in plan.steps if isinstance(step, Share)]
    results = [entry.who for entry in entries if entry.kind == "result"]
    releases = [step for step in plan.steps if isinstance(step, Release)]
    assert results == [(r.person or r.member,) for step in releases for r in step.recipients]
    fetched = {entry.what.split(" of ")[2].split()[0] for entry in entries if "factor of two" in entry.what}
    assert fetched == {r.member for step in releases for r in step.recipients if r.person is None}
