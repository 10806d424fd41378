"""What single passes make of a relation: where conditions and computations stand, sides, orders, domains, sizes."""

from typing import Any, TypeVar

import pytest

from consortia.errors import RequestError
from consortia.plans.build import build_plan
from consortia.plans.columns import Column
from consortia.plans.model import AggregateStep, Filter, Join, Limit, Plan, Project, Share, Sort, Step
from consortia.plans.sql import bind
from consortia.plans.wording import expression_text
from tests.fixtures_catalogue import AS_OF, CATALOGUE, environment
from tests.small_tables import SMALL

Kind = TypeVar("Kind", bound=Any)
PEOPLE_BY_KEY = "(SELECT k, COUNT(*) AS m, MAX(i) AS i FROM people GROUP BY k)"


def plan_of(sql: str) -> Plan:
    return build_plan(bind(sql, SMALL, AS_OF), environment(SMALL, entities={}))


def of_kind(plan: Plan, kind: type[Kind], at: str = "shared") -> list[Kind]:
    return [step for step in plan.steps if isinstance(step, kind) and step.at == at]


def shared_names(plan: Plan) -> list[list[str]]:
    """Columns that bank-a shares, by share step."""
    return [[column.name for column in step.columns] for step in of_kind(plan, Share, "owner:bank-a")]


def column_of(step: Step, name: str) -> Column:
    return next(column for column in step.columns if column.name == name)


@pytest.mark.parametrize(
    ("condition", "how", "local", "on_shares"),
    [
        ("e.j > 3", "JOIN", 1, 0),  # of the left side
        ("p.k IS NOT NULL", "JOIN", 1, 0),  # of the right one, by the key of its group
        ("p.m > 1", "JOIN", 0, 1),  # of a count that nobody knows in clear
        ("p.k IS NOT NULL", "LEFT JOIN", 0, 1),  # it takes away rows without a match
        ("e.j > 3 AND p.m > 1", "LEFT JOIN", 1, 1),
        ("e.j > p.m", "JOIN", 0, 1),
    ],
)
def test_conditions_are_decided_in_clear_where_their_meaning_allows(
    condition: str, how: str, local: int, on_shares: int
) -> None:
    plan = plan_of(f"SELECT COUNT(*) AS n FROM events AS e {how} {PEOPLE_BY_KEY} AS p ON e.k = p.k WHERE {condition}")
    assert len(of_kind(plan, Filter, "owner:bank-a")) == local
    assert len(of_kind(plan, Filter)) == on_shares


def test_conditions_do_not_pass_a_limit_and_pass_windows_by_their_partition_alone() -> None:
    inner = "SELECT c, i, RANK() OVER (PARTITION BY c ORDER BY i) AS r FROM people"
    plan = plan_of(f"SELECT COUNT(*) AS n FROM ({inner}) AS q WHERE q.c = 'DE' AND q.i > 0")
    assert [len(of_kind(plan, Filter, at)) for at in ("owner:bank-a", "shared")] == [1, 1]
    plan = plan_of("SELECT COUNT(*) AS n FROM (SELECT c, i FROM people ORDER BY i LIMIT 3) AS q WHERE q.c = 'DE'")
    assert [len(of_kind(plan, Filter, at)) for at in ("owner:bank-a", "shared")] == [0, 1]


def test_what_one_table_gives_is_computed_by_its_owners_below_the_join() -> None:
    join = f"FROM events AS e JOIN {PEOPLE_BY_KEY} AS p ON e.k = p.k"
    plan = plan_of(f"SELECT SUM(e.j * e.j + p.m) AS s {join}")
    assert sorted(shared_names(plan)[0]) == ["early", "k"]
    made = [expression_text(named.expression) for step in of_kind(plan, Project) for named in step.expressions]
    assert any("early + " in text for text in made)
    # without a match COALESCE has a value, and NULL + 1 has none
    right = 'LEFT JOIN "bank-b".people AS p ON e.k = p.k'
    assert "early" not in str(shared_names(plan_of(f"SELECT SUM(COALESCE(p.i, 1)) AS s FROM events AS e {right}")))
    found = plan_of(f"SELECT SUM(p.i + 1) AS s FROM events AS e {right}")
    assert any(column.name == "early" for step in of_kind(found, Share, "owner:bank-b") for column in step.columns)


@pytest.mark.parametrize(
    ("joined", "first", "uniqueness"),
    [
        (f"events AS e JOIN {PEOPLE_BY_KEY} AS p ON e.k = p.k", 24, "grouped"),
        (f"{PEOPLE_BY_KEY} AS p JOIN events AS e ON e.k = p.k", 24, "grouped"),  # turned round
        ("(SELECT k FROM events GROUP BY k) AS e JOIN (SELECT k FROM people GROUP BY k) AS p ON e.k = p.k",
         18, "grouped"),  # the smaller one first: 18 of people
        ('events AS e JOIN "bank-a".people AS p ON e.k = p.k', 24, "owner"),
        ("events AS e JOIN people AS p ON e.k = p.k", 24, "opened"),
        ("events AS e LEFT JOIN people AS p ON e.k = p.k", 24, "opened"),
        (f"{PEOPLE_BY_KEY} AS p LEFT JOIN events AS e ON e.k = p.k", 18, "opened"),  # a left join has its sides
    ],
)  # fmt: skip
def test_the_side_that_holds_a_key_once_and_who_knows_it(joined: str, first: int, uniqueness: str) -> None:
    plan = plan_of(f"SELECT COUNT(*) AS n FROM {joined}")
    (join,) = of_kind(plan, Join)
    assert (join.rows, join.uniqueness) == (first, uniqueness)
    assert plan.step(join.inputs[0]).rows == first


def test_right_sides_of_exists_are_shared_as_keys_once_each() -> None:
    plan = plan_of("SELECT COUNT(*) AS n FROM people AS p WHERE p.k IN (SELECT e.k FROM events AS e WHERE e.j > 2)")
    names = shared_names(plan)
    assert [len(columns) for columns in names] == [1, 1]
    (join,) = of_kind(plan, Join)
    assert isinstance(plan.step(join.inputs[1]), AggregateStep)


def test_keys_of_nested_groups_follow_the_next_group() -> None:
    nested = "SELECT k, c, SUM(i) AS s FROM people GROUP BY k, c"
    plan = plan_of(f"SELECT q.c, SUM(q.s) AS t FROM ({nested}) AS q GROUP BY q.c")
    inner, outer = of_kind(plan, Sort)
    assert [key.column for key in inner.keys] == ["c", "k"]
    assert inner.keys[: len(outer.keys)] == outer.keys


def test_a_column_of_two_uses_is_shared_twice_by_its_owner() -> None:
    plan = plan_of("SELECT e.j, SUM(e.j) AS s FROM events AS e WHERE e.k IN (SELECT k FROM people) GROUP BY e.j")
    share = of_kind(plan, Share, "owner:bank-a")[0]
    assert column_of(share, "j").domain == "boolean"
    twin = next(column for column in share.columns if column.domain == "arithmetic")
    assert (twin.bounds, twin.nullable) == (column_of(share, "j").bounds, True)


def test_keys_that_meet_count_from_one_bound() -> None:
    # j lies within 2 and 9, i within -5 and 5
    plan = plan_of("SELECT COUNT(*) AS n FROM events AS e JOIN (SELECT i FROM people GROUP BY i) AS p ON e.j = p.i")
    (join,) = of_kind(plan, Join)
    (pair,) = join.on
    keys = zip(join.inputs, (pair.left, pair.right), strict=True)
    bounds = [column_of(plan.step(source), name).bounds for source, name in keys]
    assert [each.lo for each in bounds if each is not None] == [-5, -5]


def test_sizes_do_not_depend_on_constants() -> None:
    def sizes(constant: int, word: str) -> list[int]:
        plan = plan_of(
            f"SELECT q.j, COUNT(*) AS n FROM (SELECT e.j, e.k FROM events AS e JOIN {PEOPLE_BY_KEY} AS p ON e.k = p.k"
            f" WHERE e.j > {constant} AND e.c = '{word}' AND p.m > {constant} GROUP BY e.j, e.k) AS q GROUP BY q.j"
        )
        return [step.rows for step in plan.steps]

    assert sizes(2, "DE") == sizes(8, "NL")


def test_a_limit_orders_by_what_is_opened_and_opens_it_as_keys() -> None:
    plan = plan_of("SELECT c, SUM(i) AS s, AVG(i) AS a FROM people GROUP BY c ORDER BY s DESC LIMIT 2")
    (limit,) = of_kind(plan, Limit)
    sort = plan.step(limit.inputs[0])
    assert isinstance(sort, Sort)
    assert sort.keys[0].descending
    release = next(step for step in plan.steps if step.kind == "release")
    opened = {column.name for column in release.columns}
    assert {key.column for key in sort.keys} <= opened
    assert release.rows == limit.rows == 2
    with pytest.raises(RequestError, match="LIMIT in the order of `a`"):
        plan_of("SELECT c, AVG(i) AS a FROM people GROUP BY c ORDER BY a LIMIT 2")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (("SELECT COUNT(*) AS n FROM (SELECT country, SUM(huge) AS s FROM numbers GROUP BY country) AS q"
         " WHERE q.s * 2 > 5"), "plans/capacity"),
        (("SELECT q.s, COUNT(*) AS n FROM (SELECT country, SUM(big) AS s FROM numbers GROUP BY country) AS q"
         " GROUP BY q.s"), "plans/wide-comparison"),
        ("SELECT SUM(EXP(q.n)) AS s FROM (SELECT country, COUNT(*) AS n FROM numbers GROUP BY country) AS q",
         "plans/capacity"),
        ("SELECT SUM(q.s * q.s) AS s FROM (SELECT country, SUM(big) AS s FROM numbers GROUP BY country) AS q",
         "plans/capacity"),
    ],
)  # fmt: skip
def test_what_shares_can_not_hold_is_refused_before_anything_runs(sql: str, code: str) -> None:
    with pytest.raises(RequestError) as refusal:
        build_plan(bind(sql, CATALOGUE, AS_OF), environment(entities={}))
    assert refusal.value.code == code
    assert refusal.value.place
    assert refusal.value.remedy
