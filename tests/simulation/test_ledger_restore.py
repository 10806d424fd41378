"""An older node.sqlite is put back: the node is read-only until its ledger is raised to what the others can prove."""

import json
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consortia.cli.main import app
from consortia.control.phases import Phase
from consortia.errors import ConsortiaError
from consortia.parties.ledger import Entry
from consortia.parties.reconcile import (
    CopiesFile,
    copies_for,
    own_approvals,
    read_copies,
    verified_copies,
)
from consortia.parties.store import Store
from tests.session_world import Client, SessionWorld, refusal_of, session_world

TWO = (("queries-per-day: off", "queries-per-day: 2"),)
OWNER = "bank-d"
COMPUTERS = ("bank-a", "bank-b", "bank-c")


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


def command(folder: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(app, ["budget", *(str(word) for word in words), "--home", str(folder), "--json"])


def raise_ledger(world: SessionWorld, folder: Path, *holders: str) -> Result:
    """By the commands that operators run."""
    files = []
    for holder in holders:
        files.append(folder / f"{holder}-{time.monotonic_ns()}.copies")
        result = command(world.consortium.home(holder).path, "copies", OWNER, "--out", files[-1])
        assert result.exit_code == 0, result.output
    return command(world.consortium.home(OWNER).path, "reconcile", *files)


def put_back_sessions(result: Result) -> dict[str, list[str]]:
    assert result.exit_code == 0, result.output
    found: dict[str, list[str]] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("mark", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_restored_node_spends_nothing_until_it_is_reconciled_and_has_then_lost_nothing(
    tmp_path: Path, mark: bool
) -> None:
    with session_world(tmp_path / "world", owners_only=(OWNER,), start=COMPUTERS) as world:
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
            accused = [leaf.kind for leaf in node._store.journal.leaves(transaction)].count("ledger-behind")
        assert accused == (1 if mark else 0)  # the hello that tells it is kept, signed by whoever says so
        assert "READ-ONLY since" in command(world.consortium.home(OWNER).path, "show").stderr
        world.nodes.pop(OWNER).stop()

        refused = json.loads(raise_ledger(world, tmp_path, "bank-a", "bank-b").stderr)["error"]
        assert (refused["code"], "bank-c" in refused["message"]) == ("parties/copies-missing", True)
        proved = raise_ledger(world, tmp_path, *COMPUTERS)
        assert put_back_sessions(proved) == {"added": [lost], "raised": []}
        kept = states(world)
        assert (kept[before], kept[lost]) == (Entry.COMMITTED, Entry.COMMITTED)
        assert put_back_sessions(raise_ledger(world, tmp_path, *COMPUTERS)) == {"added": [], "raised": []}
        with closing(store_of(world)) as store, store.begin() as transaction:
            store.journal.begin_log(transaction)  # `consortia audit new-log`

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
        proved = raise_ledger(world, tmp_path, *COMPUTERS)
        assert put_back_sessions(proved) == {"added": [], "raised": [pending]}
        assert states(world) == {pending: Entry.COMMITTED}


def test_copies_are_believed_only_whole_fresh_signed_and_of_this_owner(tmp_path: Path) -> None:
    with session_world(tmp_path / "world", owners_only=(OWNER,)) as world:
        run(world, world.client())
        trusted, now = world.consortium.home(OWNER).trusted(), world.nodes["bank-a"]._clock()
        file = file_of(world, "bank-b")
        path = tmp_path / "bank-b.copies"
        path.write_bytes(file.to_bytes())
        holder, [copied] = verified_copies(read_copies(path), OWNER, trusted, now)
        assert verified_copies(file, OWNER, trusted, now, spent=[copied.session]) == ("bank-b", ())
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


def test_what_the_own_journal_holds_is_believed_after_a_change_of_the_node_key_and_no_holder_speaks_twice(
    tmp_path: Path,
) -> None:
    with session_world(tmp_path / "world", owners_only=(OWNER,)) as world:
        session = run(world, world.client())
        trusted, now = world.consortium.home(OWNER).trusted(), world.nodes["bank-a"]._clock()
        renewed = trusted.cards[OWNER].model_copy(update={"node_key": trusted.cards["bank-c"].node_key})
        changed = replace(trusted, cards={**trusted.cards, OWNER: renewed})
        file = file_of(world, "bank-b")
        assert refusal_of(lambda: verified_copies(file, OWNER, changed, now)).code == "trust/unknown-key"
        with world.nodes[OWNER]._store.begin() as transaction:
            own = own_approvals(world.nodes[OWNER]._store, transaction)
        _, [copied] = verified_copies(file, OWNER, changed, now, own=own)
        assert copied.session == session
        other = {session: "0" * 64}  # its journal holds another approval than the one that is shown
        assert refusal_of(lambda: verified_copies(file, OWNER, changed, now, own=other)).code == "trust/unknown-key"
        world.nodes.pop(OWNER).stop()
        twice = json.loads(raise_ledger(world, tmp_path, "bank-a", "bank-b", "bank-c", "bank-b").stderr)["error"]
        assert (twice["code"], "bank-b" in twice["message"]) == ("parties/copies", True)
