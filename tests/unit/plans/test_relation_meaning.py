"""Plans of random queries over several relations, run step by step in clear, against the meaning of the query."""

from collections import Counter

import pytest

from consortia.errors import RequestError
from consortia.plans.build import build_plan
from consortia.plans.model import Step
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, environment
from tests.naive_plan import Row, run
from tests.naive_relations import ManyToMany, World, answer
from tests.small_tables import SMALL, random_data, random_query

SEEDS = 200
WORLD = environment(SMALL, entities={})


def outcome(seed: int) -> tuple[str, set[str]]:
    """What came out of one random query, and the kinds of steps of its plan."""
    sql, data = random_query(seed), random_data(seed)
    try:
        query = bind(sql, SMALL, AS_OF)
        plan = build_plan(query, WORLD)
    except RequestError as refusal:
        return refusal.code, set()
    try:
        wanted = answer(query, World(data, SMALL, strict=True))
    except ManyToMany:
        with pytest.raises(ManyToMany):
            run(plan, data)
        return "many-to-many", set()
    results = run(plan, data)
    rows = [row for own in results.values() for row in own]
    if len(results) > 1:  # every member receives the groups that hold data of its own
        rows = [dict(row) for row in canonical(rows)]
    assert canonical(rows) == canonical(wanted), sql
    return ("answered" if rows else "empty"), {kind_of(step) for step in plan.steps if step.at == "shared"}


def canonical(rows: list[Row]) -> Counter[tuple[tuple[str, object], ...]]:
    return Counter(tuple(sorted(row.items())) for row in rows)


def kind_of(step: Step) -> str:
    return f"{step.kind} {step.how}" if step.kind == "join" else step.kind


def test_random_queries_over_relations_mean_what_they_say() -> None:
    kinds: set[str] = set()
    counted: Counter[str] = Counter()
    for seed in range(SEEDS):
        how, found = outcome(seed)
        counted[how] += 1
        kinds |= found
    assert counted["answered"] > SEEDS // 3
    assert counted["many-to-many"] > 0
    joins = {f"join {how}" for how in ("inner", "left", "semi", "anti", "not-in")}
    assert kinds >= joins | {"union", "project", "filter", "sort", "aggregate", "window", "limit", "control"}


@pytest.mark.parametrize("join", ["JOIN", "LEFT JOIN"])
def test_a_column_that_is_two_keys_of_one_join_counts_from_one_lower_bound(join: str) -> None:
    sql = (
        f"SELECT b.m, COUNT(*) AS k, SUM(a.n) AS s FROM (SELECT i, COUNT(*) AS n FROM people GROUP BY i) AS a {join}"
        " (SELECT COUNT(*) AS m FROM events) AS b ON a.n = b.m AND a.i = b.m GROUP BY b.m"
    )
    query = bind(sql, SMALL, AS_OF)
    for seed in range(5):
        data = random_data(seed)
        (rows,) = run(build_plan(query, WORLD), data).values()
        assert canonical(rows) == canonical(answer(query, World(data, SMALL)))


@pytest.mark.parametrize(
    "sql",
    [
        (
            "SELECT a.c, COUNT(DISTINCT member()) AS m FROM events AS a JOIN (SELECT k, MAX(i) AS i FROM people"
            " GROUP BY k) AS b ON a.k = b.k GROUP BY a.c HAVING COUNT(DISTINCT member()) >= 2"
        ),
        "SELECT c, COUNT(DISTINCT member()) AS m FROM events WHERE k IN (SELECT k FROM people) GROUP BY c",
        "SELECT m, COUNT(*) AS n FROM (SELECT c, COUNT(DISTINCT member()) AS m FROM people GROUP BY c) AS q GROUP BY m",
    ],
)
def test_members_are_counted_by_whose_data_rows_hold(sql: str) -> None:
    query = bind(sql, SMALL, AS_OF)
    for seed in range(5):
        data = random_data(seed)
        (rows,) = run(build_plan(query, WORLD), data).values()
        assert canonical(rows) == canonical(answer(query, World(data, SMALL)))
