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

ErrorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--error",
        help="Where noise is obliged: an output and the error accepted of it, such as n=10 (half the 95 % interval)."
        " Spends the least budget that keeps it. May be repeated.",
        show_default=False,
    ),
]


def errors_of(given: list[str] | None) -> dict[str, str]:
    """The errors accepted, by output; RequestError ``cli/error`` for one without a name or a value, or a name twice."""
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value) or name in found:
            raise RequestError(
                "cli/error", f"`{text}` says no error of an output, or one of an output named before",
                remedy="write NAME=ERROR, such as --error n=10",
            )  # fmt: skip
        found[name] = value
    return found


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
