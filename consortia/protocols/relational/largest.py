"""Of each group, the sums of the largest values of several columns: one sort for all columns.

Functionality: for each column and each ``count``, the sum of the ``count`` largest of its values in the rows of a
group. How: the table is stacked once a column, with the column's number as the first key, and sorted by (number, keys,
value downwards). Boundaries mark the first row of each group, ANDs the rows behind it, and a group by (number, keys)
adds up what is marked. Every column has the same groups, so a partition of its own brings each column's to the same
places. Assumption and simulation: those of sort, group and partition; nothing is opened. Rounds: a sort, a group, a
product, the greatest count less one, and ten a column if there are several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from consortia.protocols.engine import Engine
from consortia.protocols.relational.domains import as_keys
from consortia.protocols.relational.filter import first as brought_forward
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.order import ordered
from consortia.protocols.relational.segments import same_group
from consortia.protocols.relational.table import (
    Ordering,
    SharedColumn,
    SharedTable,
    cleared,
    joined,
    packed,
    split,
)
from consortia.protocols.relational.union import union_all
from consortia.protocols.shares import Arithmetic, Boolean

NUMBER, SIZE, ORDER = "/number", "/size", "/order"
"""Columns: which column a row is of, its value, and the same as a key. No name of a plan has a slash."""


def largest(
    engine: Engine,
    table: SharedTable,
    grouping: Grouping,
    sizes: Sequence[Arithmetic],
    reach: int,
    counts: Sequence[int],
) -> list[dict[int, SharedColumn]]:
    """For each of ``sizes`` (values from 0 to ``reach``, zero in invalid rows) the sums by count, by group.

    ``table`` is sorted by the keys of ``grouping``; groups come out in their order, as from ``group.group``.
    """
    several = len(sizes) > 1
    stacked = union_all(engine, [_of_column(table, grouping.keys, sizes, place) for place in range(len(sizes))])
    keys = (NUMBER, *grouping.keys) if several else grouping.keys
    wide = {SIZE: replace(stacked.column(SIZE), hi=reach), ORDER: replace(stacked.column(ORDER), hi=reach)}
    stacked = as_keys(engine, replace(stacked, columns={**stacked.columns, **wide}), [ORDER])
    start = (Ordering(NUMBER),) if several else ()
    by = (*start, *table.order[: len(set(grouping.keys))], Ordering(ORDER, descending=True))
    near = ordered(engine.narrow("order"), stacked, by)
    columns = {f"{count}": SharedColumn(value, 0, reach) for count, value in _kept(engine, near, keys, counts).items()}
    measures = tuple(Measure(name, "sum", 0, reach, column=name) for name in columns)
    rows = replace(near, columns={**{key: near.column(key) for key in keys}, **columns})
    length = min(grouping.rows, table.length)
    made = Grouping(keys, measures, len(sizes) * length, (NUMBER,) if several else ())
    sums = group(engine.narrow("sums"), rows, made)
    if not several:
        return [{count: sums.column(f"{count}") for count in counts}]
    found = []
    for place in range(len(sizes)):
        step = engine.narrow(f"of-{place}")
        bit = _is(step.narrow("is"), sums, place, len(sizes))
        own = brought_forward(step, cleared(step.narrow("clear"), sums, bit), bit).cut(length)
        found.append({count: own.column(f"{count}") for count in counts})
    return found


def _of_column(table: SharedTable, keys: Sequence[str], sizes: Sequence[Arithmetic], place: int) -> SharedTable:
    """The keys, the values of one column twice, and its number in valid rows."""
    columns = {key: table.column(key) for key in keys}
    if len(sizes) > 1:
        nothing = table.valid ^ table.valid
        bits = [table.valid if place >> bit & 1 else nothing for bit in range((len(sizes) - 1).bit_length())]
        columns[NUMBER] = SharedColumn(packed(bits), 0, len(sizes) - 1)
    size = SharedColumn(sizes[place], 0, 0)
    return replace(table, columns={**columns, SIZE: size, ORDER: size}, members={})


def _is(engine: Engine, table: SharedTable, place: int, columns: int) -> Boolean:
    """One plane: the row is valid and of that column."""
    number = table.column(NUMBER).value
    bit = table.valid
    for plane in range((columns - 1).bit_length()):
        same = number.planes(plane, plane + 1) if isinstance(number, Boolean) else bit
        wanted = same if place >> plane & 1 else engine.invert(same)
        bit = engine.narrow(f"{plane}").conjunction(bit, wanted)
    return bit


def _kept(engine: Engine, table: SharedTable, keys: Sequence[str], counts: Sequence[int]) -> Mapping[int, Arithmetic]:
    """For each count the values in the first rows of each group, zero in the others."""
    size = table.column(SIZE).value
    if not isinstance(size, Arithmetic):
        raise TypeError(SIZE)
    if not keys:  # one group, whose first rows stand at public places
        return {count: size.masked(np.arange(table.length) < count) for count in counts}
    first = engine.invert(same_group(engine.narrow("same"), table, keys))
    marks = _first_rows(engine.narrow("first"), first, counts)
    bits = engine.narrow("bits").bit_to_arithmetic(joined([marks[count] for count in counts]))
    product = engine.narrow("values").multiply(bits, joined([size] * len(counts)))
    return dict(zip(counts, split(product, [table.length] * len(counts)), strict=True))


def _first_rows(engine: Engine, first: Boolean, counts: Sequence[int]) -> dict[int, Boolean]:
    """For each of ``counts`` one plane: the row is among so many first rows of its group. One AND a row further."""
    marks: dict[int, Boolean] = {}
    behind = engine.invert(first)
    start = first
    for place in range(1, max(counts) + 1):
        if place in counts:
            marks[place] = engine.invert(behind)
        if place < max(counts):
            start = start.shifted(1)
            behind = engine.narrow(f"{place}").conjunction(behind, engine.invert(start))
    return marks
