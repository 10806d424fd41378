"""Revocation and emergency stop: no new run, and running ones end before the release, whatever the coordinator does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consortia.control.mailbox import Letter
from consortia.control.messages import End, Kind, Noted, decode
from consortia.control.phases import Phase
from consortia.coordinator.service import CoordinatorService
from consortia.errors import OperatorError
from consortia.parties import stopping
from consortia.parties.node import PartyNode
from consortia.parties.session import SessionRunner
from consortia.parties.store import Store
from consortia.trust.envelope import Envelope, seal_document, seal_envelope
from consortia.trust.folder import POLICY_TYPE
from consortia.trust.notices import Standing, keep_notice, standing
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


def waiting(node: PartyNode) -> int:
    """Notices that arrived and are not dealt with."""
    with node._store.begin() as transaction:
        return len(node._store.letters(transaction, ""))


def until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stop_outlives_a_kill_between_its_arrival_and_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_world(tmp_path) as world:
        world.nodes.pop("bank-b").stop(1)
        with monkeypatch.context() as patch:
            patch.setattr(PartyNode, "_take_notices", lambda _self, **_options: None)  # killed before it comes to that
            killed = world.start_node("bank-b")
            operator = world.client("olga@bank-c")
            halt = stop(world)
            spread(operator, signed(world, halt, "olga@bank-c"))
            until(lambda: waiting(killed) == 1)
            world.nodes.pop("bank-b").stop(1)
        folder = world.consortium.home("bank-b").trust
        assert folder.notices("stops") == []
        node = world.start_node("bank-b")
        assert folder.notices("stops") == [f"bank-c.{halt.digest()}"]
        assert waiting(node) == 0
        assert noted(operator, 3)["bank-b"].fault is None
        client = world.client()
        assert ended(client, world.submit(client)).fault.code == "parties/emergency-stop"


@pytest.mark.parametrize("cause", ["file", "documents"])
def test_a_notice_that_cannot_be_taken_now_is_taken_at_a_later_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    broken, keep = threading.Event(), stopping.keep_notice
    broken.set()

    def keeping(folder, *arguments) -> None:
        if broken.is_set() and cause == "file" and "bank-b" in str(folder.path):
            raise OSError("no space left")
        keep(folder, *arguments)

    def documents(present):
        if broken.is_set() and cause == "documents":
            raise OperatorError("trust/altered", "the manifest is not the accepted one")
        return present

    monkeypatch.setattr(stopping, "keep_notice", keeping)
    with session_world(tmp_path) as world:
        world.scripts["bank-b"].documents = documents
        officer = world.client("otto@bank-c")
        spread(officer, revocation(world, "otto@bank-c", owner="bank-c"))
        assert noted(officer, 3)["bank-b"].fault is not None
        assert (waiting(world.nodes["bank-b"]), world.nodes["bank-b"].connected) == (1, True)
        broken.clear()
        assert noted(officer, 4)["bank-b"].fault is None
        assert world.consortium.home("bank-b").trust.notices("revocations") == [f"bank-c.{POLICY}"]
        assert waiting(world.nodes["bank-b"]) == 0


def test_a_notice_is_acted_on_at_the_next_look_if_the_first_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, again, begun, release = (threading.Event() for _ in range(4))
    reconsider = SessionRunner.reconsider

    def failing(runner: SessionRunner, standing: Standing) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("whatever it is")
        reconsider(runner, standing)
        again.set()

    def broken(_self: Store, _now: datetime) -> None:
        raise RuntimeError("the disk")

    def local_stage() -> None:
        begun.set()
        release.wait(20)

    with session_world(tmp_path) as world:
        world.scripts["bank-b"].local_stage = local_stage  # so that it does not come to its last word
        client = world.client()
        session = world.submit(client)
        assert begun.wait(10)
        monkeypatch.setattr(SessionRunner, "reconsider", failing)
        monkeypatch.setattr(Store, "delete_due_results", broken)  # another duty of the same clock
        halt = stop(world, "olga@bank-b")
        keep_notice(world.consortium.home("bank-b").trust, signed(world, halt, "olga@bank-b"), halt)
        assert (failed.wait(5), again.wait(5)) == (True, True)
        release.set()
        assert ended(client, session).fault.code == "parties/emergency-stop"


def test_a_lift_that_nobody_signed_ends_no_stop_and_a_deleted_stop_comes_back(tmp_path: Path) -> None:
    with session_world(tmp_path) as world:
        operator = world.client("olga@bank-c")
        halt = stop(world)
        spread(operator, signed(world, halt, "olga@bank-c"))
        assert len(noted(operator, 3)) == 3
        folder, name = world.consortium.home("bank-b").trust, f"bank-c.{halt.digest()}"
        lift = Lift(consortium=halt.consortium, member="bank-c", stop=halt.digest(), reason="no", at=now())
        folder.write_notice("lifts", name, signed(world, lift, "otto@bank-c"))
        (folder.path / "stops" / f"{name}.json").unlink()
        until(lambda: folder.notices("stops") == [name])
        client = world.client()
        assert standing(folder, world.consortium.manifest).stops == (halt,)
        assert journalled(world, "bank-b", "lift") == []
        assert ended(client, world.submit(client)).fault.code == "parties/emergency-stop"
        folder.write_notice("lifts", name, signed(world, lift, "otto@bank-c", "petra@bank-c"))
        until(lambda: standing(folder, world.consortium.manifest).stops == ())  # verified at the next look
        until(lambda: len(journalled(world, "bank-b", "lift")) == 1)
