"""The schema file: how one file of this member maps to a table of the catalogue. A person writes and answers for it.

    type: consortia/schema/v1
    table: transactions
    format: csv                     # or parquet
    dialect:                        # of CSV, and of texts in Parquet; all have defaults
      decimal: "."
      null_words: [""]
      date: YYYY-MM-DD
    columns:                        # every column of the catalogue's table
      ts: {from: booked_at, time_zone: Europe/Vienna}
      amount_minor: {from: amount, exponent: {EUR: 2, JPY: 0}}
      currency: {from: ccy, codes: {"978": EUR, "392": JPY}}
      customer_key: customer        # short for {from: customer}
    ignore: [remark]                # columns of the file that are left out

Everything is declared and nothing guessed (docs/reference/schema-file.md).
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from consortia.errors import OperatorError
from consortia.parties.data.yaml_text import read_yaml
from consortia.trust.documents import Frozen, Name

LARGEST_FILE = 1 << 20
MAX_EXPONENT = 18
"""No currency has more decimals than that; a larger exponent is a mistake."""


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


Exponent = Annotated[int, BeforeValidator(_number), Field(ge=0, le=MAX_EXPONENT)]


class Dialect(Frozen):
    """How values are written. This version reads UTF-8, commas and double quotes only; they may be stated."""

    encoding: Literal["utf-8"] = "utf-8"
    separator: Literal[","] = ","
    quote: Literal['"'] = '"'
    decimal: Literal[".", ","] = "."
    null_words: tuple[str, ...] = ("",)
    date: str = "YYYY-MM-DD"

    @field_validator("null_words", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("date")
    @classmethod
    def _date(cls, value: str) -> str:
        if any(value.count(part) != 1 for part in ("YYYY", "MM", "DD")):
            raise ValueError("a date format has YYYY, MM and DD once each, such as DD.MM.YYYY")
        rest = value.replace("YYYY", "").replace("MM", "").replace("DD", "")
        if set(rest) - set("-./ "):
            raise ValueError("between the parts of a date stand `-`, `.`, `/`, a space or nothing")
        return value


class SourceColumn(Frozen):
    """Where a column's values come from and how they are written there."""

    source: str = Field(alias="from", min_length=1)
    codes: dict[str, str] = Field(default_factory=dict)
    """Words of the file -> words of the catalogue's enum; for a bool, -> ``true`` or ``false``."""
    exponent: Exponent | dict[str, Exponent] | None = None
    """An int column in minor units whose values the file writes in major units: decimals to move, or, by word of the
    column's unit, such as {EUR: 2, JPY: 0}."""
    time_zone: str = ""
    """The zone of local times. Without it every time must be an instant."""
    trim: Literal["no", "yes"] = "no"
    """Whether white space around texts and keys is taken away."""
    unique: Literal["no", "yes"] = "no"
    """Whether a value that stands in two rows is refused; NULL may stand in any number of them."""


class Schema(Frozen):
    """One file of one table."""

    type: Literal["consortia/schema/v1"]
    table: Name
    format: Literal["csv", "parquet"]
    dialect: Dialect = Dialect()
    columns: dict[Name, SourceColumn]
    ignore: tuple[str, ...] = ()

    @field_validator("columns", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: {"from": column} if isinstance(column, str) else column for name, column in value.items()}
        return value

    @field_validator("ignore", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    def sources(self) -> tuple[str, ...]:
        """Names of the file's columns that are read, each once, in the order of the schema."""
        return tuple(dict.fromkeys(column.source for column in self.columns.values()))


def read_schema(path: Path) -> Schema:
    """The schema in the file ``path``.

    Raises OperatorError ``data/file`` (it can't be read) or ``data/schema`` (with line or place in the file).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OperatorError(
            "data/file",
            f"the schema file can't be read: {error.strerror}",
            place=str(path),
            remedy="`consortia data propose` writes a draft",
        ) from error
    if len(content) > LARGEST_FILE:
        raise OperatorError(
            "data/schema", "the file is too large to be a schema", place=str(path), remedy="check the path"
        )
    return parse_schema(content, path.name)


def parse_schema(content: bytes, file: str) -> Schema:
    """The schema in ``content``; ``file`` names it in errors. Raises OperatorError ``data/schema``."""
    try:
        return Schema.model_validate(read_yaml(content, file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OperatorError(
            "data/schema",
            f"this is no valid schema: {first['msg'][:1].lower()}{first['msg'][1:]}",
            place=f"{file}, {where or 'top level'}",
            remedy="see docs/reference/schema-file.md",
        ) from error
