"""What a node was asked stands in its journal, approved and denied: the submission, the time, the snapshots."""

from dataclasses import replace
from pathlib import Path

import pytest

from consortia.control.mailbox import Letter
from consortia.control.messages import Kind, Proposal, encode
from consortia.control.phases import Phase
from consortia.errors import OperatorError
from consortia.parties.past import past_questions
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.notices import keep_notice
from consortia.trust.statements import Stop
from tests.session_world import ANALYST, session_world


def test_approved_and_denied_questions_are_found_in_the_journal(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        approved = world.submit(client)
        assert client.end(approved).phase is Phase.SEALED
        world.scripts["bank-b"].review = lambda review: replace(
            review, denials=("bank-b: no",), denial_code="policies/denied"
        )
        denied = world.submit(client)
        assert client.end(denied).phase is Phase.DENIED
        world.wait_phases(approved, Phase.SEALED)
    for bank, sessions in (("bank-a", [approved]), ("bank-b", [approved, denied])):
        found = past_questions(world.consortium.home(bank).path / "node.sqlite")
        assert [one.session for one in found if one.session in sessions] == sessions
    first, second = found
    assert (first.question.sql, first.question.submitter) == ("SELECT COUNT(*) FROM deposits", ANALYST)
    assert first.question.at == world.plan.as_of
    assert (first.snapshots, second.snapshots) == ({"deposits": "3" * 64}, {})
    assert first.at <= second.at


def test_what_no_analyst_signed_is_no_question_also_while_everything_is_stopped(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        node, session = world.nodes["bank-b"], "ab" * 16
        halt = Stop(
            consortium=world.consortium.manifest.consortium, member="bank-b", person="olga@bank-b", reason="a breach",
            at=world.consortium.now, nonce="00",
        )  # fmt: skip
        signed = seal_document(halt, (world.consortium.profile("olga@bank-b").signing_key(),))
        keep_notice(world.consortium.home("bank-b").trust, signed, halt)
        forged = Envelope(payload_type="consortia/submission/v1", payload=b"{}".hex(), signatures=())
        shown = Proposal(submission=forged, plan=world.plan.canonical().decode(), parties=tuple(world.nodes))
        letter = Letter(Kind.PROPOSAL, session, encode(shown))
        with node._store.begin() as transaction:
            node._keep(transaction, letter)
        node._deliver(letter)
        world.wait_phases(session, Phase.DENIED, ("bank-b",))
        client = world.client()
        asked = world.submit(client)
        assert client.end(asked).fault.code == "parties/emergency-stop"
        world.wait_phases(asked, Phase.DENIED, ("bank-b",))
    found = past_questions(world.consortium.home("bank-b").path / "node.sqlite")
    assert [one.session for one in found] == [asked]


def test_a_home_without_a_node_has_no_journal(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        past_questions(tmp_path / "node.sqlite")
    assert caught.value.code == "parties/no-database"
    assert not (tmp_path / "node.sqlite").exists()
