"""Revocation and emergency stop: no new run, and running ones end before the release, whatever the coordinator does."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from consortia.control.mailbox import Letter
from consortia.control.messages import End, Kind, Noted, decode
from consortia.control.phases import Phase
from consortia.coordinator.service import CoordinatorService
from consortia.trust.envelope import Envelope, seal_document, seal_envelope
from consortia.trust.folder import POLICY_TYPE
from consortia.trust.notices import keep_notice
from consortia.trust.statements import Lift, Revocation, Stop
from tests.session_world import Client, SessionWorld, session_world

POLICY = "2" * 64
"""The digest of every owner's policy in that world."""


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def signed(world: SessionWorld, document: Revocation | Stop | Lift, *people: str) -> Envelope:
    return seal_document(document, tuple(world.consortium.profile(person).signing_key() for person in people))


def revocation(world: SessionWorld, person: str = "otto@bank-b", **changes) -> Envelope:
    fields = {
        "consortium": world.consortium.manifest.consortium,
        "owner": "bank-b",
        "purpose": world.plan.purpose,
        "policy": POLICY,
        "version": 1,
        "person": person,
        "reason": "the legal basis is gone",
        "at": now(),
    }
    return signed(world, Revocation(**{**fields, **changes}), person)


def stop(world: SessionWorld, person: str = "olga@bank-c") -> Stop:
    return Stop(
        consortium=world.consortium.manifest.consortium,
        member=person.partition("@")[2],
        person=person,
        reason="a breach",
        at=now(),
        nonce="00",
    )


def spread(client: Client, envelope: Envelope) -> None:
    client.connection.wait_connected(5)
    client.connection.send(Kind.NOTICE, envelope)


def noted(client: Client, count: int, seconds: float = 5.0) -> dict[str, Noted]:
    deadline = time.monotonic() + seconds
    while True:
        letters = [letter for letter in client.letters if letter.kind == Kind.NOTED]
        if len(letters) >= count or time.monotonic() > deadline:
            found = [decode(Noted, letter.body, letter.kind, letter.sender) for letter in letters]
            return {each.member: each for each in found}
        time.sleep(0.02)


@contextmanager
def computing(world: SessionWorld, member: str = "bank-a") -> Iterator[tuple[Client, str]]:
    """A session whose run stands still at ``member`` until the block is left."""
    reached, release = threading.Event(), threading.Event()

    def block() -> None:
        reached.set()
        release.wait(10)

    world.scripts[member].computing = block
    client = world.client()
    session = world.submit(client)
    assert reached.wait(10)
    try:
        yield client, session
    finally:
        release.set()
        world.scripts[member].computing = lambda: None


def ended(client: Client, session: str) -> End:
    end = client.end(session)
    assert not [letter for letter in client.letters if letter.kind == Kind.PART and letter.session == session]
    return end


def journalled(world: SessionWorld, member: str, kind: str) -> list[bytes]:
    store = world.nodes[member]._store
    with store.begin() as transaction:
        return [payload for leaf, payload in store.journal.entries(transaction, "") if leaf.kind == kind]


def test_one_officer_revokes_and_the_running_session_ends_everywhere_with_the_reason(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        officer = world.client("otto@bank-b")
        with computing(world) as (client, session):
            began = time.monotonic()
            envelope = revocation(world)
            spread(officer, envelope)
            end = ended(client, session)
            assert time.monotonic() - began < 5
        assert (end.phase, end.fault.code, end.fault.kind) == (Phase.ABORTED, "policies/revoked", "PolicyRefusal")
        assert "the legal basis is gone" in end.fault.message
        world.wait_phases(session, Phase.ABORTED)
        assert {member: each.fault for member, each in noted(officer, 3).items()} == dict.fromkeys(world.nodes)
        for member in world.nodes:
            assert journalled(world, member, "revocation") == [envelope.to_bytes()]


def test_a_coordinator_that_keeps_the_revocation_back_does_not_keep_it_from_the_owners_last_word(
    tmp_path: Path,
) -> None:
    class Silent(CoordinatorService):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            honest = self._desk._post

            def post(transaction, peer: str, letter: Letter, instance: str = "") -> None:
                if letter.kind not in (Kind.NOTICE, Kind.END):  # it hides that the owner has ended the session, too
                    honest(transaction, peer, letter, instance)

            self._desk._post = post

    with session_world(tmp_path, service=Silent, owners_only=("bank-d",)) as world:
        with computing(world) as (client, session):
            home = world.consortium.home("bank-d")
            envelope = revocation(world, "otto@bank-d", owner="bank-d")
            keep_notice(home.trust, envelope, Revocation.parse(envelope.payload_bytes()))
        world.wait_phases(session, Phase.ABORTED)
        assert not [letter for letter in client.letters if letter.kind == Kind.PART]


def test_after_a_revocation_no_session_begins_under_that_policy(tmp_path: Path) -> None:
    with session_world(tmp_path, start=("bank-a", "bank-c")) as world:
        officer = world.client("otto@bank-b")
        spread(officer, revocation(world))
        assert set(noted(officer, 2)) == {"bank-a", "bank-c"}
        world.start_node("bank-b")  # it comes later and hears of it all the same
        assert "bank-b" in noted(officer, 3)
        client = world.client()
        end = ended(client, world.submit(client))
        assert (end.phase, end.fault.code) == (Phase.DENIED, "policies/revoked")


def test_a_policy_that_is_published_stands_in_every_journal_once(tmp_path: Path) -> None:
    with session_world(tmp_path, start=()) as world:
        data = b"any bytes: the journal keeps what lies there"
        keys = [world.consortium.profile("otto@bank-a").signing_key()]
        envelope = seal_envelope(POLICY_TYPE, data, keys)
        world.consortium.home("bank-b").trust.write_policy("bank-a", "aml-detection", envelope)
        world.consortium.home("bank-b").trust.write_policy(
            "bank-c", "aml-detection", Envelope(payload_type=POLICY_TYPE, payload="00", signatures=())
        )
        for _ in range(2):
            node = world.start_node("bank-b")
            node._heed()
            node._heed()
            assert journalled(world, "bank-b", "policy") == [envelope.to_bytes()]
            world.nodes.pop("bank-b").stop(1)


def test_a_revocation_outlives_an_old_copy_of_the_trust_folder(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        officer = world.client("otto@bank-b")
        spread(officer, revocation(world))
        assert len(noted(officer, 3)) == 3
        world.nodes.pop("bank-c").stop(1)
        lost = world.consortium.home("bank-c").trust.path / "revocations"
        for file in lost.iterdir():
            file.unlink()
        world.start_node("bank-c")
        assert world.consortium.home("bank-c").trust.notices("revocations") == [f"bank-b.{POLICY}"]
        assert len(journalled(world, "bank-c", "revocation")) == 1


def test_nobody_else_revokes(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        for person, code in (
            ("ana@bank-b", "trust/role"),
            ("olga@bank-b", "trust/role"),
            ("otto@bank-c", "trust/notice"),
        ):
            client = world.client(person)
            spread(client, revocation(world, person))
            found = noted(client, 3)
            assert {each.fault.code for each in found.values()} == {code}
        client = world.client()
        assert client.end(world.submit(client)).phase is Phase.SEALED


def test_any_member_stops_everything_and_two_of_its_officers_lift_it(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        operator = world.client("olga@bank-c")
        halt = stop(world)
        with computing(world) as (client, session):
            spread(operator, signed(world, halt, "olga@bank-c"))
            end = ended(client, session)
        assert (end.phase, end.fault.code) == (Phase.ABORTED, "parties/emergency-stop")
        assert "a breach" in end.fault.message
        denied = ended(client, world.submit(client))
        assert (denied.phase, denied.fault.code) == (Phase.DENIED, "parties/emergency-stop")
        lift = Lift(consortium=halt.consortium, member="bank-c", stop=halt.digest(), reason="it was a drill", at=now())
        for people in (("otto@bank-c",), ("otto@bank-c", "olga@bank-c"), ("otto@bank-b", "petra@bank-b")):
            liar = world.client(people[0])
            spread(liar, signed(world, lift, *people))
            assert all(each.fault is not None for each in noted(liar, 3).values())
        others = lift.model_copy(update={"member": "bank-b"})
        stranger = world.client("petra@bank-b")
        spread(stranger, signed(world, others, "otto@bank-b", "petra@bank-b"))
        noted(stranger, 3)
        assert ended(client, world.submit(client)).phase is Phase.DENIED
        officer = world.client("petra@bank-c")
        spread(officer, signed(world, lift, "otto@bank-c", "petra@bank-c"))
        assert len(noted(officer, 3)) == 3
        assert client.end(world.submit(client)).phase is Phase.SEALED
