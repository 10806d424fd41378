"""Frame columns to carried integers and back, exactly: no floating point, no implicit conversion.

Physical types in frames: int and decimal as carried integers (Int64, or Decimal with scale 0 where bounds do not fit
64 bits), bool Boolean, date Date, timestamp Datetime in microseconds without zone (UTC), enum String, key Binary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from consortia.errors import InternalError, OperatorError
from consortia.plans.columns import Column
from consortia.plans.types import Bounds, ColumnType
from consortia.protocols.shares import Words

INT64 = Bounds(lo=-(1 << 63), hi=(1 << 63) - 1)
_MASK = (1 << 64) - 1


def fits_int64(bounds: Bounds) -> bool:
    """Whether values within ``bounds`` are carried as Int64."""
    return bounds.lo >= INT64.lo and bounds.hi <= INT64.hi


def physical(kind: ColumnType, bounds: Bounds | None) -> pl.DataType:
    """The polars type of a column in frames of the local stage and in snapshots."""
    match kind.kind:
        case "int" | "decimal":
            return pl.Int64() if bounds is not None and fits_int64(bounds) else pl.Decimal(38, 0)
        case "bool":
            return pl.Boolean()
        case "date":
            return pl.Date()
        case "timestamp":
            return pl.Datetime("us")
        case "key":
            return pl.Binary()
        case _:
            return pl.String()


def check_column(series: pl.Series, column: Column) -> None:
    """Raises InternalError ``execution/frame`` unless the series has the physical type of the column."""
    accepted = {physical(column.type, column.bounds), physical(column.type, None)}
    if series.dtype not in accepted:
        raise InternalError(
            "execution/frame", f"`{column.name}` is {series.dtype} where {physical(column.type, column.bounds)} is due"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Present:
    """The values of a column that are not NULL, and the places (from 0) of their rows in the frame."""

    column: Column
    bounds: Bounds
    series: pl.Series
    places: NDArray[np.int64]

    def refuse(self, wrong: NDArray[np.bool_], what: str) -> None:
        """Raises OperatorError ``execution/out-of-bounds`` for the first value that is ``wrong``; rows count from 1."""
        if wrong.any():
            name, row = self.column.name, int(self.places[np.argmax(wrong)]) + 1
            raise OperatorError(
                "execution/out-of-bounds",
                f"row {row} of the local result holds a value of `{name}` that is {what}",
                place=name,
                remedy="correct the source, or have the catalogue declare wider bounds, and register the data again",
            )


def offsets(present: Present) -> Words:
    """Unsigned v - lo of every value as (n, 2) words, low first; raises where a value is out of bounds."""
    series, column, bounds = present.series, present.column, present.bounds
    if column.type.kind == "key":
        return _key_words(present)
    if column.type.kind == "enum":
        series = _codes(present)
    if series.dtype == pl.Decimal(38, 0):
        return _offsets_of_any(present)
    values = series.cast(pl.Int32).cast(pl.Int64) if series.dtype == pl.Date else series.cast(pl.Int64)
    numbers = values.to_numpy().astype(np.int64, copy=False)
    lo, hi = max(bounds.lo, INT64.lo), min(bounds.hi, INT64.hi)
    present.refuse((numbers < lo) | (numbers > hi), "outside its declared bounds")
    if bounds.hi - bounds.lo > _MASK:
        return two_words([int(value) - bounds.lo for value in numbers])
    words = np.zeros((len(numbers), 2), dtype=np.uint64)
    words[:, 0] = numbers.view(np.uint64) - np.uint64(bounds.lo & _MASK)
    return words


def _offsets_of_any(present: Present) -> Words:
    lo, hi = present.bounds.lo, present.bounds.hi
    values = [int(value) for value in present.series.to_list()]
    present.refuse(np.array([not lo <= value <= hi for value in values], dtype=np.bool_), "outside its declared bounds")
    return two_words([value - lo for value in values])


def _codes(present: Present) -> pl.Series:
    words = present.column.type.values
    present.refuse(~present.series.is_in(list(words)).to_numpy(), "no word of its enum")
    return present.series.replace_strict({word: place for place, word in enumerate(words)}, return_dtype=pl.Int64)


def _key_words(present: Present) -> Words:
    size = present.column.type.bits // 8
    if size > 16:
        raise InternalError("execution/key-width", f"keys of {8 * size} bits do not fit two words")
    present.refuse(present.series.bin.size().to_numpy() != size, f"no key of {size} bytes")
    little = np.zeros((len(present.series), 16), dtype=np.uint8)
    big = np.frombuffer(b"".join(present.series.to_list()), dtype=np.uint8)
    little[:, :size] = big.reshape(len(present.series), size)[:, ::-1]
    return little.view("<u8").astype(np.uint64)


def two_words(values: Sequence[int]) -> Words:
    """Integers modulo 2^128 as (n, 2) words, low first."""
    pairs = [(value & _MASK, (value >> 64) & _MASK) for value in values]
    return np.array(pairs, dtype=np.uint64).reshape(len(values), 2)


def exact_decimals(values: Sequence[int | None], scale: int) -> pl.Series:
    """Carried integers as a polars column Decimal(38, scale); InternalError ``execution/too-wide`` beyond 38 digits."""
    numbers = [None if value is None else _decimal(value, scale) for value in values]
    return pl.Series(numbers, dtype=pl.Decimal(38, scale))


def _decimal(value: int, scale: int) -> Decimal:
    digits = tuple(int(digit) for digit in str(abs(value)))
    if len(digits) > 38:
        raise InternalError("execution/too-wide", "a result has more than 38 digits")
    return Decimal((int(value < 0), digits, -scale))
