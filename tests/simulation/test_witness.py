"""Members as witnesses of each other's journals: heads go round, and a second journal is found and named."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import text
from typer.testing import CliRunner

from consortia.cli.main import app
from consortia.control.mailbox import Letter
from consortia.control.messages import End, Kind, encode
from consortia.control.phases import Phase
from consortia.errors import OperatorError, PeerError
from consortia.parties import session as session_module
from consortia.parties.store import Store
from consortia.parties.work import Documents
from consortia.trust.sessions import Hello, MemberHead, Seal
from tests.session_world import Client, SessionWorld, session_world


def run(world: SessionWorld, client: Client) -> tuple[str, End]:
    session = world.submit(client)
    return session, client.end(session, 20)


def document(payload: bytes) -> bytes:
    return bytes.fromhex(json.loads(payload)["payload"])


def test_every_party_keeps_all_seals_and_names_their_heads_in_its_next_hello(tmp_path: Path) -> None:
    with session_world(tmp_path, owners_only=("bank-d",)) as world:
        client = world.client()
        first, end = run(world, client)
        assert len(end.seals) == 4
        world.wait_phases(first, Phase.SEALED)
        second, end = run(world, client)
        assert end.phase is Phase.SEALED
        world.wait_phases(second, Phase.SEALED)
        sealed = {seal.party: seal for seal in (Seal.parse(one.payload_bytes()) for one in end.seals)}
        assert all(len(seal.earlier) == 1 for seal in sealed.values())
        for member, node in world.nodes.items():
            with node._store.begin() as transaction:
                node._store.journal.verify(transaction)
                entries = node._store.journal.entries(transaction, second)
                held = node._store.heads.held(transaction)
                assert node._store.heads.splits(transaction) == {}
            kinds = [leaf.kind for leaf, _ in entries]
            assert kinds.count("verified-seal") == 3
            hellos = [Hello.parse(document(payload)) for leaf, payload in entries if leaf.kind == "hello"]
            named = {hello.party: {entry.member for entry in hello.heads} for hello in hellos}
            assert named == {name: set(world.nodes) - {name} for name in world.nodes}
            assert held == tuple(
                MemberHead(member=name, head=seal.head) for name, seal in sorted(sealed.items()) if name != member
            )


def test_two_heads_of_one_journal_end_the_next_session_before_anything_is_shared(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        first, _ = run(world, client)
        world.wait_phases(first, Phase.SEALED)
        with world.nodes["bank-a"]._store.begin() as transaction:
            statement = "UPDATE heads SET root = :root WHERE member = 'bank-b'"
            transaction.execute(text(statement), {"root": "0" * 64})
        second, end = run(world, client)
        assert end.phase is Phase.ABORTED
        assert end.fault is not None
        # whoever compares first says it: bank-b finds a head of its own that it never had, the others two of bank-b
        assert end.fault.code in ("evidence/split-view", "evidence/behind")
        world.wait_phases(second, Phase.ABORTED)
        assert Phase.SHARING not in {phase for _, phase, _ in history(world, "bank-c", second)}


def test_a_member_caught_once_is_refused_until_its_case_is_settled(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        store = world.nodes["bank-a"]._store
        with store.begin() as transaction:
            store.heads.mark_split(transaction, "bank-c", "two journals")
        _, end = run(world, client)
        assert end.fault is not None
        assert (end.fault.code, end.fault.party, end.fault.place) == ("evidence/split-view", "bank-a", "bank-c")
        assert "SPLIT VIEW of bank-c: two journals" in command(world, "bank-a", "heads").stderr
        command(world, "bank-a", "heads", "--settle", "bank-c")
        command(world, "bank-a", "heads", "--settle", "bank-c", code=2)
        _, end = run(world, client)
        assert end.phase is Phase.SEALED


def test_an_older_copy_of_a_database_is_noticed_by_what_others_hold(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        first, _ = run(world, client)
        world.wait_phases(first, Phase.SEALED)
        file = world.consortium.home("bank-b").path / "node.sqlite"
        world.nodes.pop("bank-b").stop(2)
        with closing(sqlite3.connect(file)) as database:  # the file alone is the database
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        older = file.read_bytes()
        world.start_node("bank-b")
        second, _ = run(world, client)
        world.wait_phases(second, Phase.SEALED)
        world.nodes.pop("bank-b").stop(2)
        for beside in ("", "-wal", "-shm"):  # new files, not new content: a node that winds down holds the old ones
            file.with_name(file.name + beside).unlink(missing_ok=True)
        file.write_bytes(older)
        store = Store(file)
        store.renew_mailbox()
        with store.begin() as transaction:  # a ledger that is as it was: the journal alone is behind
            store.ledger.restore(transaction, second, "aml-detection", "ana@bank-a", {}, world.consortium.now)
        store.close()
        world.start_node("bank-b")
        third, end = run(world, client)
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("evidence/behind", "bank-b")
        world.wait_phases(third, Phase.ABORTED)
        refused = command(world, "bank-b", "new-log", "--reason", "too early", code=1)
        assert "parties/ledger-behind" in refused.output  # the ledger beside the journal is as old
        world.nodes.pop("bank-b").stop(2)
        reconcile(world, tmp_path, "bank-b")
        answer = json.loads(command(world, "bank-b", "new-log", "--reason", "backup put back", "--json").stdout)
        assert answer["before"]["log"] != answer["after"]["log"]
        world.start_node("bank-b")
        fourth, end = run(world, client)
        assert end.phase is Phase.SEALED
        world.wait_phases(fourth, Phase.SEALED)
        shown = json.loads(command(world, "bank-a", "heads", "--json").stdout)
        logs = {entry["member"]: entry["head"]["log"] for entry in shown["heads"]}
        assert logs["bank-b"] == answer["after"]["log"]
        assert shown["split_views"] == {}


def test_seals_that_cannot_be_verified_now_are_refused_and_the_session_is_sealed_all_the_same(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        node = world.nodes["bank-b"]

        def altered(present: Documents) -> Documents:
            if any(runner._phase is Phase.RELEASING for runner, _ in node._runners.values()):
                raise OperatorError("trust/altered", "an operator accepts a manifest at this moment")
            return present

        world.scripts["bank-b"].documents = altered
        session, end = run(world, world.client())
        assert end.phase is Phase.SEALED
        world.wait_phases(session, Phase.SEALED)
        with node._store.begin() as transaction:
            kinds = [leaf.kind for leaf, _ in node._store.journal.entries(transaction, session)]
        assert (kinds.count("refused-seal"), kinds.count("verified-seal")) == (2, 0)


@pytest.mark.parametrize("told", ["an end", "a failure"])
def test_an_end_that_cannot_be_written_does_not_leave_the_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    def broken(*_arguments: object, **_options: object) -> Phase:
        raise OSError("no space left")

    with session_world(tmp_path, start=("bank-b",)) as world:
        monkeypatch.setattr(session_module, "ended", broken)
        monkeypatch.setattr(session_module, "fail", broken)
        runner = session_module.SessionRunner(world.nodes["bank-b"]._tools, "ab" * 16)
        if told == "an end":
            runner.deliver(Letter(Kind.END, "ab" * 16, encode(End(phase=Phase.ABORTED))))
        else:
            runner.interrupt(PeerError("parties/stopped", "stopped"))
        runner.run()


def reconcile(world: SessionWorld, folder: Path, owner: str) -> None:
    files = []
    for holder in sorted(set(world.consortium.manifest.computers) - {owner}):
        files.append(str(folder / f"{holder}.copies"))
        budget(world, holder, "copies", owner, "--out", files[-1])
    budget(world, owner, "reconcile", *files)


def budget(world: SessionWorld, member: str, *arguments: str) -> None:
    home = str(world.consortium.home(member).path)
    result = CliRunner().invoke(app, ["budget", *arguments], env={"CONSORTIA_HOME": home})
    assert result.exit_code == 0, result.output


def command(world: SessionWorld, member: str, *arguments: str, code: int = 0) -> Result:
    home = str(world.consortium.home(member).path)
    result = CliRunner().invoke(app, ["audit", *arguments], env={"CONSORTIA_HOME": home})
    assert result.exit_code == code, result.output
    return result


def history(world: SessionWorld, member: str, session: str) -> list[tuple[str, Phase, str]]:
    store = world.nodes[member]._store
    with store.begin() as transaction:
        return store.history(transaction, session)
