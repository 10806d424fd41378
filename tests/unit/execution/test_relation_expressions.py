"""Expressions over shared columns equal plain Python, in clear and on shares, or are off by what is stated."""

import pytest

from consortia.errors import InternalError, RequestError
from consortia.execution.estimate import estimate
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.columns import Column
from consortia.plans.evaluate import evaluate
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.types import ColumnType
from tests.relation_steps import call, check, compare, key, small
from tests.shared_plans import BIT, CUSTOMER, NUMBER, code, frame_of, number, rows_of
from tests.shared_relations import Steps, drawn

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
