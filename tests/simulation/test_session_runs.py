"""Whole sessions over real sockets: four members of which one does not compute, failures, restarts, cancellation.

What is computed is a token; everything around it is the product.
"""

import base64
import json
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from consortia.control.answers import is_whole, open_answer
from consortia.control.messages import Empty, Fault, Kind, Progress, ResultsAnswer, Status, Waiting, decode
from consortia.control.phases import ENDS, Phase
from consortia.errors import OperatorError, ProtocolAbort
from consortia.parties.work import Documents, Review
from consortia.trust.envelope import seal_document
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.sessions import MemberDigest, ResultsRequest, Seal
from tests.session_world import ANALYST, LIMITS, SessionWorld, session_world


def test_four_members_of_which_one_does_not_compute_reach_the_same_seal(tmp_path: Path) -> None:
    with session_world(tmp_path, owners_only=("bank-d",)) as world:
        client = world.client()
        session = world.submit(client)
        end = client.end(session)
        assert (end.phase, end.fault) == (Phase.SEALED, None)
        parts = world.parts(client, session)
        assert [part[:6] for part in parts["s9"]] == [b"bank-a", b"bank-b", b"bank-c"]
        world.wait_phases(session, Phase.SEALED)
        seals = seals_of(world, session)
        assert set(seals) == {"bank-a", "bank-b", "bank-c", "bank-d"}
        assert len({seal.transcript for seal in seals.values()}) == 1
        assert {seal.plan for seal in seals.values()} == {world.plan.digest()}
        assert [len(seals[member].commitments) for member in sorted(seals)] == [1, 1, 1, 0]


def seals_of(world: SessionWorld, session: str) -> dict[str, Seal]:
    found = {}
    for node in world.nodes.values():
        store = node._store
        with store.begin() as transaction:
            store.journal.verify(transaction)
            entries = store.journal.entries(transaction, session)
        for leaf, payload in entries:
            if leaf.kind == "seal":
                seal = Seal.parse(bytes.fromhex(json.loads(payload)["payload"]))
                found[seal.party] = seal
    return found


def test_the_coordinator_never_holds_a_result_or_a_key(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        session = world.submit(client)
        client.end(session)
        (opened,) = world.parts(client, session).values()
        world.wait_phases(session, Phase.SEALED)
        written = world.coordinator_bytes()
        assert session.encode() in written
        assert encodings(world.plan.digest().encode())[1] in written  # what it may see is found by this search
        for part in opened:
            assert not any(form in written for form in encodings(part[:42]))


def encodings(data: bytes) -> list[bytes]:
    """``data`` as it is, in hexadecimal and in base64."""
    return [data, data.hex().encode(), base64.b64encode(data)]


def test_members_receive_their_results_and_hand_them_to_their_own_analysts_alone(tmp_path: Path) -> None:
    with session_world(tmp_path, owners_only=("bank-d",), to_members=True) as world:
        client = world.client()
        session = world.submit(client)
        assert client.end(session).phase is Phase.SEALED
        world.wait_phases(session, Phase.SEALED)
        for member in ("bank-a", "bank-d"):
            answer, envelope, private = ask(world, f"ana@{member}", session)
            key = world.consortium.home(member).trusted().node_key(member, world.consortium.now)
            results = open_answer(answer, envelope, session, member, key, private)
            assert results["s9"].startswith(b"bank-a to " + member.encode())
            raw = b"".join(file.read_bytes() for file in world.consortium.home(member).path.glob("node.sqlite*"))
            assert b"bank-a to " + member.encode() not in raw
        refused, _, _ = ask(world, "olga@bank-a", session)
        assert refused[0].fault is not None
        assert refused[0].fault.code == "trust/role"
        twice, _, _ = ask(world, "ana@bank-a", session, repeat=True)
        assert twice[0].fault is not None
        assert twice[0].fault.code == "parties/request-used"


def ask(
    world: SessionWorld, person: str, session: str, *, repeat: bool = False
) -> tuple[list[ResultsAnswer], object, KemPrivateKey]:
    client = world.client(person)
    client.connection.wait_connected(5)
    private = KemPrivateKey.generate()
    request = ResultsRequest(
        session=session, person=person, at=world.consortium.now, nonce="ab" * 16, result_key=private.public
    )
    envelope = seal_document(request, (world.consortium.profile(person).signing_key(),))
    answers: list[ResultsAnswer] = []
    for _ in range(2 if repeat else 1):
        answers.clear()
        client.letters.clear()
        client.connection.send(Kind.RESULTS_REQUEST, envelope, session)
        while not is_whole(answers):
            letter = client.wait_for(Kind.RESULTS_ANSWER)
            client.letters.remove(letter)
            answers.append(decode(ResultsAnswer, letter.body, letter.kind, person))
    return answers, envelope, private


def test_a_denial_reaches_the_analyst_with_party_code_and_every_reason(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        world.scripts["bank-b"].review = lambda review: Review(
            review.documents, review.plan, "", "policies/denied", ("bank-b: too few customers", "bank-b: not for this")
        )
        client = world.client()
        session = world.submit(client)
        end = client.end(session)
        assert end.phase is Phase.DENIED
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("policies/denied", "bank-b")
        assert "too few customers" in end.fault.message
        assert "not for this" in end.fault.message
        assert len(end.denials) == 1
        deadline = time.monotonic() + 5
        while any(phase not in ENDS for phase in world.phases(session).values()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert world.phases(session)["bank-b"] is Phase.DENIED
        assert Phase.SEALED not in world.phases(session).values()


def test_the_details_of_a_failure_over_an_owners_data_stay_at_the_owner(tmp_path: Path) -> None:
    secret = "row 17 of deposits holds 4711"

    def fail() -> None:
        raise OperatorError("data/bounds", secret, place="deposits.csv")

    with session_world(tmp_path) as world:
        world.scripts["bank-b"].local_stage = fail
        client = world.client()
        session = world.submit(client)
        end = client.end(session)
        assert end.phase is Phase.ABORTED
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("data/bounds", "bank-b")
        assert "holds 4711" not in end.model_dump_json()
        assert b"holds 4711" not in world.coordinator_bytes()  # the digits alone stand in some signature or other
        world.wait_phases(session, Phase.ABORTED)


def test_a_party_that_never_came_is_named_while_waiting_and_at_the_end(tmp_path: Path) -> None:
    with session_world(tmp_path, start=("bank-a", "bank-b")) as world:
        client = world.client()
        began = time.monotonic()
        session = world.submit(client)
        letter = client.wait_for(Kind.WAITING)
        waiting = decode(Waiting, letter.body, letter.kind, letter.sender)
        assert (waiting.party, waiting.seen) == ("bank-c", False)
        end = client.end(session)
        assert time.monotonic() - began < 5
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("coordinator/never-seen", "bank-c")
        assert "waiting for bank-c, never seen" in end.fault.message
        world.wait_phases(session, Phase.ABORTED, ("bank-a", "bank-b"))


def test_a_party_that_comes_in_time_still_gets_the_proposal(tmp_path: Path) -> None:
    with session_world(tmp_path, start=("bank-a", "bank-b")) as world:
        client = world.client()
        session = world.submit(client)
        client.wait_for(Kind.STAGE)
        world.start_node("bank-c")
        assert client.end(session).phase is Phase.SEALED


@pytest.mark.parametrize("victim", ["bank-a", "bank-c"])
def test_a_node_that_stops_while_computing_ends_the_session_everywhere_and_nothing_is_opened(
    tmp_path: Path, victim: str
) -> None:
    with session_world(tmp_path) as world:
        reached, release = threading.Event(), threading.Event()

        def block() -> None:
            reached.set()
            release.wait(10)

        world.scripts[victim].computing = block
        client = world.client()
        session = world.submit(client)
        assert reached.wait(10)
        began = time.monotonic()
        stopping = threading.Thread(target=world.nodes.pop(victim).stop, args=(1,))
        stopping.start()
        end = client.end(session)
        release.set()
        stopping.join()
        assert time.monotonic() - began < 10
        assert end.phase is Phase.ABORTED
        assert end.fault is not None
        assert victim in (end.fault.party, *end.fault.message.split("`"))
        assert not [letter for letter in client.letters if letter.kind == Kind.PART]
        others = [member for member in ("bank-a", "bank-b", "bank-c") if member != victim]
        world.wait_phases(session, Phase.ABORTED, others)


def test_a_coordinator_that_restarts_while_the_parties_compute_ends_nothing(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        reached, release = threading.Barrier(4), threading.Event()

        def block() -> None:
            reached.wait(10)
            release.wait(10)

        for script in world.scripts.values():
            script.computing = block
        client = world.client()
        session = world.submit(client)
        reached.wait(10)
        world.restart_coordinator(pause=0.5)
        time.sleep(0.3)
        release.set()
        end = client.end(session)
        assert (end.phase, end.fault) == (Phase.SEALED, None)
        assert world.parts(client, session)
        world.wait_phases(session, Phase.SEALED)


def test_a_coordinator_that_restarts_again_and_again_loses_nothing(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        session = world.submit(client)
        for _ in range(4):
            time.sleep(0.15)
            world.restart_coordinator()
        assert client.end(session, 20).phase is Phase.SEALED
        assert world.parts(client, session)


def test_the_submitter_cancels_and_everything_stops_within_a_second(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        reached, release = threading.Event(), threading.Event()

        def block() -> None:
            reached.set()
            release.wait(10)

        world.scripts["bank-b"].computing = block
        client = world.client()
        session = world.submit(client)
        assert reached.wait(10)
        began = time.monotonic()
        client.connection.send(Kind.CANCEL, Empty(), session)
        end = client.end(session)
        world.wait_phases(session, Phase.ABORTED, ("bank-a", "bank-c"), 2)
        assert time.monotonic() - began < 1.5
        assert end.fault is not None
        assert end.fault.code == "coordinator/cancelled"
        release.set()
        world.wait_phases(session, Phase.ABORTED)


def test_another_analyst_can_neither_cancel_nor_see_a_session(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        reached, release = threading.Event(), threading.Event()

        def block() -> None:
            reached.set()
            release.wait(10)

        world.scripts["bank-b"].computing = block
        client, other = world.client(), world.client("ana@bank-b")
        session = world.submit(client)
        assert reached.wait(10)  # before that the coordinator may not have heard of the session at all
        other.connection.wait_connected(5)
        other.connection.send(Kind.CANCEL, Empty(), session)
        letter = other.wait_for(Kind.REFUSED)
        assert decode(Fault, letter.body, letter.kind, "x").code == "coordinator/not-concerned"
        other.connection.send(Kind.STATUS_QUERY, Empty())
        letter = other.wait_for(Kind.STATUS)
        assert decode(Status, letter.body, letter.kind, "x").sessions == ()
        release.set()
        assert client.end(session).phase is Phase.SEALED


def test_long_local_work_is_not_silence(tmp_path: Path) -> None:
    limits = LIMITS.model_copy(update={"silence_seconds": 3.0})
    with session_world(tmp_path, limits=limits) as world:
        world.scripts["bank-b"].local_stage = lambda: time.sleep(4.5)
        client = world.client()
        session = world.submit(client)
        assert client.end(session).phase is Phase.SEALED
        letter = client.wait_for(Kind.PROGRESS)
        assert decode(Progress, letter.body, letter.kind, "x").party in world.nodes


def test_a_policy_that_is_revoked_while_the_session_runs_stops_it_before_the_release(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        revoked = threading.Event()

        def changing(documents: Documents) -> Documents:
            policies = (MemberDigest(member="bank-b", digest="9" * 64),) if revoked.is_set() else documents.policies
            return Documents(documents.trusted, documents.catalogue, policies)

        world.scripts["bank-b"].documents = changing
        world.scripts["bank-b"].computing = revoked.set
        client = world.client()
        session = world.submit(client)
        end = client.end(session)
        assert end.phase is Phase.ABORTED
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("parties/changed-before-release", "bank-b")
        assert not [letter for letter in client.letters if letter.kind == Kind.PART]


def test_a_submission_runs_once(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        envelope = world.submission(client)
        session = world.submit(client, envelope)
        assert client.end(session).phase is Phase.SEALED
        world.submit(client, envelope)
        letter = client.wait_for(Kind.REFUSED)
        assert decode(Fault, letter.body, letter.kind, "x").code == "coordinator/session-used"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"leakage": "4" * 64}, "parties/leakage-differs"),
        ({"catalogue": "5" * 64}, "parties/stale"),
        ({"manifest": "6" * 64}, "parties/stale"),
        ({"consortium": "others"}, "parties/consortium"),
    ],
)
def test_a_submission_that_does_not_fit_is_denied_by_every_node_itself(tmp_path: Path, changes, code: str) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        session = world.submit(client, world.submission(client, **changes))
        end = client.end(session)
        assert end.phase is Phase.DENIED
        assert end.fault is not None
        assert end.fault.code == code


def test_an_operator_may_not_submit(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        client = world.client("olga@bank-a")
        session = world.submit(client, world.submission(client, person="olga@bank-a"))
        end = client.end(session)
        assert end.phase is Phase.DENIED
        assert end.fault is not None
        assert end.fault.code == "trust/role"


def test_a_node_that_was_killed_while_computing_aborts_the_session_at_its_next_start(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        node = world.nodes["bank-b"]
        now = node._clock()
        session = "ab" * 16
        with node._store.begin() as transaction:
            node._store.propose(transaction, session, now)
            for phase in (Phase.REVIEWING, Phase.APPROVED, Phase.SHARING, Phase.COMPUTING):
                node._store.move(transaction, session, phase, "test", now)
        world.nodes.pop("bank-b").stop()
        restarted = world.start_node("bank-b")
        assert restarted.phases()[session] is Phase.ABORTED
        with restarted._store.begin() as transaction:
            assert restarted._store.history(transaction, session)[-1][2] == "parties/restarted"
            *_, (leaf, closing) = restarted._store.journal.entries(transaction, session)
        seal = Seal.parse(bytes.fromhex(json.loads(closing)["payload"]))
        assert (leaf.kind, seal.outcome, seal.code, seal.entries) == ("closing", "aborted", "parties/restarted", 1)


def test_three_restarts_of_a_node_need_no_restart_of_anybody_else(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        for _ in range(3):
            world.nodes.pop("bank-c").stop()
            world.start_node("bank-c")
        client = world.client()
        session = world.submit(client)
        assert client.end(session).phase is Phase.SEALED


def test_a_node_that_runs_enough_sessions_denies_further_ones(tmp_path: Path) -> None:
    with session_world(tmp_path, start=("bank-a", "bank-c")) as world:
        world.start_node("bank-b", most_sessions=1)
        release = threading.Event()
        world.scripts["bank-b"].computing = lambda: release.wait(10) and None
        client = world.client()
        first = world.submit(client)
        deadline = time.monotonic() + 5
        while world.phases(first)["bank-b"] is not Phase.COMPUTING and time.monotonic() < deadline:
            time.sleep(0.02)
        second = world.submit(client)
        end = client.end(second)
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("parties/busy", "bank-b")
        release.set()
        assert client.end(first).phase is Phase.SEALED


def test_an_approval_that_has_expired_meanwhile_releases_nothing(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        node = world.nodes["bank-c"]
        shift = {"by": 0}
        clock = node._tools.clock
        object.__setattr__(node._tools, "clock", lambda: clock() + timedelta(seconds=shift["by"]))
        world.scripts["bank-c"].computing = lambda: shift.update(by=3600)
        client = world.client()
        session = world.submit(client)
        end = client.end(session)
        assert end.phase is Phase.ABORTED
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("parties/approval-expired", "bank-c")


@pytest.mark.parametrize("name", ["ana@bank-b"])
def test_a_result_is_opened_by_the_submitter_alone(tmp_path: Path, name: str) -> None:
    with session_world(tmp_path) as world:
        client = world.client()
        session = world.submit(client)
        client.end(session)
        other = world.client(name)
        other.letters = list(client.letters)
        with pytest.raises(ProtocolAbort, match="can't be opened"):
            world.parts(other, session)
        assert ANALYST in {letter.receiver for letter in client.letters if letter.kind == Kind.PART}


def test_a_session_that_is_held_up_until_an_approval_runs_out_expires_everywhere(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        release = threading.Event()

        def slowly(review: Review) -> Review:
            release.wait(10)
            return review

        world.scripts["bank-c"].review = slowly
        client = world.client()
        session = world.submit(client)
        world.wait_phases(session, Phase.APPROVED, ("bank-a", "bank-b"))
        service = world.server.service
        clock = service._clock
        service._clock = lambda: clock() + timedelta(minutes=15, seconds=301)
        end = client.end(session)
        release.set()
        assert end.phase is Phase.EXPIRED
        assert end.fault is not None
        assert end.fault.code == "coordinator/expired"
        world.wait_phases(session, Phase.EXPIRED)
