"""DuckDB in memory, holding one member's snapshots and nothing else: locked before any SQL of others runs.

Snapshots are loaded first. Then access to files, network and extensions is switched off, and the configuration is
locked, so that no statement can switch it on again. No variable of this process is visible to SQL.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import polars as pl
from sqlglot import exp

from consortia.errors import ConsortiaError, InternalError, OperatorError
from consortia.parties.data.snapshots import StoredSnapshot, check_file
from consortia.parties.local.functions import register_functions
from consortia.parties.local.scalars import DATABASE_TYPES, cast, function, label, name


@dataclass(frozen=True)
class Limits:
    """What the local stage may use of the machine."""

    memory_megabytes: int = 1024
    threads: int = 2


_BEFORE_LOADING: Mapping[str, str] = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "enable_external_file_cache": "false",
    # the meaning of a plan's quotients, for the SQL of local tables too
    "error_on_division_by_zero": "false",
}


class Database:
    """One connection; ``query`` maps errors of the database to errors of ours, without any value of the data."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, statement: str, what: str) -> pl.DataFrame:
        """The rows of a SELECT; ``what`` names it in errors.

        Raises OperatorError ``local/overflow`` or ``local/memory``, InternalError ``local/sql``.
        """
        with _database_errors(what):
            return pl.DataFrame(self._connection.sql(statement))

    def types(self, statement: str, what: str) -> dict[str, str]:
        """The type of each column of a SELECT, without running it."""
        with _database_errors(what):
            described = self._connection.execute(f"DESCRIBE {statement}").fetchall()
        return {str(row[0]): str(row[1]) for row in described}


@contextmanager
def open_database(snapshots: Mapping[str, StoredSnapshot], limits: Limits) -> Iterator[Database]:
    """A locked database with one table for each snapshot, int and decimal columns as HUGEINT.

    Raises OperatorError ``data/snapshot-altered`` if a snapshot is not what was registered, ``local/memory``.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        **_BEFORE_LOADING,
        "memory_limit": f"{limits.memory_megabytes}MiB",
        "threads": str(limits.threads),
    }
    connection = duckdb.connect(":memory:", config=settings)
    try:
        with _database_errors("loading the snapshots"):
            connection.execute("SET TimeZone = 'UTC'")
            register_functions(connection)
            for table, stored in sorted(snapshots.items()):
                _load(connection, table, stored)
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        yield Database(connection)
    finally:
        connection.close()


def _load(connection: duckdb.DuckDBPyConnection, table: str, stored: StoredSnapshot) -> None:
    check_file(stored)
    columns = [
        exp.Alias(this=cast(name(column.name), DATABASE_TYPES[column.type.kind]), alias=label(column.name))
        for column in stored.document.columns
    ]
    rows = exp.Select().select(*columns).from_(function("read_parquet", exp.Literal.string(str(stored.data))))
    create = exp.Create(this=exp.to_table(table, quoted=True), kind="TABLE", expression=rows)
    connection.execute(create.sql(dialect="duckdb"))


@contextmanager
def _database_errors(what: str) -> Iterator[None]:
    """Errors of DuckDB as ours. Their own texts can hold values of the data and are never passed on."""
    try:
        yield
    except ConsortiaError:
        raise
    except (duckdb.OutOfRangeException, duckdb.ConversionException):
        raise OperatorError(
            "local/overflow",
            "a value left the range in which arithmetic is exact, or can't be converted",
            place=what,
            remedy="nothing was shared; narrow the expression, or the bounds in the catalogue",
        ) from None
    except duckdb.OutOfMemoryException:
        raise OperatorError(
            "local/memory",
            "the local stage needs more memory than it may use",
            place=what,
            remedy="nothing was shared; raise `memory_megabytes` in party.yaml",
        ) from None
    except duckdb.Error as error:
        raise InternalError(
            "local/sql", f"the database refused a statement ({type(error).__name__})", place=what
        ) from None
