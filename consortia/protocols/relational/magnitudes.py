"""What contributors hold of each group: the sum of all magnitudes, and of the n largest, by entity and by member.

Functionality: the rows of a group, but for those of excluded members, add up to one contribution of each entity (rows
with one value of the entity column; those with NULL are one entity) and of each member. Of each group come out the sum
of the absolute values of the contributions, and that of the ``count`` largest. A row that holds data of several members
is a contribution of each of them and counts once in the sum of all, which then is the absolute value of the signed
sum: with values of one sign nobody's share comes out smaller than it is.

Entities: rows are grouped by (keys, entity), contributions sorted downwards in each group; the first ``count`` rows of
a group are marked by its boundaries and summed. Members: running sums of each one's rows, and of a group's few numbers
the largest by comparisons. Assumption and simulation: those of group, sort and comparisons; nothing is opened. Rounds:
those of a group, and with a largest wanted of a sort and another group for each aggregate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import both, fill, is_negative, signed_bits
from consortia.protocols.relational.contributors import apart, member_plane
from consortia.protocols.relational.domains import as_keys
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.order import ordered
from consortia.protocols.relational.segments import same_group
from consortia.protocols.relational.table import Ordering, SharedColumn, SharedTable, joined, split
from consortia.protocols.shares import Arithmetic, Boolean


@dataclass(frozen=True, slots=True)
class Contribution:
    """What rows add to the aggregate ``name``: their value of ``column``, 1 if it is known, or 1.

    ``reach`` bounds the sum of the magnitudes of any rows' contributions.
    """

    name: str
    function: Literal["sum", "count", "count-rows"]
    reach: int
    column: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column to be made: of the contributions to ``of``, the ``count`` largest (0: all) magnitudes added up."""

    name: str
    of: str
    count: int


@dataclass(frozen=True, slots=True)
class Apart:
    """Members whose data rows hold, those whose rows do not contribute, and whether a row holds several's data."""

    members: tuple[str, ...]
    excluding: tuple[str, ...]
    mixed: bool


Made = dict[str, SharedColumn]


def by_entity(
    engine: Engine,
    table: SharedTable,
    grouping: Grouping,
    contributions: Sequence[Contribution],
    wanted: Sequence[Wanted],
    who: Apart,
) -> Made:
    """The columns of ``wanted`` for the groups of ``grouping``, whose table is sorted by (keys, entity)."""
    if not grouping.entity:
        raise InternalError("relational/entity", "contributors can't be told apart in a table that names none")
    others = apart(engine.narrow("apart"), table, who.excluding, mixed=who.mixed) if who.excluding else None
    values = _contributed(engine.narrow("of"), table, contributions, {"": others})
    keys = grouping.keys if grouping.entity in grouping.keys else (*grouping.keys, grouping.entity)
    rows = replace(table, columns={**_only(table, keys), **_columns(contributions, values, "")}, members={})
    entities = group(engine.narrow("entities"), rows, _sums(contributions, keys, table.length, keep=grouping.keys))
    entities = _absolute(engine.narrow("absolute"), entities, contributions)
    sums = [each for each in contributions if any(want.of == each.name and not want.count for want in wanted)]
    found: Made = {}
    if sums:
        totals = group(engine.narrow("all"), entities, _sums(sums, grouping.keys, grouping.rows))
        found.update({want.name: totals.column(_of(want.of)) for want in wanted if not want.count})
    for each in contributions:
        ranked = [want for want in wanted if want.of == each.name and want.count]
        if ranked:
            found.update(_largest_rows(engine.narrow(f"largest-{each.name}"), entities, grouping, each, ranked))
    return found


def by_member(
    engine: Engine,
    table: SharedTable,
    grouping: Grouping,
    contributions: Sequence[Contribution],
    wanted: Sequence[Wanted],
    who: Apart,
) -> Made:
    """The columns of ``wanted`` for the groups of ``grouping``, whose table is sorted by the keys."""
    members = [member for member in who.members if member not in who.excluding]
    marks: dict[str, Boolean | None] = {member: member_plane(table, member) for member in members}
    if who.mixed:
        others = apart(engine.narrow("apart"), table, who.excluding, mixed=True) if who.excluding else None
        marks = {member: both(engine.narrow(f"and-{member}"), mark, others) for member, mark in marks.items()}
        marks[""] = others
    values = _contributed(engine.narrow("of"), table, contributions, marks)
    columns = dict(_only(table, grouping.keys))
    for member in marks:
        columns.update(_columns(contributions, values, member))
    rows = replace(table, columns=columns, members={})
    of_members = [replace(each, name=_of(each.name, member)) for member in marks for each in contributions]
    groups = group(engine.narrow("members"), rows, _sums(of_members, grouping.keys, grouping.rows, prefix=False))
    groups = _absolute(engine.narrow("absolute"), groups, of_members, prefix=False)
    found: Made = {}
    for each in contributions:
        ranked = [want for want in wanted if want.of == each.name]
        parts = [_number(groups.column(_of(each.name, member))) for member in members]
        whole = _number(groups.column(_of(each.name, ""))) if who.mixed else _added(engine, groups.length, parts)
        step = engine.narrow(f"largest-{each.name}")
        largest = _largest_of(step, parts, each.reach, max((want.count for want in ranked), default=0))
        for want in ranked:
            value = _added(engine, groups.length, largest[: want.count]) if want.count else whole
            found[want.name] = SharedColumn(value, 0, each.reach * max(want.count, 1))
    return found


# --- what each row adds -----------------------------------------------------------------------------------------------


def _of(name: str, member: str = "") -> str:
    """The column of contributions: no name of a plan has a slash."""
    return f"{member}/{name}"


def _only(table: SharedTable, keys: Sequence[str]) -> Mapping[str, SharedColumn]:
    return {key: table.column(key) for key in keys}


def _columns(contributions: Sequence[Contribution], values: Mapping[tuple[str, str], Arithmetic], member: str) -> Made:
    return {
        _of(each.name, member): SharedColumn(values[each.name, member], -each.reach, each.reach)
        for each in contributions
    }


def _sums(
    contributions: Sequence[Contribution],
    keys: tuple[str, ...],
    rows: int,
    *,
    keep: tuple[str, ...] = (),
    prefix: bool = True,
) -> Grouping:
    names = [(_of(each.name) if prefix else each.name, each) for each in contributions]
    measures = tuple(Measure(name, "sum", -each.reach, each.reach, column=name) for name, each in names)
    return Grouping(keys, measures, rows, keep)


def _contributed(
    engine: Engine, table: SharedTable, contributions: Sequence[Contribution], marks: Mapping[str, Boolean | None]
) -> dict[tuple[str, str], Arithmetic]:
    """What each row adds, by aggregate and mark; None marks all valid rows. One batch of bits and one of products."""
    bits: dict[tuple[str, str], Boolean] = {}
    found: dict[tuple[str, str], Arithmetic] = {}
    factors: dict[tuple[str, str], Arithmetic] = {}
    for mark, plane in marks.items():
        for each in contributions:
            match each.function:
                case "sum" if plane is None:
                    found[each.name, mark] = _number(table.column(each.column))
                case "sum" if plane is not None:
                    factors[each.name, mark] = _number(table.column(each.column))
                    bits["", mark] = plane
                case "count":
                    known = table.column(each.column).validity
                    bits[each.name, mark] = _valid(table, both(engine.narrow(f"{each.name}-{mark}"), plane, known))
                case _:
                    bits[each.name, mark] = _valid(table, plane)
    if bits:
        ones = engine.narrow("bits").bit_to_arithmetic(joined(list(bits.values())))
        found |= zip(bits, split(ones, [table.length] * len(bits)), strict=True)
    if factors:
        chosen = joined([found["", mark] for _, mark in factors])
        product = engine.narrow("values").multiply(chosen, joined(list(factors.values())))
        found |= zip(factors, split(product, [table.length] * len(factors)), strict=True)
    return found


def _valid(table: SharedTable, plane: Boolean | None) -> Boolean:
    return table.valid if plane is None else plane


def _number(column: SharedColumn) -> Arithmetic:
    if not isinstance(column.value, Arithmetic):
        raise InternalError("relational/sum", "contributions are compared and must be shared as arithmetic")
    return column.value


# --- magnitudes -------------------------------------------------------------------------------------------------------


def _absolute(
    engine: Engine, table: SharedTable, contributions: Sequence[Contribution], *, prefix: bool = True
) -> SharedTable:
    """The table with the absolute values of sums; counts are none. One batch."""
    named = {(_of(each.name) if prefix else each.name): each for each in contributions}
    signed = [name for name, each in named.items() if each.function == "sum"]
    columns = {name: replace(column, lo=0) if name in named else column for name, column in table.columns.items()}
    if signed:
        values = joined([_number(table.column(name)) for name in signed])
        reach = max(named[name].reach for name in signed)
        below = engine.narrow("bit").bit_to_arithmetic(is_negative(engine, values, signed_bits(-reach, reach)))
        positive = values - engine.narrow("turned").multiply(below, values).scaled(2)
        for name, value in zip(signed, split(positive, [table.length] * len(signed)), strict=True):
            columns[name] = replace(columns[name], value=value)
    return replace(table, columns=columns)


def _largest_rows(
    engine: Engine, entities: SharedTable, grouping: Grouping, each: Contribution, wanted: Sequence[Wanted]
) -> Made:
    """The sums of the first rows of each group, in the order of magnitudes downwards."""
    keys = grouping.keys
    size = entities.column(_of(each.name))
    near = replace(entities, columns={**_only(entities, keys), "size": size, "order": size})
    near = as_keys(engine, near, ["order"])
    by = (*entities.order[: len(set(keys))], Ordering("order", descending=True))
    near = ordered(engine.narrow("order"), near, by)
    size_value = _number(near.column("size"))
    counts = sorted({want.count for want in wanted})
    if keys:
        first = engine.invert(same_group(engine.narrow("same"), near, keys))
        marks = _first_rows(engine.narrow("first"), first, counts)
        bits = engine.narrow("bits").bit_to_arithmetic(joined([marks[count] for count in counts]))
        product = engine.narrow("values").multiply(bits, joined([size_value] * len(counts)))
        kept = split(product, [near.length] * len(counts))
    else:  # one group, whose first rows stand at public places
        kept = [size_value.masked(np.arange(near.length) < count) for count in counts]
    columns = {f"{count}": SharedColumn(value, 0, each.reach) for count, value in zip(counts, kept, strict=True)}
    measures = tuple(Measure(name, "sum", 0, each.reach, column=name) for name in columns)
    rows = replace(near, columns={**_only(near, keys), **columns})
    sums = group(engine.narrow("sums"), rows, Grouping(keys, measures, grouping.rows, ()))
    return {want.name: sums.column(f"{want.count}") for want in wanted}


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


def _largest_of(engine: Engine, values: Sequence[Arithmetic], reach: int, count: int) -> list[Arithmetic]:
    """In each row the ``count`` largest of some numbers from 0 to ``reach``, downwards; all if there are fewer."""
    rest, found = list(values), []
    for place in range(min(count, len(values))):
        largest, *others = rest
        rest = []
        for other, value in enumerate(others):
            step = engine.narrow(f"{place}-{other}")
            less = step.bit_to_arithmetic(is_negative(step, largest - value, signed_bits(-reach, reach)))
            greater = largest + step.narrow("larger").multiply(less, value - largest)
            rest.append(largest + value - greater)
            largest = greater
        found.append(largest)
    return found


def _added(engine: Engine, length: int, values: Sequence[Arithmetic]) -> Arithmetic:
    total = fill(engine, length, 0)
    for value in values:
        total = total + value
    return total
