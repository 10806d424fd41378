"""A file as its reader hands it on: columns by their names in the file, before any value is converted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from consortia.errors import OperatorError
from consortia.parties.data.schema import Schema
from consortia.plans.refuse import nearest

RawColumn = Sequence[str | None] | pl.Series
"""Texts of a CSV file (NULL is None), or the typed column of a Parquet file."""


@dataclass(frozen=True)
class RawTable:
    """``digest`` is the SHA-256 of the file; ``place`` says where row n (from 0) stands, in the operator's terms."""

    file: str
    digest: str
    rows: int
    columns: Mapping[str, RawColumn]
    place: Callable[[int], str]


def read_bytes(path: Path) -> bytes:
    """The content of a file; OperatorError ``data/file`` if it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorError(
            "data/file", f"the file can't be read: {error.strerror}", place=str(path), remedy="check path and rights"
        ) from error


def check_names(names: Sequence[str], schema: Schema, file: str) -> None:
    """Refuse a header that has a name twice, lacks a column of the schema or has one the schema does not mention."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        places = " and ".join(str(place) for place, name in enumerate(names, start=1) if name == twice[0])
        raise OperatorError(
            "data/duplicate-column",
            f"the column `{twice[0]}` stands twice in the header, as number {places}",
            place=file,
            remedy="rename one of them in the export",
        )
    missing = [source for source in schema.sources() if source not in names]
    if missing:
        raise OperatorError(
            "data/missing-column",
            f"the file has no column `{missing[0]}`",
            place=file,
            remedy=f"{nearest(missing[0], list(names))}; or correct `from` in the schema file",
        )
    known = {*schema.sources(), *schema.ignore}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OperatorError(
            "data/unknown-column",
            f"the schema file does not mention the column `{unknown[0]}`",
            place=file,
            remedy="map it under `columns`, or list it under `ignore` to leave it out",
        )
