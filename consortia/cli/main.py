"""The command line: ``consortia VERB`` for what is typed all day, ``consortia NOUN VERB`` for the rest.

A noun is a module of this room with ``app``; a verb that stands alone is a module with ``command`` and EXAMPLES.
Adding one is one line in NOUNS or VERBS. Every ConsortiaError becomes a text (or JSON) on stderr and its exit code:
0 done, 1 failed, 2 wrong usage, 3 denied by policy, 4 all output suppressed, 5 peer unavailable, 6 budget exhausted,
124 time-out, 130 cancelled.
"""

import importlib
from importlib.metadata import version as installed_version
from typing import Annotated, Any

import typer
import typer.core

from consortia.cli import output
from consortia.errors import ConsortiaError

NOUNS = (
    "member",
    "person",
    "manifest",
    "catalogue",
    "domain-key",
    "data",
    "policy",
    "coordinator",
    "party",
    "session",
)
VERBS = ("init", "explain", "query", "run")


class _Group(typer.core.TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ConsortiaError as error:
            output.report(error, ctx)
            raise typer.Exit(error.exit_code) from error


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"consortia {installed_version('consortia')}")
        raise typer.Exit


app = typer.Typer(
    name="consortia",
    cls=_Group,
    help="Institutions compute on the union of their data and see nothing of each other's rows.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # a traceback with local variables could show a secret
)


@app.callback()
def _root(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _module(name: str) -> Any:
    """The module of a noun or verb; None while a room that it needs is not there yet."""
    try:
        return importlib.import_module(f"consortia.cli.{name.replace('-', '_')}")
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("consortia."):
            raise
        return None


for _name in NOUNS:
    if (_found := _module(_name)) is not None:
        app.add_typer(_found.app, name=_name)
for _name in VERBS:
    if (_found := _module(_name)) is not None:
        app.command(_name, epilog=output.examples(*_found.EXAMPLES))(_found.command)


def run() -> None:
    """The entry point."""
    app(prog_name="consortia")
