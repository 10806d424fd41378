"""A draft of a schema file for a person to correct: what a file's header says, and nothing read into its values.

Columns are matched by name alone. What only a person can know (zone of local times, codes, decimals to move) stands
as a comment beside the column; a column of the catalogue that the file may call otherwise is left to choose.
"""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from consortia.errors import OperatorError
from consortia.parties.data.csv_records import decode, records
from consortia.parties.data.raw import read_bytes
from consortia.parties.data.read_parquet import MAGIC
from consortia.plans.catalogue import CatalogueTable
from consortia.plans.meaning import type_words
from consortia.plans.types import ColumnType

CHOOSE = "CHOOSE-A-COLUMN"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def propose(file: Path, table: CatalogueTable) -> str:
    """The text of a schema file for ``file``.

    Raises OperatorError ``data/file``, ``data/parquet``, ``data/encoding`` or ``data/csv``.
    """
    found, kind = _header(file)
    by_name = {name.lower(): name for name in found}
    lines = [
        f"# A draft from the column names of {file.name}. Correct it, then try it:",
        "#   consortia data check FILE --schema THIS-FILE        (docs/reference/schema-file.md)",
        "type: consortia/schema/v1",
        f"table: {table.name}",
        f"format: {kind}",
    ]
    if kind == "csv":
        lines += ["dialect:", '  decimal: "."', '  null_words: [""]', "  date: YYYY-MM-DD"]
    lines.append("columns:")
    for column in table.columns:
        source = by_name.get(column.name, CHOOSE)
        words = [type_words(column.type), *_remarks(column.type, found.get(source))]
        lines.append(f"  {column.name}: {_scalar(source)}  # {'; '.join(words)}")
    used = {by_name.get(column.name) for column in table.columns}
    left = [name for name in found if name not in used]
    lines.append(f"ignore: [{', '.join(_scalar(name) for name in left)}]")
    return "\n".join(lines) + "\n"


def _header(file: Path) -> tuple[Mapping[str, pl.DataType | None], str]:
    """The columns of the file with their Parquet types (None in CSV), and its format."""
    content = read_bytes(file)
    if content.startswith(MAGIC):
        try:
            return dict(pl.read_parquet_schema(io.BytesIO(content))), "parquet"
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise OperatorError(
                "data/parquet", "the file can't be read as Parquet", place=file.name, remedy="write the file again"
            ) from error
    first = next(records(decode(content, file.name), file.name), None)
    if first is None:
        raise OperatorError(
            "data/csv", "the file is empty", place=file.name, remedy="a CSV file begins with its header"
        )
    return dict.fromkeys(str(name) for name in first.fields), "csv"


def _remarks(kind: ColumnType, found: pl.DataType | None) -> list[str]:
    """What a person has to think about for a column of this type."""
    remarks = []
    if found is not None:
        remarks.append(f"{found} in the file")
    if isinstance(found, pl.Float32 | pl.Float64):
        remarks.append("floating point is refused: export it exactly")
    if kind.kind == "enum":
        remarks.append(
            f"words {', '.join(kind.values[:6])}{', ...' if len(kind.values) > 6 else ''}; others need `codes`"
        )
    if kind.kind == "timestamp" and not (isinstance(found, pl.Datetime) and found.time_zone):
        remarks.append("local times need `time_zone`")
    if kind.kind == "int" and kind.unit:
        remarks.append(f"in minor units of `{kind.unit}`; amounts in major units need `exponent`")
    if kind.kind == "key":
        remarks.append("identifiers as text, hashed at registration")
    return remarks


def _scalar(name: str) -> str:
    """A name as YAML, in quotes where it needs them."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)
