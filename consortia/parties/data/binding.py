"""A schema file bound to the catalogue: for each column of the table, its type, its bounds and its source.

What can be checked before a file is opened is checked here, so that a wrong schema is refused at once.
"""

from dataclasses import dataclass

import polars as pl

from consortia.errors import OperatorError
from consortia.parties.data.schema import Dialect, Schema, SourceColumn
from consortia.plans.catalogue import Catalogue, CatalogueTable, KeyDomain
from consortia.plans.refuse import nearest
from consortia.plans.tables import column_types, declared_bounds
from consortia.plans.types import Bounds, ColumnType


@dataclass(frozen=True)
class BoundColumn:
    """A column of the catalogue, with the source that feeds it. ``domain`` is set for keys."""

    name: str
    type: ColumnType
    bounds: Bounds | None
    nullable: bool
    max_distinct: int
    source: SourceColumn
    dialect: Dialect
    domain: KeyDomain | None = None


def find_data_table(catalogue: Catalogue, name: str) -> CatalogueTable:
    """The table of data of that name. Raises OperatorError ``data/unknown-table`` or ``data/local-table``."""
    table = next((table for table in catalogue.tables if table.name == name), None)
    if table is None:
        raise OperatorError(
            "data/unknown-table",
            f"the catalogue has no table `{name}`",
            remedy=nearest(name, [table.name for table in catalogue.tables if not table.definition]),
        )
    if table.definition:
        raise OperatorError(
            "data/local-table",
            f"`{name}` is a local table, computed from others by the catalogue's SQL",
            remedy="register the tables that its definition reads",
        )
    return table


def bind_schema(schema: Schema, catalogue: Catalogue, file: str) -> tuple[BoundColumn, ...]:
    """The columns of the schema's table in the catalogue's order; ``file`` names the schema file in errors.

    Raises OperatorError ``data/unknown-table``, ``data/local-table``, ``data/schema`` or ``data/time-zone``.
    """
    table = find_data_table(catalogue, schema.table)
    names = [column.name for column in table.columns]
    for name in schema.columns:
        if name not in names:
            raise _wrong(file, name, f"the catalogue's table has no column `{name}`", nearest(name, names))
    for name in names:
        if name not in schema.columns:
            raise _wrong(
                file, name, f"the column `{name}` of the catalogue is not mapped", "map it to a column of the file"
            )
    both = sorted({*schema.sources()} & {*schema.ignore})
    if both:
        raise _wrong(file, "ignore", f"`{both[0]}` is both mapped and ignored", "take it out of one of them")
    types = column_types(table, catalogue)
    domains = {domain.name: domain for domain in catalogue.key_domains}
    bound = tuple(
        BoundColumn(
            name=column.name,
            type=types[column.name],
            bounds=declared_bounds(column),
            nullable=column.nullable,
            max_distinct=column.max_distinct,
            source=schema.columns[column.name],
            dialect=schema.dialect,
            domain=domains[column.type.domain] if column.type.kind == "key" else None,
        )
        for column in table.columns
    )
    for column in bound:
        _check_options(column, {other.name: other.type for other in bound}, file)
    return bound


def _check_options(column: BoundColumn, types: dict[str, ColumnType], file: str) -> None:
    """Each option of a source column only where it has a meaning."""
    source, kind, name = column.source, column.type.kind, column.name
    uses = (
        ("codes", bool(source.codes), ("enum", "bool"), "codes are for enum and bool columns"),
        ("exponent", source.exponent is not None, ("int",), "it is for int columns in minor units"),
        ("time_zone", bool(source.time_zone), ("timestamp",), "it is for timestamps"),
        ("trim", source.trim == "yes", ("key", "text"), "it is for keys and texts"),
    )
    for option, used, kinds, remedy in uses:
        if used and kind not in kinds:
            raise _wrong(file, name, f"`{option}` on a column of type {kind}", remedy)
    words = column.type.values if kind == "enum" else ("true", "false")
    for code, word in source.codes.items():
        if word not in words:
            raise _wrong(file, name, f"code `{code}` leads to `{word}`, no word of the catalogue", nearest(word, words))
    if isinstance(source.exponent, dict):
        unit = types.get(column.type.unit)
        if unit is None or unit.kind != "enum":
            raise _wrong(file, name, "`exponent` by unit, but the catalogue names no enum as unit", "write one number")
        for word in source.exponent:
            if word not in unit.values:
                raise _wrong(file, name, f"`{word}` is no word of `{column.type.unit}`", nearest(word, unit.values))
    if source.time_zone:
        _check_zone(source.time_zone, file, name)


def _check_zone(zone: str, file: str, name: str) -> None:
    """The zone database is the one inside polars, so that hosts without one agree with the others."""
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(zone)
    except pl.exceptions.PolarsError as error:
        raise OperatorError(
            "data/time-zone",
            f"`{zone}` is not a time zone",
            place=f"{file}, columns.{name}.time_zone",
            remedy="write a name of the IANA database such as Europe/Vienna, or UTC",
        ) from error


def _wrong(file: str, name: str, message: str, remedy: str) -> OperatorError:
    place = name if name == "ignore" else f"columns.{name}"
    return OperatorError("data/schema", message, place=f"{file}, {place}", remedy=remedy)
