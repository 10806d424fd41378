"""Registering a file: read strictly, check every value, hash keys, commit, store. All of it or nothing.

    read -> convert and check -> count distinct -> hash keys -> sort and commit -> write in one rename

``prepare`` does everything but the writing (``consortia data check``); ``register`` writes what it made.
"""

import hashlib
import io
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from consortia.errors import OperatorError
from consortia.parties.data import commitment
from consortia.parties.data.binding import BoundColumn, bind_schema, find_data_table
from consortia.parties.data.convert import Carried, convert
from consortia.parties.data.faults import Fault, raise_first
from consortia.parties.data.identifiers import Known, identifiers_frame
from consortia.parties.data.physical import Physical, series
from consortia.parties.data.raw import RawTable
from consortia.parties.data.read_csv import read_csv
from consortia.parties.data.read_parquet import read_parquet
from consortia.parties.data.schema import read_schema
from consortia.parties.data.snapshots import Snapshot, SnapshotStore, StoredSnapshot, table_shape
from consortia.parties.data.summary import ColumnSummary, summarise
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.trust.domain_keys import HashDomain, hash_keys

DomainKey = Callable[[str, str], bytes]
"""The hashing key of (domain, key id); ``trust.home.Home.domain_key``."""
Salt = Callable[[int], bytes]


@dataclass(frozen=True)
class Prepared:
    """A file that fits: its rows as a frame of physical types in canonical order, and what to tell the operator.

    ``identifiers`` are the member's own: domain, hashed value and text.
    """

    table: CatalogueTable
    frame: pl.DataFrame
    rows: list[bytes]
    source: str
    summary: tuple[ColumnSummary, ...]
    identifiers: pl.DataFrame


def prepare(schema_path: Path, file: Path, catalogue: Catalogue, domain_key: DomainKey) -> Prepared:
    """Read, check and hash ``file``; nothing is written.

    Raises OperatorError ``data/...`` (docs/errors/data.md) for the file or its schema, ``trust/...`` if a hashing
    key is missing.
    """
    schema = read_schema(schema_path)
    columns = bind_schema(schema, catalogue, schema_path.name)
    table = find_data_table(catalogue, schema.table)
    reader = read_csv if schema.format == "csv" else read_parquet
    raw = reader(file, schema, int(table.max_rows))
    values = _converted(columns, raw)
    _check_distinct(columns, values, raw)
    summary = summarise(columns, values)
    known: dict[str, Known] = {}
    physical = [_hashed(column, values[column.name], catalogue, domain_key, known) for column in columns]
    types = [column.type for column in columns]
    encoded = commitment.encode_rows(types, physical, raw.rows)
    order = sorted(range(raw.rows), key=encoded.__getitem__)
    frame = pl.DataFrame(
        [
            series(column.name, [cells[row] for row in order], column.type, column.bounds)
            for column, cells in zip(columns, physical, strict=True)
        ]
    )
    return Prepared(table, frame, [encoded[row] for row in order], raw.digest, summary, identifiers_frame(known))


def register(
    store: SnapshotStore,
    schema_path: Path,
    file: Path,
    catalogue: Catalogue,
    domain_key: DomainKey,
    now: datetime,
    salt: Salt = secrets.token_bytes,
) -> tuple[StoredSnapshot, tuple[ColumnSummary, ...]]:
    """Register ``file`` as the current snapshot of its table; also the summary for the operator.

    ``salt`` gives the 32 secret bytes of the root; ``now`` is written down as the time of registration. Raises as
    ``prepare`` and ``SnapshotStore.write``; after an error nothing is registered.
    """
    prepared = prepare(schema_path, file, catalogue, domain_key)
    shape = table_shape(catalogue, prepared.table)
    context = shape.digest()
    master = salt(commitment.SALT_BYTES)
    content = _parquet(prepared.frame)
    document = Snapshot(
        table=prepared.table.name,
        root=commitment.root_of(prepared.rows, context, master, int(prepared.table.max_rows)),
        rows=prepared.frame.height,
        file=hashlib.sha256(content).hexdigest(),
        shape=context,
        columns=shape.columns,
        max_rows=prepared.table.max_rows,
        catalogue_version=catalogue.version,
        keys=shape.keys,
        source=prepared.source,
        registered=now,
    )
    return store.write(document, content, master, _parquet(prepared.identifiers)), prepared.summary


def _parquet(frame: pl.DataFrame) -> bytes:
    data = io.BytesIO()
    frame.write_parquet(data)
    return data.getvalue()


def _converted(columns: Sequence[BoundColumn], raw: RawTable) -> dict[str, list[Carried]]:
    """The carried values of every column; raises the first fault of the file."""
    values: dict[str, list[Carried]] = {}
    faults: list[Fault] = []
    # A column whose decimals depend on its unit comes after the unit.
    for column in sorted(columns, key=lambda column: isinstance(column.source.exponent, dict)):
        converted = convert(column, raw.columns[column.source.source], values.get(column.type.unit), raw.file)
        values[column.name] = converted.values
        faults += converted.faults or _repeated(column, converted.values)
    raise_first(faults, raw.file, raw.place)
    return values


def _repeated(column: BoundColumn, values: list[Carried]) -> list[Fault]:
    """The fault of a column declared ``unique`` in which a value stands again."""
    if column.source.unique == "no":
        return []
    seen: set[Carried] = set()
    again = []
    for row, value in enumerate(values):
        if value is not None and value in seen:
            again.append(row)
        seen.add(value)
    remedy = "take the repeated rows out of the export, or `unique` out of the schema: each row counts by itself then"
    message = "the value stands in an earlier row already, and the schema says `unique`"
    return [Fault(again[0], column.name, "data/duplicate", message, remedy, len(again))] if again else []


def _check_distinct(columns: Sequence[BoundColumn], values: dict[str, list[Carried]], raw: RawTable) -> None:
    for column in columns:
        found = len(set(values[column.name]) - {None})
        if 0 < column.max_distinct < found:
            raise OperatorError(
                "data/too-many-distinct",
                f"the column holds {found} distinct values; the catalogue allows {column.max_distinct} a member",
                place=f"{raw.file}, column `{column.name}`",
                remedy="register fewer rows, or have the members sign a catalogue with a larger `max_distinct`",
            )


def _hashed(
    column: BoundColumn,
    values: list[Carried],
    catalogue: Catalogue,
    domain_key: DomainKey,
    known: dict[str, Known],
) -> Sequence[Physical]:
    """Physical values of a column: keys hashed under their domain's key, everything else as it is.

    What was hashed is added to ``known``, by domain.
    """
    if column.domain is None:
        return values
    domain = HashDomain(
        consortium=catalogue.consortium,
        domain=column.domain.name,
        id_type=column.domain.id_type,
        normal_form=column.domain.normal_form,
        bits=column.type.bits,
    )
    distinct = sorted({value for value in values if isinstance(value, str)})
    hashed = hash_keys(domain_key(column.domain.name, column.domain.key_id), domain, distinct)
    table: dict[Carried, bytes | None] = dict(zip(distinct, hashed, strict=True))
    known.setdefault(column.domain.name, {}).update(zip(hashed, distinct, strict=True))
    table[None] = None
    return [table[value] for value in values]
