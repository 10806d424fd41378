"""Registered data for tests: a member's snapshots made from plain values, without files that a person writes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore, StoredSnapshot
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.tables import find_table

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
Rows = Sequence[Mapping[str, object]]
"""Carried integers of ints, decimals, dates, timestamps and bools; enum words, texts and identifiers as text."""


def domain_key(domain: str, key_id: str) -> bytes:
    """A hashing key for tests, another one for each domain and id."""
    return f"{domain}/{key_id}".encode().ljust(32, b".")[:32]


def source_column(table: CatalogueTable, name: str, rows: Rows) -> pl.Series:
    """A column as a bank would hold it in Parquet: real dates, instants and decimals."""
    kind = next(column.type for column in table.columns if column.name == name)
    values = [row[name] for row in rows]
    match kind.kind:
        case "decimal":
            return pl.Series(
                name, [None if v is None else decimal_text(v, kind.scale) for v in values], dtype=pl.String
            )
        case "date":
            days = [None if v is None else date(1970, 1, 1) + timedelta(days=v) for v in values]
            return pl.Series(name, days, dtype=pl.Date)
        case "timestamp":
            return pl.Series(name, values, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
        case "bool":
            return pl.Series(name, [None if v is None else bool(v) for v in values], dtype=pl.Boolean)
        case "int":
            return pl.Series(name, values, dtype=pl.Int64)
        case _:
            return pl.Series(name, values, dtype=pl.String)


def decimal_text(carried: int, scale: int) -> str:
    """A carried decimal as a bank writes it."""
    whole, rest = divmod(abs(carried), 10**scale)
    return f"{'-' if carried < 0 else ''}{whole}" + (f".{rest:0{scale}d}" if scale else "")


def registered(store: SnapshotStore, catalogue: Catalogue, table_name: str, rows: Rows, folder: Path) -> StoredSnapshot:
    """``rows`` registered as the current snapshot of a table."""
    table = find_table(catalogue, table_name)
    names = [column.name for column in table.columns]
    pl.DataFrame([source_column(table, name, rows) for name in names]).write_parquet(folder / f"{table_name}.parquet")
    schema = folder / f"{table_name}.yaml"
    mapping = "".join(f"  {name}: {name}\n" for name in names)
    schema.write_text(f"type: consortia/schema/v1\ntable: {table_name}\nformat: parquet\ncolumns:\n{mapping}")
    stored, _ = register(store, schema, folder / f"{table_name}.parquet", catalogue, domain_key, NOW)
    return stored
