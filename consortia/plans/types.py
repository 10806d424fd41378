"""Column types: what a value means, in which bounds it lies and how it is carried.

The set is closed (docs/reference/types.md): bool, int, decimal(scale), date (days since 1970-01-01),
timestamp (microseconds UTC), enum (code = place in the catalogue's list), key(domain), text (local only).
There is no floating point. ``carried`` is the integer that stands for a value on shares and in bounds: a decimal
is scaled by 10^scale, a bool is 0 or 1. Bounds are inclusive, in carried units.
"""

from typing import Literal

from consortia.trust.documents import Frozen, Integer

Kind = Literal["bool", "int", "decimal", "date", "timestamp", "enum", "key", "text"]

WIDE_FROM = 1 << 62
"""A bound that reaches this lives in Z_2^128."""
REFUSED_FROM = 1 << 126
"""A bound that reaches this is refused: no ring of ours holds it."""


class ColumnType(Frozen):
    """The type of one column.

    ``scale`` is of decimals alone; ``domain`` names the key domain of a key or the enum list of an enum;
    ``bits`` is the width of a key (96 by default); ``unit`` names the column that holds the unit of the value
    (a sum over rows of several units is refused), or is empty.
    """

    kind: Kind
    scale: int = 0
    domain: str = ""
    bits: int = 0
    unit: str = ""
    values: tuple[str, ...] = ()
    """The words of an enum, in the catalogue's append-only order; the code of a word is its place."""


class Bounds(Frozen):
    """Inclusive bounds in carried units. Keys and texts have none."""

    lo: Integer
    hi: Integer
