"""``consortia query``: explain and run in one go."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.following import following
from consortia.cli.frames import print_results
from consortia.cli.options import ProfileOption
from consortia.cli.output import JsonOption, note
from consortia.cli.queries import (
    ErrorOption,
    FileOption,
    LinkOption,
    OutOption,
    PurposeOption,
    SqlArgument,
    errors_of,
    sql_text,
)
from consortia.cli.simulation import simulated
from consortia.client.consortium import connect
from consortia.plans.cost import USUAL_LINK

EXAMPLES = (
    'consortia query "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country" --purpose aml-detection',
    "consortia query -f by_country.sql --purpose aml-detection --out by_country.csv",
    "consortia query -f by_country.sql --purpose aml-detection --simulate ./homes",
)


def command(
    purpose: PurposeOption,
    sql: SqlArgument = None,
    file: FileOption = None,
    out: OutOption = None,
    simulate: Annotated[
        Path | None,
        typer.Option("--simulate", help="Run all parties in this process, on the members' homes in this folder."),
    ] = None,
    link: LinkOption = USUAL_LINK,
    error: ErrorOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Run a query over the union of the members' data and print what this person may see of the result.

    For alerts, which go to each member's own node, that is the own member's part. A query that an owner denies is
    not sent: exit code 3, with the reason and the nearest query that passes.
    """
    consortium = connect(profile)
    query = consortium.sql(sql_text(sql, file), purpose=purpose, link=link, errors=errors_of(error))
    saved = query.saved()
    if simulate is not None:
        simulated(saved.plan, simulate, out, json=json)
        return
    session = consortium.submit(saved)
    note(f"session {session}; if this terminal closes: consortia session results {session[:8]}")
    with following(query.compiled.estimate) as on_event:
        consortium.follow(session, on_event)
    print_results(session, consortium.results(session), {}, out, json=json, plan=saved.plan)
