"""An aggregation on shares: sums and counts in the order of the input, what needs another order by further sorts.

Minimum, maximum, quantiles and distinct values of a column are read off the rows sorted by (keys, column). Groups come
out of every such order alike, in the order of the keys, so results stand side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from consortia.errors import InternalError
from consortia.execution.contributions import OF_MAGNITUDES, beside_cells, counted_beside, held
from consortia.execution.fit import fitted
from consortia.execution.layout import bounds_of
from consortia.execution.liveness import Holds, live_aggregates
from consortia.plans.columns import Column
from consortia.plans.model import Aggregate, AggregateStep
from consortia.protocols.engine import Engine
from consortia.protocols.relational.domains import as_numbers
from consortia.protocols.relational.group import Function, Grouping, Measure, group
from consortia.protocols.relational.order import ordered
from consortia.protocols.relational.pick import (
    LOWER_MEDIAN,
    UPPER_MEDIAN,
    Groups,
    Rank,
    extremes,
    quantile,
    quantiles,
    then,
)
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic

_OF_VALUES = ("count-distinct", "min", "max", "quantile", "median")
"""Functions of a column's sorted values."""
_LOW, _HIGH = "lower-median", "upper-median"
_MEDIAN_FACTOR = 5
"""The median has one place more: half of a sum, times ten."""


def aggregated(
    engine: Engine,
    step: AggregateStep,
    table: SharedTable,
    live: frozenset[str],
    holds: Holds,
    owners: Sequence[str],
    marked: tuple[str, ...],
) -> SharedTable:
    """The groups of ``step`` with its aggregates that are ``live`` and the presence of ``marked`` members.

    ``holds`` and ``owners`` say whose data the rows of the input may hold.
    """
    columns = {column.name: column for column in step.columns}
    wanted = live_aggregates(step, live)
    counts = counted_beside(step, wanted)
    plain = [aggregate for aggregate in wanted if aggregate.function not in (*_OF_VALUES, *OF_MAGNITUDES)]
    plain += [each for each in dict.fromkeys(counts.values()) if each not in plain]
    grouping = Grouping(
        keys=step.keys,
        measures=tuple(_measure(aggregate, columns[aggregate.name], owners) for aggregate in plain),
        rows=step.rows,
        keep=tuple(key for key in step.keys if key in live or counts),
        entity=step.entity,
        holds=holds,
        marked=marked,
    )
    by_column: dict[str, list[Aggregate]] = {}
    for aggregate in wanted:
        if aggregate.function in _OF_VALUES:
            by_column.setdefault(aggregate.column, []).append(aggregate)
    groups = group(engine, table, grouping)
    found = dict(groups.columns)
    magnitudes = [aggregate for aggregate in wanted if aggregate.by]
    found.update(held(engine, step, table, grouping, magnitudes, owners))
    found.update(beside_cells(engine, step, groups, wanted, counts))
    for column, aggregates in by_column.items():
        found.update(_of_values(engine.narrow(f"by-{column}"), table, grouping, column, aggregates))
    return fitted(engine, replace(groups, columns=found), step.columns, step.id, "gone")


def _measure(aggregate: Aggregate, column: Column, owners: Sequence[str]) -> Measure:
    bounds = bounds_of(column)
    match aggregate.function:
        case "sum" | "count" | "count-rows" | "count-entities" | "count-members" | "has-member" as plain:
            function: Function = plain
        case other:
            raise InternalError("execution/unsupported", f"`{other}` needs an order of its own", place=aggregate.name)
    return Measure(
        name=aggregate.name,
        function=function,
        lo=bounds.lo,
        hi=bounds.hi,
        column=aggregate.column,
        excluding=tuple(member for member in aggregate.excluding if member in owners),
        member=aggregate.member,
        wide=column.domain == "wide",
        nullable=column.nullable,
    )


def _of_values(
    engine: Engine, table: SharedTable, grouping: Grouping, column: str, aggregates: Sequence[Aggregate]
) -> Mapping[str, SharedColumn]:
    """The aggregates of one column, from the rows in order of (keys, column)."""
    within = then(grouping.keys, column)
    near = table.only((*grouping.keys, column))
    if not table.sorted_by(grouping.keys, within):
        near = ordered(engine.narrow("order"), near, (*table.order[: len(set(grouping.keys))], *within))
    near = replace(near, members={})
    by_function: dict[str, list[Aggregate]] = {}
    for aggregate in aggregates:
        by_function.setdefault(aggregate.function, []).append(aggregate)
    found: dict[str, SharedColumn] = {}
    groups = Groups(grouping.keys, grouping.rows, ())
    distinct = by_function.get("count-distinct", ())
    if distinct:
        measures = tuple(Measure(each.name, "count-entities", 0, table.length) for each in distinct)
        counted = Grouping(grouping.keys, measures, grouping.rows, (), entity=column)
        found.update(group(engine.narrow("distinct"), near, counted).columns)
    lowest, highest = by_function.get("min", ()), by_function.get("max", ())
    if lowest or highest:
        ends = extremes(engine.narrow("ends"), near, groups, column, "low" if lowest else "", "high" if highest else "")
        found.update({each.name: ends.column("low") for each in lowest})
        found.update({each.name: ends.column("high") for each in highest})
    medians = by_function.get("median", ())
    ranks: dict[str, Rank] = {
        each.name: quantile(each.numerator, each.denominator) for each in by_function.get("quantile", ())
    }
    if medians:
        ranks |= {_LOW: LOWER_MEDIAN, _HIGH: UPPER_MEDIAN}
    if ranks:
        values = quantiles(engine.narrow("ranks"), near, groups, column, ranks)
        found.update({name: values.column(name) for name in ranks if name not in (_LOW, _HIGH)})
        if medians:
            half = _median(engine.narrow("median"), values)
            found.update({each.name: half for each in medians})
    return found


def _median(engine: Engine, values: SharedTable) -> SharedColumn:
    """Half of the sum of the two middle values, in tenths."""
    numbers = as_numbers(engine, values, (_LOW, _HIGH))
    low, high = numbers.column(_LOW), numbers.column(_HIGH)
    if not isinstance(low.value, Arithmetic) or not isinstance(high.value, Arithmetic):
        raise InternalError("execution/shape", "the middle values of a median are no numbers")
    total = (low.value + high.value).scaled(_MEDIAN_FACTOR)
    return SharedColumn(total, 2 * _MEDIAN_FACTOR * low.lo, 2 * _MEDIAN_FACTOR * low.hi, low.validity)
