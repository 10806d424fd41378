"""Sort a table: valid rows first, then by keys as unsigned values, NULL last in each key. Stable.

``together`` reuses an order that a table already has: one sort by several keys serves every group by the first of them,
and the groups of a group come out sorted. ``top`` sorts in either direction and keeps the first rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.table import SharedTable, joined, map_vectors, moved, packed
from consortia.protocols.shares import Boolean


def key_planes(table: SharedTable, name: str) -> Boolean:
    """The boolean value of a key column; raises InternalError ``relational/key`` for any other domain."""
    value = table.column(name).value
    if not isinstance(value, Boolean):
        raise InternalError("relational/key", f"`{name}` is a key and must be shared as boolean")
    return value


def sort_keys(engine: Engine, table: SharedTable, keys: Sequence[str]) -> Boolean:
    """One unsigned key a row: the first of ``keys`` highest, above each its NULL bit, on top the invalid bit. Local."""
    planes: list[Boolean] = []
    for name in reversed(keys):
        planes.append(key_planes(table, name))
        validity = table.column(name).validity
        if validity is not None:
            planes.append(engine.invert(validity))
    planes.append(engine.invert(table.valid))
    return packed(planes)


def order_by(engine: Engine, table: SharedTable, keys: Sequence[str]) -> SharedTable:
    """The rows of ``table`` in order of ``keys``; cost that of one ``engine.sort``."""
    wide_key = sort_keys(engine, table, keys)
    result = moved(table, lambda rows: engine.narrow("sort").sort(wide_key, rows))
    return replace(result, order=tuple(keys))


def together(engine: Engine, table: SharedTable, keys: Sequence[str]) -> SharedTable:
    """Rows of equal ``keys`` next to each other, valid rows first: the table itself if its order does that already."""
    if keys and set(table.order[: len(keys)]) == set(keys):
        return table
    return order_by(engine, table, keys)


@dataclass(frozen=True, slots=True)
class Ordering:
    """One key of an ORDER BY: its direction, and at which end NULL stands."""

    column: str
    descending: bool = False
    nulls_first: bool = False


def top(engine: Engine, table: SharedTable, by: Sequence[Ordering], rows: int) -> SharedTable:
    """The first ``rows`` rows (a public number) in the order of ``by``; ties in the order of the table."""
    planes: list[Boolean] = []
    for key in reversed(by):
        value = key_planes(table, key.column)
        planes.append(engine.invert(value) if key.descending else value)
        validity = table.column(key.column).validity
        if validity is not None:
            planes.append(validity if key.nulls_first else engine.invert(validity))
    planes.append(engine.invert(table.valid))
    wide_key = packed(planes)
    result = moved(table, lambda columns: engine.narrow("sort").sort(wide_key, columns)).cut(rows)
    plain = not any(key.descending or key.nulls_first for key in by)
    return replace(result, order=tuple(key.column for key in by)) if plain else result


def at_positions(table: SharedTable, positions: Sequence[int]) -> SharedTable:
    """The rows at public ``positions``, counted from 0: quantiles where the number of rows is public. Local."""
    wrong = [position for position in positions if not 0 <= position < table.length]
    if wrong or not positions:
        raise InternalError("relational/position", f"a table of {table.length} rows has none at {wrong}")
    return replace(
        map_vectors(
            table, len(positions), lambda vector: joined([vector.rows(place, place + 1) for place in positions])
        ),
        order=(),
    )
