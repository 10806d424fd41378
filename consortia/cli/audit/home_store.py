"""The node's database of the home that was given, for commands that read it beside a running node."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consortia.cli.options import open_home
from consortia.errors import OperatorError
from consortia.parties.store import Store


@contextmanager
def node_store(home: Path | None) -> Iterator[Store]:
    """The store, closed afterwards; raises OperatorError ``cli/no-node`` if no node has run in that home."""
    path = open_home(home).path / "node.sqlite"
    if not path.exists():
        raise OperatorError(
            "cli/no-node",
            "no node has run in this home yet",
            place=str(path),
            remedy="start it with `consortia party serve`, or name another home",
        )
    store = Store(path)
    try:
        yield store
    finally:
        store.close()
