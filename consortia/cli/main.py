"""The command line: ``consortia VERB`` for what is typed all day, ``consortia NOUN VERB`` for the rest.

A noun is a module of this room with ``app``; a verb that stands alone is a module with ``command`` and EXAMPLES.
Adding one is one line in NOUNS or VERBS. Every ConsortiaError becomes a text (or JSON) on stderr and its exit code:
0 done, 1 failed, 2 wrong usage, 3 denied by policy, 4 all output suppressed, 5 peer unavailable, 6 budget exhausted,
124 time-out, 130 cancelled.
"""

import importlib
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from consortia.cli import output
from consortia.errors import ConsortiaError
from consortia.version import __version__

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
    "budget",
    "audit",
)
VERBS = ("init", "explain", "query", "run", "bench", "emergency-stop")


class _Group(typer.core.TyperGroup):
    """Loads the module of a command when the command is named: a coordinator has no use for the engine's libraries."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the library's signature
        return [*VERBS, *NOUNS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # the library's signature
        if cmd_name not in (*NOUNS, *VERBS):
            return None
        module = importlib.import_module(f"consortia.cli.{cmd_name.replace('-', '_')}")
        if cmd_name in NOUNS:
            made: Any = typer.main.get_group(module.app)
        else:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(cmd_name, epilog=output.examples(*module.EXAMPLES))(module.command)
            made = typer.main.get_command(alone)
        made.name = cmd_name
        return made

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ConsortiaError as error:
            output.report(error, ctx)
            raise typer.Exit(error.exit_code) from error


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"consortia {__version__}")
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


def run() -> None:
    """The entry point."""
    app(prog_name="consortia")
