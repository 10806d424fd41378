"""The command line: ``consortia VERB`` for what is typed all day, ``consortia NOUN VERB`` for the rest.

A noun is a module of this room with ``app``; a verb that stands alone is a module with ``command`` and EXAMPLES.
Adding one is one line in NOUNS or VERBS. Every ConsortiaError becomes a text (or JSON) on stderr and its exit code:
0 done, 1 failed, 2 wrong usage, 3 denied by policy, 4 all output suppressed, 5 peer unavailable, 6 budget exhausted,
124 time-out, 130 cancelled.
"""

from typing import Annotated, Any

import typer
import typer.core

from consortia.cli import (
    catalogue,
    coordinator,
    data,
    domain_key,
    explain,
    init,
    manifest,
    member,
    output,
    party,
    person,
    policy,
    query,
    session,
)
from consortia.cli import run as run_plan
from consortia.errors import ConsortiaError
from consortia.version import __version__

NOUNS = {
    "member": member,
    "person": person,
    "manifest": manifest,
    "catalogue": catalogue,
    "domain-key": domain_key,
    "data": data,
    "policy": policy,
    "coordinator": coordinator,
    "party": party,
    "session": session,
}
VERBS = {"init": init, "explain": explain, "query": query, "run": run_plan}


class _Group(typer.core.TyperGroup):
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


for _name, _noun in NOUNS.items():
    app.add_typer(_noun.app, name=_name)
for _name, _verb in VERBS.items():
    app.command(_name, epilog=output.examples(*_verb.EXAMPLES))(_verb.command)


def run() -> None:
    """The entry point."""
    app(prog_name="consortia")
