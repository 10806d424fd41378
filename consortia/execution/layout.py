"""How the columns of a step lie on shares: which vectors there are, in which order and of which width.

The order is the same at input and at opening: the row's valid bit, then for each column its value and, where it may
be NULL, its validity bit. A boolean value holds v - lo in the least number of bits, an arithmetic or wide one the
signed value, a key its hashed bits as an unsigned integer (the bytes, big-endian), an enum its code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from consortia.errors import InternalError
from consortia.plans.columns import Column
from consortia.plans.types import Bounds
from consortia.protocols.engine import ColumnShape

BIT = ColumnShape("boolean", 1)
What = Literal["valid", "value", "validity"]


@dataclass(frozen=True, slots=True)
class Field:
    """One vector of a table: the valid bits (``column`` is ""), or a column's values or validity bits."""

    column: str
    what: What
    shape: ColumnShape


def bounds_of(column: Column) -> Bounds:
    """Inclusive bounds of the carried integers; those of bool, enum and key follow from the type.

    Raises InternalError ``execution/unbounded`` for a column that has none.
    """
    if column.bounds is not None:
        return column.bounds
    match column.type.kind:
        case "bool":
            return Bounds(lo=0, hi=1)
        case "enum":
            return Bounds(lo=0, hi=max(len(column.type.values) - 1, 0))
        case "key":
            return Bounds(lo=0, hi=(1 << column.type.bits) - 1)
        case kind:
            raise InternalError("execution/unbounded", f"the {kind} column `{column.name}` has no bounds")


def shape_of(column: Column) -> ColumnShape:
    """The shape of a column's values; the width of a boolean one is what hi - lo needs, at least one bit."""
    match column.domain:
        case "boolean":
            bounds = bounds_of(column)
            return ColumnShape("boolean", max((bounds.hi - bounds.lo).bit_length(), 1))
        case "arithmetic" | "wide":
            return ColumnShape(column.domain)
        case _:
            raise InternalError("execution/domain", f"the column `{column.name}` is in no shared domain")


def fields_of(columns: Sequence[Column]) -> tuple[Field, ...]:
    """All vectors of a table with these columns, in order."""
    fields = [Field("", "valid", BIT)]
    for column in columns:
        fields.append(Field(column.name, "value", shape_of(column)))
        if column.nullable:
            fields.append(Field(column.name, "validity", BIT))
    return tuple(fields)


def shapes_of(columns: Sequence[Column]) -> tuple[ColumnShape, ...]:
    """The shapes of ``fields_of``, as ``engine.input`` takes them."""
    return tuple(field.shape for field in fields_of(columns))


def words_shape(shape: ColumnShape, rows: int) -> tuple[int, ...]:
    """The array shape of ``rows`` clear values (``protocols.shares``)."""
    match shape.domain:
        case "arithmetic":
            return (rows,)
        case "boolean":
            return (rows, -(-shape.bits // 64))
        case "wide":
            return (rows, 2)
