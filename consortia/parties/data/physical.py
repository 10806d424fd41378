"""Values of registered data as columns of their physical types, and back (the types: ``execution.carried``).

int and decimal: the carried integer, as INT64 if the bounds fit it, else DECIMAL(38,0); bool BOOLEAN; date DATE;
timestamp TIMESTAMP in microseconds, UTC, without a zone; enum its word; key its bytes; text VARCHAR.
"""

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from consortia.execution.carried import physical
from consortia.plans.types import Bounds, ColumnType

Physical = int | str | bytes | None


def series(name: str, values: Sequence[Physical], kind: ColumnType, bounds: Bounds | None) -> pl.Series:
    """Carried values (an enum's word, a key's bytes) as a column of its physical type; no value passes a float."""
    dtype = physical(kind, bounds)
    if isinstance(dtype, pl.Decimal):
        # Decimal from text is exact, whatever the context's precision
        exact = [None if value is None else Decimal(str(value)) for value in values]
        return pl.Series(name, exact, dtype=dtype)
    if isinstance(dtype, pl.Date | pl.Datetime):
        width = pl.Int32() if isinstance(dtype, pl.Date) else pl.Int64()
        return pl.Series(name, values, dtype=width).cast(dtype)
    if isinstance(dtype, pl.Boolean):
        return pl.Series(name, [None if value is None else bool(value) for value in values], dtype=dtype)
    return pl.Series(name, values, dtype=dtype)


def carried(column: pl.Series) -> list[Physical]:
    """The inverse of ``series``: integers of numbers, times and bools; texts and bytes as they are."""
    if column.dtype.is_decimal():
        return [None if value is None else int(value) for value in column.to_list()]
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return list(column.to_physical().to_list())
    if isinstance(column.dtype, pl.Boolean):
        return [None if value is None else int(value) for value in column.to_list()]
    return list(column.to_list())
