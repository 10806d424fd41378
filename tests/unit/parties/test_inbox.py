"""What a node does with the messages of a session, malformed ones included."""

import pytest

from consortia.control.mailbox import Letter
from consortia.control.messages import End, Kind, encode
from consortia.control.phases import Phase
from consortia.errors import ProtocolAbort
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
