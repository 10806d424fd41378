"""How every process of ours opens its one SQLite file: WAL, each transaction on disk before it counts, mode 0600."""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError

from consortia.errors import OperatorError

SCHEMA_VERSION = 1


def open_database(path: Path | None, metadata: MetaData) -> Engine:
    """An engine on the file ``path`` (created with mode 0600, with its directory), or in memory if None.

    ``engine.begin()`` takes the write lock at once, so that two threads never see the same state and both act on it.
    Raises OperatorError ``control/database`` if the file can't be opened or was written by another schema version.
    """
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        engine = _engine(path)
        with engine.begin() as transaction:
            found = transaction.exec_driver_sql("PRAGMA user_version").scalar_one()
            if found not in (0, SCHEMA_VERSION):
                raise OperatorError(
                    "control/database",
                    f"`{path}` was written by schema version {found}, this program knows {SCHEMA_VERSION}",
                    remedy="install the version of consortia that wrote it",
                )
            metadata.create_all(transaction)
            transaction.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except (OSError, DatabaseError) as error:
        cause = error.orig if isinstance(error, DatabaseError) else error
        raise OperatorError(
            "control/database",
            f"the database `{path}` can't be opened: {cause}",
            remedy="look at its permissions and the free space, or restore it from a backup",
        ) from error
    return engine


def _engine(path: Path | None) -> Engine:
    # One connection: SQLite has one writer anyway, and so threads take turns here and not in its busy loop.
    engine = create_engine(
        "sqlite://" if path is None else f"sqlite:///{path}",
        connect_args={"check_same_thread": False},
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=60,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions on its own
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(transaction: Connection) -> None:
        transaction.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
