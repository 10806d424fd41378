"""What the commands print: results to stdout, everything else to stderr, one JSON object with ``--json``.

Colour follows rich: none where the output is no terminal or NO_COLOR is set. Outside a terminal nothing is cut to
a width, so that other programs read whole lines.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from consortia.errors import ConsortiaError
from consortia.visible import indented, shows, visible

_WIDE = 1000
_JSON_WANTED = "consortia.json"


def _remember(context: typer.Context, wanted: bool) -> bool:
    context.meta[_JSON_WANTED] = wanted
    return wanted


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object (errors too).", callback=_remember, is_eager=True)
]
"""The option every command has; annotate a parameter ``json: JsonOption = False``."""


def emit(value: Mapping[str, Any], text: RenderableType, *, json: bool) -> None:
    """Print a result: ``value`` as JSON, or ``text`` for people."""
    if json:
        _print_json(value, sys.stdout)
    else:
        console(sys.stdout).print(visible(text) if isinstance(text, str) else text, markup=False)


def note(text: str) -> None:
    """Tell the person something that is not the result: progress, the next command, a warning."""
    console(sys.stderr).print(visible(text), markup=False)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A plain table; cells are text and are never read as markup."""
    columns = (Column(header=Text(visible(header))) for header in headers)
    made = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*(Text(visible(cell)) for cell in row))
    return made


def examples(*commands: str) -> str:
    """The examples below a command's help, one a line (the first character keeps the lines apart)."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


def report(error: ConsortiaError, context: typer.Context) -> None:
    """Print an error to stderr: as JSON if ``--json`` was given, else in words."""
    if context.meta.get(_JSON_WANTED):
        _print_json({"error": error.as_dict()}, sys.stderr)
        return
    message, place, remedy = (indented(text) for text in (error.message, error.place, error.remedy))
    where = f"\n  where:  {place}" if place else ""
    what_to_do = f"\n  remedy: {remedy}" if remedy else ""
    note(f"error: {message} [{error.code}]{where}{what_to_do}")


def console(stream: Any) -> Console:
    """A console on ``stream`` (looked up at the call, so that tests can exchange it)."""
    terminal = stream.isatty()
    return Console(file=stream, highlight=False, soft_wrap=not terminal, width=None if terminal else _WIDE)


def _print_json(value: Mapping[str, Any], stream: Any) -> None:
    stream.write(json_text(value) + "\n")
    stream.flush()


def json_text(value: Mapping[str, Any]) -> str:
    r"""``value`` as JSON with letters of all languages as they are and what does not show as ``\u...``."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return "".join(character if shows(character) else json.dumps(character)[1:-1] for character in text)
