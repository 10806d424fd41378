"""``consortia session``: what became of a run."""

from typing import Annotated

import typer
from rich.table import Table

from consortia.cli.following import following
from consortia.cli.frames import print_results
from consortia.cli.options import ProfileOption
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.cli.queries import OutOption
from consortia.client.consortium import connect
from consortia.control.messages import SessionStatus

app = typer.Typer(help="Runs of this person: list, show, results, cancel.", no_args_is_help=True, rich_markup_mode=None)

SessionArgument = Annotated[str, typer.Argument(help="The session's id, or its first letters.", show_default=False)]


@app.command("list", epilog=examples("consortia session list", "consortia session list --json"))
def list_sessions(profile: ProfileOption = None, json: JsonOption = False) -> None:
    """List this person's sessions, the latest first."""
    found = connect(profile).sessions()
    emit(
        {"sessions": [status.model_dump(mode="json") for status in found]},
        table(
            ("session", "phase", "purpose", "submitted"),
            [(status.session, status.phase, status.purpose, status.submitted) for status in found],
        ),
        json=json,
    )


@app.command(epilog=examples("consortia session show 3f9a", "consortia session show 3f9a --json"))
def show(session: SessionArgument, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """Show how far a session is at every party, and why it ended."""
    found = connect(profile).sessions(session)
    emit({"sessions": [status.model_dump(mode="json") for status in found]}, _status_table(found), json=json)
    for status in found:
        if status.fault is not None:
            note(f"ended because of {status.fault.party}: {status.fault.message} [{status.fault.code}]")


@app.command(
    epilog=examples(
        "consortia session results 3f9a",
        "consortia session results 3f9a --out alerts.csv",
        "consortia session results 3f9a2c04b1d6e8f7a5930c1b2d4e6f80 --member",
    )
)
def results(
    session: SessionArgument,
    member: Annotated[
        bool, typer.Option("--member", help="What your member's node received in a session that others asked for.")
    ] = False,
    out: OutOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Print the results that this person may see: the own ones, and those at the own member's node.

    Waits for the end of a session that still runs. With --member it asks the node at once, by the whole session id.
    """
    consortium = connect(profile)
    if member:
        print_results(session, consortium.member_results(session), {}, out, json=json)
        return
    with following(None) as on_event:
        consortium.follow(session, on_event)
    print_results(session, consortium.results(session), {}, out, json=json)


@app.command(epilog=examples("consortia session cancel 3f9a"))
def cancel(session: SessionArgument, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """End a running session before anything is opened."""
    consortium = connect(profile)
    consortium.cancel(session)
    found = consortium.sessions(session)
    emit({"sessions": [status.model_dump(mode="json") for status in found]}, _status_table(found), json=json)


def _status_table(found: tuple[SessionStatus, ...]) -> Table:
    rows = [
        (status.session[:8], status.phase, party.party, party.stage, _presence(party.connected, party.seen))
        for status in found
        for party in status.parties
    ]
    return table(("session", "phase", "party", "stage", "connection"), rows)


def _presence(connected: bool, seen: bool) -> str:
    if connected:
        return "connected"
    return "gone" if seen else "never seen"
