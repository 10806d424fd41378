"""The arguments of the commands that take a query."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from consortia.errors import OperatorError, RequestError
from consortia.plans.cost import LINKS

SqlArgument = Annotated[
    str | None, typer.Argument(help="The query; `-` reads it from standard input.", show_default=False)
]
FileOption = Annotated[Path | None, typer.Option("--file", "-f", help="Read the query from a file.")]
PurposeOption = Annotated[str, typer.Option("--purpose", help="The purpose, as the catalogue names it.")]
LinkOption = Annotated[
    str,
    typer.Option(
        "--link",
        help=f"The network between the computers: {', '.join(link.name for link in LINKS)}. Circuits of few rounds "
        "or of few bytes are chosen for it.",
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="Write the result: .csv, .json, .parquet, .arrow or .md.")
]


def sql_text(sql: str | None, file: Path | None) -> str:
    """The query from argument, file or standard input.

    Raises RequestError ``cli/query`` unless it is given exactly once, OperatorError ``cli/file`` if it can't be read.
    """
    if (sql is None) == (file is None):
        raise RequestError("cli/query", "give the query once: as an argument, with --file, or `-` for standard input")
    if file is None:
        return sys.stdin.read() if sql == "-" else str(sql)
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError("cli/file", "the query file can't be read", place=str(file)) from error
