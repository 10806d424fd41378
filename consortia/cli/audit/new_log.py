"""``consortia audit new-log``: after an older copy of a node's database was put back."""

from typing import Annotated

import typer

from consortia.cli.audit.home_store import node_store
from consortia.cli.options import HomeOption, now
from consortia.cli.output import JsonOption, emit
from consortia.parties.behind import read_only

EXAMPLES = ('consortia audit new-log --reason "disk failure, backup of 3 March put back" --home ./bank-a',)


def command(
    reason: Annotated[str, typer.Option("--reason", help="Why, in your words: it is journalled.", show_default=False)],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Begin a new log of this node's journal, when others hold heads that the journal here does not continue.

    The entries stay. Every other member's node logs the change, and packs show it. Refused while the node is read-only:
    reconcile the ledger first.
    """
    with node_store(home) as store, store.begin() as transaction:
        behind = store.behind.found(transaction)
        if behind is not None:
            raise read_only(behind[1])
        before = store.journal.head(transaction)
        store.journal.append(transaction, session="", kind="new-log", payload=reason.encode(), now=now())
        store.journal.begin_log(transaction)
        after = store.journal.head(transaction)
    emit(
        {"before": before.model_dump(mode="json"), "after": after.model_dump(mode="json")},
        f"log {after.log} begins with {after.size} entries; the one before was {before.log}",
        json=json,
    )
