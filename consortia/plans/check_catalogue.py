"""What a catalogue must hold beside its form, checked before anybody signs it: its SQL is bound, its names resolve."""

from datetime import UTC, datetime

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.refuse import nearest
from consortia.plans.sql import bind_predicate
from consortia.plans.tables import column_types, local_sources

ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Predicates may name CURRENT_DATE; whether they bind does not depend on it."""


def check_catalogue(catalogue: Catalogue) -> None:
    """Raises RequestError ``plans/catalogue``, or the error of the predicate that does not bind.

    Every canonical predicate is a condition over its table; every local table is one SELECT over tables of data
    that all its holders hold; every key domain is declared.
    """
    tables = {table.name: table for table in catalogue.tables}
    for table in catalogue.tables:
        column_types(table, catalogue)
        if table.canonical and table.definition:
            raise _wrong(table, "a local table has no canonical predicate", "write the condition into its definition")
        if table.canonical:
            bind_predicate(table.canonical, table, catalogue, ANY_TIME, what="the canonical predicate")
        if table.definition:
            _check_definition(table, tables)


def _check_definition(table: CatalogueTable, tables: dict[str, CatalogueTable]) -> None:
    try:
        statements = [part for part in sqlglot.parse(table.definition, dialect="duckdb") if part is not None]
    except SqlglotError as error:
        raise _wrong(table, f"its SQL can't be parsed: {str(error).splitlines()[0][:120]}", "correct it") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise _wrong(table, "its definition is not one SELECT", "write one SELECT over the member's own tables")
    for name in local_sources(table.definition):
        source = tables.get(name)
        if source is None:
            raise _wrong(table, f"its definition reads `{name}`, which is no table", nearest(name, list(tables)))
        if source.definition:
            raise _wrong(table, f"its definition reads the local table `{name}`", "read tables of data only")
        lacking = sorted(set(table.holders) - set(source.holders))
        if lacking:
            raise _wrong(table, f"`{lacking[0]}` holds it but not `{name}`, which it reads", "correct the holders")


def _wrong(table: CatalogueTable, what: str, remedy: str) -> RequestError:
    return RequestError("plans/catalogue", what, place=f"table `{table.name}`", remedy=remedy)
