"""Columns from one domain to the other: numbers that become keys (sorted, grouped, joined, compared), keys summed up.

The planner shares a column in the domain of its use, which costs nothing; this is for computed values and for columns
of two uses. Bounds say how many bits a value has.
"""

from collections.abc import Sequence
from dataclasses import replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic, Boolean

WIDEST = 62
"""Bits of a value that is converted: what an arithmetic column may hold."""


def as_keys(engine: Engine, table: SharedTable, columns: Sequence[str]) -> SharedTable:
    """The table with arithmetic ``columns`` shared as boolean ones; those that are already stay. Order is kept.

    Rounds 1 + ceil(log2 bits), and one more where the lower bound is not zero.
    """
    changed = dict(table.columns)
    for name in columns:
        column = table.column(name)
        match column.value:
            case Arithmetic() as value:
                planes = _planes(engine.narrow(f"key-{name}"), table, column, value)
                changed[name] = replace(column, value=planes)
            case Boolean():
                pass
            case _:
                raise InternalError("relational/key", f"`{name}` is wide and can't become a key")
    return replace(table, columns=changed)


def as_numbers(engine: Engine, table: SharedTable, columns: Sequence[str]) -> SharedTable:
    """The table with boolean ``columns`` of at most 62 bits shared as arithmetic ones; numbers stay. Order is kept.

    Rounds 2, and two more where the lower bound is not zero.
    """
    changed = dict(table.columns)
    for name in columns:
        column = table.column(name)
        if isinstance(column.value, Boolean):
            changed[name] = replace(column, value=_number(engine.narrow(f"number-{name}"), table, column, column.value))
    return replace(table, columns=changed)


def _known(table: SharedTable, column: SharedColumn) -> Boolean:
    return table.valid if column.validity is None else column.validity


def _planes(engine: Engine, table: SharedTable, column: SharedColumn, value: Arithmetic) -> Boolean:
    bits = max(1, (column.hi - column.lo).bit_length())
    if bits > WIDEST:
        raise InternalError("relational/range", f"a key of {column.lo} to {column.hi} takes {bits} bits")
    if column.lo == 0:
        return engine.narrow("planes").decompose(value, bits)
    planes = engine.narrow("planes").decompose(value - fill(engine, table.length, column.lo), bits)
    return engine.narrow("clear").conjunction(planes, _known(table, column))  # NULL and invalid are zero again


def _number(engine: Engine, table: SharedTable, column: SharedColumn, planes: Boolean) -> Arithmetic:
    if planes.bits > WIDEST or max(abs(column.lo), abs(column.hi)) >= 1 << WIDEST:
        raise InternalError("relational/range", f"{column.lo} to {column.hi} is no range of a number")
    value = engine.narrow("planes").compose(planes)
    if column.lo == 0:
        return value
    return value + engine.narrow("known").bit_to_arithmetic(_known(table, column)).scaled(column.lo)
