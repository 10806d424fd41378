"""Minimum, maximum, quantiles and medians by group and of a whole table, with NULLs, equal the plain computation."""

import math
from collections import defaultdict

import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.pick import (
    LOWER_MEDIAN,
    UPPER_MEDIAN,
    Groups,
    Pick,
    Rank,
    extremes,
    picked,
    quantile,
    quantiles,
)
from consortia.protocols.relational.segments import same_group
from tests.relations_world import Col, Given, answers, declared, drawn, on_clear, shared, trace, valid_rows
from tests.sqlite_oracle import queried

GROUP = Col("g", 0, 3, nullable=True)
OTHER = Col("h", 0, 1)
VALUE = Col("v", -5, 250, nullable=True)
PLAIN = Col("v", -5, 250)
SIZES = (1, 2, 3, 16, 70)


def table(rows, seed=0, value=VALUE, **more):
    columns = (GROUP, OTHER, value)
    return Given(columns, drawn(columns, rows, seed, values=12, **more))


def groups_of(keys, rows):
    return Groups(keys, rows, keys)


def lowest_and_highest(keys, rows):
    def program(engine, t):
        near = order_by(engine.narrow("s"), t, (*keys, "v"))
        return extremes(engine.narrow("x"), near, groups_of(keys, rows), "v", "low", "high")

    return program


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("value", [VALUE, PLAIN])
@pytest.mark.parametrize("keys", [(), ("g",), ("h", "g")])
def test_minimum_and_maximum_equal_sqlite(rows, value, keys):
    for seed in range(2):
        given = table(rows, seed, value)
        found = valid_rows(answers(lowest_and_highest(keys, rows), given))
        names = ", ".join(keys)
        sql = f"SELECT {names + ',' if keys else ''} MIN(v) AS low, MAX(v) AS high FROM t"
        said = queried(f"{sql} GROUP BY {names}" if keys else sql, {"t": given})
        assert sorted(map(repr, found)) == sorted(map(repr, said))


def test_a_group_of_nulls_alone_has_neither_minimum_nor_maximum():
    given = Given((GROUP, VALUE), [{"g": 1, "v": None}, {"g": 1, "v": None}, {"g": 2, "v": 0}, None])
    found = valid_rows(answers(lowest_and_highest(("g",), 4), given))
    assert found == [{"g": 1, "low": None, "high": None}, {"g": 2, "low": 0, "high": 0}]


def test_one_of_minimum_and_maximum_can_be_left_out():
    given = table(9)

    def program(engine, t):
        near = order_by(engine.narrow("s"), t, ("g", "v"))
        return extremes(engine.narrow("x"), near, groups_of(("g",), 4), "v", "", "high")

    assert set(valid_rows(answers(program, given))[0]) == {"g", "high"}


# --- quantiles --------------------------------------------------------------------------------------------

RANKS = {
    "low": LOWER_MEDIAN,
    "up": UPPER_MEDIAN,
    "first": quantile(0, 1),
    "tenth": quantile(1, 10),
    "p90": quantile(9, 10),
    "third": quantile(1, 3),
    "last": quantile(1, 1),
}


def plain_quantiles(rows, keys):
    """By sorting each group's values that are not NULL."""
    found = defaultdict(list)
    for row in valid_rows(rows):
        values = found[tuple(row[key] for key in keys)]
        if row["v"] is not None:
            values.append(row["v"])
    if not keys:
        found.setdefault((), [])

    def at(values, position):
        return sorted(values)[position - 1] if values else None

    return [
        dict(zip(keys, key, strict=True))
        | {
            "low": at(v, (len(v) + 1) // 2),
            "up": at(v, len(v) // 2 + 1),
            "first": at(v, 1),
            "tenth": at(v, math.ceil(len(v) / 10)),
            "p90": at(v, -(-9 * len(v) // 10)),
            "third": at(v, -(-len(v) // 3)),
            "last": at(v, len(v)),
        }
        for key, v in found.items()
    ]


def every_quantile(keys, rows):
    def program(engine, t):
        near = order_by(engine.narrow("s"), t, (*keys, "v"))
        return quantiles(engine.narrow("q"), near, groups_of(keys, rows), "v", RANKS)

    return program


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("value", [VALUE, PLAIN])
@pytest.mark.parametrize("keys", [(), ("g",), ("h", "g")])
def test_quantiles_and_medians_are_the_values_at_their_ranks(rows, value, keys):
    for seed in range(2):
        given = table(rows, seed, value)
        found = valid_rows(answers(every_quantile(keys, rows), given))
        assert sorted(map(repr, found)) == sorted(map(repr, plain_quantiles(given.rows, keys)))


@pytest.mark.parametrize("count", range(1, 14))
def test_every_number_of_values_has_its_medians(count):
    given = Given((GROUP, VALUE), [{"g": i % 2, "v": i // 2} for i in range(2 * count)])
    found = valid_rows(on_clear(every_quantile(("g",), 2 * count), given))
    assert [(row["low"], row["up"]) for row in found] == [((count - 1) // 2, count // 2)] * 2


def test_a_table_of_no_values_has_no_quantile():
    for rows in ([None] * 3, [{"g": 0, "h": 0, "v": None}] * 3):
        (found,) = valid_rows(answers(every_quantile((), 3), Given((GROUP, OTHER, VALUE), rows)))
        assert set(found.values()) == {None}


def test_a_table_of_no_rows_has_no_groups():
    empty = Given((GROUP, OTHER, VALUE), [])
    assert answers(every_quantile(("g",), 0), empty) == []
    assert answers(lowest_and_highest(("g",), 0), empty) == []


# --- any column, any mark ---------------------------------------------------------------------------------


def test_a_mark_picks_values_of_every_domain_of_the_row_that_it_marks():
    columns = (Col("g", 0, 3), Col("number", -9, 9, domain="arithmetic"), Col("broad", 0, 2**70, domain="wide"))
    rows = [{"g": g, "number": g - 3, "broad": 2**69 + g} for g in (0, 0, 1, 1, 1, 3)]
    marked = [0, 1, 1, 0, 0, 0]

    def program(engine, t):
        near = order_by(engine.narrow("s"), t, ("g",))
        import numpy as np

        mark = engine.constant_boolean(np.array(marked, np.uint64).reshape(-1, 1), 1)
        same = same_group(engine.narrow("same"), near, ("g",))
        picks = {"n": Pick("number", mark), "b": Pick("broad", mark), "key": Pick("g", mark)}
        return picked(engine.narrow("p"), near, groups_of(("g",), 6), same, picks)

    found = valid_rows(answers(program, Given(columns, rows)))
    assert found == [
        {"g": 0, "n": -3, "b": 2**69, "key": 0},
        {"g": 1, "n": -2, "b": 2**69 + 1, "key": 1},
        {"g": 3, "n": None, "b": None, "key": None},
    ]


# --- traffic and misuse -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program", [lowest_and_highest(("g",), 24), every_quantile(("g",), 24), every_quantile((), 24)]
)
def test_traffic_is_the_same_whatever_the_values(program):
    none = trace(program, Given((GROUP, OTHER, VALUE), [None] * 24))
    assert len(none) >= 3
    for seed in range(2):
        assert trace(program, table(24, seed)) == none


def test_all_ranks_cost_one_sort():
    opened = {o.step for o in declared(every_quantile(("g",), 24), table(24)).opened if "comparison" in o.what}
    assert len(opened) == 1


@pytest.mark.parametrize("rank", [(1, 0, 0), (2, 1, 0), (-1, 2, 0), (1, 2, -1), (1, 2, 2)])
def test_a_rank_that_may_lie_outside_a_group_is_refused(rank):
    with pytest.raises(InternalError, match="relational/rank"):
        Rank(*rank)


@pytest.mark.parametrize("order", [(), ("g",), ("v", "g"), ("g", "h", "v")])
def test_a_table_in_another_order_is_refused(order):
    engine = ClearEngine()
    t = order_by(engine.narrow("s"), shared(engine, "in", table(5)), order)
    with pytest.raises(InternalError, match="relational/order"):
        extremes(engine.narrow("x"), t, groups_of(("g",), 5), "v", "low", "high")
    with pytest.raises(InternalError, match="relational/order"):
        quantiles(engine.narrow("q"), t, groups_of(("g",), 5), "v", RANKS)
