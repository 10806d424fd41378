"""Relations refuse what no plan should ask; what they compute is tested through plans in tests/unit/execution."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.relational.control import at_least, control
from consortia.protocols.relational.filter import first, own_rows
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.table import SharedColumn, SharedTable, cleared
from consortia.protocols.relational.union import union


def column(values: list[int], bits: int = 0) -> SharedColumn:
    """Arithmetic, or boolean of ``bits`` bits."""
    engine, words = ClearEngine(), np.array(values, np.uint64)
    value = engine.constant_boolean(words.reshape(-1, 1), bits) if bits else engine.constant_arithmetic(words)
    return SharedColumn(value, 0, 255)


def table(**columns: SharedColumn) -> SharedTable:
    length = next(iter(columns.values())).value.length
    return SharedTable(length, columns, ClearEngine().constant_boolean(np.ones((length, 1), np.uint64), 1))


def values(column_: SharedColumn) -> list[int]:
    words = value_words(column_.value)
    return [int(word) for word in (words if words.ndim == 1 else words[:, 0])]


KEYED = table(key=column([2, 1, 2, 0], 2), amount=column([10, 20, 30, 40]))
SUM = Measure("total", "sum", 0, 1000, column="amount")


def grouped(shared: SharedTable, *measures: Measure, **more) -> SharedTable:
    return group(ClearEngine(), shared, Grouping(("key",), measures, 4, ("key",), **more))


def sorted_by_key(shared: SharedTable = KEYED) -> SharedTable:
    return order_by(ClearEngine(), shared, ["key"])


def test_a_group_is_brought_forward_and_what_is_behind_is_zero() -> None:
    result = grouped(sorted_by_key(), SUM)
    assert values(result.columns["key"]) == [0, 1, 2, 0]
    assert values(result.columns["total"]) == [40, 20, 40, 0]
    assert value_words(result.valid)[:, 0].tolist() == [1, 1, 1, 0]


def test_group_rows_can_be_cut_to_a_public_number() -> None:
    result = group(ClearEngine(), sorted_by_key(), Grouping(("key",), (SUM,), 3, ("key",)))
    assert result.length == 3
    assert values(result.columns["total"]) == [40, 20, 40]


def test_equal_rows_keep_their_order_in_a_sort() -> None:
    assert values(sorted_by_key().columns["amount"]) == [40, 20, 10, 30]


def test_a_control_rule_that_bounds_already_prove_costs_nothing() -> None:
    counted = replace(KEYED, columns={**KEYED.columns, "n": replace(column([1, 1, 1, 1]), lo=1)})
    engine = ClearEngine()
    result = control(engine, counted, [at_least("n", 1)], ["key"])
    assert list(result.columns) == ["key"]
    # no step was used: the same path is still free
    assert control(engine, counted, [at_least("n", 1)], ["key"]).length == 4


REFUSED: dict[str, tuple[str, Callable[[], object]]] = {
    "a group of unsorted rows": ("relational/order", lambda: grouped(KEYED, SUM)),
    "a group of rows whose order a partition has changed": (
        "relational/order",
        lambda: grouped(first(ClearEngine(), sorted_by_key(), KEYED.valid), SUM),
    ),
    "a group of sorted rows of which some were cleared": (
        "relational/order",
        lambda: grouped(cleared(ClearEngine(), sorted_by_key(), KEYED.valid), SUM),
    ),
    "a sum of codes": ("relational/sum", lambda: grouped(sorted_by_key(), replace(SUM, column="key"))),
    "a key of numbers": ("relational/key", lambda: order_by(ClearEngine(), KEYED, ["amount"])),
    "a column that is not there": ("relational/column", lambda: order_by(ClearEngine(), KEYED, ["nothing"])),
    "a member that is not marked": (
        "relational/member",
        lambda: grouped(sorted_by_key(), Measure("m", "has-member", 0, 1, member="alpha"), holds="one-each"),
    ),
    "entities of a table without": (
        "relational/entity",
        lambda: grouped(sorted_by_key(), Measure("e", "count-entities", 0, 9)),
    ),
    "a rule over codes": ("relational/control", lambda: control(ClearEngine(), KEYED, [at_least("key", 3)], [])),
    "membership by numbers": ("relational/membership", lambda: own_rows(ClearEngine(), KEYED, "amount", ["key"])),
    "a union of different columns": (
        "relational/union",
        lambda: union([KEYED, table(key=column([1], 2))], ["alpha", "beta"], []),
    ),
    "a union of nothing": ("relational/union", lambda: union([], [], [])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_plan_that_makes_no_sense_is_an_internal_error(name: str) -> None:
    code, attempt = REFUSED[name]
    with pytest.raises(InternalError) as caught:
        attempt()
    assert caught.value.code == code
