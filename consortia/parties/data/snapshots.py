"""Registered data on disk: immutable snapshots by root, the latest of a table being the current one.

    snapshots/TABLE/ROOT/data.parquet     the rows, keys hashed, physical types as in ``physical``
    snapshots/TABLE/ROOT/snapshot.json    what it is (``Snapshot``), canonical JSON
    snapshots/TABLE/ROOT/identifiers.parquet   what this member's keys were before hashing (see ``identifiers``)
    snapshots/TABLE/ROOT/salt             the secret master salt of its root, hexadecimal
    snapshots/TABLE/current               the root of the snapshot in use

Folders have mode 0700 and files 0600. A snapshot appears in one rename, so that a crash leaves the one before or
the new one, never a part. Nothing is ever changed or deleted here: old commitments stay.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EEXIST
from pathlib import Path
from typing import Literal

import polars as pl

from consortia.errors import OperatorError, RequestError
from consortia.parties.data import commitment
from consortia.parties.data.physical import carried
from consortia.plans.catalogue import Catalogue, CatalogueTable
from consortia.plans.tables import column_types
from consortia.plans.types import Bounds, ColumnType
from consortia.trust.documents import Digest, Document, Frozen, Hex, Instant, Integer, Name


class KeyId(Frozen):
    """The hashing key under which a key domain was hashed."""

    domain: Name
    key_id: Hex


class ShapeColumn(Frozen):
    """What registered values of a column depend on."""

    name: Name
    type: ColumnType
    bounds: Bounds | None
    nullable: bool
    max_distinct: Integer


class TableShape(Document):
    """All of the catalogue that registered rows of a table depend on; its digest says which catalogues they fit."""

    type: Literal["consortia/table-shape/v1"] = "consortia/table-shape/v1"
    consortium: Name
    table: Name
    max_rows: Integer
    columns: tuple[ShapeColumn, ...]
    keys: tuple[KeyId, ...]


def table_shape(catalogue: Catalogue, table: CatalogueTable) -> TableShape:
    """The shape of ``table`` in ``catalogue``."""
    types = column_types(table, catalogue)
    domains = sorted({kind.domain for kind in types.values() if kind.kind == "key"})
    key_ids = {domain.name: domain.key_id for domain in catalogue.key_domains}
    return TableShape(
        consortium=catalogue.consortium,
        table=table.name,
        max_rows=table.max_rows,
        columns=tuple(
            ShapeColumn(
                name=column.name,
                type=types[column.name],
                bounds=column.bounds,
                nullable=column.nullable,
                max_distinct=column.max_distinct,
            )
            for column in table.columns
        ),
        keys=tuple(KeyId(domain=domain, key_id=key_ids[domain]) for domain in domains),
    )


class Snapshot(Document):
    """What a snapshot is. ``root`` commits to its rows, ``file`` is the SHA-256 of data.parquet.

    ``shape`` is the digest of the table's shape, which stands whole in ``columns`` for readers; ``source`` is the
    SHA-256 of the file that was registered.
    """

    type: Literal["consortia/snapshot/v1"] = "consortia/snapshot/v1"
    table: Name
    root: Digest
    rows: Integer
    file: Digest
    shape: Digest
    columns: tuple[ShapeColumn, ...]
    max_rows: Integer
    catalogue_version: int
    keys: tuple[KeyId, ...]
    source: Digest
    registered: Instant


@dataclass(frozen=True)
class StoredSnapshot:
    """A snapshot and the folder in which it lies."""

    document: Snapshot
    folder: Path

    @property
    def data(self) -> Path:
        """The Parquet file."""
        return self.folder / "data.parquet"


class SnapshotStore:
    """The folder ``snapshots`` of a member's home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, document: Snapshot, data: bytes, salt: bytes, identifiers: bytes) -> StoredSnapshot:
        """Store a snapshot and make it the current one; ``identifiers`` are this member's own, see that module.

        Raises OperatorError ``data/write``; then nothing of it is there and the one before is still current.
        """
        table = self.folder / document.table
        staging = table / f".new-{secrets.token_hex(8)}"
        final = table / document.root
        try:
            for folder in (self.folder, table):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if final.exists():
                raise FileExistsError(EEXIST, "a snapshot of this root is there already")
            staging.mkdir(mode=0o700)
            try:
                _write(staging / "data.parquet", data)
                _write(staging / "identifiers.parquet", identifiers)
                _write(staging / "salt", salt.hex().encode())
                _write(staging / "snapshot.json", document.canonical())
                _sync(staging)
                staging.rename(final)
                _sync(table)
                self._set_current(table, document.root)
            except BaseException:
                # roots are salted, so what lies under this one is of this call alone
                for half_done in (staging, final):
                    shutil.rmtree(half_done, ignore_errors=True)
                raise
        except OSError as error:
            raise OperatorError(
                "data/write",
                f"the snapshot can't be written: {error.strerror}",
                place=str(table),
                remedy="check disk space and rights; nothing was registered",
            ) from error
        return StoredSnapshot(document, final)

    def _set_current(self, table: Path, root: str) -> None:
        pointer = table / f".current-{secrets.token_hex(8)}"
        try:
            _write(pointer, root.encode())
            pointer.rename(table / "current")
        finally:
            with contextlib.suppress(OSError):
                pointer.unlink()
        _sync(table)

    def current(self, table: str) -> StoredSnapshot:
        """The snapshot of ``table`` in use; OperatorError ``data/no-snapshot`` if none was registered."""
        try:
            root = (self.folder / table / "current").read_text().strip()
        except FileNotFoundError as error:
            raise OperatorError(
                "data/no-snapshot",
                f"nothing was registered for the table `{table}`",
                place=str(self.folder),
                remedy="run `consortia data register FILE --schema SCHEMA`",
            ) from error
        return self.load(table, root)

    def load(self, table: str, root: str) -> StoredSnapshot:
        """The snapshot of that root, its file checked against its document.

        Raises OperatorError ``data/no-snapshot`` or ``data/snapshot-altered``.
        """
        folder = self.folder / table / root
        try:
            document = Snapshot.parse((folder / "snapshot.json").read_bytes())
        except FileNotFoundError as error:
            raise OperatorError(
                "data/no-snapshot",
                f"there is no snapshot {root[:16]} of `{table}`",
                place=str(self.folder),
                remedy="`consortia data list` shows those there are; register the file again",
            ) from error
        except RequestError as error:
            raise _altered(folder, "its description is damaged") from error
        if (document.table, document.root) != (table, root):
            raise _altered(folder, "its description is of another snapshot")
        stored = StoredSnapshot(document, folder)
        check_file(stored)
        return stored

    def all(self) -> Iterator[StoredSnapshot]:
        """Every snapshot, by table and time; files are not read."""
        for path in sorted(self.folder.glob("*/*/snapshot.json")):
            if not path.parent.name.startswith("."):
                with contextlib.suppress(RequestError):
                    yield StoredSnapshot(Snapshot.parse(path.read_bytes()), path.parent)

    def is_current(self, stored: StoredSnapshot) -> bool:
        """Whether the local stage would use it."""
        pointer = stored.folder.parent / "current"
        return pointer.exists() and pointer.read_text().strip() == stored.document.root


def check_file(stored: StoredSnapshot) -> None:
    """Raise OperatorError ``data/snapshot-altered`` unless data.parquet is the file that was written."""
    try:
        with stored.data.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _altered(stored.folder, f"its data can't be read: {error.strerror}") from error
    if not hmac.compare_digest(found, stored.document.file):
        raise _altered(stored.folder, "its data is not what was written")


def check_root(stored: StoredSnapshot) -> None:
    """Compute the root again from the rows: they are what the member committed to.

    Raises OperatorError ``data/snapshot-altered``. Takes some seconds for 10^6 rows.
    """
    check_file(stored)
    frame = pl.read_parquet(stored.data)
    document = stored.document
    try:
        salt = bytes.fromhex((stored.folder / "salt").read_text().strip())
    except (OSError, ValueError) as error:
        raise _altered(stored.folder, "its salt is lost") from error
    columns = [carried(frame.get_column(column.name)) for column in document.columns]
    rows = sorted(commitment.encode_rows([column.type for column in document.columns], columns, frame.height))
    if not hmac.compare_digest(commitment.root_of(rows, document.shape, salt, document.max_rows), document.root):
        raise _altered(stored.folder, "its rows are not those of its root")


def _altered(folder: Path, what: str) -> OperatorError:
    return OperatorError(
        "data/snapshot-altered",
        f"the snapshot can't be used: {what}",
        place=str(folder),
        remedy="restore the folder from your backup, or register the file again",
    )


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
