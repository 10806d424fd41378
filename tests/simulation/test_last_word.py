"""Nothing is released without the last word of every party, also of an owner that does not compute.

The coordinator carries aborts and may keep one back; the last word goes over the sealed links.
"""

import threading
import time
from pathlib import Path

from consortia.control.mailbox import Letter
from consortia.control.messages import Kind
from consortia.control.phases import Phase
from consortia.coordinator.service import CoordinatorService
from consortia.parties.work import Documents
from consortia.trust.sessions import MemberDigest
from tests.session_world import SessionWorld, session_world


class Deaf(CoordinatorService):
    """Does not hear the aborts of bank-d, and so tells nobody."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        honest = self._desk.handle

        def handle(transaction, peer: str, instance: str, letter: Letter, now) -> None:
            if not (peer == "bank-d" and letter.kind == Kind.ABORT):
                honest(transaction, peer, instance, letter, now)

        self._desk.handle = handle


def revoked_while_others_compute(world: SessionWorld) -> None:
    """The policy of bank-d is revoked at its own node after its input was shared, before the computers are done."""
    revoked = threading.Event()

    def changing(documents: Documents) -> Documents:
        policies = (MemberDigest(member="bank-d", digest="9" * 64),) if revoked.is_set() else documents.policies
        return Documents(documents.trusted, documents.catalogue, policies)

    def computing() -> None:
        time.sleep(0.5)  # bank-d, which has nothing to compute, is done with its input
        revoked.set()

    world.scripts["bank-d"].documents = changing
    world.scripts["bank-b"].computing = computing


def test_an_owner_that_does_not_compute_stops_the_release_until_the_computers_are_done(tmp_path: Path) -> None:
    with session_world(tmp_path, owners_only=("bank-d",)) as world:
        revoked_while_others_compute(world)
        client = world.client()
        session = world.submit(client)
        end = client.end(session)
        assert end.phase is Phase.ABORTED
        assert end.fault is not None
        assert (end.fault.code, end.fault.party) == ("parties/changed-before-release", "bank-d")
        assert not [letter for letter in client.letters if letter.kind == Kind.PART]


def test_a_coordinator_that_keeps_an_owners_abort_back_gets_nothing_released(tmp_path: Path) -> None:
    with session_world(tmp_path, owners_only=("bank-d",), service=Deaf) as world:
        revoked_while_others_compute(world)
        client = world.client()
        session = world.submit(client)
        end = client.end(session)
        assert end.phase is Phase.ABORTED
        assert end.fault is not None
        assert "bank-d" in end.fault.message
        assert not [letter for letter in client.letters if letter.kind == Kind.PART]
        world.wait_phases(session, Phase.ABORTED)


def test_a_node_that_is_stopped_after_its_input_stops_the_release_though_its_abort_is_kept_back(
    tmp_path: Path,
) -> None:
    with session_world(tmp_path, owners_only=("bank-d",), service=Deaf) as world:
        reached, release = threading.Event(), threading.Event()

        def computing() -> None:
            reached.set()
            release.wait(10)

        world.scripts["bank-b"].computing = computing
        client = world.client()
        session = world.submit(client)
        assert reached.wait(10)
        time.sleep(0.5)
        world.nodes.pop("bank-d").stop(1)
        release.set()
        end = client.end(session)
        assert end.phase is Phase.ABORTED
        assert not [letter for letter in client.letters if letter.kind == Kind.PART]
