"""The messages of one session at one node, between the control thread that brings them and the session's own thread.

The end of a session and an interruption take effect at once: every wait and every check raises them.
"""

import queue
import threading
import time

from consortia.control.connection import ControlConnection
from consortia.control.mailbox import Letter
from consortia.control.messages import End, Fault, Kind, decode
from consortia.control.phases import Phase
from consortia.errors import ConsortiaError, NoProgress, ProtocolAbort
from consortia.trust.certificates import COORDINATOR


class SessionEnded(Exception):  # the session is over, which is no error of this node
    """The coordinator ended the session."""

    def __init__(self, end: End) -> None:
        super().__init__(end.phase)
        self.end = end


class SessionInbox:
    """Filled by ``deliver`` and ``interrupt`` from any thread, emptied by ``take`` in the session's thread."""

    def __init__(self, control: ControlConnection, silence_seconds: float) -> None:
        self._control = control
        self._silence_seconds = silence_seconds
        self._letters: queue.SimpleQueue[Letter | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._end: End | None = None
        self._interruption: ConsortiaError | None = None
        self._set_aside: list[Letter] = []

    def deliver(self, letter: Letter) -> None:
        """Hand over a message. A malformed end interrupts this session, never the thread that brings messages."""
        if letter.kind == Kind.END:
            try:
                end = decode(End, letter.body, letter.kind, COORDINATOR)
            except ProtocolAbort as error:
                self.interrupt(error)
                return
            with self._lock:
                self._end = end
        self._letters.put(letter)

    def interrupt(self, error: ConsortiaError) -> None:
        """Make the session end with ``error``."""
        with self._lock:
            self._interruption = error
        self._letters.put(None)

    def take(self, kind: Kind, phase: Phase) -> Letter:
        """The next message of ``kind``; those of other kinds are kept for later.

        Raises SessionEnded, the interruption, the fault with which the coordinator refused a message of this
        session, or (before ``releasing``) NoProgress ``parties/coordinator-silent``. In ``releasing``, what arrived
        counts before an end or an interruption: the parts of an own result may come together with the end.
        """
        for place, letter in enumerate(self._set_aside):
            if letter.kind == kind:
                return self._set_aside.pop(place)
        while True:
            if phase is not Phase.RELEASING or self._letters.empty():
                self.check()
            try:
                letter_or_none = self._letters.get(timeout=0.5)
            except queue.Empty:
                self._check_coordinator(phase)
                continue
            if letter_or_none is None or letter_or_none.kind == Kind.END:
                continue
            _raise_refused(letter_or_none)
            if letter_or_none.kind == kind:
                return letter_or_none
            self._set_aside.append(letter_or_none)

    def present(self, kind: Kind) -> tuple[Letter, ...]:
        """All messages of ``kind`` that are here, without waiting; they stay for ``take``.

        Raises the fault with which the coordinator refused a message of this session.
        """
        while not self._letters.empty():
            letter = self._letters.get()
            if letter is not None and letter.kind != Kind.END:
                _raise_refused(letter)
                self._set_aside.append(letter)
        return tuple(letter for letter in self._set_aside if letter.kind == kind)

    @property
    def empty(self) -> bool:
        """Whether nothing has arrived that was not looked at."""
        return self._letters.empty()

    def check(self) -> None:
        """Raise SessionEnded or the interruption, if there is one."""
        with self._lock:
            end, interruption = self._end, self._interruption
        if end is not None:
            raise SessionEnded(end)
        if interruption is not None:
            raise interruption

    def check_within(self, seconds: float) -> None:
        """As ``check``, giving an end or interruption that is on its way some time to arrive."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            time.sleep(0.05)

    def _check_coordinator(self, phase: Phase) -> None:
        waited = self._control.disconnected_seconds()
        if phase is not Phase.RELEASING and waited > self._silence_seconds:
            raise NoProgress(
                "parties/coordinator-silent",
                f"no connection to the coordinator for {int(waited)} s while the session was {phase}",
                remedy="ask the coordinator's operator, then run the analysis again",
            )


def _raise_refused(letter: Letter) -> None:
    if letter.kind == Kind.REFUSED:
        raise decode(Fault, letter.body, Kind.REFUSED, COORDINATOR).error()
