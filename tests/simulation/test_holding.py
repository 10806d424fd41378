"""Human review: nothing is approved before the officers have signed, and a hold survives whatever restarts."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from consortia.control.messages import Empty, Fault, Kind, decode
from consortia.control.phases import Phase
from consortia.parties.work import Review
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.sessions import Submission
from consortia.trust.statements import ReviewDecision
from tests.consortium import PEOPLE
from tests.session_world import ANALYST, LEAKAGE, Client, SessionWorld, session_world


def reviewed_by(world: SessionWorld, *owners: str) -> None:
    """Make every party find that officers of ``owners`` review the plan."""

    def review(found: Review) -> Review:
        return replace(found, reviewers=owners)

    for script in world.scripts.values():
        script.review = review


def word(world: SessionWorld, envelope: Envelope, session: str, person: str, **changes) -> Envelope:
    fields = {
        "session": session,
        "member": person.partition("@")[2],
        "person": person,
        "submission": envelope.digest(),
        "plan": world.plan.digest(),
        "leakage": LEAKAGE,
        "decision": "approve",
        "at": datetime.now(UTC).replace(microsecond=0),
    }
    return seal_document(ReviewDecision(**{**fields, **changes}), (world.consortium.profile(person).signing_key(),))


def say(client: Client, session: str, envelope: Envelope) -> None:
    client.connection.wait_connected(5)
    client.connection.send(Kind.REVIEW, envelope, session)


def held(world: SessionWorld, client: Client, *members: str) -> tuple[Envelope, str]:
    submission = world.submission(client)
    session = world.submit(client, submission)
    world.wait_phases(session, Phase.HELD, members)
    return submission, session


def journalled(world: SessionWorld, member: str, session: str, kind: str) -> list[bytes]:
    store = world.nodes[member]._store
    with store.begin() as transaction:
        return [payload for leaf, payload in store.journal.entries(transaction, session) if leaf.kind == kind]


def test_every_party_holds_until_the_officers_of_all_reviewing_owners_have_signed(tmp_path: Path) -> None:
    with session_world(tmp_path, owners_only=("bank-d",)) as world:
        reviewed_by(world, "bank-b", "bank-d")
        client = world.client()
        submission, session = held(world, client)
        first = word(world, submission, session, "otto@bank-b")
        say(world.client("otto@bank-b"), session, first)
        time.sleep(0.5)
        assert set(world.phases(session).values()) == {Phase.HELD}
        assert not any(journalled(world, member, session, "approval") for member in world.nodes)
        second = word(world, submission, session, "petra@bank-d")
        say(world.client("petra@bank-d"), session, second)
        assert client.end(session).phase is Phase.SEALED
        world.wait_phases(session, Phase.SEALED)
        for member in world.nodes:
            assert journalled(world, member, session, "review") == [first.to_bytes(), second.to_bytes()]


def test_an_officer_refuses_and_the_analyst_reads_why(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        reviewed_by(world, "bank-b")
        client = world.client()
        submission, session = held(world, client)
        refusal = word(world, submission, session, "otto@bank-b", decision="refuse", reason="not in this quarter")
        say(world.client("otto@bank-b"), session, refusal)
        end = client.end(session)
        assert (end.phase, end.fault.code, end.fault.party) == (Phase.DENIED, "policies/review-refused", "bank-b")
        assert "not in this quarter" in end.fault.message
        world.wait_phases(session, Phase.DENIED)


def test_a_word_that_does_not_count_moves_nothing(tmp_path: Path) -> None:
    others = "7" * 64
    useless: list[tuple[str, dict[str, str]]] = [
        ("ana@bank-b", {}),  # an analyst, whose word the coordinator does not even carry
        ("olga@bank-b", {}),  # an operator, the same
        ("otto@bank-c", {}),  # an officer whose review nobody asked for
        ("otto@bank-c", {"member": "bank-b"}),  # who speaks for another member
        ("otto@bank-b", {"plan": others}),
        ("otto@bank-b", {"leakage": others}),
        ("otto@bank-b", {"submission": others}),
    ]
    with session_world(tmp_path) as world:
        reviewed_by(world, "bank-b")
        client = world.client()
        submission, session = held(world, client)
        for person, changes in useless:
            say(world.client(person), session, word(world, submission, session, person, **changes))
        time.sleep(0.5)
        assert set(world.phases(session).values()) == {Phase.HELD}
        assert not journalled(world, "bank-b", session, "review")
        say(world.client("otto@bank-b"), session, word(world, submission, session, "otto@bank-b"))
        assert client.end(session).phase is Phase.SEALED


def test_a_person_does_not_review_the_own_submission(tmp_path: Path) -> None:
    with session_world(tmp_path, people={**PEOPLE, "ana": ("analyst", "officer")}) as world:
        reviewed_by(world, "bank-a")
        client = world.client()
        submission, session = held(world, client)
        say(client, session, word(world, submission, session, ANALYST))
        time.sleep(0.4)
        assert set(world.phases(session).values()) == {Phase.HELD}


def test_nodes_and_coordinator_may_restart_while_a_session_is_held(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        reviewed_by(world, "bank-b")
        client = world.client()
        submission, session = held(world, client)
        for member in ("bank-a", "bank-b"):
            world.nodes.pop(member).stop()
        world.restart_coordinator()
        time.sleep(2.2)  # longer than a closed connection may be missed
        officer = world.client("otto@bank-b")
        say(officer, session, word(world, submission, session, "otto@bank-b"))
        world.wait_phases(session, Phase.APPROVED, ("bank-c",))
        for member in ("bank-a", "bank-b"):
            world.start_node(member)
        assert client.end(session, 20).phase is Phase.SEALED


def test_a_hold_ends_when_its_time_is_over(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        reviewed_by(world, "bank-b")
        client = world.client()
        _, session = held(world, client)
        node = world.nodes["bank-b"]
        clock = node._clock
        node._clock = lambda: clock() + timedelta(hours=73)
        end = client.end(session)
        assert (end.phase, end.fault.code) == (Phase.DENIED, "policies/hold-expired")
        world.wait_phases(session, Phase.DENIED)


def test_a_held_session_takes_no_place_of_those_that_run_and_can_be_cancelled(tmp_path: Path) -> None:
    with session_world(tmp_path, start=("bank-a", "bank-c")) as world:
        world.start_node("bank-b", most_sessions=1)
        reviewed_by(world, "bank-b")
        client = world.client()
        sessions = [held(world, client)[1] for _ in range(2)]
        for session in sessions:
            client.connection.send(Kind.CANCEL, Empty(), session)
            assert client.end(session).phase is Phase.ABORTED
            world.wait_phases(session, Phase.ABORTED)


def test_a_run_that_is_not_permitted_any_more_when_the_officer_signs_is_denied(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        reviewed_by(world, "bank-b")
        client = world.client()
        submission, session = held(world, client)
        world.scripts["bank-c"].review = lambda review: replace(
            review, denial_code="policies/denied", denials=("its policy was revoked",)
        )
        say(world.client("otto@bank-b"), session, word(world, submission, session, "otto@bank-b"))
        end = client.end(session)
        assert (end.phase, end.fault.party) == (Phase.DENIED, "bank-c")
        assert "revoked" in end.fault.message


def test_nobody_reviews_a_session_that_is_not_held(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        reached, release = threading.Event(), threading.Event()

        def block() -> None:
            reached.set()
            release.wait(10)

        world.scripts["bank-b"].computing = block
        client = world.client()
        submission = world.submission(client)
        session = world.submit(client, submission)
        assert reached.wait(10)
        officer = world.client("otto@bank-b")
        say(officer, session, word(world, submission, session, "otto@bank-b"))
        letter = officer.wait_for(Kind.REFUSED)
        assert decode(Fault, letter.body, letter.kind, "x").code == "coordinator/not-held"
        release.set()
        assert client.end(session).phase is Phase.SEALED
        assert Submission.parse(submission.payload_bytes()).submitter == ANALYST
