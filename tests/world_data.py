"""Registered data for tests: a member's snapshots made from plain values, without files that a person writes."""

import io
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from consortia.errors import OperatorError
from consortia.parties.data.register import Salt, register
from consortia.parties.data.snapshots import SnapshotStore, StoredSnapshot
from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable, KeyDomain
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


def catalogue_of(*columns: CatalogueColumn, max_rows: int = 1000, domains: Sequence[KeyDomain] = ()) -> Catalogue:
    """A catalogue of one table ``t`` held by bank-a."""
    made = CatalogueTable(name="t", columns=columns, holders=("bank-a",), max_rows=max_rows)
    keys = tuple(domains) or (KeyDomain(name="customer", id_type="number", key_id="aa"),)
    return Catalogue(
        consortium="testers", version=1, previous="0" * 64, purposes=("p",), key_domains=keys, tables=(made,)
    )


class Desk:
    """An operator's desk: a catalogue with the table ``t``, files, and the registrations made from them."""

    def __init__(self, folder: Path, catalogue: Catalogue, salt: Salt = secrets.token_bytes) -> None:
        self.folder = folder
        self.salt = salt
        self.catalogue = catalogue
        self.store = SnapshotStore(folder / "snapshots")

    def register(self, file: str, content: bytes, **schema: str) -> StoredSnapshot:
        """Register ``content``; ``schema`` has texts of columns by name, and ``dialect`` and ``ignore``."""
        (self.folder / file).write_bytes(content)
        path = self.folder / "schema.yaml"
        path.write_text(self.schema_text(file.rsplit(".", 1)[1], **schema))
        stored, _ = register(self.store, path, self.folder / file, self.catalogue, domain_key, NOW, self.salt)
        return stored

    def schema_text(self, kind: str, dialect: str = "{}", ignore: str = "[]", **columns: str) -> str:
        names = [column.name for column in self.catalogue.tables[0].columns]
        mapping = "".join(f"  {name}: {columns.get(name, name)}\n" for name in names)
        return (
            f"type: consortia/schema/v1\ntable: t\nformat: {kind}\ndialect: {dialect}\n"
            f"columns:\n{mapping}ignore: {ignore}\n"
        )

    def csv(self, text: str | bytes, **schema: str) -> pl.DataFrame:
        """The registered rows of a CSV file, sorted by all columns."""
        content = text.encode() if isinstance(text, str) else text
        return rows_of(self.register("t.csv", content, **schema))

    def parquet(self, frame: pl.DataFrame, **schema: str) -> pl.DataFrame:
        """The registered rows of a frame written as Parquet, sorted by all columns."""
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return rows_of(self.register("t.parquet", buffer.getvalue(), **schema))

    def refused(self, content: str | bytes | pl.DataFrame, **schema: str) -> OperatorError:
        """The error of a registration, after which nothing is there."""
        before = sorted(self.store.folder.rglob("*"))
        try:
            if isinstance(content, pl.DataFrame):
                self.parquet(content, **schema)
            else:
                self.csv(content, **schema)
        except OperatorError as error:
            assert sorted(self.store.folder.rglob("*")) == before, "a refused file left something behind"
            return error
        pytest.fail("the file was registered")


def rows_of(stored: StoredSnapshot) -> pl.DataFrame:
    """The rows of a snapshot, sorted by all columns."""
    frame = pl.read_parquet(stored.data)
    return frame.sort(frame.columns, nulls_last=True)
