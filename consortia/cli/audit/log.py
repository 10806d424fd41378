"""``consortia audit log``: the journal of a node."""

from typing import Annotated

import typer

from consortia.cli.audit.home_store import node_store
from consortia.cli.options import HomeOption
from consortia.cli.output import JsonOption, emit, note, table
from consortia.trust.documents import instant_text

EXAMPLES = (
    "consortia audit log --home ./bank-a",
    "consortia audit log --session 3f9a --home ./bank-a",
    "consortia audit log --check --json --home ./bank-a",
)


def command(
    session: Annotated[
        str, typer.Option("--session", help="Only entries of sessions whose ids begin so.", metavar="ID")
    ] = "",
    latest: Annotated[int, typer.Option("--latest", help="How many entries to show, the latest; 0: all.", min=0)] = 50,
    check: Annotated[bool, typer.Option("--check", help="Compute every hash of the journal again first.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """List the entries of this node's journal, oldest first, and its head.

    Every entry is a document that the node acted on; with --check, an entry that was changed or removed is named. An
    end that was cut off everywhere shows only against the heads that others hold (audit heads at their homes).
    """
    with node_store(home) as store, store.begin() as transaction:
        head = store.journal.verify(transaction) if check else store.journal.head(transaction)
        leaves = [leaf for leaf in store.journal.leaves(transaction) if leaf.session.startswith(session)]
    shown = leaves[-latest:] if latest else leaves
    emit(
        {
            "head": head.model_dump(mode="json"),
            "checked": check,
            "entries": [leaf.model_dump(mode="json") for leaf in shown],
        },
        table(
            ("entry", "time", "session", "kind", "document"),
            [
                (str(leaf.index), instant_text(leaf.time), leaf.session or "-", leaf.kind, leaf.payload[:16])
                for leaf in shown
            ],
        ),
        json=json,
    )
    note(f"{head.size} entries, root {head.root}" + (": every hash is right" if check else ""))
