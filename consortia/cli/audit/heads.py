"""``consortia audit heads``: what this node has seen of the other members' journals."""

from typing import Annotated

import typer

from consortia.cli.audit.home_store import node_store
from consortia.cli.options import HomeOption
from consortia.cli.output import JsonOption, emit, note, table
from consortia.errors import RequestError

EXAMPLES = (
    "consortia audit heads --home ./bank-a",
    "consortia audit heads --settle bank-b --home ./bank-a",
    "consortia audit heads --json --home ./bank-a",
)


def command(
    settle: Annotated[
        str,
        typer.Option(
            "--settle",
            help="Run with this member again, and take its next head as it comes: once people have settled the matter.",
            metavar="MEMBER",
        ),
    ] = "",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the latest heads of the others' journals, and members that were caught with two journals.

    This node's hello names these heads in every session, and every seal must prove that they are continued.
    """
    with node_store(home) as store, store.begin() as transaction:
        if settle:
            if settle not in store.heads.splits(transaction):
                raise RequestError(
                    "cli/no-split", f"`{settle}` was not caught with two journals", remedy="see `consortia audit heads`"
                )
            store.heads.forget(transaction, settle)
        own, held = store.journal.head(transaction), store.heads.held(transaction)
        splits = store.heads.splits(transaction)
    emit(
        {
            "own": own.model_dump(mode="json"),
            "heads": [entry.model_dump(mode="json") for entry in held],
            "split_views": splits,
        },
        table(
            ("member", "entries", "root", "log"),
            [("(this node)", str(own.size), own.root, own.log)]
            + [(entry.member, str(entry.head.size), entry.head.root, entry.head.log) for entry in held],
        ),
        json=json,
    )
    for member, why in sorted(splits.items()):
        note(f"SPLIT VIEW of {member}: {why}; sessions with it are refused until --settle {member}")
