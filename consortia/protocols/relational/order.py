"""Sort a table: valid rows first, then by keys as unsigned values, in either direction. Stable.

``together`` reuses an order that a table already has: one sort by several keys serves every group by the first of them,
and the groups of a group come out sorted.
"""

from collections.abc import Sequence
from dataclasses import replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.table import (
    Ordering,
    SharedTable,
    arithmetic_of,
    joined,
    map_vectors,
    packed,
    planes_of,
    rebuilt,
    unpacked,
    wide_of,
)
from consortia.protocols.shares import Boolean, Rows


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
    return packed([_turned(engine, planes, flipped) for planes, flipped in _key_parts(table, by)])


def _key_parts(table: SharedTable, by: Sequence[Ordering]) -> list[tuple[Boolean, bool]]:
    """What a key is made of, lowest first: vectors of the table, and whether their bits are flipped in it."""
    parts: list[tuple[Boolean, bool]] = []
    for key in reversed(by):
        parts.append((key_planes(table, key.column), key.descending))
        validity = table.column(key.column).validity
        if validity is not None:
            parts.append((validity, not key.nulls_first))
    return [*parts, (table.valid, True)]


def _turned(engine: Engine, planes: Boolean, flipped: bool) -> Boolean:
    return engine.invert(planes) if flipped else planes


def order_by(engine: Engine, table: SharedTable, keys: Sequence[str]) -> SharedTable:
    """The rows of ``table`` in order of ``keys``, NULL last in each; cost that of one ``engine.sort``."""
    return ordered(engine, table, ascending(keys))


def ordered(engine: Engine, table: SharedTable, by: Sequence[Ordering]) -> SharedTable:
    """The rows of ``table`` in the order of ``by``; cost that of one ``engine.sort``."""
    parts = _key_parts(table, by)
    key = sort_keys(engine, table, by)
    in_key = {id(planes) for planes, _ in parts}
    # what stands in the key does not move a second time
    beside = [planes for planes in planes_of(table) if id(planes) not in in_key]
    boolean = (key, packed(beside)) if beside else (key,)
    moved = engine.narrow("sort").sort(key, Rows(tuple(arithmetic_of(table)), boolean, tuple(wide_of(table))))
    pieces = unpacked(moved.boolean[0], [planes.bits for planes, _ in parts])
    found = {
        id(planes): _turned(engine, piece, flipped) for (planes, flipped), piece in zip(parts, pieces, strict=True)
    }
    if beside:
        there = unpacked(moved.boolean[1], [planes.bits for planes in beside])
        found.update((id(planes), piece) for planes, piece in zip(beside, there, strict=True))
    back = [found[id(planes)] for planes in planes_of(table)]
    return replace(rebuilt(table, table.length, back, moved.arithmetic, moved.wide), order=tuple(by))


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
