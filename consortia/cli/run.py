"""``consortia run``: run exactly the plan that was explained and saved."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.following import following
from consortia.cli.frames import print_results
from consortia.cli.options import ProfileOption
from consortia.cli.output import JsonOption, note
from consortia.cli.queries import OutOption
from consortia.client.consortium import connect
from consortia.client.saved_plan import read_plan
from consortia.execution.estimate import estimate

EXAMPLES = ("consortia run q.plan", "consortia run q.plan --out result.parquet")


def command(
    plan: Annotated[Path, typer.Argument(help="A plan saved by `consortia explain --out`.", show_default=False)],
    out: OutOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Run the saved plan, and nothing else: a document that changed since makes it stale, which is an error."""
    consortium = connect(profile)
    saved = read_plan(plan)
    session = consortium.submit(saved)
    note(f"session {session}; if this terminal closes: consortia session results {session[:8]}")
    with following(estimate(saved.plan)) as on_event:
        consortium.follow(session, on_event)
    print_results(session, consortium.results(session), {}, out, json=json, plan=saved.plan)
