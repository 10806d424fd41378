"""``consortia audit subject``: in which sessions a customer's rows were used."""

import sys
from typing import Annotated

import typer

from consortia.cli.audit.home_store import node_store
from consortia.cli.options import HomeOption, PassphraseOption, open_home
from consortia.cli.output import JsonOption, emit, note, table
from consortia.parties.local.stage import DEFAULT_LIMITS
from consortia.parties.subject import Use, uses_of
from consortia.trust.documents import instant_text

EXAMPLES = (
    "consortia audit subject DE-4711 --domain customer --home ./bank-a",
    "consortia audit subject - --domain customer --json --home ./bank-a < number.txt",
)


def command(
    key: Annotated[str, typer.Argument(help="The customer's identifier as in your own data; `-` reads it from stdin.")],
    domain: Annotated[str, typer.Option("--domain", help="The key domain of the identifier.", show_default=False)],
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """List the sessions that used rows of one customer of this member, from its own snapshots and journal.

    A row counts as used if it passed the policy's row scope and the query's own filters at this node.
    """
    identifier = sys.stdin.read().strip() if key == "-" else key
    opened = open_home(home, passphrase_file)
    with node_store(home) as store:
        uses = uses_of(opened, store, identifier, domain, DEFAULT_LIMITS)
    emit(
        {"uses": [_as_dict(use) for use in uses]},
        table(
            ("session", "approved", "purpose", "asked by", "outcome", "table", "rows"),
            [
                (
                    use.session,
                    instant_text(use.approved),
                    use.purpose,
                    use.submitter,
                    use.phase,
                    use.table,
                    f"unknown: {use.why}" if use.rows is None else " ".join((str(use.rows), use.why)).strip(),
                )
                for use in uses
            ],
        ),
        json=json,
    )
    count = len({use.session for use in uses})
    note(f"{count} sessions; parts of a result left this node only in those that are `releasing` or `sealed`")


def _as_dict(use: Use) -> dict[str, str | int | None]:
    return {
        "session": use.session,
        "approved": instant_text(use.approved),
        "purpose": use.purpose,
        "submitter": use.submitter,
        "phase": str(use.phase),
        "table": use.table,
        "rows": use.rows,
        "why": use.why,
    }
