"""What goes on while the officer types: an analyst's run, and a node that is halted until a revocation counts."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

from consortia.client.consortium import connect
from consortia.control.messages import Stage
from consortia.control.phases import Phase
from consortia.errors import ConsortiaError
from consortia.trust.notices import standing
from examples.aml.consortium import PURPOSE, Consortium
from examples.aml.processes import Running

ANALYST = "ana@bank-a"
PATIENCE = 60.0
"""Seconds after which something that should happen is taken not to happen."""


class BackgroundRun(threading.Thread):
    """An analyst's run in a thread: its phases, whether something was released, and the error that ended it."""

    def __init__(self, consortium: Consortium, sql: str) -> None:
        super().__init__(daemon=True)
        self._consortium, self._sql = consortium, sql
        self.session = ""
        self.phases: list[str] = []
        self.computing = threading.Event()
        self.ended = False
        self.released = False
        self.error: ConsortiaError | None = None

    def run(self) -> None:
        """Submit and follow to the end."""
        try:
            client = connect(self._consortium.profile(ANALYST))
            self.session = client.submit(client.sql(self._sql, purpose=PURPOSE).saved())
            client.follow(self.session, self._note)
        except ConsortiaError as error:
            self.error = error
        finally:
            self.ended = True

    def _note(self, _session: str, event: object) -> None:
        if isinstance(event, Stage):
            self.phases.append(f"{event.party} {event.stage}")
            if event.stage == Phase.COMPUTING:
                self.computing.set()
            self.released = self.released or event.stage == Phase.RELEASING


@contextlib.contextmanager
def halted(servers: Running, bank: str) -> Iterator[None]:
    """Halt the bank's node until a revocation counts at bank-a: an officer types longer than the run takes."""
    home, node = servers.consortium.homes["bank-a"], servers.servers[bank]

    def waiting() -> None:
        manifest = home.trusted().manifest
        deadline = time.monotonic() + PATIENCE
        while not standing(home.trust, manifest).revoked and time.monotonic() < deadline:
            time.sleep(0.02)
        node.send_signal(signal.SIGCONT)

    node.send_signal(signal.SIGSTOP)
    watch = threading.Thread(target=waiting, daemon=True)
    watch.start()
    try:
        yield
    finally:
        watch.join()
