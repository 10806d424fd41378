"""DISTINCT, UNION, INTERSECT, EXCEPT, COUNT(DISTINCT), nested groups and top-k equal sqlite's on every engine."""

import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.relational.filter import first, keep_where
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.order import at_positions, order_by, together, top
from consortia.protocols.relational.predicates import Call, Const, Ref
from consortia.protocols.relational.sets import compared, distinct, union_distinct
from consortia.protocols.relational.table import Ordering
from tests.relations_world import Col, Given, answers, declared, drawn, same_rows, shared, trace, valid_rows
from tests.sqlite_oracle import queried

KEYS = (Col("a", 0, 3, nullable=True), Col("b", 10, 12))
WITH_AMOUNT = (*KEYS, Col("amount", -20, 20, nullable=True, domain="arithmetic"))
SIZES = (0, 1, 2, 17, 90)


def table(columns, rows, seed=0, owner="alpha", **more):
    return Given(columns, drawn(columns, rows, seed, **more), owner)


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("columns", [("a",), ("a", "b"), ("b", "a")])
def test_distinct_gives_each_combination_once_and_in_front(rows, columns):
    given = table(WITH_AMOUNT, rows)
    found = answers(lambda e, t: distinct(e, t, columns), given)
    assert same_rows(valid_rows(found), queried(f"SELECT DISTINCT {', '.join(columns)} FROM t", {"t": given}))
    assert found == [*valid_rows(found), *[None] * (rows - len(valid_rows(found)))]


def test_distinct_of_equal_rows_is_one_row():
    given = Given(KEYS, [{"a": None, "b": 11}] * 5)
    assert answers(lambda e, t: distinct(e, t, ("a", "b"), 1), given) == [{"a": None, "b": 11}]


def test_distinct_of_a_table_in_that_order_is_not_sorted_again():
    given = table(KEYS, 30)
    once = declared(lambda e, t: order_by(e.narrow("s"), t, ("a", "b")), given)
    twice = declared(lambda e, t: distinct(e.narrow("d"), order_by(e.narrow("s"), t, ("a", "b")), ("b", "a")), given)
    sorts = [o for o in twice.opened if o.what.startswith("comparison")]
    assert sorts == [o for o in once.opened if o.what.startswith("comparison")]


@pytest.mark.parametrize("rows", [(0, 3), (4, 1), (20, 31)])
@pytest.mark.parametrize(
    ("operator", "program"),
    [
        ("UNION", lambda e, x, y: union_distinct(e, (x, y), ("a", "b"))),
        ("INTERSECT", lambda e, x, y: compared(e, x, y, ("a", "b"), "intersect")),
        ("EXCEPT", lambda e, x, y: compared(e, x, y, ("a", "b"), "except")),
    ],
)
def test_set_operators_equal_sqlite(rows, operator, program):
    for seed in range(3):
        x, y = table(KEYS, rows[0], seed, padding=0.4), table(KEYS, rows[1], seed + 10, "beta", padding=0.6)
        sql = f"SELECT a, b FROM x {operator} SELECT a, b FROM y"
        assert same_rows(valid_rows(answers(program, x, y)), queried(sql, {"x": x, "y": y}))


def test_intersect_of_a_key_present_twice_and_three_times_is_one_row():
    """D3: a set, where the join of the same tables is refused as many-to-many."""
    word = (Col("word", 0, 25),)
    a, b = Given(word, [{"word": 1}] * 2), Given(word, [{"word": 1}] * 3, "beta")

    def program(engine, x, y):
        result = compared(engine, x, y, ("word",), "intersect")
        return first(engine.narrow("first"), result, result.valid).cut(2)

    assert answers(program, a, b) == [{"word": 1}, None]


@pytest.mark.parametrize("rows", SIZES)
def test_count_distinct_of_a_column_skips_null(rows):
    given = table(KEYS, rows, padding=0.1)

    def program(engine, t):
        near = order_by(engine.narrow("s"), t, ("b", "a"))
        count = Measure("n", "count-entities", 0, 4)
        return group(engine.narrow("g"), near, Grouping(("b",), (count,), t.length, ("b",), entity="a"))

    found = valid_rows(answers(program, given))
    assert same_rows(found, queried("SELECT b, COUNT(DISTINCT a) AS n FROM t GROUP BY b", {"t": given}))


INNER = "SELECT b, a, SUM(amount) AS total FROM t GROUP BY b, a"
NESTED = "SELECT b, COUNT(*) AS lines, SUM(total) AS total FROM ({}) GROUP BY b"


def nested(having):
    def program(engine, t):
        near = order_by(engine.narrow("s"), t, ("b", "a"))
        total = Measure("total", "sum", -2000, 2000, column="amount", nullable=True)
        inner = group(engine.narrow("inner"), near, Grouping(("b", "a"), (total,), t.length, ("b", "a")))
        if having:
            inner = keep_where(engine.narrow("having"), inner, Call("ge", (Ref("total"), Const(0))))
        inner = together(engine.narrow("again"), inner, ("b",))
        outer = (
            Measure("lines", "count-rows", 0, 100),
            Measure("total", "sum", -9000, 9000, column="total", nullable=True),
        )
        return group(engine.narrow("outer"), inner, Grouping(("b",), outer, t.length, ("b",)))

    return program


@pytest.mark.parametrize("rows", SIZES[1:])
@pytest.mark.parametrize("having", [False, True])
def test_a_group_of_groups_equals_sqlite_and_reuses_the_order_unless_a_filter_broke_it(rows, having):
    given = table(WITH_AMOUNT, rows, padding=0.1)
    sql = NESTED.format(INNER + (" HAVING SUM(amount) >= 0" if having else ""))
    assert same_rows(valid_rows(answers(nested(having), given)), queried(sql, {"t": given}))
    sorts = {o.step for o in declared(nested(having), given).opened if o.what.startswith("comparison")}
    assert len(sorts) == ((2 if having else 1) if rows > 1 else 0)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls_first", [False, True])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_top_k_gives_the_first_rows_of_the_order(descending, nulls_first, k):
    given = table(WITH_AMOUNT, 20)
    by = (Ordering("a", descending, nulls_first), Ordering("b", not descending))
    found = answers(lambda e, t: top(e, t, by, k), given)
    assert len(found) == min(k, 20)
    order = f"a {'DESC' if descending else 'ASC'} NULLS {'FIRST' if nulls_first else 'LAST'}"
    sql = f"SELECT * FROM t ORDER BY {order}, b {'ASC' if descending else 'DESC'}, rowid LIMIT {k}"
    assert valid_rows(found) == queried(sql, {"t": given})


def test_rows_at_public_positions_of_a_sorted_table_are_its_quantiles():
    given = Given((Col("v", 0, 99),), [{"v": v} for v in (50, 10, 40, 20, 30)])
    found = answers(lambda e, t: at_positions(order_by(e, t, ("v",)), (0, 2, 4)), given)
    assert found == [{"v": 10}, {"v": 30}, {"v": 50}]


def test_traffic_of_set_operators_is_the_same_whatever_the_rows():
    programs = (
        lambda e, x, y: compared(e, x, y, ("a", "b"), "intersect"),
        lambda e, x, y: union_distinct(e, (x, y), ("a",)),
    )
    for program in programs:
        none = trace(program, Given(KEYS, [None] * 20), Given(KEYS, [None] * 9, "beta"))
        assert trace(program, table(KEYS, 20), table(KEYS, 9, owner="beta")) == none


def test_what_makes_no_sense_is_refused():
    engine = ClearEngine()
    one = shared(engine, "in", table(KEYS, 3))
    with pytest.raises(InternalError, match="relational/key"):
        distinct(engine, one, ())
    for positions in ((), (3,), (-1,)):
        with pytest.raises(InternalError, match="relational/position"):
            at_positions(one, positions)
