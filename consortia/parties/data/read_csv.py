"""A CSV file as columns of text: a header that fits the schema, and as many fields in each line."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from consortia.errors import OperatorError
from consortia.parties.data.csv_records import Quoted, Record, decode, records
from consortia.parties.data.raw import RawTable, check_names, read_bytes
from consortia.parties.data.schema import Schema


def read_csv(path: Path, schema: Schema, max_rows: int) -> RawTable:
    """The columns that ``schema`` names, by their names in the file; NULL words are None.

    Raises OperatorError ``data/file``, ``data/encoding``, ``data/csv``, ``data/duplicate-column``,
    ``data/unknown-column``, ``data/missing-column``, ``data/too-many-rows``.
    """
    content, file = read_bytes(path), path.name
    stream = records(decode(content, file), file)
    header = next(stream, None)
    if header is None:
        raise OperatorError(
            "data/csv", "the file is empty", place=file, remedy="a table without rows still has a line of column names"
        )
    names = [str(name) for name in header.fields]
    check_names(names, schema, file)
    lines: list[int] = []
    rows: list[list[str]] = []
    for record in stream:
        if len(record.fields) != len(names):
            raise _ragged(record, names, file)
        lines.append(record.line)
        rows.append(record.fields)
    if len(rows) > max_rows:
        raise OperatorError(
            "data/too-many-rows",
            f"the file has {len(rows)} rows; the catalogue allows {max_rows} a member",
            place=f"{file}, line {lines[max_rows]}",
            remedy="register fewer rows, or have the members sign a catalogue with a larger `max_rows`",
        )
    nulls = frozenset(schema.dialect.null_words)
    places = {name: place for place, name in enumerate(names)}
    columns: dict[str, Sequence[str | None]] = {
        source: [_null(row[places[source]], nulls) for row in rows] for source in schema.sources()
    }
    return RawTable(file, sha256(content).hexdigest(), len(rows), columns, lambda row: f"line {lines[row]}")


def _null(field: str, nulls: frozenset[str]) -> str | None:
    """The field, or None if it is a NULL word outside quotes."""
    return None if field in nulls and not isinstance(field, Quoted) else str(field)


def _ragged(record: Record, names: Sequence[str], file: str) -> OperatorError:
    found, wanted = len(record.fields), len(names)
    return OperatorError(
        "data/csv",
        f"{found} field{'s' if found > 1 else ''} where the header has {wanted}",
        place=f"{file}, line {record.line}",
        remedy="quote fields that hold commas; take totals and blank lines away",
    )
