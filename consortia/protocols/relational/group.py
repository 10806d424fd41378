"""Group by keys and aggregate, oblivious of how many groups there are.

The table is sorted by (keys, entity), valid rows first. Every aggregate is a running sum (or exclusive or) over all
rows; the last row of each group is brought forward by a one-bit partition, and neighbours' differences are the
groups' values: running sums are modular, differences are exact if each group's sum fits (protocol-proofs,
section 4). Rows behind the groups are garbage until they are cleared, which happens before anything reads them.

Without keys there is exactly one group, even over no valid row: the last running sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill, fill_planes, is_positive
from consortia.protocols.relational.contributors import (
    Ends,
    RowsOf,
    apart,
    countable_entities,
    ends,
    member_plane,
)
from consortia.protocols.relational.table import (
    SharedColumn,
    SharedTable,
    cleared,
    joined,
    moved,
    split,
)
from consortia.protocols.shares import Arithmetic, Boolean, Vector, Wide

Function = Literal["sum", "count", "count-rows", "count-entities", "count-members", "has-member"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One aggregate and what is public of its result: domain of a sum, bounds, and whether it may be NULL.

    ``column`` is what ``sum`` and ``count`` read; ``excluding`` the members left out by ``count-entities`` and
    ``count-members``; ``member`` the one that ``has-member`` asks about.
    """

    name: str
    function: Function
    lo: int
    hi: int
    column: str = ""
    excluding: tuple[str, ...] = ()
    member: str = ""
    wide: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Grouping:
    """How to group: ``rows`` is the public number of rows of the result, at least the number of groups.

    ``holds`` says whose data input rows hold, ``one-each`` that they are unique by (keys, entity, member); ``keep``
    names the keys that go on, ``marked`` the members whose presence in a group is marked in the result's ``members``.
    """

    keys: tuple[str, ...]
    measures: tuple[Measure, ...]
    rows: int
    keep: tuple[str, ...]
    entity: str = ""
    holds: RowsOf = "any"
    marked: tuple[str, ...] = ()

    @property
    def unique_in_group(self) -> bool:
        """A member has at most one row in a group."""
        return self.holds == "one-each" and (not self.entity or self.entity in self.keys)


Quantity = tuple[str, ...]
"""A running sum and what it is of: (rows, ""), (sum, column), (wide, column), (known, column), (entities, members);
(of, member) as counts of rows, (parity, member) as an exclusive or of marks; (apart, member, excluded members) as
counts of rows that hold data of the one and of none of the others."""


def group(engine: Engine, table: SharedTable, grouping: Grouping) -> SharedTable:
    """The groups of ``table`` with the measures of ``grouping``."""
    _check_order(table, grouping)
    wanted = _quantities(table, grouping)
    boundary = ends(engine.narrow("ends"), table, grouping.keys, grouping.entity) if _needs_ends(grouping) else None
    running = _running(_increments(engine, table, grouping, boundary, wanted))
    if grouping.keys and boundary is not None:
        groups, values = last_rows(engine, table, grouping, boundary.group, running)
    else:
        groups, values = whole(engine, table, running)
    return _measured(engine, groups, values, table, grouping)


def _check_order(table: SharedTable, grouping: Grouping) -> None:
    if not _needs_ends(grouping):
        return
    count = len(set(grouping.keys))
    then = "" if grouping.entity in grouping.keys else grouping.entity
    behind = table.order[count].column if len(table.order) > count else ""
    if not table.sorted_by(grouping.keys) or (then and then != behind):
        raise InternalError(
            "relational/order", f"grouping by {grouping.keys} and `{grouping.entity}` needs a sort by them before"
        )


def _needs_ends(grouping: Grouping) -> bool:
    return bool(grouping.keys) or any(measure.function == "count-entities" for measure in grouping.measures)


def _quantities(table: SharedTable, grouping: Grouping) -> list[Quantity]:
    """What has to be summed up for the measures, each once, in order of first use."""
    found = [quantity for measure in grouping.measures for quantity in _read_by(measure, table, grouping)]
    return list(dict.fromkeys([*found, *(_presence(grouping, member) for member in grouping.marked)]))


def _read_by(measure: Measure, table: SharedTable, grouping: Grouping) -> list[Quantity]:
    match measure.function:
        case "sum":
            total = ("wide" if measure.wide else "sum", measure.column)
            return [total, _known(table, measure.column)] if measure.nullable else [total]
        case "count":
            return [_known(table, measure.column)]
        case "count-rows":
            return [("rows", "")]
        case "count-entities":
            return [("entities", ",".join(measure.excluding))]
        case "has-member":
            return [_presence(grouping, measure.member)]
        case "count-members" if grouping.unique_in_group:
            out = [name for name in table.members if name in measure.excluding]
            return [("rows", ""), *(_presence(grouping, name) for name in out)]
        case "count-members":
            counted = [name for name in table.members if name not in measure.excluding]
            return [_presence(grouping, name, measure.excluding) for name in counted]


def _known(table: SharedTable, column: str) -> Quantity:
    """What counts the non-NULL values of a column: all rows if it has no NULL."""
    return ("rows", "") if table.column(column).validity is None else ("known", column)


def _presence(grouping: Grouping, member: str, excluding: Sequence[str] = ()) -> Quantity:
    """What tells whether ``member`` has a row, which holds nothing of ``excluding``, in the group."""
    if grouping.holds == "mixed" and excluding:
        return ("apart", member, *excluding)
    return ("parity" if grouping.unique_in_group else "of", member)


def _increments(
    engine: Engine, table: SharedTable, grouping: Grouping, boundary: Ends | None, wanted: Sequence[Quantity]
) -> dict[Quantity, Vector]:
    """What each row adds to each quantity. All bits that are summed become arithmetic in one batch."""
    found: dict[Quantity, Vector] = {}
    bits: dict[Quantity, Boolean] = {}
    for quantity in wanted:
        match quantity:
            case ("sum", name):
                found[quantity] = _arithmetic(table, name)
            case ("wide", name):
                found[quantity] = _wide(engine.narrow(f"widen-{name}"), table, name)
            case ("parity", member):
                found[quantity] = member_plane(table, member)
            case ("rows", _) if grouping.keys:
                # rows before the last end are all valid, so their public places count them
                found[quantity] = fill(engine, table.length, 1)
            case _:
                bits[quantity] = _counted_bit(engine, table, grouping, boundary, quantity)
    if bits:
        counts = engine.narrow("bits").bit_to_arithmetic(joined(list(bits.values())))
        found.update(zip(bits, split(counts, [table.length] * len(bits)), strict=True))
    return {quantity: found[quantity] for quantity in wanted}


def _counted_bit(
    engine: Engine, table: SharedTable, grouping: Grouping, boundary: Ends | None, quantity: Quantity
) -> Boolean:
    """The bit of each row that the quantity counts."""
    match quantity:
        case ("known", name):
            validity = table.column(name).validity
            return table.valid if validity is None else validity
        case ("of", member):
            return member_plane(table, member)
        case ("apart", member, *others):
            step = engine.narrow("-".join(quantity))
            without = apart(step, table, others, mixed=True)
            return step.narrow("and").conjunction(without, member_plane(table, member))
        case ("entities", text) if boundary is not None:
            excluding = text.split(",") if text else []
            step = engine.narrow("entities-" + "-and-".join(excluding))
            return countable_entities(step, table, boundary, grouping.entity, excluding, grouping.holds)
        case _:
            return table.valid


def _arithmetic(table: SharedTable, name: str) -> Arithmetic:
    value = table.column(name).value
    if not isinstance(value, Arithmetic):
        raise InternalError("relational/sum", f"`{name}` is summed and must be shared as arithmetic")
    return value


def _wide(engine: Engine, table: SharedTable, name: str) -> Wide:
    column = table.column(name)
    match column.value:
        case Wide():
            return column.value
        case Arithmetic():
            return engine.widened(column.value, max(abs(column.lo), abs(column.hi)).bit_length() + 1)
    raise InternalError("relational/sum", f"`{name}` is summed and must be shared as arithmetic or wide")


def _running(increments: Mapping[Quantity, Vector]) -> dict[Quantity, Vector]:
    running: dict[Quantity, Vector] = {}
    for quantity, vector in increments.items():
        match vector:
            case Boolean():
                running[quantity] = vector.prefix_xors()
            case Arithmetic() | Wide():
                running[quantity] = vector.prefix_sums()
    return running


def _as_columns(values: Mapping[Quantity, Vector]) -> dict[str, SharedColumn]:
    return {"/".join(quantity): SharedColumn(vector, 0, 0) for quantity, vector in values.items()}


def last_rows(
    engine: Engine, table: SharedTable, grouping: Grouping, last: Boolean, running: Mapping[Quantity, Vector]
) -> tuple[SharedTable, dict[Quantity, Vector]]:
    """The groups' last rows in front: their keys, and differences of running sums; all else cleared.

    The groups are in the order of the table, as far as the keys by which it was sorted are kept.
    """
    keys = {f"key/{name}": table.column(name) for name in grouping.keys if name in grouping.keep}
    carried = SharedTable(table.length, {**keys, **_as_columns(running)}, last)
    front = moved(carried, lambda rows: engine.narrow("partition").partition(last, rows)).cut(grouping.rows)
    columns = dict(front.columns)
    for quantity in running:
        name = "/".join(quantity)
        columns[name] = replace(columns[name], value=_differences(columns[name].value))
    clean = cleared(engine.narrow("clear"), replace(front, columns=columns), front.valid)
    groups = {name: clean.columns[f"key/{name}"] for name in grouping.keys if name in grouping.keep}
    values = {quantity: clean.columns["/".join(quantity)].value for quantity in running}
    order = table.order[: len(grouping.keys)]
    kept = takewhile(lambda ordering: ordering.column in groups, order)
    return SharedTable(clean.length, groups, clean.valid, order=tuple(kept)), values


def _differences(vector: Vector) -> Vector:
    match vector:
        case Boolean():
            return vector ^ vector.shifted(1)
        case Arithmetic():
            return vector - vector.shifted(1)
        case Wide():
            return vector - vector.shifted(1)
        case _:
            raise InternalError("relational/group", f"{vector!r} has no differences")


def whole(
    engine: Engine, table: SharedTable, running: Mapping[Quantity, Vector]
) -> tuple[SharedTable, dict[Quantity, Vector]]:
    """One group of all rows: the last value of each running sum."""
    last = table.length - 1
    values = {quantity: vector.rows(last, last + 1) for quantity, vector in running.items()}
    return SharedTable(1, {}, fill_planes(engine, 1, 1, 1)), values


def _measured(
    engine: Engine,
    groups: SharedTable,
    values: Mapping[Quantity, Vector],
    table: SharedTable,
    grouping: Grouping,
) -> SharedTable:
    """The measures of each group, from its quantities."""
    step = _Measuring(engine, groups.length, values, table, grouping)
    columns = dict(groups.columns)
    for measure in grouping.measures:
        columns[measure.name] = step.column(measure)
    return replace(groups, columns=columns, members={member: step.presence(member) for member in grouping.marked})


class _Measuring:
    """Derives columns from quantities; what several measures need is computed once."""

    def __init__(
        self,
        engine: Engine,
        length: int,
        values: Mapping[Quantity, Vector],
        table: SharedTable,
        grouping: Grouping,
    ) -> None:
        self._engine = engine
        self._length = length
        self._values = values
        self._table = table
        self._grouping = grouping
        self._planes: dict[Quantity, Boolean] = {}
        self._numbers: dict[Quantity, Arithmetic] = {}

    def column(self, measure: Measure) -> SharedColumn:
        value: Vector
        validity: Boolean | None = None
        match measure.function:
            case "sum":
                value = self._values["wide" if measure.wide else "sum", measure.column]
                if measure.nullable:
                    validity = self._present(_known(self._table, measure.column))
            case "count":
                value = self._values[_known(self._table, measure.column)]
            case "count-rows":
                value = self._values["rows", ""]
            case "count-entities":
                value = self._values["entities", ",".join(measure.excluding)]
            case "has-member":
                value = self._present(_presence(self._grouping, measure.member))
            case "count-members":
                value = self._members(measure.excluding)
        return SharedColumn(value, measure.lo, measure.hi, validity)

    def presence(self, member: str) -> Boolean:
        """One plane: the group holds data of ``member``."""
        return self._present(_presence(self._grouping, member))

    def _present(self, quantity: Quantity) -> Boolean:
        """One plane: the count is not zero."""
        if quantity not in self._planes:
            value = self._values[quantity]
            match value:
                case Boolean():
                    self._planes[quantity] = value
                case Arithmetic():
                    step = self._engine.narrow("present-" + "-".join(quantity))
                    self._planes[quantity] = is_positive(step, value, self._table.length.bit_length() + 1)
                case _:
                    raise InternalError("relational/group", f"{quantity} is no count")
        return self._planes[quantity]

    def _presence_number(self, member: str, excluding: Sequence[str] = ()) -> Arithmetic:
        """0 or 1: the member has a row, in which nothing of ``excluding`` is, in the group."""
        quantity = _presence(self._grouping, member, excluding)
        if quantity not in self._numbers:
            step = self._engine.narrow("-".join(("member", *quantity[1:])))
            self._numbers[quantity] = step.bit_to_arithmetic(self._present(quantity))
        return self._numbers[quantity]

    def _members(self, excluding: Sequence[str]) -> Arithmetic:
        """Distinct members: their rows, where a member has one at most; else their presences added up."""
        if self._grouping.unique_in_group:
            rows = self._values["rows", ""]
            if not isinstance(rows, Arithmetic):
                raise InternalError("relational/group", "rows are not counted as numbers")
            total = rows
            for member in self._table.members:
                if member in excluding:
                    total = total - self._presence_number(member)
            return total
        counted = [member for member in self._table.members if member not in excluding]
        total = self._engine.constant_arithmetic(np.zeros(self._length, dtype=np.uint64))
        for member in counted:
            total = total + self._presence_number(member, excluding)
        return total
