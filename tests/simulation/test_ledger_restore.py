"""An older node.sqlite is put back: the node is read-only until its ledger is raised to what the others can prove."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consortia.control.phases import Phase
from consortia.errors import ConsortiaError
from consortia.parties.ledger import Entry
from consortia.parties.reconcile import (
    CopiesFile,
    copies_for,
    read_copies,
    reconcile,
    require_holders,
    verified_copies,
)
from consortia.parties.store import Store
from tests.session_world import Client, SessionWorld, refusal_of, session_world

TWO = (("queries-per-day: off", "queries-per-day: 2"),)
OWNER = "bank-d"


def run(world: SessionWorld, client: Client) -> str:
    session = world.submit(client)
    assert client.end(session).phase is Phase.SEALED
    world.wait_phases(session, Phase.SEALED)
    return session


def database(world: SessionWorld) -> Path:
    return world.consortium.home(OWNER).path / "node.sqlite"


def back_up(world: SessionWorld, target: Path) -> None:
    """As an operator does it while the node runs."""
    with closing(sqlite3.connect(database(world))) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def put_back(world: SessionWorld, copy: Path, *, mark: bool) -> None:
    """Stop the node and put the older file back; ``mark``: the host's whole disk was put back, and the mark with it."""
    world.nodes.pop(OWNER).stop()
    for file in database(world).parent.glob("node.sqlite*"):
        file.unlink()
    shutil.copy(copy, database(world))
    if mark:
        with closing(store_of(world)) as store, store.begin() as transaction:
            store.mark.reset(store.ledger.version(transaction))


def store_of(world: SessionWorld, member: str = OWNER) -> Store:
    return Store(world.consortium.home(member).path / "node.sqlite")


def states(world: SessionWorld) -> dict[str, Entry]:
    with closing(store_of(world)) as store, store.begin() as transaction:
        return store.ledger.states(transaction)


def file_of(world: SessionWorld, holder: str) -> CopiesFile:
    home = world.consortium.home(holder)
    with closing(store_of(world, holder)) as store:
        return copies_for(
            store, OWNER, holder, world.consortium.manifest.consortium, home.node_key(), world.nodes["bank-a"]._clock()
        )


def raise_ledger(world: SessionWorld, *holders: str) -> tuple[str, ...]:
    trusted, now = world.consortium.home(OWNER).trusted(), world.nodes["bank-a"]._clock()
    with closing(store_of(world)) as store:
        with store.begin() as transaction:
            found = store.behind.found(transaction)
        since = None if found is None else found[0]
        copies = dict(verified_copies(file_of(world, holder), OWNER, trusted, now, since) for holder in holders)
        require_holders(copies, OWNER, world.plan.computers)
        outcome = reconcile(store, copies, now)
        with store.begin() as transaction:
            store.journal.begin_log(transaction)
    return (*outcome.added, *outcome.raised)


@pytest.mark.parametrize("mark", [False, True])
def test_a_restored_node_spends_nothing_until_it_is_reconciled_and_has_then_lost_nothing(
    tmp_path: Path, mark: bool
) -> None:
    with session_world(tmp_path / "world", owners_only=(OWNER,), start=("bank-a", "bank-b", "bank-c")) as world:
        world.edits = TWO  # of the owner alone
        world.start_node(OWNER)
        client = world.client()
        before = run(world, client)
        back_up(world, tmp_path / "backup.sqlite")
        lost = run(world, client)
        put_back(world, tmp_path / "backup.sqlite", mark=mark)
        assert states(world) == {before: Entry.COMMITTED}  # a query more than the policy permits would fit now
        node = world.start_node(OWNER, mailbox=True)
        for _ in range(2):  # it stays so, whatever is tried
            session = world.submit(client)
            end = client.end(session)
            assert end.phase in (Phase.DENIED, Phase.ABORTED)
            assert end.fault is not None
            assert (end.fault.party, end.fault.code) == (OWNER, "parties/ledger-behind")
        with node._store.begin() as transaction:
            assert node._store.behind.found(transaction) is not None
        world.nodes.pop(OWNER).stop()

        refused = refusal_of(lambda: raise_ledger(world, "bank-a", "bank-b"))
        assert (refused.code, "bank-c" in refused.message) == ("parties/copies-missing", True)
        assert raise_ledger(world, "bank-a", "bank-b", "bank-c") == (lost,)
        kept = states(world)
        assert (kept[before], kept[lost]) == (Entry.COMMITTED, Entry.COMMITTED)
        assert raise_ledger(world, "bank-a", "bank-b", "bank-c") == ()

        world.start_node(OWNER)
        end = client.end(world.submit(client))
        assert end.fault is not None
        assert end.fault.code == "policies/rates"  # the budget of the day is what it was


def test_a_session_that_was_pending_in_the_backup_counts_as_spent_once_another_says_that_it_released(
    tmp_path: Path,
) -> None:
    with session_world(tmp_path / "world", owners_only=(OWNER,)) as world:
        client = world.client()
        world.scripts["bank-a"].computing = lambda: back_up(world, tmp_path / "backup.sqlite")
        pending = run(world, client)
        put_back(world, tmp_path / "backup.sqlite", mark=False)
        assert states(world) == {pending: Entry.RESERVED}
        world.start_node(OWNER, mailbox=True)
        world.wait_phases(pending, Phase.ABORTED, (OWNER,))
        world.nodes.pop(OWNER).stop()
        assert states(world) == {pending: Entry.REFUNDED}
        assert raise_ledger(world, "bank-a", "bank-b", "bank-c") == (pending,)
        assert states(world) == {pending: Entry.COMMITTED}


def test_copies_are_believed_only_whole_fresh_signed_and_of_this_owner(tmp_path: Path) -> None:
    with session_world(tmp_path / "world", owners_only=(OWNER,)) as world:
        run(world, world.client())
        trusted, now = world.consortium.home(OWNER).trusted(), world.nodes["bank-a"]._clock()
        file = file_of(world, "bank-b")
        path = tmp_path / "bank-b.copies"
        path.write_bytes(file.to_bytes())
        holder, [copied] = verified_copies(read_copies(path), OWNER, trusted, now, None)
        assert (holder, copied.released) == ("bank-b", True)

        def refused(changed: CopiesFile, owner: str = OWNER, late: float = 0) -> str:
            since = None if not late else now.fromtimestamp(now.timestamp() + late, now.tzinfo)
            try:
                verified_copies(changed, owner, trusted, now, since)
            except ConsortiaError as error:
                return error.code
            return "believed"

        assert refused(file.model_copy(update={"plans": ()})) == "parties/copies-altered"
        assert refused(file.model_copy(update={"approvals": ()})) == "parties/copies-altered"
        assert refused(file, owner="bank-a") == "parties/copies-of-another"
        assert refused(file, late=60) == "parties/copies-old"
        payload = file.copies.payload.replace(b"true".hex(), b"true".hex()[:-1] + "d")
        assert refused(file.model_copy(update={"copies": file.copies.model_copy(update={"payload": payload})})) != (
            "believed"
        )
        path.write_bytes(b"{}")
        assert refusal_of(lambda: read_copies(path)).code == "parties/copies"


def test_a_database_without_its_mark_is_read_only_and_a_new_one_is_not(tmp_path: Path) -> None:
    with session_world(tmp_path / "world", owners_only=(OWNER,)) as world:
        client = world.client()
        run(world, client)
        world.nodes.pop(OWNER).stop()
        (database(world).parent / "ledger.mark").unlink()
        world.start_node(OWNER)
        end = client.end(world.submit(client))
        assert end.fault is not None
        assert end.fault.code == "parties/ledger-behind"
