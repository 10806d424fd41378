"""What the catalogue says of a table, in the form the planner reads: types, default bounds, key domains."""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable
from consortia.plans.columns import Column
from consortia.plans.types import Bounds, ColumnType

DEFAULT_KEY_BITS = 96
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31: the bounds of a date column that declares none."""
DAY_MICROSECONDS = 86_400_000_000


def find_table(catalogue: Catalogue, name: str) -> CatalogueTable:
    """The table of that name; RequestError ``plans/unknown-table`` if the catalogue has none."""
    for table in catalogue.tables:
        if table.name == name:
            return table
    raise RequestError("plans/unknown-table", f"the catalogue has no table `{name}`")


def column_type(column: CatalogueColumn, catalogue: Catalogue) -> ColumnType:
    """The type of a column with the bits of its key domain filled in."""
    if column.type.kind != "key":
        return column.type
    domain = next((domain for domain in catalogue.key_domains if domain.name == column.type.domain), None)
    if domain is None:
        raise RequestError(
            "plans/catalogue",
            f"the catalogue has no key domain `{column.type.domain}`",
            place=f"column {column.name}",
            remedy="the members must sign a catalogue that declares it",
        )
    if column.type.bits not in (0, domain.bits):
        raise RequestError(
            "plans/catalogue",
            f"column `{column.name}` has keys of {column.type.bits} bits, its domain of {domain.bits}",
            place=f"column {column.name}",
            remedy="the members must sign a catalogue in which they agree",
        )
    return column.type.model_copy(update={"bits": domain.bits})


def column_types(table: CatalogueTable, catalogue: Catalogue) -> dict[str, ColumnType]:
    """The type of each column by name, in the catalogue's order."""
    return {column.name: column_type(column, catalogue) for column in table.columns}


def declared_bounds(column: CatalogueColumn) -> Bounds | None:
    """The bounds of a column: declared, or what its type implies; None for keys, texts and undeclared numbers."""
    if column.bounds is not None:
        return column.bounds
    match column.type.kind:
        case "bool":
            return Bounds(lo=0, hi=1)
        case "enum":
            return Bounds(lo=0, hi=len(column.type.values) - 1)
        case "date":
            return Bounds(lo=FIRST_DAY, hi=LAST_DAY)
        case "timestamp":
            return Bounds(lo=FIRST_DAY * DAY_MICROSECONDS, hi=(LAST_DAY + 1) * DAY_MICROSECONDS - 1)
        case _:
            return None


def table_columns(table: CatalogueTable, catalogue: Catalogue) -> dict[str, Column]:
    """The columns of a table as a scan gives them: in clear, with bounds, by name in the catalogue's order."""
    return {
        column.name: Column(
            name=column.name,
            type=column_type(column, catalogue),
            bounds=declared_bounds(column),
            nullable=column.nullable,
        )
        for column in table.columns
    }


def local_sources(definition: str) -> tuple[str, ...]:
    """The tables that a local table's SQL reads, sorted; names of its own WITH clauses left out."""
    try:
        statement = sqlglot.parse_one(definition, dialect="duckdb")
    except SqlglotError as error:
        raise RequestError(
            "plans/catalogue", f"the SQL of a local table can't be parsed: {str(error).splitlines()[0][:120]}"
        ) from error
    own = {cte.alias for cte in statement.find_all(exp.CTE)}
    return tuple(sorted({table.name for table in statement.find_all(exp.Table)} - own))
