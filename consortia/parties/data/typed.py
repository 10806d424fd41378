"""From a typed Parquet column to carried values: exact types only, no float on the way.

``parser_for`` answers with the physical view of a column (Python integers, decimals, texts, booleans) and the
parser for its values, or refuses the column's type as a whole.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from consortia.parties.data.faults import Reject

Typed = Callable[[Any], int | str]


def integer_value(value: int) -> int:
    """An integer is itself."""
    return value


def scaled_integer(scale: int) -> Callable[[int], int]:
    """An integer as a decimal of that scale."""
    factor = int(10**scale)
    return lambda value: value * factor


def scaled_decimal(scale: int) -> Callable[[Decimal], int]:
    """A decimal as an integer times 10^scale; digits beyond it must be zeros.

    Decimal's own arithmetic rounds to 28 digits, so only its parts are read.
    """

    def parse(value: Decimal) -> int:
        sign, digits, exponent = value.as_tuple()
        shift = int(exponent) + scale
        number = int("".join(map(str, digits)))
        if shift >= 0:
            number *= int(10**shift)
        else:
            number, rest = divmod(number, int(10**-shift))
            if rest:
                raise Reject(
                    "data/value",
                    f"the number has more than {scale} decimals",
                    "correct the export, or have the members sign a finer scale; nothing is rounded here",
                )
        return -number if sign else number

    return parse


def micros(values: pl.Series) -> tuple[Sequence[int | None], Typed]:
    """Physical microseconds of a Datetime column; nanoseconds only if nothing is lost."""
    unit = getattr(values.dtype, "time_unit", "us")
    physical = values.to_physical().to_list()
    if unit == "ms":
        return physical, scaled_integer(3)
    if unit == "us":
        return physical, integer_value

    def parse(value: int) -> int:
        whole, rest = divmod(value, 1000)
        if rest:
            raise Reject("data/value", "the timestamp has nanoseconds", "export microseconds; nothing is rounded here")
        return whole

    return physical, parse
