"""Who contributes to a group of a query over relations, and who receives it, against rows that know their members."""

from collections import Counter

import pytest

from consortia.errors import RequestError
from consortia.plans.build import build_plan
from consortia.plans.evaluate import evaluate
from consortia.plans.lowering.nodes import types_of
from consortia.plans.model import Control, Release
from consortia.plans.obligations import Obligations
from consortia.plans.query import Query, Relation
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, BANKS, environment
from tests.naive_plan import run
from tests.naive_relations import ManyToMany, Tagged, World, answer, rows_of
from tests.small_tables import SMALL, random_data, unit_query

UNIT = "k"
ENTITIES = {"people": "k", "events": "k"}
RULES = Obligations(entity="k", minimum_entities=2, minimum_members=2)
WORLD = environment(SMALL, entities=ENTITIES)


def members(rows: list[Tagged]) -> frozenset[str]:
    return frozenset().union(*(row.members for row in rows))


def relation_of(query: Query) -> Relation:
    assert query.relation is not None
    return query.relation


def groups(query: Query, world: World) -> dict[tuple[object, ...], list[Tagged]]:
    """The rows of each group by its keys."""
    types = types_of(relation_of(query), SMALL)
    found: dict[tuple[object, ...], list[Tagged]] = {} if query.keys else {(): []}
    for row in rows_of(relation_of(query), world):
        key = tuple(evaluate(named.expression, row.row, types, member=row.member) for named in query.keys)
        found.setdefault(key, []).append(row)
    return found


def receivers(query: Query) -> frozenset[str]:
    """Members without whose rows there is no group, whatever the data: rows of a part that meets others' rows.

    Everybody, where there is no such member.
    """
    found = frozenset(bank for bank in BANKS if not any(_groups_without(query, bank, seed) for seed in range(8)))
    return found or frozenset(BANKS)


def _groups_without(query: Query, bank: str, seed: int) -> bool:
    data = random_data(1000 + seed, full=True)
    left = {table: {who: rows for who, rows in held.items() if who != bank} for table, held in data.items()}
    try:
        return bool(rows_of(relation_of(query), World(left, SMALL, strict=True)))
    except ManyToMany:
        return False


def enough(rows: list[Tagged]) -> bool:
    """Two persons and another member, in rows that hold nothing of bank-a."""
    others = [row for row in rows if "bank-a" not in row.members]
    return len({row.row[UNIT] for row in others} - {None}) >= 2 and len(members(others)) >= 1


def check(seed: int) -> str:
    """How one random query ended: refused, or as it must."""
    sql, data = unit_query(seed), random_data(seed, full=True)
    query = bind(sql, SMALL, AS_OF)
    plan = build_plan(query, WORLD, RULES)
    world = World(data, SMALL, strict=True)
    try:
        by_key = groups(query, world)
        wanted = answer(query, world)
    except ManyToMany:
        return "many-to-many"
    results = run(plan, data)
    places = [key.name for key in query.keys]
    names = {output.expression.column: output.name for output in query.outputs if output.expression.node == "ref"}
    rows = {tuple(row[names[place]] for place in places): row for row in wanted}
    (release,) = [step for step in plan.steps if isinstance(step, Release)]
    if release.rows_of == "own":
        told = receivers(query) if by_key else BANKS
        for bank in BANKS:
            own = [row for key, row in rows.items() if bank in told and bank in members(by_key[key])]
            assert canonical(results.get(bank, [])) == canonical(own), sql
        return "own"
    (control,) = [step for step in plan.steps if isinstance(step, Control)]
    assert {rule.by for rule in control.rules} == {"entity", "member"}
    passed = [row for key, row in rows.items() if enough(by_key[key])]
    assert canonical(results["ana@bank-a"]) == canonical(passed), sql
    return "passed" if passed else "suppressed"


def canonical(rows: list[dict[str, object]]) -> Counter[tuple[tuple[str, object], ...]]:
    return Counter(tuple(sorted(row.items())) for row in rows)


def test_cells_need_contributors_in_rows_without_data_of_the_recipient_and_alerts_go_to_who_holds_their_rows() -> None:
    counted = Counter(check(seed) for seed in range(150))
    assert min(counted[how] for how in ("passed", "suppressed", "own")) > 10, counted


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("SELECT c, COUNT(*) AS n FROM people AS p GROUP BY c", True),
        ("SELECT q.c, COUNT(*) AS n FROM (SELECT k, c FROM people GROUP BY k, c) AS q GROUP BY q.c", True),
        ("SELECT q.c, COUNT(*) AS n FROM (SELECT c, COUNT(*) AS m FROM people GROUP BY c) AS q GROUP BY q.c", False),
        (("SELECT p.c, COUNT(*) AS n FROM people AS p JOIN (SELECT k, COUNT(*) AS m FROM events GROUP BY k) AS e"
         " ON p.k = e.k GROUP BY p.c"), True),
        (("SELECT p.c, COUNT(*) AS n FROM people AS p JOIN (SELECT c, COUNT(*) AS m FROM events GROUP BY c) AS e"
         " ON p.c = e.c GROUP BY p.c"), False),
        (("SELECT p.c, COUNT(*) AS n FROM people AS p JOIN (SELECT j, k FROM events GROUP BY j, k) AS e"
         " ON p.i = e.j GROUP BY p.c"), False),
        ("SELECT p.c, COUNT(*) AS n FROM people AS p WHERE p.k IN (SELECT k FROM events) GROUP BY p.c", True),
        ("SELECT p.c, COUNT(*) AS n FROM people AS p WHERE p.i IN (SELECT j FROM events) GROUP BY p.c", False),
        (("SELECT q.c, COUNT(*) AS n FROM (SELECT k, c FROM people UNION SELECT k, c FROM events) AS q"
         " GROUP BY q.c"), True),
        (("SELECT q.c, COUNT(*) AS n FROM (SELECT c, i FROM people UNION SELECT c, j FROM events) AS q"
         " GROUP BY q.c"), False),
    ],
)  # fmt: skip
def test_the_privacy_unit_of_every_table_must_reach_the_last_rows(sql: str, kept: bool) -> None:
    query = bind(sql, SMALL, AS_OF)
    if kept:
        build_plan(query, WORLD, RULES)
        return
    with pytest.raises(RequestError) as refusal:
        build_plan(query, WORLD, RULES)
    assert refusal.value.code == "plans/entity-lost"
    # without a rule there is nothing to count
    build_plan(query, WORLD)
