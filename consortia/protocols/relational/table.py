"""Shared tables, and the operations that move or clear whole rows of them.

``members`` holds, for the members a later step asks about, one plane: the row is valid and holds data of that member.
A row that a member put in holds its data alone; rows of joins and groups can hold data of several. ``order`` says by
which columns the rows are known to be sorted (valid rows first).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.shares import Arithmetic, Boolean, Rows, Vector, Wide


@dataclass(frozen=True, slots=True, eq=False)
class SharedColumn:
    """Values with their public, inclusive bounds; ``validity`` (one plane) only where NULL may occur.

    A boolean ``value`` holds v - lo; arithmetic and wide ones hold the signed v.
    """

    value: Vector
    lo: int
    hi: int
    validity: Boolean | None = None


@dataclass(frozen=True, slots=True)
class Ordering:
    """One key of an order: its direction, and at which end NULL stands."""

    column: str
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SharedTable:
    """``length`` rows (public) of named columns and the valid bit of each."""

    length: int
    columns: Mapping[str, SharedColumn]
    valid: Boolean
    members: Mapping[str, Boolean] = field(default_factory=dict)
    order: tuple[Ordering, ...] = ()

    def column(self, name: str) -> SharedColumn:
        """The column of that name; InternalError ``relational/column`` if the plan names none."""
        if name not in self.columns:
            raise InternalError(
                "relational/column", f"there is no shared column `{name}`", place=str(list(self.columns))
            )
        return self.columns[name]

    def sorted_by(self, keys: Iterable[str], then: Sequence[Ordering] = ()) -> bool:
        """Whether rows of equal ``keys`` stand together (in whatever order) and are ordered by ``then`` among them."""
        names = set(keys)
        count = len(names)
        first = {ordering.column for ordering in self.order[:count]}
        return first == names and self.order[count : count + len(then)] == tuple(then)

    def only(self, names: Iterable[str]) -> SharedTable:
        """The table with the columns of ``names`` alone, in its own order."""
        wanted = frozenset(names)
        return replace(self, columns={name: column for name, column in self.columns.items() if name in wanted})

    def cut(self, rows: int) -> SharedTable:
        """The first ``rows`` rows; all of them where there are fewer."""
        if rows >= self.length:
            return self
        return map_vectors(self, rows, lambda vector: vector.rows(0, rows))


V = TypeVar("V", bound=Vector)


def joined(vectors: Sequence[V]) -> V:
    """Rows of all ``vectors``, one after the other, so that one round serves them all."""
    return vectors[0] if len(vectors) == 1 else vectors[0].concatenated(vectors[1:])


def split(vector: V, lengths: Sequence[int]) -> list[V]:
    """The inverse of ``joined``."""
    if len(lengths) == 1:
        return [vector]
    parts, start = [], 0
    for length in lengths:
        parts.append(vector.rows(start, start + length))
        start += length
    return parts


def packed(vectors: Sequence[Boolean]) -> Boolean:
    """All planes of ``vectors`` above one another, the first lowest, so that one round serves them all."""
    result = vectors[0]
    for vector in vectors[1:]:
        result = result.below(vector)
    return result


def unpacked(vector: Boolean, widths: Sequence[int]) -> list[Boolean]:
    """The inverse of ``packed``."""
    if len(widths) == 1:
        return [vector]
    parts, start = [], 0
    for width in widths:
        parts.append(vector.planes(start, start + width))
        start += width
    return parts


def planes_of(table: SharedTable) -> list[Boolean]:
    """Every boolean vector of the table in canonical order: valid, members, then each column's value and validity."""
    planes = [table.valid, *table.members.values()]
    for column in table.columns.values():
        if isinstance(column.value, Boolean):
            planes.append(column.value)
        if column.validity is not None:
            planes.append(column.validity)
    return planes


def arithmetic_of(table: SharedTable) -> list[Arithmetic]:
    """The arithmetic values in column order."""
    return [column.value for column in table.columns.values() if isinstance(column.value, Arithmetic)]


def wide_of(table: SharedTable) -> list[Wide]:
    """The wide values in column order."""
    return [column.value for column in table.columns.values() if isinstance(column.value, Wide)]


def rebuilt(
    table: SharedTable, length: int, planes: Sequence[Boolean], arithmetic: Sequence[Arithmetic], wide: Sequence[Wide]
) -> SharedTable:
    """The table with other vectors, given in the orders of ``planes_of``, ``arithmetic_of`` and ``wide_of``."""
    plane, number, broad = iter(planes), iter(arithmetic), iter(wide)
    valid = next(plane)
    members = {member: next(plane) for member in table.members}
    columns = {}
    for name, column in table.columns.items():
        value: Vector
        match column.value:
            case Boolean():
                value = next(plane)
            case Arithmetic():
                value = next(number)
            case _:
                value = next(broad)
        validity = None if column.validity is None else next(plane)
        columns[name] = replace(column, value=value, validity=validity)
    return SharedTable(length, columns, valid, members, table.order)


def map_vectors(table: SharedTable, length: int, change: Callable[[Vector], Vector]) -> SharedTable:
    """Every vector changed by a local, kind-preserving ``change``."""

    def apply(vector: V) -> V:
        return change(vector)  # type: ignore[return-value]  # local operations keep the kind, by their contract

    return rebuilt(
        table,
        length,
        [apply(plane) for plane in planes_of(table)],
        [apply(number) for number in arithmetic_of(table)],
        [apply(number) for number in wide_of(table)],
    )


def moved(table: SharedTable, move: Callable[[Rows], Rows]) -> SharedTable:
    """All columns through one ``sort``, ``shuffle`` or ``partition``; boolean columns travel as one."""
    planes = planes_of(table)
    rows = move(Rows(tuple(arithmetic_of(table)), (packed(planes),), tuple(wide_of(table))))
    back = unpacked(rows.boolean[0], [plane.bits for plane in planes])
    return replace(rebuilt(table, table.length, back, rows.arithmetic, rows.wide), order=())


def cleared(engine: Engine, table: SharedTable, keep: Boolean) -> SharedTable:
    """Rows whose ``keep`` bit is 0 become invalid and zero everywhere. ``keep`` must imply the valid bit.

    Rows stay where they are, cleared ones among the others, so the result does not count as sorted.
    Rounds: one for the planes; three more if there are arithmetic columns, and as many for wide ones.
    """
    planes = planes_of(table)[1:]
    widths = [plane.bits for plane in planes]
    kept = unpacked(engine.narrow("planes").conjunction(packed(planes), keep), widths) if planes else []
    arithmetic, wide = arithmetic_of(table), wide_of(table)
    if arithmetic:
        lengths = [table.length] * len(arithmetic)
        bit = engine.narrow("bit").bit_to_arithmetic(keep)
        product = engine.narrow("values").multiply(joined([bit] * len(arithmetic)), joined(arithmetic))
        arithmetic = split(product, lengths)
    if wide:
        lengths = [table.length] * len(wide)
        broad = engine.narrow("wide-bit").bit_to_wide(keep)
        wide = split(engine.narrow("wide-values").multiply_wide(joined([broad] * len(wide)), joined(wide)), lengths)
    return replace(rebuilt(table, table.length, [keep, *kept], arithmetic, wide), order=())
