"""Quotas in whole sessions: reserved with the approval, committed before the last word, given back at an end."""

import json
from pathlib import Path

from consortia.control.phases import Phase
from consortia.errors import OperatorError
from consortia.parties.ledger import Entry
from consortia.trust.sessions import Approval
from tests.session_world import SessionWorld, session_world

ONE = (("queries-per-analyst-and-day: off", "queries-per-analyst-and-day: 1"),)


def entries(world: SessionWorld, member: str) -> dict[str, Entry]:
    store = world.nodes[member]._store
    with store.begin() as transaction:
        return {row.session: row.state for row in store.ledger.rows(transaction)}


def test_a_second_query_of_the_day_is_denied_by_every_owner_with_the_code_alone(tmp_path: Path) -> None:
    with session_world(tmp_path, edits=ONE) as world:
        client = world.client()
        first = world.submit(client)
        assert client.end(first).phase is Phase.SEALED
        world.wait_phases(first, Phase.SEALED)
        for member in world.nodes:
            assert entries(world, member) == {first: Entry.COMMITTED}
        end = client.end(world.submit(client))
        assert end.phase is Phase.DENIED
        assert end.fault is not None
        assert end.fault.code == "policies/rates"
        assert "can't take part now" in end.fault.message
        assert "ana" not in end.fault.message


def test_a_session_that_fails_before_the_last_word_gives_its_query_back(tmp_path: Path) -> None:
    def fail() -> None:
        raise OperatorError("data/bounds", "the file is damaged")

    with session_world(tmp_path, edits=ONE) as world:
        world.scripts["bank-b"].local_stage = fail
        client = world.client()
        failed = world.submit(client)
        assert client.end(failed).phase is Phase.ABORTED
        world.wait_phases(failed, Phase.ABORTED)
        world.scripts["bank-b"].local_stage = lambda: None
        again = world.submit(client)
        assert client.end(again).phase is Phase.SEALED
        world.wait_phases(again, Phase.SEALED)
        for member in world.nodes:
            assert entries(world, member) == {failed: Entry.REFUNDED, again: Entry.COMMITTED}


def test_two_queries_at_once_never_both_take_the_last_room_of_an_owner(tmp_path: Path) -> None:
    with session_world(tmp_path, edits=ONE) as world:
        clients = [world.client(), world.client()]
        envelopes = [world.submission(client) for client in clients]
        for client in clients:
            client.connection.wait_connected(5)
        sessions = [world.submit(client, envelope) for client, envelope in zip(clients, envelopes, strict=True)]
        ends = [client.end(session).phase for client, session in zip(clients, sessions, strict=True)]
        assert ends.count(Phase.SEALED) <= 1
        for session, end in zip(sessions, ends, strict=True):
            if end is Phase.SEALED:
                world.wait_phases(session, Phase.SEALED)
        for member in world.nodes:
            states = entries(world, member)
            assert list(states.values()).count(Entry.COMMITTED) == ends.count(Phase.SEALED)


def test_the_approval_names_the_row_of_the_ledger(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        for number in (1, 2):
            session = world.submit(client)
            client.end(session)
            world.wait_phases(session, Phase.SEALED)
            store = world.nodes["bank-a"]._store
            with store.begin() as transaction:
                leaves = store.journal.entries(transaction, session)
            approvals = [payload for leaf, payload in leaves if leaf.kind == "verified-approval"]
            found = [Approval.parse(bytes.fromhex(json.loads(payload)["payload"])) for payload in approvals]
            assert {approval.party: approval.reservation and approval.reservation.number for approval in found} == (
                dict.fromkeys(world.nodes, number)
            )
