"""One column of a file as carried values, every one of them checked: form, NULL, bounds.

Carried values are Python integers (an enum: its word; keys and texts: their normal form), NULL is None. Nothing is
dropped, clipped or rounded: what does not fit is a fault, told with its place.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from consortia.errors import OperatorError
from consortia.parties.data import texts, typed
from consortia.parties.data.binding import BoundColumn
from consortia.parties.data.faults import Fault, Reject
from consortia.parties.data.raw import RawColumn
from consortia.plans.meaning import type_words

Carried = int | str | None
DECIMAL_LIMIT = 10**38
"""Snapshots hold wide integers as DECIMAL(38,0); no catalogue's bound comes near."""


@dataclass(frozen=True)
class Converted:
    """``values`` has None where a fault stands."""

    values: list[Carried]
    faults: list[Fault]


def convert(column: BoundColumn, raw: RawColumn, units: Sequence[Carried] | None, file: str) -> Converted:
    """The carried values of one column; ``units`` are those of the column that holds its unit, if it has one.

    Raises OperatorError ``data/column-type`` or ``data/naive-time`` if the type of a Parquet column can't feed it.
    """
    try:
        values, parse = _parser(column, raw)
    except Reject as reject:
        raise OperatorError(
            reject.code, reject.message, place=f"{file}, column `{column.source.source}`", remedy=reject.remedy
        ) from reject
    if isinstance(column.source.exponent, dict):
        parse_by_unit = _by_unit(column, raw)
        pairs = [None if value is None else (value, unit) for value, unit in zip(values, units or (), strict=True)]
        converted, faults = _apply(pairs, parse_by_unit, column.name)
    else:
        converted, faults = _apply(values, parse, column.name)
    if column.source.time_zone:
        converted, more = _localise(converted, column)
        faults += more
    faults += _checks(converted, values, column)
    return Converted(converted, faults)


def _apply(
    values: Sequence[Hashable], parse: Callable[[Any], int | str], name: str
) -> tuple[list[Carried], list[Fault]]:
    """Parse each distinct value once; faults are grouped by what is wrong."""
    table: dict[Hashable, Carried] = {None: None}
    rejected: dict[Hashable, Reject] = {}
    for value in set(values):
        if value is not None:
            try:
                table[value] = parse(value)
            except Reject as reject:
                table[value], rejected[value] = None, reject
    faults: dict[tuple[str, str], Fault] = {}
    if rejected:
        for row, value in enumerate(values):
            found = rejected.get(value)
            if found is not None:
                kind = (found.code, found.message)
                known = faults.get(kind)
                first = known.row if known else row
                count = known.count + 1 if known else 1
                faults[kind] = Fault(first, name, found.code, found.message, found.remedy, count)
    return [table[value] for value in values], list(faults.values())


def _parser(column: BoundColumn, raw: RawColumn) -> tuple[Sequence[Any], Callable[[Any], int | str]]:
    """The values of a column as Python objects, and the parser for them."""
    if not isinstance(raw, pl.Series):
        return raw, _text_parser(column, _fixed_exponent(column))
    dtype = raw.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        raw, dtype = raw.cast(pl.String), pl.String()
    if isinstance(dtype, pl.String):
        return raw.to_list(), _text_parser(column, _fixed_exponent(column))
    if isinstance(dtype, pl.Null):
        return raw.to_list(), lambda value: value
    if isinstance(dtype, pl.Datetime) and column.type.kind == "timestamp":
        _check_zone(column, dtype.time_zone)
        return typed.micros(raw)
    if isinstance(dtype, pl.Date) and column.type.kind == "date":
        return raw.to_physical().to_list(), typed.integer_value
    if isinstance(dtype, pl.Boolean) and column.type.kind == "bool" and not column.source.codes:
        return raw.to_list(), int
    if dtype.is_integer() and column.source.codes:
        parse = _text_parser(column, 0)
        return raw.to_list(), lambda value: parse(str(value))
    if (dtype.is_integer() or dtype.is_decimal()) and column.type.kind in ("int", "decimal"):
        return raw.to_list(), _number_parser(column, raw, _fixed_exponent(column))
    raise _misfit(column, dtype)


def _fixed_exponent(column: BoundColumn) -> int:
    return column.source.exponent if isinstance(column.source.exponent, int) else 0


def _number_parser(column: BoundColumn, raw: pl.Series, exponent: int) -> Callable[[Any], int | str]:
    scale = column.type.scale if column.type.kind == "decimal" else exponent
    return typed.scaled_integer(scale) if raw.dtype.is_integer() else typed.scaled_decimal(scale)


def _text_parser(column: BoundColumn, exponent: int) -> texts.Parse:
    source, kind, dialect = column.source, column.type, column.dialect
    match kind.kind:
        case "int":
            return texts.integer if source.exponent is None else texts.scaled(exponent, dialect.decimal)
        case "decimal":
            return texts.scaled(kind.scale, dialect.decimal)
        case "bool":
            return texts.truth(source.codes)
        case "enum":
            return texts.enum_word(source.codes, kind)
        case "date":
            return texts.day(dialect.date)
        case "timestamp":
            return texts.moment(dialect.date, local=bool(source.time_zone))
        case "key":
            form = column.domain.normal_form if column.domain else "nfc"
            return texts.identifier(form, trim=source.trim == "yes")
        case "text":
            return texts.plain_text(trim=source.trim == "yes")


def _by_unit(column: BoundColumn, raw: RawColumn) -> Callable[[Any], int | str]:
    """The parser for pairs of value and unit: each unit moves the decimals by its own exponent."""
    exponents = column.source.exponent if isinstance(column.source.exponent, dict) else {}
    numeric = isinstance(raw, pl.Series) and raw.dtype.is_numeric()
    parsers: Mapping[Carried, Callable[[Any], int | str]] = {
        word: _number_parser(column, raw, exponent)
        if numeric and isinstance(raw, pl.Series)
        else _text_parser(column, exponent)
        for word, exponent in exponents.items()
    }

    def parse(pair: tuple[Any, Carried]) -> int | str:
        value, unit = pair
        if unit not in parsers:
            raise Reject(
                "data/unit",
                f"the value's unit in `{column.type.unit}` is NULL or has no exponent in the schema file",
                f"add the unit under `columns.{column.name}.exponent`",
            )
        return parsers[unit](value)

    return parse


def _check_zone(column: BoundColumn, zone: str | None) -> None:
    if zone is None and not column.source.time_zone:
        raise Reject(
            "data/naive-time",
            "the timestamps of this column have no time zone",
            "declare `time_zone` for the column in the schema file: UTC, Europe/Vienna, ...",
        )
    if zone is not None and column.source.time_zone:
        raise Reject(
            "data/zoned-time",
            "the timestamps of this column are instants already",
            "take `time_zone` out of the schema file",
        )


def _misfit(column: BoundColumn, dtype: pl.DataType) -> Reject:
    kind = type_words(column.type)
    if dtype.is_float():
        remedy = "floating point has lost digits already: export it as DECIMAL, integer or text"
    elif column.type.kind == "key":
        remedy = "keys are text: export it as text with its leading zeros, for 007 and 7 never match"
    elif column.source.codes:
        remedy = "`codes` map texts and integers"
    else:
        remedy = "export the column in the type of the catalogue, or as text"
    return Reject("data/column-type", f"a column of Parquet type {dtype} can't feed `{column.name}`, a {kind}", remedy)


def _localise(values: list[Carried], column: BoundColumn) -> tuple[list[Carried], list[Fault]]:
    """Local times as instants under the declared zone; times that occur twice or never that day are faults."""
    local = pl.Series(values, dtype=pl.Int64).cast(pl.Datetime("us"))
    zoned = local.dt.replace_time_zone(column.source.time_zone, ambiguous="null", non_existent="null")
    instants: list[Carried] = zoned.to_physical().to_list()
    bad = [
        row
        for row, (before, after) in enumerate(zip(values, instants, strict=True))
        if before is not None and after is None
    ]
    if not bad:
        return instants, []
    fault = Fault(
        bad[0],
        column.name,
        "data/local-time",
        f"the local time occurs twice or never in {column.source.time_zone} (the clocks change)",
        "export instants with Z or +HH:MM",
        len(bad),
    )
    return instants, [fault]


def _checks(values: list[Carried], raw: Iterable[object], column: BoundColumn) -> list[Fault]:
    """NULL where none may be, and values outside the declared bounds."""
    faults = []
    if not column.nullable:
        nulls = [row for row, value in enumerate(raw) if value is None]
        if nulls:
            faults.append(
                Fault(
                    nulls[0],
                    column.name,
                    "data/null",
                    "NULL in a column that the catalogue declares without NULLs",
                    "complete the data, or have the members sign a catalogue where the column is nullable",
                    len(nulls),
                )
            )
    if column.type.kind in ("int", "decimal", "date", "timestamp"):
        low, high = (column.bounds.lo, column.bounds.hi) if column.bounds else (1 - DECIMAL_LIMIT, DECIMAL_LIMIT - 1)
        low, high = max(low, 1 - DECIMAL_LIMIT), min(high, DECIMAL_LIMIT - 1)
        outside = [row for row, value in enumerate(values) if isinstance(value, int) and not low <= value <= high]
        if outside:
            faults.append(
                Fault(
                    outside[0],
                    column.name,
                    "data/bounds",
                    f"the value is outside the declared bounds, {low} to {high}"
                    + (f" in units of 10^-{column.type.scale}" if column.type.scale else ""),
                    "correct the data, or have the members sign a catalogue with wider bounds",
                    len(outside),
                )
            )
    return faults
