"""Stored results end: the clock begins when a node stores its result, is shown, and deletes it."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consortia.cli.main import app
from consortia.control.messages import Kind, ResultsAnswer, decode
from consortia.control.phases import Phase
from consortia.parties.node import PartyNode
from consortia.trust.envelope import seal_document
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.sessions import ResultsRequest
from tests.session_world import SessionWorld, session_world

DAYS = 2


def stored(node: PartyNode, session: str) -> set[str]:
    with node._store.begin() as transaction:
        return set(node._store.results(transaction, session))


def refusal(world: SessionWorld, session: str) -> str:
    client = world.client("ana@bank-b")
    client.connection.wait_connected(5)
    request = ResultsRequest(
        session=session,
        person="ana@bank-b",
        at=world.nodes["bank-b"]._clock().replace(microsecond=0),
        nonce="ab" * 16,
        result_key=KemPrivateKey.generate().public,
    )
    envelope = seal_document(request, (world.consortium.profile("ana@bank-b").signing_key(),))
    client.connection.send(Kind.RESULTS_REQUEST, envelope, session)
    letter = client.wait_for(Kind.RESULTS_ANSWER)
    answer = decode(ResultsAnswer, letter.body, letter.kind, "coordinator")
    return answer.fault.code if answer.fault else "answered"


def test_a_node_deletes_a_result_when_its_time_is_over_and_says_so(tmp_path: Path) -> None:
    with session_world(tmp_path, to_members=True) as world:
        step = world.plan.steps[-1].id
        world.scripts["bank-b"].review = lambda review: replace(review, retention={step: DAYS})
        client = world.client()
        session = world.submit(client)
        assert client.end(session).phase is Phase.SEALED
        world.wait_phases(session, Phase.SEALED)
        node = world.nodes["bank-b"]
        with node._store.begin() as transaction:
            [clock] = node._store.retention.clocks(transaction)
        assert (clock.session, clock.step, clock.deleted) == (session, step, False)
        assert abs(clock.until - node._clock() - timedelta(days=DAYS)) < timedelta(minutes=1)
        assert stored(node, session) == stored(world.nodes["bank-a"], session) == {step}

        now = node._clock
        node._clock = lambda: now() + timedelta(days=DAYS)
        deadline = time.monotonic() + 8
        while stored(node, session) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert stored(node, session) == set()
        node._clock = now
        assert refusal(world, session) == "parties/result-deleted"
        with node._store.begin() as transaction:
            kinds = [leaf.kind for leaf, _ in node._store.journal.entries(transaction, session)]
        assert kinds.count("result-deleted") == 1
        result = CliRunner().invoke(app, ["party", "results", "--home", str(world.consortium.home("bank-b").path)])
        assert result.exit_code == 0, result.output
        assert session in result.stdout
        assert "deleted" in result.stdout
        assert stored(world.nodes["bank-a"], session) == {step}  # nobody set a limit there


@pytest.mark.slow
def test_what_became_due_while_the_node_was_off_is_deleted_at_its_start(tmp_path: Path) -> None:
    with session_world(tmp_path, to_members=True) as world:
        step = world.plan.steps[-1].id
        world.scripts["bank-b"].review = lambda review: replace(review, retention={step: DAYS})
        client = world.client()
        session = world.submit(client)
        assert client.end(session).phase is Phase.SEALED
        world.wait_phases(session, Phase.SEALED)
        node = world.nodes.pop("bank-b")
        with node._store.begin() as transaction:
            node._store.retention.begin(transaction, session, node._clock() - timedelta(days=DAYS))
        node.stop()
        assert stored(world.start_node("bank-b"), session) == set()
