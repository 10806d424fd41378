"""Columns from one domain to the other: numbers that become keys (sorted, grouped, joined, compared), keys summed up.

The planner shares a column in the domain of its use, which costs nothing; this is for computed values and for columns
of two uses. Bounds say how many bits a value has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill, fill_planes
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic, Boolean, Vector, Wide

WIDEST = 62
"""Bits of a value that is converted: what an arithmetic column may hold."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a column is to be shared: its domain and its public, inclusive bounds, which say how many planes it has."""

    domain: Literal["arithmetic", "boolean", "wide"]
    lo: int
    hi: int

    @property
    def bits(self) -> int:
        """Planes of a boolean column."""
        return max(1, (self.hi - self.lo).bit_length())


def recast(engine: Engine, table: SharedTable, column: SharedColumn, form: Form) -> SharedColumn:
    """``column``, which belongs to ``table``, in another form; every known value lies within the bounds of both.

    Sends nothing where domain and, of a boolean column, the lower bound stay. Raises InternalError
    ``relational/domain`` where there is no way, which is from wide values to others.
    """
    value: Vector
    match column.value, form.domain:
        case Boolean() as planes, "boolean" if column.lo == form.lo:
            value = resized(engine, planes, form.bits)
        case Boolean() | Arithmetic(), "boolean":
            value = _planes(
                engine.narrow("key"), table, replace(column, lo=form.lo, hi=form.hi), _as_number(engine, table, column)
            )
        case Boolean() | Arithmetic(), "arithmetic":
            value = _as_number(engine, table, column)
        case Boolean() | Arithmetic(), "wide":
            largest = max(abs(column.lo), abs(column.hi))
            value = engine.narrow("wide").widened(_as_number(engine, table, column), largest.bit_length() + 1)
        case Wide() as wide, "wide":
            value = wide
        case _:
            raise InternalError("relational/domain", f"a wide column can't become {form.domain}")
    return SharedColumn(value, form.lo, form.hi, column.validity)


def resized(engine: Engine, planes: Boolean, bits: int) -> Boolean:
    """The same values, which all fit, in ``bits`` planes. Local."""
    missing = bits - planes.bits
    if missing <= 0:
        return planes if missing == 0 else planes.planes(0, bits)
    return planes.below(fill_planes(engine, planes.length, 0, missing))


def _as_number(engine: Engine, table: SharedTable, column: SharedColumn) -> Arithmetic:
    match column.value:
        case Boolean() as planes:
            return _number(engine.narrow("number"), table, column, planes)
        case Arithmetic() as value:
            return value
    raise InternalError("relational/domain", "a wide column has no other form")


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
