"""``consortia explain``: what a query would do, before anything is shared."""

from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.options import ProfileOption
from consortia.cli.output import JsonOption, emit, note
from consortia.cli.queries import ErrorOption, FileOption, LinkOption, PurposeOption, SqlArgument, errors_of, sql_text
from consortia.client.consortium import connect
from consortia.client.explain import explanation_dict, explanation_text
from consortia.client.saved_plan import write_plan
from consortia.plans.cost import USUAL_LINK
from consortia.policies.compiling import refusal

EXAMPLES = (
    'consortia explain "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country" --purpose aml-detection',
    "consortia explain -f structuring.sql --purpose aml-detection --out q.plan",
    "consortia explain -f structuring.sql --purpose aml-detection --link continent",
    "consortia explain -f by_country.sql --purpose aml-detection --error n=25 --error total=5000",
)


def command(
    purpose: PurposeOption,
    sql: SqlArgument = None,
    file: FileOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Save the plan here, for `consortia run`.")] = None,
    link: LinkOption = USUAL_LINK,
    error: ErrorOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Show plan, each owner's verdict, who learns what, and cost in rounds, bytes and seconds.

    Nothing is sent and no node needs to run. Exits with 3 if an owner denies.
    """
    consortium = connect(profile)
    query = consortium.sql(sql_text(sql, file), purpose=purpose, link=link, errors=errors_of(error))
    belief = consortium.belief
    emit(
        explanation_dict(query.compiled, belief.world, belief.not_in_force),
        explanation_text(query.compiled, belief.world, belief.not_in_force),
        json=json,
    )
    if not query.compiled.permitted:
        raise refusal(query.compiled)
    if out is not None:
        write_plan(query.saved(), out)
        note(f"saved; next: consortia run {out}")
