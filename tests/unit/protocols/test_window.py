"""Window functions and variance equal sqlite's and Python's on random tables with NULLs, on every engine."""

from collections import defaultdict
from fractions import Fraction
from statistics import pvariance, variance

import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.moments import with_squares, with_variance
from consortia.protocols.relational.order import ascending, order_by, ordered
from consortia.protocols.relational.table import Ordering
from consortia.protocols.relational.window import Window, windows
from tests.relations_world import Col, Given, answers, drawn, shared, trace, valid_rows
from tests.sqlite_oracle import queried

COLUMNS = (
    Col("id", 0, 127),
    Col("g", 0, 2, nullable=True),
    Col("o", 0, 4, nullable=True),
    Col("x", -30, 30, nullable=True, domain="arithmetic"),
    Col("y", -30, 30, domain="arithmetic"),
    Col("z", -(2**40), 2**40, nullable=True, domain="wide"),
)
SIZES = (1, 2, 3, 20, 90)


def table(rows, seed=0, columns=COLUMNS, **more):
    """Rows numbered by ``id``, so that an order by it is one that sqlite knows too."""
    found = drawn(columns, rows, seed, **more)
    for place, row in enumerate(found):
        if row is not None and "id" in row:
            row["id"] = place
    return Given(columns, found)


FUNCTIONS = {
    "n": (Window("n", "row-number"), "ROW_NUMBER() OVER (PARTITION BY {g} ORDER BY {o})"),
    "r": (Window("r", "rank"), "RANK() OVER (PARTITION BY {g} ORDER BY {o})"),
    "d": (Window("d", "dense-rank"), "DENSE_RANK() OVER (PARTITION BY {g} ORDER BY {o})"),
    "lines": (Window("lines", "count"), "COUNT(*) OVER (PARTITION BY {g} ORDER BY {o} ROWS UNBOUNDED PRECEDING)"),
    "c": (Window("c", "count", "x"), "COUNT(x) OVER (PARTITION BY {g} ORDER BY {o} ROWS UNBOUNDED PRECEDING)"),
    "sx": (Window("sx", "sum", "x"), "SUM(x) OVER (PARTITION BY {g} ORDER BY {o} ROWS UNBOUNDED PRECEDING)"),
    "sy": (Window("sy", "sum", "y"), "SUM(y) OVER (PARTITION BY {g} ORDER BY {o} ROWS UNBOUNDED PRECEDING)"),
    "sz": (Window("sz", "sum", "z"), "SUM(z) OVER (PARTITION BY {g} ORDER BY {o} ROWS UNBOUNDED PRECEDING)"),
    "plines": (Window("plines", "count", frame="range"), "COUNT(*) OVER (PARTITION BY {g} ORDER BY {o})"),
    "pc": (Window("pc", "count", "x", frame="range"), "COUNT(x) OVER (PARTITION BY {g} ORDER BY {o})"),
    "px": (Window("px", "sum", "x", frame="range"), "SUM(x) OVER (PARTITION BY {g} ORDER BY {o})"),
    "py": (Window("py", "sum", "y", frame="range"), "SUM(y) OVER (PARTITION BY {g} ORDER BY {o})"),
    "tlines": (Window("tlines", "count", frame="partition"), "COUNT(*) OVER (PARTITION BY {g})"),
    "tc": (Window("tc", "count", "x", frame="partition"), "COUNT(x) OVER (PARTITION BY {g})"),
    "tx": (Window("tx", "sum", "x", frame="partition"), "SUM(x) OVER (PARTITION BY {g})"),
    "tz": (Window("tz", "sum", "z", frame="partition"), "SUM(z) OVER (PARTITION BY {g})"),
    "pz": (Window("pz", "sum", "z", frame="range"), "SUM(z) OVER (PARTITION BY {g} ORDER BY {o})"),
}


def program(keys, by, names):
    wanted = [FUNCTIONS[name][0] for name in names]

    def run(engine, t):
        near = order_by(engine.narrow("s"), t, (*keys, *by))
        return windows(engine.narrow("w"), near, keys, ascending(by), wanted)

    return run


def check(given, keys, by, names):
    found = valid_rows(answers(program(keys, by, names), given))
    order = ", ".join(f"{column} NULLS LAST" for column in by) or "1"
    group_by = ", ".join(keys) or "1"
    columns = ", ".join(f"{FUNCTIONS[name][1].format(g=group_by, o=order)} AS {name}" for name in names)
    said = queried(f"SELECT id, {columns} FROM t ORDER BY id", {"t": given})
    assert [{name: row[name] for name in ("id", *names)} for row in sorted(found, key=lambda r: r["id"])] == said


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("keys", [(), ("g",)])
def test_all_functions_equal_sqlite_where_the_order_is_total(rows, keys):
    for seed in range(2):
        check(table(rows, seed), keys, ("o", "id"), list(FUNCTIONS))


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("keys", [(), ("g",)])
def test_functions_of_peers_equal_sqlite_where_rows_are_equal_in_the_order(rows, keys):
    for seed in range(2):
        check(table(rows, seed), keys, ("o",), ["r", "d", "plines", "pc", "px", "py", "pz"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_stands_alone(name):
    check(table(15, 3), ("g",), ("o", "id"), [name])


def test_without_an_order_all_rows_of_a_group_are_peers():
    given = table(20, 5)
    found = valid_rows(answers(program(("g",), (), ["py", "r"]), given))
    totals = defaultdict(int)
    for row in valid_rows(given.rows):
        totals[row["g"]] += row["y"]
    assert [row["py"] for row in found] == [totals[row["g"]] for row in found]
    assert {row["r"] for row in found} == {1}


@pytest.mark.parametrize("keys", [(), ("g",)])
def test_a_table_of_no_rows_has_windows_of_no_rows(keys):
    assert answers(program(keys, ("o",), list(FUNCTIONS)), Given(COLUMNS, [])) == []


def test_a_descending_order_and_one_that_names_nothing_equal_sqlite():
    given = table(40, 6)
    by = (Ordering("o", descending=True, nulls_first=True),)

    def run(engine, t):
        near = ordered(engine.narrow("s"), t, (Ordering("g"), *by))
        return windows(
            engine.narrow("w"), near, ("g",), by, [Window("r", "rank"), Window("px", "sum", "x", frame="range")]
        )

    found = valid_rows(answers(run, given))
    over = "OVER (PARTITION BY g ORDER BY o DESC NULLS FIRST)"
    said = queried(f"SELECT id, RANK() {over} AS r, SUM(x) {over} AS px FROM t ORDER BY id", {"t": given})
    assert [{name: row[name] for name in ("id", "r", "px")} for row in sorted(found, key=lambda r: r["id"])] == said
    check(given, ("g",), (), ["plines", "pc", "px", "r", "d"])


def test_windows_keep_rows_columns_and_order():
    given = table(12, 2)

    def run(engine, t):
        once = windows(
            engine.narrow("a"),
            order_by(engine.narrow("s"), t, ("g", "id")),
            ("g",),
            ascending(("id",)),
            [Window("n", "row-number")],
        )
        return windows(engine.narrow("b"), once, ("g",), ascending(("id",)), [Window("m", "row-number")])

    found = answers(run, given)
    assert all(row["n"] == row["m"] for row in valid_rows(found))
    assert len(found) == 12


def test_traffic_of_windows_is_the_same_whatever_the_rows():
    run = program(("g",), ("o",), ["r", "d", "px", "pz"])
    none = trace(run, Given(COLUMNS, [None] * 20))
    assert len(none) >= 3
    assert trace(run, table(20, 1)) == none


# --- bounds -----------------------------------------------------------------------------------------------


def summed(column, rows):
    def run(engine, t):
        near = order_by(engine.narrow("s"), t, ("id",))
        return windows(engine.narrow("w"), near, (), ascending(("id",)), [Window("total", "sum", column)])

    return run


def test_a_running_sum_beyond_62_bits_is_exact_in_the_wide_domain():
    big = 2**61
    columns = (COLUMNS[0], Col("v", -big, big, domain="arithmetic"))
    given = Given(columns, [{"id": i, "v": big if i < 5 else -big} for i in range(6)])
    totals = [row["total"] for row in answers(summed("v", 6), given)]
    assert totals == [big, 2 * big, 3 * big, 4 * big, 5 * big, 4 * big]


def test_a_running_sum_that_may_not_fit_is_refused_like_the_sum():
    """N10: two rows of 38 nines."""
    largest = 10**38 - 1
    columns = (COLUMNS[0], Col("a", -largest, largest, domain="wide"))
    engine = ClearEngine()
    t = order_by(
        engine.narrow("s"), shared(engine, "in", Given(columns, [{"id": i, "a": largest} for i in range(2)])), ("id",)
    )
    with pytest.raises(InternalError, match="relational/range"):
        windows(engine, t, (), ascending(("id",)), [Window("total", "sum", "a")])


@pytest.mark.parametrize(
    ("order", "window", "code"),
    [
        (("id",), Window("n", "row-number"), "relational/order"),
        (("o", "g"), Window("n", "row-number"), "relational/order"),
        (("id", "o"), Window("n", "row-number"), "relational/order"),
        (("g", "o"), Window("s", "sum", "o"), "relational/sum"),
        (("g", "o"), Window("s", "sum", "nothing"), "relational/column"),
    ],
)
def test_what_makes_no_sense_is_refused(order, window, code):
    engine = ClearEngine()
    t = order_by(engine.narrow("s"), shared(engine, "in", table(5)), order)
    with pytest.raises(InternalError, match=code):
        windows(engine.narrow("w"), t, ("g",), ascending(("o",)), [window])


# --- variance ---------------------------------------------------------------------------------------------


def with_moments(keys, column):
    def run(engine, t):
        near = order_by(engine.narrow("s"), with_squares(engine.narrow("q"), t, column, "squares"), keys)
        source, squares, n = near.columns[column], near.columns["squares"], t.length
        wide = type(source.value).__name__.endswith("Wide")
        wide_squares = type(squares.value).__name__.endswith("Wide")
        largest = max(abs(source.lo), abs(source.hi)) * n
        measures = (
            Measure("c", "count", 0, n, column=column),
            Measure("total", "sum", -largest, largest, column=column, wide=wide, nullable=True),
            Measure("sq", "sum", 0, squares.hi * n, column="squares", wide=wide_squares, nullable=True),
        )
        groups = group(engine.narrow("g"), near, Grouping(keys, measures, n, keys))
        return with_variance(engine.narrow("v"), groups, "c", "total", "sq", "numerator")

    return run


MOMENTS = (
    COLUMNS[1],
    Col("small", -1000, 1000, nullable=True, domain="arithmetic"),
    Col("large", -(2**35), 2**35, nullable=True, domain="arithmetic"),
    Col("broad", -(2**50), 2**50, nullable=True, domain="wide"),
)


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("keys", [(), ("g",)])
@pytest.mark.parametrize("column", ["small", "large", "broad"])
def test_variance_is_exact_from_an_integer_numerator_and_the_count(rows, keys, column):
    given = table(rows, 4, MOMENTS)
    values = defaultdict(list)
    for row in valid_rows(given.rows):
        found = values[tuple(row[key] for key in keys)]
        if row[column] is not None:
            found.append(Fraction(row[column]))
    if not keys:
        values.setdefault((), [])
    rows_found = valid_rows(answers(with_moments(keys, column), given))
    assert {tuple(row[key] for key in keys) for row in rows_found} == set(values)
    for row in rows_found:
        group_values, count = values[tuple(row[key] for key in keys)], row["c"]
        assert count == len(group_values)
        if not group_values:
            assert row["numerator"] is None
            continue
        assert Fraction(row["numerator"], count**2) == pvariance(group_values)
        if count > 1:
            assert Fraction(row["numerator"], count * (count - 1)) == variance(group_values)


def test_squares_that_may_not_fit_are_refused():
    engine = ClearEngine()
    columns = (Col("v", 0, 2**62, domain="wide"), Col("k", 0, 3))
    t = shared(engine, "in", Given(columns, [{"v": 1, "k": 1}] * 4))
    with pytest.raises(InternalError, match="relational/range"):
        with_squares(engine, t, "v", "s")
    with pytest.raises(InternalError, match="relational/sum"):
        with_squares(engine, t, "k", "s")
