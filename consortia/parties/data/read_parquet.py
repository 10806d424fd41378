"""A Parquet file as typed columns, with the types it has: nothing is cast here."""

import io
from hashlib import sha256
from pathlib import Path

import polars as pl

from consortia.errors import OperatorError
from consortia.parties.data.raw import RawTable, check_names, read_bytes
from consortia.parties.data.schema import Schema

MAGIC = b"PAR1"


def read_parquet(path: Path, schema: Schema, max_rows: int) -> RawTable:
    """The columns that ``schema`` names, by their names in the file.

    Raises OperatorError ``data/file``, ``data/parquet``, ``data/duplicate-column``, ``data/unknown-column``,
    ``data/missing-column``, ``data/too-many-rows``.
    """
    content, file = read_bytes(path), path.name
    if not (content.startswith(MAGIC) and content.endswith(MAGIC)):
        raise _damaged(file, "the file is not Parquet, or was cut off")
    try:
        names = list(pl.read_parquet_schema(io.BytesIO(content)))
        check_names(names, schema, file)
        rows = int(pl.scan_parquet(io.BytesIO(content)).select(pl.len()).collect().item())
        if rows > max_rows:
            raise OperatorError(
                "data/too-many-rows",
                f"the file has {rows} rows; the catalogue allows {max_rows} a member",
                place=file,
                remedy="register fewer rows, or have the members sign a catalogue with a larger `max_rows`",
            )
        frame = pl.read_parquet(io.BytesIO(content), columns=list(schema.sources()))
    except OperatorError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise _damaged(file, f"the file can't be read as Parquet: {str(error)[:160]}") from error
    columns = {name: frame.get_column(name) for name in frame.columns}
    return RawTable(file, sha256(content).hexdigest(), frame.height, columns, lambda row: f"row {row + 1}")


def _damaged(file: str, what: str) -> OperatorError:
    return OperatorError(
        "data/parquet", what, place=file, remedy="write the file again; `format` in the schema says what it is"
    )
