"""Roots, logarithms, exponentials, sigmoid and powers are the nearest decimal of six places, at bounded cost."""

import time
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.plans import functions
from consortia.plans.evaluate import evaluate
from consortia.plans.expressions import FUNCTION_SCALE, Call, Const, Expr
from consortia.plans.query import Query
from consortia.plans.sql import bind, bind_predicate
from consortia.plans.tables import column_types
from consortia.plans.types import ColumnType
from tests.fixtures_catalogue import AS_OF, CATALOGUE, NUMBERS

UNIT = 10**FUNCTION_SCALE
HALF = Fraction(1, 2)
quick = settings(derandomize=True, deadline=None, max_examples=80)
carried = st.one_of(st.integers(-(10**6), 10**6), st.integers(-(2**120), 2**120))
scales = st.integers(0, 20)


def places(value: Decimal) -> int:
    """Carried at six places, halves away from zero."""
    with localcontext(Context(prec=400)):
        return int((value * UNIT).to_integral_value(ROUND_HALF_UP))


def exact(value: int, scale: int) -> Decimal:
    return Context(prec=400).divide(Decimal(value), Decimal(10) ** scale)


@quick
@given(carried, scales)
def test_a_root_is_the_nearest_and_negative_numbers_have_none(value: int, scale: int) -> None:
    root = functions.square_root(value, scale)
    if value < 0:
        assert root is None
        return
    square = Fraction(value, 10**scale) * UNIT**2
    assert root is not None
    assert max(0, root - HALF) ** 2 <= square < (root + HALF) ** 2


@quick
@given(carried, scales)
def test_a_logarithm_is_the_nearest_and_needs_a_positive_number(value: int, scale: int) -> None:
    expected = None if value <= 0 else places(Context(prec=300).ln(exact(value, scale)))
    assert functions.logarithm(value, scale) == expected


@quick
@given(st.integers(-40 * 10**9, 73 * 10**9), st.integers(9, 12))
def test_an_exponential_is_the_nearest(value: int, scale: int) -> None:
    assert functions.exponential(value, scale) == places(Context(prec=300).exp(exact(value, scale)))


@quick
@given(st.integers(-30 * 10**6, 30 * 10**6), st.integers(0, 7))
def test_a_sigmoid_is_the_nearest_lies_between_0_and_1_and_is_symmetric(value: int, scale: int) -> None:
    context = Context(prec=300)
    found = functions.sigmoid(value, scale)
    if abs(exact(value, scale)) < 1000:
        inverse = context.add(1, context.exp(-exact(value, scale)))
        assert found == places(context.divide(Decimal(1), inverse))
    assert 0 <= found <= UNIT
    assert found + functions.sigmoid(-value, scale) == UNIT


def test_a_sigmoid_rises_and_reaches_0_and_1_exactly_at_the_far_ends() -> None:
    scores = [functions.sigmoid(x, 0) for x in (-1000, -50, -10, -8, -1, 0, 1, 8, 10, 50, 1000)]
    assert scores == sorted(scores)
    assert (scores[0], scores[1], scores[5], scores[-2], scores[-1]) == (0, 0, UNIT // 2, UNIT, UNIT)


@quick
@given(st.integers(-500, 500), st.integers(0, 2), st.integers(-12, 12))
def test_an_integer_power_is_the_rounded_fraction(value: int, scale: int, exponent: int) -> None:
    if value == 0 and exponent < 0:
        assert functions.power(value, scale, Fraction(exponent)) is None
        return
    number = Fraction(value, 10**scale) ** exponent * UNIT
    size = (abs(number) + HALF).__floor__()
    assert functions.power(value, scale, Fraction(exponent)) == (size if number >= 0 else -size)


@quick
@given(st.integers(1, 10**6), st.integers(0, 6), st.integers(-300, 300))
def test_a_decimal_power_is_the_nearest_and_needs_a_number_that_is_not_negative(
    value: int, scale: int, hundredths: int
) -> None:
    exponent = Fraction(hundredths, 100)
    context = Context(prec=300)
    power = context.exp(context.multiply(exact(hundredths, 2), context.ln(exact(value, scale))))
    assert functions.power(value, scale, exponent) == places(power)
    if exponent.denominator > 1:
        assert functions.power(-value, scale, exponent) is None


@pytest.mark.parametrize(
    ("value", "scale", "exponent", "expected"),
    [
        (4, 0, "0.5", 2_000_000),
        (0, 0, "0.5", 0),
        (0, 0, "0", 1_000_000),
        (0, 0, "-1", None),
        (-1, 0, "3", -1_000_000),
        (-1, 0, "0.5", None),
        (5, 1, "-2", 4_000_000),
        # a root that lies exactly between two results is rounded away from zero
        ((2 * 1_234_567 + 1) ** 2 * 25, 14, "0.5", 1_234_568),
    ],
)
def test_powers_at_the_edges(value: int, scale: int, exponent: str, expected: int | None) -> None:
    assert functions.power(value, scale, Fraction(exponent)) == expected


def test_a_root_exactly_between_two_results_is_rounded_away_from_zero() -> None:
    assert functions.square_root((2 * 1_234_567 + 1) ** 2 * 25, 14) == 1_234_568
    assert functions.square_root((2 * 1_234_567 + 1) ** 2 * 25 - 1, 14) == 1_234_567


def test_arguments_far_away_cost_no_time_and_what_reaches_2_126_is_no_number() -> None:
    started = time.monotonic()
    assert functions.exponential(-(10**37), 0) == 0
    assert functions.power(10**30, 0, Fraction(-(10**40))) == 0
    assert functions.power(10**20 + 1, 20, Fraction(10**9)) == UNIT
    assert functions.power(2, 0, Fraction(106)) == 2**106 * UNIT
    for overflow in (
        lambda: functions.exponential(10**37, 0),
        lambda: functions.exponential(75, 0),
        lambda: functions.power(2, 0, Fraction(107)),
        lambda: functions.power(10, 0, Fraction(10**40)),
    ):
        with pytest.raises(OverflowError):
            overflow()
    assert time.monotonic() - started < 2


TYPES = column_types(NUMBERS, CATALOGUE)


def value_of(sql: str, **row: int | None) -> tuple[int | str | None, ColumnType]:
    """The carried value of a SQL expression on a row, and its type; compared with itself to make it a condition."""
    condition = bind_predicate(f"{sql} = {sql}", NUMBERS, CATALOGUE, AS_OF)
    assert isinstance(condition, Call)
    expression: Expr = condition.args[0]
    kind = expression.type if isinstance(expression, Call | Const) else TYPES[expression.column]
    return evaluate(expression, dict.fromkeys(TYPES) | row, TYPES), kind


@pytest.mark.parametrize(
    ("sql", "row", "value", "scale"),
    [
        ("ABS(a)", {"a": -7}, 7, 0),
        ("ABS(price)", {"price": -150}, 150, 2),
        ("ROUND(price)", {"price": -250}, -3, 0),
        ("ROUND(price, 1)", {"price": 245}, 25, 1),
        ("ROUND(price, 3)", {"price": 245}, 2450, 3),
        ("ROUND(a, 2)", {"a": 5}, 5, 0),
        ("FLOOR(price)", {"price": -201}, -3, 0),
        ("CEIL(price)", {"price": -299}, -2, 0),
        ("CEILING(price)", {"price": 201}, 3, 0),
        ("FLOOR(a)", {"a": 5}, 5, 0),
        ("GREATEST(a, b, 3)", {"a": 1, "b": None}, 3, 0),
        ("LEAST(a, price)", {"a": 2, "price": 150}, 150, 2),
        ("GREATEST(a, b)", {}, None, 0),
        ("SQRT(a)", {"a": 2}, 1_414_214, 6),
        ("SQRT(a)", {"a": -2}, None, 6),
        ("LN(a)", {"a": 0}, None, 6),
        ("EXP(price)", {"price": 100}, 2_718_282, 6),
        ("POWER(a, 2)", {"a": -3}, 9_000_000, 6),
        ("a ^ 0.5", {"a": 9}, 3_000_000, 6),
        ("POWER(price, -1)", {"price": 0}, None, 6),
        ("SIGMOID(a)", {"a": 0}, 500_000, 6),
        ("1 / price", {"price": 300}, 33_333_333, 8),
        ("SQRT(2)", {}, 1_414_214, 6),
    ],
)
def test_functions_in_sql(sql: str, row: dict[str, int | None], value: int | None, scale: int) -> None:
    found, kind = value_of(sql, **row)
    assert (found, kind.scale) == (value, scale)


def test_a_function_stands_in_aggregates_and_over_them() -> None:
    query = bind("SELECT SQRT(SUM(ABS(a))) AS r, MAX(ROUND(price, 1)) AS m FROM numbers", CATALOGUE, AS_OF)
    assert isinstance(query, Query)
    assert [made.function for made in query.aggregates] == ["sum", "max"]
    root = query.outputs[0].expression
    assert isinstance(root, Call)
    assert root.op == "sqrt"
