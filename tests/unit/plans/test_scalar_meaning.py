"""Bound expressions mean what SQL says: random expressions and rows against sqlite, and decimals against fractions."""

import sqlite3
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.plans.evaluate import Value, evaluate
from consortia.plans.expressions import Expr
from consortia.plans.ranges import infer
from consortia.plans.sql import bind, bind_predicate
from consortia.plans.tables import column_types, table_columns
from tests.fixtures_catalogue import AS_OF, CATALOGUE, NUMBERS

TYPES = column_types(NUMBERS, CATALOGUE)
COLUMNS = table_columns(NUMBERS, CATALOGUE)
Row = dict[str, int | None]


def number(sql: str) -> Expr:
    argument = bind(f"SELECT SUM({sql}) FROM numbers", CATALOGUE, AS_OF).aggregates[0].argument
    assert argument is not None
    return argument


def truth(sql: str) -> Expr:
    return bind_predicate(sql, NUMBERS, CATALOGUE, AS_OF)


def in_sqlite(sql: str, row: Row) -> Value:
    names = ", ".join(f"? AS {name}" for name in row)
    with sqlite3.connect(":memory:") as connection:
        (value,) = connection.execute(f"SELECT {sql} FROM (SELECT {names})", list(row.values())).fetchone()
    connection.close()
    assert value is None or isinstance(value, int)
    return value


leaves = st.sampled_from(["a", "b", "c", "0", "1", "2", "3", "7", "-5", "NULL"])
small = st.sampled_from(["2", "3", "NULL", "b", "0", "-3"])


def numbers_over(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} + {})".format, inner, inner),
        st.builds("({} - {})".format, inner, inner),
        st.builds("({} * {})".format, inner, small),
        st.builds("({} / {})".format, inner, small),
        st.builds("({} % {})".format, inner, small),
        st.builds("(- {})".format, inner),
        st.builds("COALESCE({}, {})".format, inner, inner),
        st.builds("CASE WHEN {} > {} THEN {} ELSE {} END".format, inner, inner, inner, inner),
        st.builds("CASE {} WHEN {} THEN {} END".format, inner, inner, inner),
    )


sums = st.recursive(leaves, numbers_over, max_leaves=5)
atoms = st.one_of(
    st.sampled_from(["flag", "NOT flag", "flag IS NULL", "flag IS TRUE", "flag IS NOT FALSE", "flag = TRUE"]),
    st.builds("({} {} {})".format, sums, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), sums),
    st.builds("({} IN ({}, {}))".format, sums, sums, sums),
    st.builds("({} NOT IN ({}, {}))".format, sums, leaves, leaves),
    st.builds("({} BETWEEN {} AND {})".format, sums, leaves, leaves),
    st.builds("({} NOT BETWEEN {} AND {})".format, leaves, leaves, leaves),
    st.builds("({} IS NOT NULL)".format, sums),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("(NOT {})".format, inner),
        st.builds("(CASE WHEN {} THEN {} ELSE {} END)".format, inner, inner, inner),
    ),
    max_leaves=4,
)
rows = st.fixed_dictionaries(
    {
        "a": st.none() | st.integers(-1000, 1000),
        "b": st.none() | st.integers(-20, 20),
        "c": st.integers(0, 10),
        "flag": st.none() | st.integers(0, 1),
    }
)
quick = settings(derandomize=True, deadline=None, max_examples=300)


@quick
@given(sums, rows)
def test_arithmetic_is_that_of_sqlite_and_stays_within_its_proved_range(sql: str, row: Row) -> None:
    bound = number(f"a + ({sql})")
    value = evaluate(bound, row, TYPES)
    assert value == in_sqlite(f"a + ({sql})", row)
    proved = infer(bound, COLUMNS)
    assert value is not None or proved.nullable
    if isinstance(value, int):
        assert proved.bounds is not None
        assert proved.bounds.lo <= value <= proved.bounds.hi


@quick
@given(conditions, rows)
def test_conditions_have_the_three_values_of_sqlite(sql: str, row: Row) -> None:
    bound = truth(sql)
    value = evaluate(bound, row, TYPES)
    assert value == in_sqlite(sql, row)
    assert value is not None or infer(bound, COLUMNS).nullable


@pytest.mark.parametrize(("left", "right"), list(product(["TRUE", "FALSE", "NULL"], repeat=2)))
def test_the_truth_tables_of_and_or_not(left: str, right: str) -> None:
    values: dict[str, bool | None] = {"TRUE": True, "FALSE": False, "NULL": None}
    known = [values[left], values[right]]
    both = False if False in known else None if None in known else True
    either = True if True in known else None if None in known else False
    # `OR flag` and the like keep a column in play, so that nothing can be folded away unseen
    row: Row = {"flag": None if values[left] is None else int(values[left] or 0)}
    assert evaluate(truth(f"flag AND {right}"), row, TYPES) == both
    assert evaluate(truth(f"flag OR {right}"), row, TYPES) == either
    inverted = None if values[left] is None else not values[left]
    assert evaluate(truth("NOT flag"), row, TYPES) == inverted


def test_not_flag_keeps_only_the_false_row() -> None:
    condition = truth("NOT flag")
    kept = [flag for flag in (1, 0, None) if evaluate(condition, {"flag": flag}, TYPES) == 1]
    assert kept == [0]


def test_not_in_a_list_with_null_is_never_true() -> None:
    condition = truth("a NOT IN (1, NULL, 2, 3)")
    assert all(evaluate(condition, {"a": value}, TYPES) != 1 for value in (1, 2, 3, 4, None))


@pytest.mark.parametrize(
    ("dividend", "divisor", "quotient", "rest"),
    [(4, 3, 1, 1), (14, -3, -4, 2), (-14, 3, -4, -2), (0, 5, 0, 0), (5, 0, None, None), (None, 3, None, None)],
)
def test_integer_division_truncates_and_division_by_zero_is_null(
    dividend: int | None, divisor: int, quotient: int | None, rest: int | None
) -> None:
    row: Row = {"a": dividend, "b": divisor}
    assert evaluate(number("a / b"), row, TYPES) == quotient
    assert evaluate(number("a % b"), row, TYPES) == rest


@quick
@given(st.integers(-(10**6), 10**6), st.integers(-1000, 1000))
def test_decimals_are_exact_and_quotients_round_halves_away_from_zero(price: int, a: int) -> None:
    row: Row = {"price": price, "a": a}
    value = Fraction(price, 100)
    for sql, expected, scale in (
        ("price + a", value + a, 2),
        ("price - 0.125", value - Fraction(1, 8), 3),
        ("price * price", value * value, 4),
        ("price * 0.50", value / 2, 4),
        ("CAST(a AS DECIMAL(20, 3)) + price", value + a, 3),
    ):
        bound = number(sql)
        assert Fraction(int(evaluate(bound, row, TYPES) or 0), 10**scale) == expected, sql
    quotient = evaluate(number("price / a"), row, TYPES)
    if a == 0:
        assert quotient is None
        return
    exact = abs(value / a) * 10**8
    size = int(exact + Fraction(1, 2))
    assert quotient == (size if value * a >= 0 else -size)


def test_words_dates_and_instants_become_the_integers_that_carry_them() -> None:
    row: Row = {"country": 1, "day": 20_453, "ts": 1_772_323_200_000_000}
    assert evaluate(truth("country IN ('FR', 'NL')"), row, TYPES) == 1
    assert evaluate(truth("day = DATE '2025-12-31'"), row, TYPES) == 1
    assert evaluate(truth("day + 1 = DATE '2026-01-01' AND day - DATE '2025-12-01' = 30"), row, TYPES) == 1
    assert evaluate(truth("ts >= TIMESTAMP '2026-03-01 00:00:00'"), row, TYPES) == 1
    assert evaluate(truth("ts > TIMESTAMP '2026-03-01 00:00:00.000001'"), row, TYPES) == 0
    assert evaluate(truth("ts >= DATE '2026-03-01'"), row, TYPES) == 1


def test_the_current_date_is_that_of_the_submission_in_utc() -> None:
    today = {"day": (AS_OF.date() - AS_OF.date().replace(1970, 1, 1)).days}
    assert evaluate(truth("day = CURRENT_DATE"), today, TYPES) == 1
    assert evaluate(
        truth("day >= CURRENT_DATE - 90 AND ts < CAST(CURRENT_DATE AS TIMESTAMP)"), today | {"ts": 0}, TYPES
    )


def test_a_member_is_compared_with_words_of_an_enum_and_with_text() -> None:
    transactions = next(table for table in CATALOGUE.tables if table.name == "transactions")
    canonical = bind_predicate(transactions.canonical, transactions, CATALOGUE, AS_OF)
    types = column_types(transactions, CATALOGUE)
    row: Row = {"from_bank": None, "to_bank": 1}
    assert evaluate(canonical, row, types, member="bank-b") == 1
    assert evaluate(canonical, row, types, member="bank-a") == 0
    assert evaluate(canonical, row, types, member="bank-x") == 0
    assert evaluate(truth("member() = 'bank-a'"), {}, TYPES, member="bank-a") == 1
