"""Sort a table: valid rows first, then by keys as unsigned values, NULL last in each key. Stable."""

from collections.abc import Sequence
from dataclasses import replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.table import SharedTable, moved, packed
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
