"""Every kind of shared step of a query over relations equals plain Python, on the clear engine and on shares."""

import pytest

from consortia.errors import InternalError, RequestError
from consortia.execution.estimate import estimate
from consortia.plans.columns import Column
from consortia.plans.expressions import Ref
from consortia.plans.model import Aggregate, Control, WindowFunction
from consortia.plans.types import Bounds
from tests.relation_steps import AMOUNTS, call, check, compare, key, once, small
from tests.relations_world import same_rows
from tests.shared_plans import BIT, COUNTRY, NUMBER, code, number
from tests.shared_relations import Steps, answer, drawn, plain


@pytest.mark.parametrize("how", ["inner", "left", "semi", "anti"])
def test_a_join_with_a_group_by_its_keys(how: str) -> None:
    steps = Steps()
    left = steps.table(AMOUNTS)
    people = steps.table((key("id"), small("year", 1990, 1997), small("score", 0, 90)))
    right = steps.project(
        once(steps, people, ["id", "year"], "score"),
        (Ref(column="id"), key("person")),
        (Ref(column="year"), small("born", 1990, 1997)),
        (Ref(column="score"), number("score", 0, 90, nullable=True)),
    )
    take = ["born", "score"] if how in ("inner", "left") else []
    last = steps.join(left, right, how, [("id", "person"), ("year", "born")], take, "grouped")
    check(steps, last, seeds=range(5), values=2)


def test_not_in_has_the_meaning_of_sql() -> None:
    for nulls in (0.0, 0.3):
        steps = Steps()
        left, right = steps.table(AMOUNTS, 6), steps.table((key("id"),), 3)
        check(steps, steps.join(left, right, "not-in", [("id", "id")], (), "grouped"), seeds=range(4), nulls=nulls)


def test_a_join_opens_whether_the_unique_side_holds_a_key_twice() -> None:
    steps = Steps()
    left = steps.table((key("id", nullable=False), number("amount", 0, 9)), 4)
    right = steps.table((key("other", nullable=False), number("score", 0, 9)), 4, owners=("beta",))
    plan = steps.opened(steps.join(left, right, "inner", [("id", "other")], ["score"]))
    shares = [step.id for step in plan.steps if step.kind == "share"]
    data = {share: [{"id": i, "amount": i} for i in range(3)] for share in shares[:3]}
    data[shares[3]] = [{"other": i, "score": i} for i in (1, 2)]
    assert same_rows(answer(plan, data), plain(plan, data))
    opened = [each for each in estimate(plan).openings if each.what.startswith("whether the unique side")]
    assert [(each.elements, each.to) for each in opened] == [(1, ("alpha", "beta", "gamma"))]
    data[shares[3]].append({"other": 2, "score": 3})
    with pytest.raises(RequestError, match="relational/many-to-many"):
        answer(plan, data)


def test_a_join_of_a_join_of_tables_of_single_owners() -> None:
    steps = Steps()
    amounts = steps.table((key("id"), number("amount", 0, 99)), 8)
    people = steps.table((key("person"), code("land", COUNTRY)), 8, owners=("gamma",))
    lands = steps.table((code("name", COUNTRY), number("rank", 0, 9)), 3, owners=("beta",))
    with_land = steps.join(amounts, people, "left", [("id", "person")], ["land"], "owner")
    last = steps.join(with_land, lands, "inner", [("land", "name")], ["rank"], "owner")
    plan = steps.opened(last)
    shares = {step.id: step for step in plan.steps if step.kind == "share"}
    data = drawn(plan, 3, values=3)
    for share, step in shares.items():
        unique = step.columns[0].name
        if unique in ("person", "name"):
            data[share] = list({row[unique]: row for row in data[share]}.values())
    ids = [row["person"] for row in data[list(shares)[3]]]
    for share in list(shares)[:3]:
        for row in data[share][::2]:
            row["id"] = ids[0]
    assert same_rows(answer(plan, data), plain(plan, data))


def test_union_all_makes_bounds_domains_and_nulls_alike() -> None:
    steps = Steps()
    one = steps.table((small("x", 5, 9, nullable=False), number("y", 0, 9), key("k", nullable=False)), 3)
    two = steps.table((small("x", -3, 30), number("y", -5, 500, nullable=True), key("k")), 4)
    both = (small("x", -3, 40), number("y", -5, 500, nullable=True), key("k"))
    check(steps, steps.union(one, two, columns=both), seeds=range(3))


def test_a_filter_keeps_rows_whose_condition_is_true() -> None:
    steps = Steps()
    conditions = [
        compare("gt", Ref(column="amount"), 100),
        compare("lt", Ref(column="year"), 1994),
        compare("is_null", Ref(column="id")),
        compare("eq", Ref(column="id"), Ref(column="other")),
        compare("lt", call("add", Ref(column="year"), Ref(column="amount")), 1900),
        compare("not", compare("in", Ref(column="year"), 1990, 1995)),
    ]
    source = steps.table((*AMOUNTS, key("other")), 16)
    last = steps.filter(source, compare("or", compare("and", *conditions[:2]), compare("and", *conditions[2:])))
    last = steps.filter(last, compare("or", *conditions))
    check(steps, last, seeds=range(4), values=2)


WINDOWS = [
    (WindowFunction(name="n", function="row-number"), number("n", 1, 100)),
    (WindowFunction(name="r", function="rank"), number("r", 1, 100, domain="boolean")),
    (WindowFunction(name="d", function="dense-rank"), number("d", 1, 100)),
    (WindowFunction(name="c", function="count", column="amount", frame="rows"), number("c", 0, 100)),
    (WindowFunction(name="s", function="sum", column="amount"), number("s", -50_000, 50_000, nullable=True)),
    (
        WindowFunction(name="t", function="sum", column="amount", frame="partition"),
        number("t", -50_000, 50_000, nullable=True),
    ),
    (WindowFunction(name="l", function="count", frame="partition"), number("l", 1, 100)),
]


@pytest.mark.parametrize("by", [["year"], ["-year"], []])
def test_windows_in_the_order_of_a_sort(by: list[str]) -> None:
    steps = Steps()
    source = steps.table((code("land", COUNTRY, nullable=True), *AMOUNTS[1:]), 10)
    last = steps.window(steps.sort(source, "land", *by), ["land"], by, *WINDOWS)
    check(steps, last, seeds=range(3))


def test_a_window_over_all_rows_needs_no_order() -> None:
    steps = Steps()
    last = steps.window(steps.table(AMOUNTS, 6), [], [], WINDOWS[5], WINDOWS[6])
    check(steps, last, seeds=range(3), fill=0.5)


def test_a_window_asks_for_its_own_order() -> None:
    steps = Steps()
    source = steps.sort(steps.table(AMOUNTS, 5), "id", "year")
    last = steps.window(source, ["id"], ["-year"], WINDOWS[0])
    with pytest.raises(InternalError, match="relational/order"):
        estimate(steps.opened(last))


VALUES = [
    (Aggregate(name="least", function="min", column="year"), small("least", 1990, 1997)),
    (Aggregate(name="most", function="max", column="year"), number("most", 1990, 1997, nullable=True)),
    (Aggregate(name="kinds", function="count-distinct", column="year"), number("kinds", 0, 100)),
    (
        Aggregate(name="third", function="quantile", column="year", numerator=1, denominator=3),
        small("third", 1990, 1997),
    ),
    (
        Aggregate(name="last", function="quantile", column="year", numerator=1, denominator=1),
        small("last", 1990, 1997),
    ),
    (
        Aggregate(name="middle", function="median", column="year"),
        number("middle", 19_900, 19_970, nullable=True, scale=1),
    ),
    (
        Aggregate(name="key_middle", function="median", column="minus"),
        number("key_middle", -90, 10, nullable=True, scale=1, domain="boolean"),
    ),
    (Aggregate(name="lands", function="count-distinct", column="land"), number("lands", 0, 100)),
    (Aggregate(name="total", function="sum", column="amount"), number("total", -50_000, 50_000, nullable=True)),
    (Aggregate(name="lines", function="count-rows"), number("lines", 0, 100)),
]


@pytest.mark.parametrize("keys", [["land"], ["land", "flag"], []])
def test_aggregates_of_sorted_values_stand_beside_sums(keys: list[str]) -> None:
    steps = Steps()
    source = steps.table(
        (code("land", COUNTRY, nullable=True), code("flag", BIT), *AMOUNTS[1:], small("minus", -9, 1)), 12
    )
    check(steps, steps.group(steps.sort(source, *keys) if keys else source, keys, *VALUES), seeds=range(4))


def test_an_order_that_fits_is_not_sorted_again() -> None:
    def sorts(*order: str) -> int:
        steps = Steps()
        source = steps.sort(steps.table((code("land", COUNTRY), small("year", 1990, 1997)), 12), *order)
        plan = steps.opened(steps.group(source, ["land"], *VALUES[:6]))
        group = next(step.id for step in plan.steps if step.kind == "aggregate")
        return sum(each.step == group and each.what.startswith("comparison") for each in estimate(plan).openings)

    assert (sorts("land", "year"), sorts("land")) == (0, 1)


def test_groups_of_groups_are_not_sorted_again() -> None:
    steps = Steps()
    source = steps.table((code("land", COUNTRY, nullable=True), *AMOUNTS), 8)
    inner = steps.group(
        steps.sort(source, "land", "id"),
        ["land", "id"],
        (Aggregate(name="total", function="sum", column="amount"), number("total", -50_000, 50_000, nullable=True)),
    )
    again = steps.sort(inner, "land")
    outer = steps.group(
        again,
        ["land"],
        (Aggregate(name="people", function="count-rows"), number("people", 0, 100)),
        (Aggregate(name="all", function="sum", column="total"), number("all", -90_000, 90_000, nullable=True)),
    )
    check(steps, outer, seeds=range(3))
    costs = {each.step: each.rounds for each in estimate(steps.plan()).steps}
    assert costs[again] == 0


def test_a_sort_and_a_limit_may_stand_between_control_and_release() -> None:
    steps = Steps()
    source = steps.table((code("land", COUNTRY, nullable=True), *AMOUNTS), 12)
    groups = steps.group(
        steps.sort(source, "year"),
        ["year"],
        (Aggregate(name="lines", function="count-rows"), number("lines", 0, 36)),
        (Aggregate(name="land", function="max", column="land"), code("land", COUNTRY, nullable=True)),
    )
    keyed = steps.project(
        groups,
        (Ref(column="year"), small("year", 1990, 1997)),
        (Ref(column="lines"), number("lines", 0, 36)),
        (Ref(column="lines"), number("size", 0, 36, domain="boolean")),
    )
    last = steps.limit(steps.sort(steps.control(keyed, ("lines", 2)), "-size", "year"), 3)
    steps.release(last, "year", "size")
    plan = steps.plan()
    for seed in range(3):
        data = drawn(plan, seed)
        assert answer(plan, data) == plain(plan, data)


def test_a_limit_inside_takes_the_first_rows_of_an_order() -> None:
    steps = Steps()
    source = steps.table((small("year", 1990, 1997), key("id", nullable=False)), 12)
    check(steps, steps.limit(steps.sort(source, "-year", "id"), 5), seeds=range(3), values=9)


def test_nothing_but_sort_and_limit_may_stand_between_control_and_release() -> None:
    steps = Steps()
    controlled = steps.control(steps.table(AMOUNTS, 4))
    steps.release(steps.filter(controlled, compare("gt", Ref(column="amount"), 0)))
    assert isinstance(steps.steps[-3], Control)
    with pytest.raises(InternalError, match="execution/uncontrolled"):
        estimate(steps.plan())


def counts(*, excluding: tuple[str, ...]) -> list[tuple[Aggregate, Column]]:
    return [
        (Aggregate(name="lines", function="count-rows"), number("lines", 0, 100)),
        (Aggregate(name="people", function="count-entities"), number("people", 0, 100)),
        (Aggregate(name="others", function="count-entities", excluding=excluding), number("others", 0, 100)),
        (Aggregate(name="members", function="count-members", excluding=excluding), number("members", 0, 3)),
        (Aggregate(name="everybody", function="count-members"), number("everybody", 0, 3)),
        (Aggregate(name="has_beta", function="has-member", member="beta"), code("has_beta", BIT)),
    ]


@pytest.mark.parametrize("how", ["inner", "left", "semi", "anti"])
@pytest.mark.parametrize("excluding", [("alpha",), ("alpha", "gamma")])
def test_a_row_of_a_join_counts_if_it_holds_nothing_of_an_excluded_member(how: str, excluding: tuple[str, ...]) -> None:
    steps = Steps()
    left = steps.table((key("id", nullable=False), code("land", COUNTRY)), 5)
    people = steps.table((key("id"), small("score", 0, 9)), 3)
    grouped = once(steps, people, ["id"], "score")
    right = steps.project(
        grouped, (Ref(column="id"), key("person")), (Ref(column="score"), number("score", 0, 9, nullable=True))
    )
    joined = steps.join(left, right, how, [("id", "person")], ["score"] if how in ("inner", "left") else [], "grouped")
    last = steps.group(steps.sort(joined, "land", "id"), ["land"], *counts(excluding=excluding), entity="id")
    check(steps, last, seeds=range(6), values=4, fill=0.6)


def test_members_go_through_unions_of_relations_and_nested_groups() -> None:
    steps = Steps()
    one = steps.table((key("id", nullable=False), code("land", COUNTRY)), 4, owners=("alpha", "beta"))
    two = steps.table((key("id", nullable=False), code("land", COUNTRY)), 4, owners=("gamma",))
    both = steps.union(one, steps.filter(two, compare("ne", Ref(column="land"), 1)))
    inner = steps.group(steps.sort(both, "land", "id"), ["land", "id"])
    last = steps.group(steps.sort(inner, "land", "id"), ["land"], *counts(excluding=("gamma",)), entity="id")
    check(steps, last, seeds=range(4), values=3, fill=0.5)


def test_what_nobody_reads_is_not_carried() -> None:
    def cost(*, read: bool) -> int:
        steps = Steps()
        wide = Column(name="far", type=NUMBER, bounds=Bounds(lo=0, hi=1 << 60), domain="boolean", nullable=True)
        source = steps.table((key("id"), small("year", 1990, 1997), wide), 10)
        narrow = steps.project(source, (Ref(column="id"), key("id")), *([(Ref(column="far"), wide)] if read else []))
        return estimate(steps.opened(steps.sort(narrow, "id"))).bytes

    assert cost(read=False) < cost(read=True)
