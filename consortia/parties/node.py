"""The node of a member: one process that stays connected, runs sessions, and serves the member's own analysts.

Threads: one for the control stream (it only stores messages and hands them on), one for the data-plane port, one a
session, one that reports progress. At its start the node ends what a crash left behind: a secure stage is never
resumed, because its keys and seeds are gone; only a session whose parts had left already is brought to its seal.
"""

import hashlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection

from consortia.control.connection import ControlConnection, Receiver
from consortia.control.diagnosis import split_endpoint
from consortia.control.identity import TlsIdentity
from consortia.control.mailbox import Letter
from consortia.control.messages import Fault, Kind, Noted
from consortia.control.phases import ENDS, Phase
from consortia.errors import ConsortiaError, OperatorError, PeerError, RequestError
from consortia.ids import SESSION_PATTERN
from consortia.parties.answering import REQUESTS, answer
from consortia.parties.budget import check_mark
from consortia.parties.config import PartyConfig
from consortia.parties.duties import attempt
from consortia.parties.ending import close_unreleased
from consortia.parties.expiry import ExpiryWatch
from consortia.parties.holding import overdue
from consortia.parties.memory import keep_memory, return_memory
from consortia.parties.results import results_key
from consortia.parties.session import SessionRunner
from consortia.parties.stopping import Bulletin
from consortia.parties.store import Store
from consortia.parties.tools import Tools
from consortia.parties.transport.mesh import Listener
from consortia.parties.work import Work
from consortia.trust.certificates import Identity, check_certificate
from consortia.trust.home import Home
from consortia.trust.keys import PublicKey, short
from consortia.trust.trusted import TrustedSet
from consortia.version import __version__

_LOG = structlog.get_logger("consortia.parties")
_REPORT_SECONDS = 2.0


class PartyNode:
    """``start`` it once, ``stop`` it once. Raises at construction when keys, card, certificate or port do not fit."""

    def __init__(
        self,
        config: PartyConfig,
        home: Home,
        work: Work,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        new_mailbox: bool = False,
    ) -> None:
        self.member = home.member
        self._clock = clock
        trusted = home.trusted()
        signer = home.node_key()
        _check_card(home, trusted, self.member, signer.public, clock())
        tls = _tls(home, trusted, self.member, clock())
        key = results_key(home.path / "keys" / "results.key")
        self._store = Store(home.path / "node.sqlite")
        if new_mailbox:
            self._store.renew_mailbox()
        receiver = Receiver(deliver=self._deliver, store=self._keep, changed=self._changed)
        endpoint = config.coordinator or trusted.manifest.coordinator.endpoint
        mail = (self._store.engine, self._store.mailbox)
        self._control = ControlConnection(endpoint, tls, mail, receiver, config.limits.control, __version__)
        self._listener = Listener(*split_endpoint(config.listen))
        self._tools = Tools(
            member=self.member,
            store=self._store,
            control=self._control,
            work=work,
            signer=signer,
            listener=self._listener,
            limits=config.limits,
            approval_validity=timedelta(minutes=config.approval_minutes),
            hold_time=timedelta(hours=config.hold_hours),
            clock=clock,
            keys_folder=home.path / "keys" / "sessions",
            results_key=key,
            software=__version__,
        )
        self._expiry = ExpiryWatch(home.trust, self.member)
        self._bulletin = Bulletin(home.trust, self._store, clock)
        self._most_sessions = config.most_sessions
        self._runners: dict[str, tuple[SessionRunner, threading.Thread]] = {}
        self._lock = threading.Lock()
        self._noticing = threading.Lock()
        self._stopping = threading.Event()
        self._fatal: ConsortiaError | None = None
        self._stopped = False

    @property
    def port(self) -> int:
        """The data-plane port."""
        return self._listener.port

    @property
    def connected(self) -> bool:
        """Whether the coordinator answers."""
        return self._control.connected

    @property
    def failure(self) -> ConsortiaError | None:
        """Why there is no connection; None while there is one."""
        return self._control.failure

    def phases(self) -> dict[str, Phase]:
        """Every session of this node and where it stands."""
        with self._store.begin() as transaction:
            return self._store.sessions(transaction)

    def numbers(self) -> dict[str, Callable[[], float]]:
        """What a dashboard shows, by name."""
        counted = {
            "running": frozenset(Phase) - ENDS,
            "sealed": frozenset({Phase.SEALED}),
            "denied": frozenset({Phase.DENIED}),
            "aborted": frozenset({Phase.ABORTED}),
        }

        def count(wanted: frozenset[Phase]) -> Callable[[], float]:
            return lambda: float(sum(phase in wanted for phase in self.phases().values()))

        sessions = {f"sessions_{name}": count(wanted) for name, wanted in counted.items()}
        return {
            "coordinator_connected": lambda: float(self.connected),
            "own_policies_days_left": lambda: self._expiry.days_left(self._clock()),
            **sessions,
        }

    def start(self) -> None:
        """Clear up after a crash, then connect; returns at once."""
        keep_memory()
        check_mark(self._store, self._clock())
        self._bulletin.restore()
        self._take_notices(first=True)  # before any session is woken
        self._recover()
        self._control.start()
        threading.Thread(target=self._report, name="progress", daemon=True).start()
        _LOG.info("node-started", member=self.member, port=self.port)

    def wait(self) -> None:
        """Return when the node was stopped; raise if another process took its place at the coordinator."""
        while not self._stopping.wait(0.5):
            if self._fatal is not None:
                raise self._fatal

    def stop(self, seconds: float = 5.0) -> None:
        """End running sessions, tell the others, and close everything. Safe to call twice."""
        with self._lock:
            stopped_before, self._stopped = self._stopped, True
        if stopped_before:
            return
        with self._lock:
            runners = list(self._runners.values())
        for runner, _ in runners:
            runner.interrupt(
                PeerError(
                    "parties/stopped",
                    f"the node of `{self.member}` was stopped by its operator",
                    remedy="run the analysis again when it is back",
                )
            )
        deadline = time.monotonic() + seconds
        for _, thread in runners:
            thread.join(max(0.0, deadline - time.monotonic()))
        while self._control.connected and self._has_mail() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._control.close()
        self._listener.close()
        self._store.close()
        self._stopping.set()
        _LOG.info("node-stopped", member=self.member)

    # --- messages ---------------------------------------------------------------------------------------

    def _keep(self, transaction: Connection, letter: Letter) -> None:
        """In the transaction that notes the arrival: notices and what belongs to a running session outlive a crash."""
        if letter.kind == Kind.NOTICE:
            self._store.keep_letter(transaction, replace(letter, session=""))
            return
        if not re.match(SESSION_PATTERN, letter.session) or letter.kind in REQUESTS:
            return
        if letter.kind == Kind.PROPOSAL and self._store.phase(transaction, letter.session) is None:
            self._store.propose(transaction, letter.session, self._clock())
        phase = self._store.phase(transaction, letter.session)
        if phase is not None and phase not in ENDS:
            self._store.keep_letter(transaction, letter)

    def _deliver(self, letter: Letter) -> None:
        if letter.kind in REQUESTS:
            answer(self._tools, letter)
            return
        if letter.kind == Kind.NOTICE:
            self._take_notices(tell=True)
            return
        with self._lock:
            # Under the lock, so that a held session's thread that ends meanwhile sees that something has arrived.
            running = self._runners.get(letter.session)
            if running is not None:
                running[0].deliver(letter)
        if running is not None:
            return
        with self._store.begin() as transaction:
            phase = self._store.phase(transaction, letter.session)
        if phase is Phase.HELD or (phase is Phase.PROPOSED and letter.kind == Kind.PROPOSAL):
            self._wake(letter.session)
        else:
            _LOG.info("message-ignored", kind=letter.kind, session=letter.session)

    def _wake(self, session: str, ending: ConsortiaError | None = None) -> None:
        """Give a session of the database its thread, unless it has one; ``ending`` is why it ends."""
        with self._lock:
            if session in self._runners:
                return
            with self._store.begin() as transaction:
                phase = self._store.phase(transaction, session)
                letters = self._store.letters(transaction, session)
            if phase is None or phase in ENDS:
                return
            runner = SessionRunner(self._tools, session, phase)
            for letter in letters:
                runner.deliver(letter)
            if ending is not None:
                runner.interrupt(ending)
            elif len(self._runners) >= self._most_sessions and phase is Phase.PROPOSED:
                runner.interrupt(
                    RequestError(
                        "parties/busy",
                        f"`{self.member}` runs {self._most_sessions} sessions already",
                        remedy="run the analysis again when others have ended",
                    )
                )
            thread = threading.Thread(target=self._run, args=(runner, session), name=f"session-{session[:8]}")
            thread.daemon = True
            self._runners[session] = (runner, thread)
        thread.start()

    def _run(self, runner: SessionRunner, session: str) -> None:
        unread = False
        try:
            runner.run()
        finally:
            with self._lock:
                self._runners.pop(session, None)
                unread = runner.unread
            return_memory()
        if unread:
            self._wake(session)

    def _take_notices(self, *, tell: bool = False, first: bool = False) -> None:
        """Keep the revocations and stops that have arrived if they are right, act on them, and tell their authors.

        Each waits in the database until it is a file of the home or refused for good. One that can't be judged or
        written now is tried again every two seconds and at the next start; its author hears of it once (``tell``).
        ``first``: before the sessions of the database have their threads, so nothing is ended.
        """
        with self._noticing:
            with self._store.begin() as transaction:
                letters = self._store.letters(transaction, "")
            found = [(letter, *self._bulletin.receive(letter, self._trusted)) for letter in letters]
            unheeded = self._unheeded() if found and not first else None
            for letter, error, final in found:
                if error is not None:
                    _LOG.warning("notice-refused", sender=letter.sender, final=final, **error.as_dict())
                self._noted(letter, error or unheeded, final=final, tell=tell)
        self._control.flush()

    def _noted(self, letter: Letter, error: ConsortiaError | None, *, final: bool, tell: bool) -> None:
        fault = None if error is None else Fault.of(error, self.member)
        digest = hashlib.sha256(letter.body).hexdigest()
        with self._store.begin() as transaction:
            if final:
                self._store.drop_letter(transaction, replace(letter, session=""))
            if final or tell:
                noted = Noted(member=self.member, notice=digest, fault=fault)
                self._control.post(transaction, Kind.NOTED, noted, "", letter.sender)

    def _trusted(self) -> TrustedSet:
        return self._tools.work.documents().trusted

    def _unheeded(self) -> ConsortiaError | None:
        try:
            self._heed()
        except ConsortiaError as error:
            return error
        return None

    def _heed(self) -> None:
        """If there are new notices: end the runs that they concern, and decide held ones again."""
        news = self._bulletin.news(self._trusted)
        if not news:
            return
        standing = self._tools.work.documents().standing
        with self._lock:
            runners = [runner for runner, _ in self._runners.values()]
        for runner in runners:
            runner.reconsider(standing)
        with self._store.begin() as transaction:
            held = [hold.session for hold in self._store.holds.all(transaction)]
        for session in held:
            self._wake(session)
        self._bulletin.heeded(news)  # not before: if something above fails, the next look does it again

    # --- start, clock and connection --------------------------------------------------------------------

    def _recover(self) -> None:
        now = self._clock()
        self._store.delete_due_results(now)
        with self._store.begin() as transaction:
            for session, phase in sorted(self._store.running(transaction).items()):
                if phase in (Phase.PROPOSED, Phase.HELD, Phase.RELEASING):
                    continue
                _LOG.warning("session-lost", session=session, phase=phase)
                fault = Fault(
                    kind="PeerError",
                    code="parties/restarted",
                    party=self.member,
                    message=f"the node of `{self.member}` restarted while the session was {phase}",
                    remedy="nothing was opened; run the analysis again",
                )
                self._store.move(transaction, session, Phase.ABORTED, fault.code, now)
                self._store.journal.append(
                    transaction, session=session, kind="abort", payload=fault.model_dump_json().encode(), now=now
                )
                close_unreleased(self._tools, transaction, session, Phase.ABORTED, fault.code, now)
                self._control.post(transaction, Kind.ABORT, fault, session)
            waiting = sorted(self._store.running(transaction))
        self._drop_old_keys(set(waiting))
        for session in waiting:
            self._wake(session)

    def _drop_old_keys(self, needed: set[str]) -> None:
        for file in self._tools.keys_folder.glob("*.pem"):
            if file.stem not in needed:
                file.unlink()

    def _report(self) -> None:
        duties: tuple[Callable[[], object], ...] = (
            self._tell_progress,
            self._bulletin.restore,
            self._take_notices,
            self._heed,
            lambda: self._expiry.look(self._clock()),
            lambda: self._store.delete_due_results(self._clock()),
            self._end_overdue,
        )
        while not self._stopping.wait(_REPORT_SECONDS):
            for duty in duties:
                attempt(duty)

    def _tell_progress(self) -> None:
        with self._lock:
            runners = [(session, runner) for session, (runner, _) in self._runners.items()]
        for session, runner in runners:
            self._control.notify(Kind.PROGRESS, runner.progress(), session)

    def _end_overdue(self) -> None:
        for session, ending in overdue(self._store, self._clock()).items():
            self._wake(session, ending)

    def _changed(self, failure: ConsortiaError | None) -> None:
        if failure is None:
            _LOG.info("coordinator-connected", member=self.member)
            return
        _LOG.warning("coordinator-lost", member=self.member, **failure.as_dict())
        if failure.code == "coordinator/replaced":
            self._fatal = failure

    def _has_mail(self) -> bool:
        with self._store.begin() as transaction:
            return bool(self._store.mailbox.pending(transaction, 0))


def _check_card(home: Home, trusted: TrustedSet, member: str, key: PublicKey, now: datetime) -> None:
    registered = trusted.node_key(member, now)
    if registered != key:
        raise OperatorError(
            "parties/own-key",
            f"the node key in this home has the fingerprint {short(key.key_id)}; registered in the accepted card "
            f"of `{member}` is {short(registered.key_id)}",
            place=str(home.path / "keys" / "node.pem"),
            remedy="accept the newest card with `consortia member accept`, or restore keys/node.pem",
        )


def _tls(home: Home, trusted: TrustedSet, member: str, now: datetime) -> TlsIdentity:
    pair = home.tls_node()
    identity = Identity(trusted.manifest.consortium, "node", member)
    check_certificate(pair.certificate, identity, trusted.card(member, now).tls_root, now, own=True)
    return TlsIdentity(identity, pair.certificate, pair.key_pem(), trusted.manifest.coordinator.tls_root)
