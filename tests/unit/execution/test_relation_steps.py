"""Every kind of shared step of a query over relations equals plain Python, on the clear engine and on shares."""

from collections.abc import Sequence

import pytest

from consortia.errors import InternalError, RequestError
from consortia.execution.estimate import estimate
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.evaluate import evaluate
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.model import Aggregate, Column, Control, WindowFunction
from consortia.plans.types import Bounds, ColumnType
from tests.relations_world import same_rows
from tests.shared_plans import BIT, COUNTRY, CUSTOMER, NUMBER, code, frame_of, number, rows_of
from tests.shared_relations import Steps, answer, clear_answer, drawn, plain


def key(name: str, *, nullable: bool = True) -> Column:
    return code(name, CUSTOMER, nullable=nullable)


def small(name: str, lo: int, hi: int, *, nullable: bool = True) -> Column:
    """A number that can be a key."""
    return number(name, lo, hi, nullable=nullable, domain="boolean")


AMOUNTS = (key("id"), small("year", 1990, 1997), number("amount", -500, 500, nullable=True))
PEOPLE = (key("person"), small("born", 1990, 1997), number("score", 0, 90, nullable=True), code("land", COUNTRY))


def call(op: str, *args: Expr | int, kind=NUMBER) -> Call:
    made = tuple(Const(type=NUMBER, integer=arg) if isinstance(arg, int) else arg for arg in args)
    return Call(op=op, args=made, type=kind)


def compare(op: str, *args: Expr | int) -> Call:
    return call(op, *args, kind=BIT)


def check(steps: Steps, last: str, *, seeds: Sequence[int] = (1, 2), **more) -> None:
    """On shares for one seed, in clear for more: rows as plain Python has them."""
    plan = steps.opened(last)
    for place, seed in enumerate(seeds):
        data = drawn(plan, seed, **more)
        found = answer(plan, data) if place == 0 else clear_answer(plan, data)
        assert same_rows(found, plain(plan, data)), f"seed {seed}"


def once(steps: Steps, source: str, keys: Sequence[str], *columns: str) -> str:
    """One row for each combination of keys: the least value of each column."""
    made = [(Aggregate(name=name, function="min", column=name), steps.named(source, name)) for name in columns]
    return steps.group(steps.sort(source, *keys), keys, *made)


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


EXPRESSIONS: dict[str, tuple[Expr, Column]] = {
    "a sum of columns": (call("add", Ref(column="a"), Ref(column="b")), number("z", -60, 60, nullable=True)),
    "a difference as a key": (
        call("subtract", Ref(column="b"), Ref(column="k")),
        number("z", -70, 10, nullable=True, domain="boolean"),
    ),
    "a product of columns": (call("multiply", Ref(column="a"), Ref(column="b")), number("z", -900, 900, nullable=True)),
    "a product with a key": (
        call("multiply", Ref(column="p"), Ref(column="k")),
        number("z", -1200, 960, nullable=True),
    ),
    "a number as a key": (Ref(column="a"), number("z", -50, 50, nullable=True, domain="boolean")),
    "a key as a number": (Ref(column="k"), number("z", 10, 40, nullable=True)),
    "a key from another bound": (Ref(column="k"), number("z", -5, 64, nullable=True, domain="boolean")),
    "a number as a wide one": (Ref(column="a"), number("z", -50, 50, nullable=True, domain="wide")),
    "a key as a wide number": (Ref(column="k"), number("z", 10, 40, nullable=True, domain="wide")),
    "minus": (call("negate", Ref(column="p")), number("z", -24, 30)),
    "a constant": (Const(type=NUMBER, integer=7), number("z", 7, 7)),
    "a constant key": (Const(type=NUMBER, integer=-7), number("z", -9, 7, domain="boolean")),
    "NULL": (Const(type=NUMBER), number("z", 0, 0, nullable=True)),
    "a comparison": (compare("lt", Ref(column="a"), Ref(column="p")), code("z", BIT, nullable=True)),
    "a comparison of keys": (compare("ge", Ref(column="k"), Ref(column="m")), code("z", BIT, nullable=True)),
    "a test for NULL": (compare("is_null", Ref(column="a")), code("z", BIT)),
    "a truth as a number": (compare("eq", Ref(column="k"), 12), number("z", 0, 1, nullable=True)),
    "the absolute value": (call("abs", Ref(column="a")), number("z", 0, 50, nullable=True)),
    "coalesce": (call("coalesce", Ref(column="a"), Ref(column="b"), 3), number("z", -50, 50)),
    "coalesce of keys": (
        call("coalesce", Ref(column="k"), Ref(column="m")),
        number("z", 10, 41, nullable=True, domain="boolean"),
    ),
    "coalesce of identifiers": (
        Call(op="coalesce", args=(Ref(column="id"), Ref(column="other")), type=CUSTOMER),
        key("z", nullable=False),
    ),
    "greatest": (call("greatest", Ref(column="a"), Ref(column="b"), 0), number("z", -30, 50)),
    "least of keys": (
        call("least", Ref(column="k"), Ref(column="m"), Ref(column="k")),
        number("z", 10, 41, nullable=True, domain="boolean"),
    ),
    "least": (call("least", Ref(column="a"), Ref(column="b")), number("z", -50, 50, nullable=True)),
    "case of numbers": (
        call(
            "case",
            compare("gt", Ref(column="a"), 20),
            Ref(column="b"),
            compare("is_null", Ref(column="k")),
            call("add", Ref(column="p"), 3),
            Const(type=NUMBER),
        ),
        number("z", -50, 50, nullable=True),
    ),
    "case of constants": (
        call("case", compare("gt", Ref(column="a"), 0), 1, compare("lt", Ref(column="a"), 0), -1, 0),
        number("z", -1, 1),
    ),
    "case of keys": (
        call("case", compare("gt", Ref(column="a"), 0), Ref(column="k"), 11),
        number("z", 10, 41, nullable=True, domain="boolean"),
    ),
    "case of truths": (
        Call(
            op="case",
            args=(
                compare("gt", Ref(column="a"), 0),
                compare("gt", Ref(column="b"), 0),
                compare("gt", Ref(column="p"), 5),
            ),
            type=BIT,
        ),
        code("z", BIT, nullable=True),
    ),
}
CENTS = ColumnType(kind="decimal", scale=2)
SIX = ColumnType(kind="decimal", scale=6)
QUOTIENTS: dict[str, tuple[Expr, Column]] = {
    "an integer quotient": (call("divide", Ref(column="a"), Ref(column="b")), number("z", -50, 50, nullable=True)),
    "a quotient by a key": (
        call("divide", Ref(column="a"), Ref(column="k")),
        number("z", -5, 5, nullable=True, domain="boolean"),
    ),
    "a quotient that has a value always": (call("divide", Ref(column="p"), Ref(column="q")), number("z", -30, 24)),
    "a quotient by a constant": (call("divide", Ref(column="a"), -7), number("z", -7, 7, nullable=True)),
    "a quotient of a constant": (call("divide", 100, Ref(column="b")), number("z", -100, 100, nullable=True)),
    "a quotient by zero": (call("divide", Ref(column="a"), 0), number("z", -50, 50, nullable=True)),
    "a remainder": (call("modulo", Ref(column="a"), Ref(column="b")), number("z", -9, 9, nullable=True)),
    "a remainder by a constant": (call("modulo", Ref(column="p"), 7), number("z", -6, 6)),
    "a decimal quotient": (
        call("divide", Ref(column="money"), Ref(column="b"), kind=SIX),
        number("z", -(10**10), 10**10, nullable=True, scale=6),
    ),
    "a decimal quotient of positive values": (
        call("divide", Ref(column="q"), Ref(column="k"), kind=SIX),
        number("z", 0, 10**6, nullable=True, scale=6),
    ),
    "a decimal quotient by a constant": (
        call("divide", Ref(column="money"), 8, kind=SIX),
        number("z", -(10**10), 10**10, nullable=True, scale=6),
    ),
    "rounding": (
        call("round", Ref(column="money"), kind=ColumnType(kind="decimal", scale=1)),
        number("z", -(10**5), 10**5, nullable=True, scale=1),
    ),
    "rounding to whole numbers as a key": (
        call("round", Ref(column="money"), kind=ColumnType(kind="decimal")),
        number("z", -1000, 1000, nullable=True, domain="boolean"),
    ),
    "floor": (
        call("floor", Ref(column="money"), kind=ColumnType(kind="decimal")),
        number("z", -1000, 1000, nullable=True),
    ),
    "ceil": (
        call("ceil", Ref(column="money"), kind=ColumnType(kind="decimal")),
        number("z", -1000, 1000, nullable=True),
    ),
    "a third power": (
        call("power", Ref(column="b"), Const(type=NUMBER, integer=3), kind=SIX),
        number("z", -(10**9), 10**9, nullable=True, scale=6),
    ),
    "a third power of cents": (
        call("power", Ref(column="money"), Const(type=NUMBER, integer=3), kind=SIX),
        number("z", -(10**17), 10**17, nullable=True, scale=6),
    ),
    "a power to minus one": (
        call("power", Ref(column="money"), Const(type=NUMBER, integer=-1), kind=SIX),
        number("z", -(10**8), 10**8, nullable=True, scale=6),
    ),
}
EXPRESSIONS |= QUOTIENTS
SOURCE = (
    number("a", -50, 50, nullable=True),
    number("b", -10, 10, nullable=True),
    number("p", -30, 24),
    small("k", 10, 40),
    small("m", 10, 41),
    key("id"),
    key("other", nullable=False),
    number("q", 1, 9),
    number("money", -99_999, 99_999, nullable=True, scale=2),
)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_is_a_column_in_the_form_that_it_declares(name: str) -> None:
    expression, column = EXPRESSIONS[name]
    steps = Steps()
    last = steps.project(steps.table(SOURCE, 15, owners=("alpha",)), (expression, column))
    check(steps, last, seeds=range(3))


@pytest.mark.parametrize("name", ["a comparison of keys", "case of truths", "a truth as a number"])
def test_a_truth_that_was_computed_is_a_condition(name: str) -> None:
    expression, _ = EXPRESSIONS[name]
    steps = Steps()
    source = steps.table(SOURCE, 15, owners=("alpha",))
    last = steps.filter(
        source,
        Call(
            op="case",
            args=(compare("is_null", Ref(column="id")), expression, compare("lt", Ref(column="p"), 0)),
            type=BIT,
        ),
    )
    check(steps, last, seeds=range(3))


def rough(op: str, *exponent: Const) -> Call:
    return Call(op=op, args=(Ref(column="x"), *exponent), type=SIX)


POINT_SIX = Const(type=ColumnType(kind="decimal", scale=1), integer=6)
FUNCTIONS = [
    # expression, bounds of the argument, bounds of the exact result, units of the last place that it may be off
    (rough("sqrt"), (-50, 10**6), (0, 10**8), 4),
    (rough("ln"), (-50, 10**6), (-4_605_170, 9_210_340), 2),
    (rough("exp"), (-3000, 200), (0, 7_389_056), 4),
    (rough("sigmoid"), (-3000, 2000), (0, 10**6), 360),
    (rough("power", POINT_SIX), (-10, 10**5), (0, 63_095_734), 20),
    (rough("power", Const(type=CENTS, integer=-150)), (0, 400), (0, 10**9), 300),
]


@pytest.mark.parametrize(("expression", "bounds", "exact", "units"), FUNCTIONS)
def test_a_function_is_off_by_its_stated_error_and_keeps_the_bounds_of_the_exact_one(
    expression: Call, bounds: tuple[int, int], exact: tuple[int, int], units: int
) -> None:
    steps = Steps()
    x = number("x", *bounds, nullable=True, scale=2)
    last = steps.project(
        steps.table((x,), 24, owners=("alpha",)),
        (Ref(column="x"), x),
        (expression, number("z", *exact, nullable=True, scale=6)),
    )
    plan = steps.opened(last)
    data = drawn(plan, 7, values=20, fill=1.0)
    frames = {"s0": frame_of(plan.step("s0").columns, data["s0"])}
    run = simulate(plan, frames)
    assert run.measured == estimate(plan)
    for results in (run.results, run_clear(plan, frames)):
        ((_, frame),) = results.items()
        found = rows_of(plan.steps[-1].columns, frame)
        assert len(found) == len(data["s0"])
        for row in found:
            want = evaluate(expression, row, {"x": CENTS})
            assert (row["z"] is None) == (want is None)
            assert want is None or abs(row["z"] - want) <= units


def test_what_may_leave_the_range_of_shares_is_the_analysts_error_before_anything_is_shared() -> None:
    steps = Steps()
    x = number("x", -(1 << 40), 1 << 40)
    last = steps.project(
        steps.table((x,), 5), (call("multiply", Ref(column="x"), Ref(column="x")), number("z", 0, 1 << 61))
    )
    with pytest.raises(RequestError, match="execution/capacity"):
        estimate(steps.opened(last))


def test_a_column_that_may_be_null_is_none_that_may_not() -> None:
    steps = Steps()
    last = steps.project(
        steps.table(SOURCE, 5, owners=("alpha",)),
        (call("add", Ref(column="a"), Ref(column="b")), number("z", -60, 60)),
    )
    with pytest.raises(InternalError, match="execution/shape"):
        estimate(steps.opened(last))


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
