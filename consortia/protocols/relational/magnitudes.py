"""What contributors hold of each group: the sum of all magnitudes, and of the n largest, by entity and by member.

Functionality: the rows of a group, but for those of excluded members, add up to one contribution of each entity (rows
with one value of the entity column; those with NULL are one entity) and of each member. Of each group come out the sum
of the absolute values of the contributions, and that of the ``count`` largest.

A row of a join can hold data of several members. It is a contribution of each of them, and counts once in the sum of
all, which by member is the absolute value of the signed sum then. A row that holds data of an excluded and of another
member may show what the other holds, and may have been made by the excluded one to weigh in: so it counts in none of
the sums of all, and with its absolute value in the largest. With values of one sign nobody's share comes out smaller
than it is, whatever excluded members add.

Entities: rows are grouped by (keys, entity), and contributions sorted downwards in each group (``largest``). Members:
running sums of each one's rows, and of a group's few numbers the largest by comparisons. Assumption and simulation:
those of group, sort and comparisons; nothing is opened. Rounds: those of two groups, and with a largest wanted of a
sort and another group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import both, fill, is_negative, signed_bits
from consortia.protocols.relational.contributors import apart, member_plane
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.largest import largest
from consortia.protocols.relational.table import SharedColumn, SharedTable, joined, split
from consortia.protocols.shares import Arithmetic, Boolean


@dataclass(frozen=True, slots=True)
class Contribution:
    """What rows add to the aggregate ``name``: their value of ``column``, 1 if it is known, or 1.

    ``reach`` bounds the sum of the magnitudes of any rows' contributions; ``signed``: they may be negative.
    """

    name: str
    function: Literal["sum", "count", "count-rows"]
    reach: int
    column: str = ""
    signed: bool = False


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

    def others(self) -> tuple[str, ...]:
        """The members whose contributions count."""
        return tuple(member for member in self.members if member not in self.excluding)


Made = dict[str, SharedColumn]
_SHARED = "+"
"""Marks contributions of rows that hold data of excluded members, too: for the largest alone."""


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
    marks: dict[str, Boolean | None] = {"": others}
    if who.mixed and others is not None:
        marks[_SHARED] = _of_anyone_else(engine.narrow("anyone"), table, who) ^ others
    keys = grouping.keys if grouping.entity in grouping.keys else (*grouping.keys, grouping.entity)
    rows, columns = _contributed(engine.narrow("of"), table, keys, contributions, marks)
    entities = group(engine.narrow("entities"), rows, _sums(columns, keys, table.length, keep=grouping.keys))
    entities = _absolute(engine.narrow("absolute"), entities, columns)
    sums = {_of(each.name): each for each in contributions if any((w.of, w.count) == (each.name, 0) for w in wanted)}
    found: Made = {}
    if sums:
        totals = group(engine.narrow("all"), entities, _sums(sums, grouping.keys, grouping.rows))
        found.update({want.name: totals.column(_of(want.of)) for want in wanted if not want.count})
    ranked = [each for each in contributions if any(want.of == each.name and want.count for want in wanted)]
    if ranked:
        sizes = [_size(entities, each.name) for each in ranked]
        counts = sorted({want.count for want in wanted if want.count})
        reach = max(each.reach for each in ranked)
        down = largest(engine.narrow("largest"), entities, grouping, sizes, reach, counts)
        by_name = {each.name: columns for each, columns in zip(ranked, down, strict=True)}
        found.update({want.name: by_name[want.of][want.count] for want in wanted if want.count})
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
    members = who.others()
    rows, columns = _contributed(
        engine.narrow("of"), table, grouping.keys, contributions, _member_marks(engine.narrow("marks"), table, who)
    )
    groups = group(engine.narrow("members"), rows, _sums(columns, grouping.keys, grouping.rows))
    groups = _absolute(engine.narrow("absolute"), groups, columns)
    found: Made = {}
    for each in contributions:
        ranked = [want for want in wanted if want.of == each.name]
        parts = [_size(groups, each.name, member) for member in members]
        whole = _number(groups.column(_of(each.name))) if who.mixed else _added(engine, groups.length, parts)
        step = engine.narrow(f"largest-{each.name}")
        down = _largest_of(step, parts, each.reach, max((want.count for want in ranked), default=0))
        for want in ranked:
            value = _added(engine, groups.length, down[: want.count]) if want.count else whole
            found[want.name] = SharedColumn(value, 0, each.reach * max(want.count, 1))
    return found


def _member_marks(engine: Engine, table: SharedTable, who: Apart) -> dict[str, Boolean | None]:
    """Whose rows are whose; with rows of several members also all rows that count at all, once."""
    planes = {member: member_plane(table, member) for member in who.others()}
    if not who.mixed:
        return dict(planes)
    others = apart(engine.narrow("apart"), table, who.excluding, mixed=True) if who.excluding else None
    marks: dict[str, Boolean | None] = {"": others}
    for member, plane in planes.items():
        alone = both(engine.narrow(member), plane, others)
        marks[member] = alone
        if others is not None and alone is not None:
            marks[f"{member}{_SHARED}"] = plane ^ alone
    return marks


def _of_anyone_else(engine: Engine, table: SharedTable, who: Apart) -> Boolean:
    """One plane: the row holds data of a member that is not excluded."""
    nobody: Boolean | None = None
    for member in who.others():
        nobody = both(engine.narrow(member), nobody, engine.invert(member_plane(table, member)))
    return engine.invert(nobody) if nobody is not None else table.valid ^ table.valid


def _size(table: SharedTable, name: str, member: str = "") -> Arithmetic:
    """What a contributor holds, for the largest."""
    size = _number(table.column(_of(name, member)))
    more = table.columns.get(_of(name, f"{member}{_SHARED}"))
    return size if more is None else size + _number(more)


# --- what each row adds -----------------------------------------------------------------------------------------------


def _of(name: str, member: str = "") -> str:
    """The column of contributions: no name of a plan has a slash."""
    return f"{member}/{name}"


def _only(table: SharedTable, keys: Sequence[str]) -> Mapping[str, SharedColumn]:
    return {key: table.column(key) for key in keys}


Columns = Mapping[str, Contribution]
"""Contributions by the column that holds them."""


def _sums(columns: Columns, keys: tuple[str, ...], rows: int, *, keep: tuple[str, ...] = ()) -> Grouping:
    measures = tuple(Measure(name, "sum", -each.reach, each.reach, column=name) for name, each in columns.items())
    return Grouping(keys, measures, rows, keep)


def _contributed(
    engine: Engine,
    table: SharedTable,
    keys: Sequence[str],
    contributions: Sequence[Contribution],
    marks: Mapping[str, Boolean | None],
) -> tuple[SharedTable, Columns]:
    """The keys, and what each row adds, by aggregate and mark; None marks all valid rows.

    One batch of bits and one of products; absolute values where rows hold data of excluded members, too.
    """
    bits: dict[str, Boolean] = {}
    found: dict[str, Arithmetic] = {}
    factors: dict[str, Arithmetic] = {}
    for mark, plane in marks.items():
        for each in contributions:
            name = _of(each.name, mark)
            match each.function:
                case "sum" if plane is None:
                    found[name] = _number(table.column(each.column))
                case "sum" if plane is not None:
                    factors[name] = _number(table.column(each.column))
                    bits[mark] = plane
                case "count":
                    known = table.column(each.column).validity
                    bits[name] = _valid(table, both(engine.narrow(f"{each.name}-{mark}"), plane, known))
                case _:
                    bits[name] = _valid(table, plane)
    if bits:
        ones = engine.narrow("bits").bit_to_arithmetic(joined(list(bits.values())))
        found |= zip(bits, split(ones, [table.length] * len(bits)), strict=True)
    if factors:
        chosen = joined([found[name.split("/")[0]] for name in factors])
        product = engine.narrow("values").multiply(chosen, joined(list(factors.values())))
        found |= zip(factors, split(product, [table.length] * len(factors)), strict=True)
    columns = {_of(each.name, mark): each for mark in marks for each in contributions}
    held = {name: SharedColumn(found[name], -each.reach, each.reach) for name, each in columns.items()}
    shared = {name: each for name, each in columns.items() if name.split("/")[0].endswith(_SHARED)}
    rows = _absolute(engine.narrow("shared"), replace(table, columns=held), shared)
    return replace(rows, columns={**_only(table, keys), **rows.columns}, members={}), columns


def _valid(table: SharedTable, plane: Boolean | None) -> Boolean:
    return table.valid if plane is None else plane


def _number(column: SharedColumn) -> Arithmetic:
    if not isinstance(column.value, Arithmetic):
        raise InternalError("relational/sum", "contributions are compared and must be shared as arithmetic")
    return column.value


# --- magnitudes -------------------------------------------------------------------------------------------------------


def _absolute(engine: Engine, table: SharedTable, columns: Columns) -> SharedTable:
    """The table with the absolute values of ``columns``, in one batch; nothing is sent for those without sign."""
    changed = {name: replace(column, lo=0) if name in columns else column for name, column in table.columns.items()}
    signed = [name for name, each in columns.items() if each.signed]
    if signed:
        values = joined([_number(table.column(name)) for name in signed])
        reach = max(columns[name].reach for name in signed)
        below = engine.narrow("bit").bit_to_arithmetic(is_negative(engine, values, signed_bits(-reach, reach)))
        positive = values - engine.narrow("turned").multiply(below, values).scaled(2)
        for name, value in zip(signed, split(positive, [table.length] * len(signed)), strict=True):
            changed[name] = replace(changed[name], value=value)
    return replace(table, columns=changed)


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
