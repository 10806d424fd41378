"""Columns change their domain and keep values, NULLs and bounds; operators by order then read computed numbers."""

import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.relational.domains import as_keys, as_numbers
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.join import Join, join
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.pick import Groups, extremes
from consortia.protocols.relational.sets import distinct
from tests.relations_world import Col, Given, answers, drawn, same_rows, shared, trace, valid_rows
from tests.sqlite_oracle import queried

BOUNDS = [(0, 1), (0, 255), (-1, 0), (-7, 9), (5, 5), (100, 130), (-(2**40), 2**40)]


def given_of(lo, hi, domain, rows=30, seed=1):
    columns = (Col("k", 0, 3), Col("v", lo, hi, nullable=True, domain=domain))
    return Given(columns, drawn(columns, rows, seed))


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("rows", [0, 1, 30])
def test_a_column_keeps_its_values_in_the_other_domain_and_back(bounds, rows):
    number, key = given_of(*bounds, "arithmetic", rows), given_of(*bounds, "boolean", rows)
    assert answers(lambda e, t: as_keys(e, t, ("v", "k")), number) == number.rows
    assert answers(lambda e, t: as_numbers(e, t, ("v",)), key) == key.rows
    assert (
        answers(lambda e, t: as_numbers(e.narrow("b"), as_keys(e.narrow("a"), t, ("v",)), ("v",)), number)
        == number.rows
    )


def test_a_column_without_null_is_zero_where_a_row_is_invalid():
    columns = (Col("v", 3, 9, domain="arithmetic"),)
    given = Given(columns, [{"v": 5}, None, {"v": 3}])
    assert answers(lambda e, t: as_keys(e, t, ("v",)), given) == given.rows


def test_the_largest_group_sum_is_a_maximum_of_computed_numbers():
    columns = (Col("a", 0, 1), Col("b", 0, 5), Col("x", -20, 20, nullable=True, domain="arithmetic"))

    def program(engine, t):
        near = order_by(engine.narrow("s"), t, ("a", "b"))
        total = Measure("total", "sum", -20 * t.length, 20 * t.length, column="x", nullable=True)
        inner = group(engine.narrow("inner"), near, Grouping(("a", "b"), (total,), t.length, ("a", "b")))
        keyed = order_by(engine.narrow("s2"), as_keys(engine.narrow("k"), inner, ("total",)), ("a", "total"))
        return extremes(engine.narrow("x"), keyed, Groups(("a",), 2, ("a",)), "total", "low", "high")

    given = Given(columns, drawn(columns, 40, 2))
    sql = "SELECT a, MIN(s) AS low, MAX(s) AS high FROM (SELECT a, SUM(x) AS s FROM t GROUP BY a, b) GROUP BY a"
    assert same_rows(valid_rows(answers(program, given)), queried(sql, {"t": given}))


def test_distinct_and_join_take_numbers_that_became_keys():
    given = given_of(-7, 9, "arithmetic")
    found = valid_rows(answers(lambda e, t: distinct(e.narrow("d"), as_keys(e.narrow("k"), t, ("v",)), ("v",)), given))
    assert same_rows(found, queried("SELECT DISTINCT v FROM t", {"t": given}))
    other = Given((Col("w", -7, 9),), [{"w": w} for w in range(-7, 10, 2)])
    semi = Join("semi", (("v", "w"),))
    found = valid_rows(
        answers(lambda e, t, u: join(e.narrow("j"), as_keys(e.narrow("k"), t, ("v",)), u, semi), given, other)
    )
    sql = "SELECT * FROM t WHERE v IN (SELECT w FROM u)"
    assert same_rows(found, queried(sql, {"t": given, "u": other}))


def test_traffic_of_a_conversion_is_the_same_whatever_the_values():
    def program(engine, t):
        return as_numbers(engine.narrow("b"), as_keys(engine.narrow("a"), t, ("v",)), ("v",))

    first = trace(program, given_of(-7, 9, "arithmetic", 20, 1))
    assert len(first) >= 3
    assert trace(program, given_of(-7, 9, "arithmetic", 20, 2)) == first


@pytest.mark.parametrize(
    ("change", "lo", "hi", "domain", "code"),
    [
        (as_keys, 0, 3, "wide", "relational/key"),
        (as_keys, -(2**62), 2**62 - 1, "arithmetic", "relational/range"),
        (as_numbers, 0, 2**70, "boolean", "relational/range"),
        (as_numbers, 2**62, 2**62 + 3, "boolean", "relational/range"),
    ],
)
def test_what_has_too_many_bits_is_refused(change, lo, hi, domain, code):
    engine = ClearEngine()
    t = shared(engine, "in", Given((Col("v", lo, hi, domain=domain),), [{"v": lo}] * 3))
    with pytest.raises(InternalError, match=code):
        change(engine, t, ("v",))
