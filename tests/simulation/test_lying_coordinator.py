"""A coordinator that lies in every way it can: each lie is refused by a node itself, naming what differs.

The liar sees every message it hands out and may drop, change, replay or exchange it. It can't sign for anybody.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from consortia.control.mailbox import Letter
from consortia.control.messages import Collected, End, Kind, Part, Proposal, decode, encode
from consortia.control.phases import Phase
from consortia.coordinator.service import CoordinatorService
from consortia.errors import ConsortiaError, ProtocolAbort
from consortia.parties.work import Documents, Review
from consortia.plans.model import Plan
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.keys import PrivateKey
from consortia.trust.sessions import Approval, Seal
from tests.session_world import Client, SessionWorld, session_world

Lie = Callable[[str, Letter], Letter | None]


class Liar(CoordinatorService):
    """Passes every message that it hands out through ``lie``: peer and letter in, letter out (None: dropped)."""

    lie: Lie = staticmethod(lambda _peer, letter: letter)

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        honest = self._desk._post

        def post(transaction, peer: str, letter: Letter, instance: str = "") -> None:
            changed = type(self).lie(peer, letter)
            if changed is not None:
                honest(transaction, peer, changed, instance)

        self._desk._post = post


def changing(kind: Kind, victim: str, change: Callable[[Collected], Collected]) -> Lie:
    def lie(peer: str, letter: Letter) -> Letter:
        if letter.kind != kind or peer != victim:
            return letter
        collected = decode(Collected, letter.body, letter.kind, "x")
        return Letter(letter.kind, letter.session, encode(change(collected)))

    return lie


def run_with(tmp_path: Path, make_lie: Callable[[SessionWorld], Lie]) -> tuple[SessionWorld, Client, End]:
    with session_world(tmp_path, service=type("ThisLiar", (Liar,), {})) as world:
        type(world.server.service).lie = staticmethod(make_lie(world))
        client = world.client()
        session = world.submit(client)
        end = client.end(session, 20)
        assert Phase.SEALED not in world.phases(session).values()
        assert not [letter for letter in client.letters if letter.kind == Kind.PART]
        return world, client, end


def approval_of(collected: Collected, party: str) -> Approval:
    approvals = [Approval.parse(envelope.payload_bytes()) for envelope in collected.documents]
    return next(approval for approval in approvals if approval.party == party)


def test_a_dropped_approval_is_missed(tmp_path: Path) -> None:
    drop = changing(Kind.APPROVALS, "bank-a", lambda c: c.model_copy(update={"documents": c.documents[:2]}))
    _, _, end = run_with(tmp_path, lambda _world: drop)
    assert end.fault is not None
    assert end.fault.code == "parties/approval-set"
    assert "bank-c" in end.fault.message


def test_a_forged_approval_is_refused_by_its_signature(tmp_path: Path) -> None:
    def forge(collected: Collected) -> Collected:
        own_key = PrivateKey.generate("ecdsa-p256")
        forged = seal_document(approval_of(collected, "bank-b"), (own_key,))
        return Collected(documents=(collected.documents[0], forged, collected.documents[2]))

    _, _, end = run_with(tmp_path, lambda _world: changing(Kind.APPROVALS, "bank-a", forge))
    assert end.fault is not None
    assert end.fault.code == "parties/approval-signature"
    assert "bank-b" in end.fault.message


def test_swapped_signatures_are_refused(tmp_path: Path) -> None:
    def swap(collected: Collected) -> Collected:
        first, second, third = collected.documents
        return Collected(
            documents=(
                first,
                second.model_copy(update={"signatures": third.signatures}),
                third.model_copy(update={"signatures": second.signatures}),
            )
        )

    _, _, end = run_with(tmp_path, lambda _world: changing(Kind.APPROVALS, "bank-a", swap))
    assert end.fault is not None
    assert end.fault.code == "parties/approval-signature"


def test_an_approval_shown_twice_for_another_is_refused(tmp_path: Path) -> None:
    def double(collected: Collected) -> Collected:
        return Collected(documents=(collected.documents[0], collected.documents[1], collected.documents[1]))

    _, _, end = run_with(tmp_path, lambda _world: changing(Kind.APPROVALS, "bank-a", double))
    assert end.fault is not None
    assert end.fault.code == "parties/approval-set"


def test_an_approval_replayed_from_another_session_is_refused_naming_the_session(tmp_path: Path) -> None:
    kept: dict[str, Collected] = {}

    def lie(peer: str, letter: Letter) -> Letter:
        if letter.kind != Kind.APPROVALS or peer != "bank-a":
            return letter
        collected = decode(Collected, letter.body, letter.kind, "x")
        if not kept:
            kept["first"] = collected
            return letter
        replayed = Collected(documents=(collected.documents[0], kept["first"].documents[1], collected.documents[2]))
        return Letter(letter.kind, letter.session, encode(replayed))

    with session_world(tmp_path, service=type("ThisLiar", (Liar,), {"lie": staticmethod(lie)})) as world:
        client = world.client()
        assert client.end(world.submit(client)).phase is Phase.SEALED
        end = client.end(world.submit(client))
        assert end.phase is Phase.ABORTED
        assert end.fault is not None
        assert end.fault.code == "parties/approval-differs"
        assert end.fault.place == "approval of bank-b, session"


def test_another_submission_shown_to_one_party_under_the_same_session_is_refused(tmp_path: Path) -> None:
    def make(world: SessionWorld) -> Lie:
        other = world.submission(world.client(), sql="SELECT SUM(amount) FROM deposits")

        def lie(peer: str, letter: Letter) -> Letter:
            if letter.kind != Kind.PROPOSAL or peer != "bank-c":
                return letter
            proposal = decode(Proposal, letter.body, letter.kind, "x")
            changed = proposal.model_copy(update={"submission": other})
            return Letter(letter.kind, letter.session, encode(changed))

        return lie

    _, _, end = run_with(tmp_path, make)
    assert end.fault is not None
    assert (end.fault.code, end.fault.party) == ("parties/session-id", "bank-c")


def test_another_plan_shown_beside_the_submission_is_refused_without_acting_on_it(tmp_path: Path) -> None:
    def make(world: SessionWorld) -> Lie:
        other = world.plan.model_copy(update={"purpose": "marketing"})

        def lie(peer: str, letter: Letter) -> Letter:
            if letter.kind != Kind.PROPOSAL or peer != "bank-c":
                return letter
            proposal = decode(Proposal, letter.body, letter.kind, "x")
            changed = proposal.model_copy(update={"plan": other.canonical().decode()})
            return Letter(letter.kind, letter.session, encode(changed))

        return lie

    _, _, end = run_with(tmp_path, make)
    assert end.fault is not None
    assert (end.fault.code, end.fault.party) == ("parties/plan-shown", "bank-c")


def test_another_set_of_parties_is_refused(tmp_path: Path) -> None:
    def lie(peer: str, letter: Letter) -> Letter:
        if letter.kind != Kind.PROPOSAL or peer != "bank-b":
            return letter
        proposal = decode(Proposal, letter.body, letter.kind, "x")
        return Letter(
            letter.kind, letter.session, encode(proposal.model_copy(update={"parties": ("bank-a", "bank-b")}))
        )

    _, _, end = run_with(tmp_path, lambda _world: lie)
    assert end.fault is not None
    assert (end.fault.code, end.fault.party) == ("parties/party-set", "bank-b")


@pytest.mark.parametrize("kind", [Kind.HELLOS, Kind.PAIR_KEYS_SET])
def test_a_hello_or_key_message_of_the_coordinators_own_making_is_refused(tmp_path: Path, kind: Kind) -> None:
    def forge(collected: Collected) -> Collected:
        key = PrivateKey.generate("ecdsa-p256")
        first, second, third = collected.documents
        forged = second.model_copy(update={"signatures": ()})
        return Collected(documents=(first, forged.with_signature(key), third))

    _, _, end = run_with(tmp_path, lambda _world: changing(kind, "bank-a", forge))
    assert end.fault is not None
    assert (end.fault.code, end.fault.party) == ("parties/greeting", "bank-a")


def test_a_hello_withheld_from_one_party_leaves_both_sides_without_keys(tmp_path: Path) -> None:
    kept: dict[str, Collected] = {}

    def lie(peer: str, letter: Letter) -> Letter:
        # One party gets a hello of its neighbour from an earlier session: signed rightly, and of another run.
        if letter.kind != Kind.HELLOS or peer != "bank-a":
            return letter
        collected = decode(Collected, letter.body, letter.kind, "x")
        if not kept:
            kept["first"] = collected
            return letter
        replayed = Collected(documents=(collected.documents[0], kept["first"].documents[1], collected.documents[2]))
        return Letter(letter.kind, letter.session, encode(replayed))

    with session_world(tmp_path, service=type("ThisLiar", (Liar,), {"lie": staticmethod(lie)})) as world:
        client = world.client()
        assert client.end(world.submit(client)).phase is Phase.SEALED
        end = client.end(world.submit(client))
        assert end.fault is not None
        assert end.fault.code == "transport/hello"
        assert "session" in end.fault.message


@pytest.mark.parametrize("how", ["altered", "swapped"])
def test_a_part_that_the_coordinator_altered_or_exchanged_is_refused_by_the_recipient(tmp_path: Path, how: str) -> None:
    def lie(peer: str, letter: Letter) -> Letter:
        if letter.kind != Kind.PART or letter.sender != "bank-b":
            return letter
        if how == "swapped":
            return Letter(letter.kind, letter.session, letter.body, "bank-c", letter.receiver)
        part = decode(Part, letter.body, letter.kind, "x")
        flipped = ("B" if part.piece[0] != "B" else "C") + part.piece[1:]
        body = encode(part.model_copy(update={"piece": flipped}))
        return Letter(letter.kind, letter.session, body, letter.sender, letter.receiver)

    with session_world(tmp_path, service=type("ThisLiar", (Liar,), {"lie": staticmethod(lie)})) as world:
        client = world.client()
        session = world.submit(client)
        client.end(session)
        with pytest.raises((ProtocolAbort, KeyError, ConsortiaError)) as refused:
            world.parts(client, session)
        assert isinstance(refused.value, ProtocolAbort)
        assert refused.value.code == "control/part"


def ending_instead_of(kind: Kind, told: Phase) -> Lie:
    def lie(_peer: str, letter: Letter) -> Letter:
        return Letter(Kind.END, letter.session, encode(End(phase=told))) if letter.kind == kind else letter

    return lie


def closing_statements(world: SessionWorld, member: str, session: str) -> list[Seal]:
    store = world.nodes[member]._store
    with store.begin() as transaction:
        entries = store.journal.entries(transaction, session)
    return [
        Seal.parse(Envelope.from_bytes(payload).payload_bytes()) for leaf, payload in entries if leaf.kind == "seal"
    ]


@pytest.mark.parametrize("told", [Phase.SEALED, Phase.ABORTED, Phase.DENIED])
def test_once_its_parts_left_a_node_closes_the_session_as_released_whatever_the_coordinator_calls_it(
    tmp_path: Path, told: Phase
) -> None:
    lie = ending_instead_of(Kind.RELEASED, told)
    with session_world(tmp_path, service=type("ThisLiar", (Liar,), {"lie": staticmethod(lie)})) as world:
        session = world.submit(world.client())
        world.wait_phases(session, Phase.SEALED)
        for member in world.nodes:
            (seal,) = closing_statements(world, member, session)
            assert (seal.outcome, seal.code, len(seal.commitments)) == ("released", str(told), 1)


@pytest.mark.parametrize(("piece", "code"), [("%%%", "control/malformed"), ("AAAA", "control/part")])
def test_a_node_that_can_not_open_its_own_result_still_closes_as_released_and_keeps_nothing(
    tmp_path: Path, piece: str, code: str
) -> None:
    def lie(peer: str, letter: Letter) -> Letter:
        if letter.kind != Kind.PART or peer != "bank-a" or letter.sender != "bank-b":
            return letter
        changed = {**json.loads(letter.body), "piece": piece}
        return Letter(letter.kind, letter.session, json.dumps(changed).encode(), letter.sender, letter.receiver)

    service = type("ThisLiar", (Liar,), {"lie": staticmethod(lie)})
    with session_world(tmp_path, service=service, to_members=True) as world:
        session = world.submit(world.client())
        world.wait_phases(session, Phase.SEALED)
        (seal,) = closing_statements(world, "bank-a", session)
        assert (seal.outcome, seal.code, len(seal.commitments)) == ("released", code, 3)
        store = world.nodes["bank-a"]._store
        with store.begin() as transaction:
            assert store.results(transaction, session) == {}
            kinds = [leaf.kind for leaf, _ in store.journal.entries(transaction, session)]
        assert kinds[-2:] == ["seal", "failed-after-release"]


@pytest.mark.parametrize("told", [Phase.SEALED, Phase.SHARING])
def test_before_its_parts_left_no_word_of_the_coordinator_makes_a_session_sealed_or_lets_it_stay_open(
    tmp_path: Path, told: Phase
) -> None:
    lie = ending_instead_of(Kind.HELLOS, told)
    with session_world(tmp_path, service=type("ThisLiar", (Liar,), {"lie": staticmethod(lie)})) as world:
        session = world.submit(world.client())
        world.wait_phases(session, Phase.ABORTED)
        assert not any(closing_statements(world, member, session) for member in world.nodes)


def test_a_party_whose_catalogue_differs_denies_and_names_the_first_differing_step(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:

        def other_catalogue(review: Review) -> Review:
            first = review.plan.steps[0].model_copy(update={"rows": 16})
            plan = Plan(
                **{
                    **dict(review.plan),
                    "catalogue": "7" * 64,
                    "steps": (first, *review.plan.steps[1:]),
                }
            )
            documents = Documents(review.documents.trusted, "7" * 64, review.documents.policies)
            return Review(documents, plan, review.leakage)

        world.scripts["bank-b"].review = other_catalogue
        client = world.client()
        end = client.end(world.submit(client))
        assert end.phase is Phase.DENIED
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("parties/stale", "bank-b")
        assert "catalogue" in end.fault.message
        assert "step s0 (scan at owner:bank-a): rows is 16 here and 8 there" in end.fault.message


def test_a_party_that_compiles_another_plan_denies_and_names_the_first_differing_step(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:

        def other_plan(review: Review) -> Review:
            second = review.plan.steps[1].model_copy(update={"table": "accounts"})
            plan = review.plan.model_copy(update={"steps": (review.plan.steps[0], second, *review.plan.steps[2:])})
            return Review(review.documents, plan, review.leakage)

        world.scripts["bank-c"].review = other_plan
        client = world.client()
        end = client.end(world.submit(client))
        assert end.fault is not None
        assert (end.phase, end.fault.code, end.fault.party) == (Phase.DENIED, "parties/plan-differs", "bank-c")
        assert "step s1" in end.fault.message
