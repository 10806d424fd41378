"""What a node does with the messages of a session, malformed ones included."""

import pytest

from consortia.control.mailbox import Letter
from consortia.control.messages import Empty, End, Fault, Kind, encode
from consortia.control.phases import Phase
from consortia.errors import ConsortiaError, PeerError, ProtocolAbort
from consortia.parties.inbox import SessionEnded, SessionInbox


class _Connected:
    """A control connection that has never been silent."""

    def disconnected_seconds(self) -> float:
        return 0.0


def _inbox() -> SessionInbox:
    return SessionInbox(_Connected(), 1.0)  # type: ignore[arg-type]  # the inbox asks for the silence alone


def test_an_end_of_the_session_is_raised_at_the_next_check() -> None:
    inbox = _inbox()
    inbox.deliver(Letter(Kind.END, "0" * 32, encode(End(phase=Phase.ABORTED))))
    with pytest.raises(SessionEnded):
        inbox.check()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"phase": 7}', b"\xff\xfe"])
def test_a_malformed_end_interrupts_the_session_and_not_the_thread_that_brings_messages(body: bytes) -> None:
    inbox = _inbox()
    inbox.deliver(Letter(Kind.END, "0" * 32, body))
    with pytest.raises(ProtocolAbort) as caught:
        inbox.check()
    assert caught.value.code == "control/malformed"


END = Letter(Kind.END, "0" * 32, encode(End(phase=Phase.ABORTED)))
PARTS = [Letter(Kind.PART, "0" * 32, bytes([number])) for number in range(3)]


@pytest.mark.parametrize("stopped", [False, True])
def test_what_arrived_while_releasing_is_handed_out_before_the_end_or_a_stop_of_the_node(stopped: bool) -> None:
    inbox = _inbox()
    inbox.deliver(Letter(Kind.RELEASED, "0" * 32, encode(Empty())))
    for letter in PARTS:
        inbox.deliver(letter)
    if stopped:
        inbox.interrupt(PeerError("parties/stopped", "stopped"))
    else:
        inbox.deliver(END)
    assert [inbox.take(Kind.PART, Phase.RELEASING) for _ in PARTS] == PARTS
    assert inbox.take(Kind.RELEASED, Phase.RELEASING).kind == Kind.RELEASED
    with pytest.raises(PeerError if stopped else SessionEnded):
        inbox.take(Kind.PART, Phase.RELEASING)


def test_before_releasing_an_end_comes_before_what_arrived() -> None:
    inbox = _inbox()
    inbox.deliver(PARTS[0])
    inbox.deliver(END)
    with pytest.raises(SessionEnded):
        inbox.take(Kind.PART, Phase.COMPUTING)


def test_a_refusal_by_the_coordinator_is_raised_also_by_a_look_at_what_is_there() -> None:
    inbox = _inbox()
    fault = Fault(kind="PeerError", code="coordinator/refused", party="coordinator", message="no")
    inbox.deliver(Letter(Kind.REFUSED, "0" * 32, encode(fault)))
    with pytest.raises(ConsortiaError) as caught:
        inbox.present(Kind.REVIEW)
    assert caught.value.code == "coordinator/refused"
