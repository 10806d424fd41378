"""``consortia run``: run exactly the plan that was explained and saved, or a spec."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.following import following
from consortia.cli.frames import print_results
from consortia.cli.options import ProfileOption
from consortia.cli.output import JsonOption, note
from consortia.cli.queries import OutOption, sql_text
from consortia.client.consortium import Consortium, connect
from consortia.client.saved_plan import SavedPlan, read_plan
from consortia.errors import RequestError
from consortia.execution.estimate import estimate
from consortia.plans.specs.bind import is_spec

EXAMPLES = (
    "consortia run q.plan",
    "consortia run q.plan --out result.parquet",
    "consortia run risk-propagation.yaml --purpose aml-detection",
)


def command(
    file: Annotated[
        Path, typer.Argument(help="A plan saved by `consortia explain --out`, or a spec.", show_default=False)
    ],
    purpose: Annotated[
        str | None, typer.Option("--purpose", help="Of a spec: the purpose, as the catalogue names it.")
    ] = None,
    out: OutOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Run the saved plan, and nothing else: a document that changed since makes it stale, which is an error.

    A spec (docs/reference/spec.md) is compiled and run, as `consortia query` does with SQL.
    """
    consortium = connect(profile)
    saved = _spec(consortium, file, purpose) if purpose is not None else read_plan(file)
    session = consortium.submit(saved)
    note(f"session {session}; if this terminal closes: consortia session results {session[:8]}")
    with following(estimate(saved.plan)) as on_event:
        consortium.follow(session, on_event)
    print_results(session, consortium.results(session), {}, out, json=json, plan=saved.plan)


def _spec(consortium: Consortium, file: Path, purpose: str) -> SavedPlan:
    text = sql_text(None, file)
    if not is_spec(text):
        raise RequestError(
            "cli/query",
            "the file is no spec",
            place=str(file),
            remedy="a spec begins with `analysis:`; a saved plan has its own purpose; SQL goes to `consortia query -f`",
        )
    return consortium.sql(text, purpose=purpose).saved()
