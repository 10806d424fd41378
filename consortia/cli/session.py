"""``consortia session``: what became of a run, and what waits for an officer."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from consortia.cli.following import following
from consortia.cli.frames import print_results
from consortia.cli.options import ProfileOption
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.cli.queries import OutOption
from consortia.client.consortium import connect
from consortia.client.evaluation import Evaluation, ends_of, evaluated
from consortia.client.explain import explanation_dict, explanation_text
from consortia.client.reviewing import Held
from consortia.control.messages import HeldRun, SessionStatus
from consortia.plans.wording import listed
from consortia.trust.keys import short

app = typer.Typer(
    help="Runs: list, show, results, cancel; and their review by officers.", no_args_is_help=True, rich_markup_mode=None
)

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
    print_results(session, consortium.results(session), {}, out, json=json, plan=consortium.plan(session))


@app.command(epilog=examples("consortia session evaluation 3f9a", "consortia session evaluation 3f9a --json"))
def evaluation(session: SessionArgument, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """Print how good a joint model is: recall, precision and calibration by bands, average precision, alert rates.

    The session is one of a spec with `give: evaluation` (docs/reference/learning.md).
    """
    consortium = connect(profile)
    ends = ends_of(consortium.plan(session))
    (frame,) = consortium.results(session).values()
    found = evaluated(frame, ends)
    emit(asdict(found), _bands(found), json=json)
    if found.average_precision is not None:
        note(f"average precision {_share(found.average_precision)}")
    for group, rates in found.alert_rates.items():
        note(f"alerted of {group}, by bands: {', '.join(_share(rate) for rate in rates)}")
    if found.missing:
        named = listed(tuple("the rest" if end is None else f"up to {end}" for end in found.missing))
        note(f"bands without enough contributors, or without rows: {named}; recall needs all of them")


def _bands(found: Evaluation) -> Table:
    cells = (
        (
            "rest" if band.up_to is None else str(band.up_to), str(band.rows), str(band.positives),
            f"{band.expected:.2f}", _share(band.recall), _share(band.precision),
        )
        for band in found.bands
    )  # fmt: skip
    return table(("up to", "rows", "positives", "expected", "recall", "precision"), cells)


def _share(number: float | None) -> str:
    return "" if number is None else f"{number:.4f}"


@app.command(epilog=examples("consortia session cancel 3f9a"))
def cancel(session: SessionArgument, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """End a running session before anything is opened."""
    consortium = connect(profile)
    consortium.cancel(session)
    found = consortium.sessions(session)
    emit({"sessions": [status.model_dump(mode="json") for status in found]}, _status_table(found), json=json)


@app.command(
    epilog=examples("consortia session review --profile ./bank-a/people/otto", "consortia session review 3f9a --json")
)
def review(
    session: Annotated[str | None, typer.Argument(help="Its id, or its first letters; left out: all.")] = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Show an officer what waits for review: plan, leakage report, cost, verdicts, compiled anew here; never values."""
    consortium = connect(profile)
    if session is None:
        _show_held(consortium.held(), json=json)
        return
    held = consortium.review(session)
    belief = consortium.belief
    emit(
        {
            **_held_value(held.session, held.run),
            "sql": held.submission.sql,
            "purpose": held.submission.purpose,
            "submitter": held.submission.submitter,
            **explanation_dict(held.compiled, belief.world, belief.not_in_force),
        },
        _held_text(held) + explanation_text(held.compiled, belief.world, belief.not_in_force).rstrip("\n"),
        json=json,
    )
    note(f"next: consortia session approve {held.session[:8]}, or refuse {held.session[:8]} --reason TEXT")


@app.command(
    epilog=examples(
        "consortia session approve 3f9a --profile ./bank-a/people/otto",
        'consortia session approve 3f9a --reason "as agreed in the working group" --json',
    )
)
def approve(
    session: SessionArgument,
    reason: Annotated[str, typer.Option(help="A note for the records.")] = "",
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Let a held run go on, as an officer of an owner that reviews it. Nobody reviews an own submission."""
    _decide(session, "approve", reason, profile, json=json)


@app.command(
    epilog=examples(
        'consortia session refuse 3f9a --reason "not within the purpose" --profile ./bank-a/people/otto',
        'consortia session refuse 3f9a --reason "ask for fewer columns" --json',
    )
)
def refuse(
    session: SessionArgument,
    reason: Annotated[str, typer.Option(help="Why; the analyst reads it.")],
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """End a held run, as an officer of an owner that reviews it; nothing was shared."""
    _decide(session, "refuse", reason, profile, json=json)


def _decide(
    session: str, decision: Literal["approve", "refuse"], reason: str, profile: Path | None, *, json: bool
) -> None:
    consortium = connect(profile)
    held = consortium.review(session)
    consortium.decide(held, decision, reason)
    done = {"approve": "approved", "refuse": "refused"}[decision]
    value = {"session": held.session, "decision": decision, "plan": held.submission.plan, "reason": reason}
    emit(value, f"{done} session {held.session}, plan {short(held.submission.plan)}", json=json)


def _show_held(runs: Mapping[str, HeldRun], *, json: bool) -> None:
    values = [_held_value(session, run) for session, run in runs.items()]
    rows = [(value["session"], value["since"], value["until"], ", ".join(value["awaited"])) for value in values]
    emit({"held": values}, table(("session", "held since", "until", "officers of"), rows), json=json)
    if rows:
        note(f"next: consortia session review {rows[0][0][:8]}")


def _held_value(session: str, run: HeldRun) -> dict[str, Any]:
    return {"session": session, **run.model_dump(mode="json", exclude={"submission"})}


def _held_text(held: Held) -> str:
    asked, run = held.submission, held.run
    lines = [
        f"HELD since {run.since}, until {run.until}, for officers of {', '.join(run.awaited)}",
        *(f"  {reason}" for reason in run.reasons),
        f"  session {held.session}",
        f"  plan {held.submission.plan}",
        "",
        f"QUESTION of {asked.submitter} for {asked.purpose}",
        *(f"  {line}" for line in asked.sql.splitlines()),
        "",
    ]
    return "\n".join(lines) + "\n"


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
