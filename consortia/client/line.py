"""The client's line to the coordinator: one control connection, and what arrives on it as a stream of letters."""

import queue
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from consortia.client.archive import Mail
from consortia.control.connection import ControlConnection, Receiver
from consortia.control.identity import TlsIdentity
from consortia.control.limits import ControlLimits
from consortia.control.mailbox import Letter
from consortia.control.messages import Fault, Kind, decode
from consortia.errors import NoProgress
from consortia.trust.certificates import COORDINATOR, Identity
from consortia.trust.documents import Frozen
from consortia.trust.home import Profile
from consortia.trust.trusted import TrustedSet
from consortia.version import __version__


class Line:
    """Use as a context manager; ``letters`` yields what arrives until the caller stops asking."""

    def __init__(
        self, profile: Profile, trusted: TrustedSet, mail: Mail, limits: ControlLimits, coordinator: str = ""
    ) -> None:
        self._mail = mail
        self._limits = limits
        self._arrived: queue.SimpleQueue[Letter] = queue.SimpleQueue()
        pair = profile.tls()
        entry = trusted.manifest.coordinator
        tls = TlsIdentity(
            identity=Identity(trusted.manifest.consortium, "person", profile.person),
            certificate=pair.certificate,
            key=pair.key_pem(),
            roots=entry.tls_root,
        )
        self.connection = ControlConnection(
            coordinator or entry.endpoint,
            tls,
            (mail.engine, mail.mailbox),
            Receiver(deliver=self._arrived.put, store=mail.keep),
            limits,
            __version__,
        )

    def __enter__(self) -> Self:
        self.connection.start()
        try:
            self.connection.wait_connected(self._limits.welcome_seconds)
        except BaseException:
            self.connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.connection.close()
        self._mail.close()

    def send(self, kind: Kind, body: Frozen, session: str = "") -> None:
        """Post a durable message to the coordinator."""
        self.connection.send(kind, body, session)

    def poll(self, seconds: float) -> Letter | None:
        """The next letter, or None if none comes in ``seconds``.

        Raises NoProgress ``client/coordinator-lost`` when the coordinator stays away for the silence limit.
        """
        try:
            return self._arrived.get(timeout=seconds)
        except queue.Empty:
            self._check()
            return None

    def letters(self) -> Iterator[Letter]:
        """What arrives from now on; raises as ``poll``."""
        while True:
            letter = self.poll(0.5)
            if letter is not None:
                yield letter

    def answer(self, kind: Kind, session: str, seconds: float) -> Letter:
        """The next letter of ``kind`` for ``session``, others are dropped.

        Raises the fault if the coordinator refuses, and NoProgress ``client/no-answer`` after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            letter = self.poll(0.5)
            if letter is not None and letter.session == session:
                if letter.kind == Kind.REFUSED:
                    raise decode(Fault, letter.body, letter.kind, COORDINATOR).error()
                if letter.kind == kind:
                    return letter
        raise NoProgress(
            "client/no-answer",
            f"no answer came within {seconds:g} s",
            remedy="ask the operator of your member whether its node runs and is connected",
        )

    def _check(self) -> None:
        if self.connection.disconnected_seconds() < self._limits.silence_seconds:
            return
        raise NoProgress(
            "client/coordinator-lost",
            f"the coordinator has been away for {self._limits.silence_seconds:g} s",
            remedy="the run goes on without this terminal; later, `consortia session results` fetches its result",
        )
