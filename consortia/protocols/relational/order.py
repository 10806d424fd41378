"""Sort a table: valid rows first, then by keys as unsigned values, in either direction. Stable.

``together`` reuses an order that a table already has: one sort by several keys serves every group by the first of them,
and the groups of a group come out sorted.
"""

from collections.abc import Sequence
from dataclasses import replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.table import Ordering, SharedTable, joined, map_vectors, moved, packed
from consortia.protocols.shares import Boolean


def key_planes(table: SharedTable, name: str) -> Boolean:
    """The boolean value of a key column; raises InternalError ``relational/key`` for any other domain."""
    value = table.column(name).value
    if not isinstance(value, Boolean):
        raise InternalError("relational/key", f"`{name}` is a key and must be shared as boolean")
    return value


def ascending(keys: Sequence[str]) -> tuple[Ordering, ...]:
    """The order by ``keys``, each from the least value up, NULL last."""
    return tuple(Ordering(name) for name in keys)


def sort_keys(engine: Engine, table: SharedTable, by: Sequence[Ordering]) -> Boolean:
    """One unsigned key a row: the first of ``by`` highest, above each its NULL bit, on top the invalid bit. Local."""
    planes: list[Boolean] = []
    for key in reversed(by):
        value = key_planes(table, key.column)
        planes.append(engine.invert(value) if key.descending else value)
        validity = table.column(key.column).validity
        if validity is not None:
            planes.append(validity if key.nulls_first else engine.invert(validity))
    planes.append(engine.invert(table.valid))
    return packed(planes)


def order_by(engine: Engine, table: SharedTable, keys: Sequence[str]) -> SharedTable:
    """The rows of ``table`` in order of ``keys``, NULL last in each; cost that of one ``engine.sort``."""
    return ordered(engine, table, ascending(keys))


def ordered(engine: Engine, table: SharedTable, by: Sequence[Ordering]) -> SharedTable:
    """The rows of ``table`` in the order of ``by``; cost that of one ``engine.sort``."""
    wide_key = sort_keys(engine, table, by)
    result = moved(table, lambda rows: engine.narrow("sort").sort(wide_key, rows))
    return replace(result, order=tuple(by))


def together(engine: Engine, table: SharedTable, keys: Sequence[str]) -> SharedTable:
    """Rows of equal ``keys`` next to each other, valid rows first: the table itself if its order does that already."""
    return table if keys and table.sorted_by(keys) else order_by(engine, table, keys)


def top(engine: Engine, table: SharedTable, by: Sequence[Ordering], rows: int) -> SharedTable:
    """The first ``rows`` rows (a public number) in the order of ``by``; ties in the order of the table."""
    return ordered(engine, table, by).cut(rows)


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
