"""The coordinator's gRPC server: one stream a node or client, mutual TLS, and the clock that ends what stalls.

Every message is handled under one lock and in one transaction; answers go to open streams after the commit, and to
the others when they come back. Nothing here knows what a message means: see ``desk``.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NoReturn, cast

import grpc
import structlog
from sqlalchemy import Connection

from consortia.control.diagnosis import split_endpoint
from consortia.control.identity import TlsIdentity
from consortia.control.limits import ControlLimits, channel_options
from consortia.control.mailbox import Letter
from consortia.control.messages import (
    WIRE_VERSION,
    Connect,
    Empty,
    Fault,
    Kind,
    Welcome,
    check_wire_version,
    decode,
    encode,
)
from consortia.coordinator import sessions
from consortia.coordinator.desk import Desk
from consortia.coordinator.directory import Directory
from consortia.coordinator.roster import Roster
from consortia.coordinator.store import Store
from consortia.coordinator.watch import Presence, overdue, waiting_for
from consortia.errors import ConsortiaError, InternalError, OperatorError, PeerError, ProtocolAbort, unexpected
from consortia.trust.certificates import COORDINATOR
from consortia.trust.documents import Frozen
from consortia.wire import control_pb2, control_pb2_grpc

FORGET_CLIENTS_AFTER = 3600.0
"""Seconds after which the mail of a client that does not come back is dropped."""

_WATCH_SECONDS = 0.5
_LOG = structlog.get_logger("consortia.coordinator")


@dataclass(eq=False)
class _Stream:
    peer: str
    instance: str
    outgoing: queue.SimpleQueue[control_pb2.Message | None] = field(default_factory=queue.SimpleQueue)
    fault: Fault | None = None

    def put(self, letter: Letter, acknowledged: int) -> None:
        self.outgoing.put(letter.message(acknowledged, WIRE_VERSION))

    def put_body(self, kind: Kind, body: Frozen, *, acknowledged: int = 0, session: str = "") -> None:
        self.put(Letter(kind, session, encode(body)), acknowledged)

    def end(self) -> None:
        self.outgoing.put(None)

    def replaced(self) -> None:
        self.fault = Fault(
            kind="PeerError",
            code="coordinator/replaced",
            party=self.peer,
            message=f"`{self.peer}` connected again from elsewhere, so this connection ended",
            remedy="stop the other process if two were started",
        )
        self.end()


class CoordinatorService(control_pb2_grpc.CoordinatorServicer):
    """State and rules of the server; ``serve`` binds it to a port."""

    def __init__(
        self,
        store: Store,
        directory: Callable[[], Directory],
        limits: ControlLimits,
        software: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._directory = directory
        self._limits = limits
        self._software = software
        self._clock = clock
        self._lock = threading.RLock()
        self._started = time.monotonic()
        self._began: dict[str, float] = {}
        self._roster = Roster(self._started)
        self._desk = Desk(store, directory, self._presence_of)
        self._streams: dict[tuple[str, str], _Stream] = {}
        with store.begin() as transaction:
            for peer in store.peers(transaction):
                self._roster.known(peer)

    def Connect(  # noqa: N802  # the name stands in control.proto
        self, request_iterator: Iterator[control_pb2.Message], context: grpc.ServicerContext
    ) -> Iterator[control_pb2.Message]:
        """Serve one stream until it breaks, is replaced or the server stops."""
        # A peer that says nothing would hold a thread for ever.
        patience = threading.Timer(self._limits.welcome_seconds, context.cancel)
        patience.daemon = True
        patience.start()
        try:
            stream = self._open(request_iterator, context)
        except grpc.RpcError:
            return
        except ConsortiaError as error:
            _LOG.warning("stream-refused", code=error.code, message=error.message)
            _refuse(context, error)
        finally:
            patience.cancel()
        reader = threading.Thread(target=self._read, args=(stream, request_iterator), daemon=True)
        reader.start()
        context.add_callback(stream.end)
        try:
            while (message := stream.outgoing.get()) is not None:
                yield message
        finally:
            self._close(stream)
        if stream.fault is not None:
            context.abort(grpc.StatusCode.ABORTED, encode(stream.fault).decode())

    def roots(self) -> str:
        """The TLS roots of all members now, PEM."""
        return self._directory().roots().decode()

    def watch_once(self) -> None:
        """End what is overdue, and tell submitters whom they wait for."""
        with self._lock:
            now = time.monotonic()
            with self._store.begin() as transaction:
                running = self._store.running(transaction)
                self._keep_only({record.state.session for record in running})
                for record in running:
                    state = record.state
                    began = self._began.setdefault(state.session, now)
                    presences = {party: self._presence(party, state.session) for party in state.parties}
                    fault = overdue(state, presences, began, now, self._limits)
                    event = (
                        self._desk.expiry(transaction, record, self._clock())
                        if fault is None
                        else sessions.Failed(fault.party, fault)
                    )
                    if event is not None:
                        _LOG.warning("session-ended", session=state.session, code=event.fault.code, party=event.party)
                        self._desk.apply(transaction, record, event, self._clock())
                        continue
                    client = self._streams.get((state.submitter, record.instance))
                    waited = waiting_for(state, presences, began, now)
                    if client is not None and waited and waited[0].seconds >= 1:
                        client.put_body(Kind.WAITING, waited[0], session=state.session)
                self._forget_clients(transaction, now)
            self._hand_out()

    def numbers(self) -> dict[str, Callable[[], float]]:
        """What a dashboard shows, by name."""

        def running() -> float:
            with self._store.begin() as transaction:
                return float(len(self._store.running(transaction)))

        return {"streams": lambda: float(len(self._streams)), "sessions_running": running}

    def stop(self) -> None:
        """End every stream; what is undelivered stays in the store."""
        with self._lock:
            for stream in list(self._streams.values()):
                stream.end()

    def _open(self, request_iterator: Iterator[control_pb2.Message], context: grpc.ServicerContext) -> _Stream:
        authenticated = cast("Mapping[str, Sequence[bytes]]", context.auth_context())  # the stub has it wrong
        shown = authenticated.get("x509_pem_cert", ())
        if not shown:
            raise PeerError("coordinator/no-certificate", "the connection shows no certificate")
        peer = self._directory().identify(shown[0].decode(), self._clock())
        first = next(request_iterator, None)
        if first is None:
            raise PeerError("coordinator/closed", f"`{peer}` closed its stream before saying anything")
        check_wire_version(first.wire_version, peer)
        if first.kind != Kind.CONNECT:
            raise ProtocolAbort("control/malformed", f"the first message of `{peer}` is `{first.kind}`")
        greeting = decode(Connect, first.envelope, first.kind, peer)
        stream = _Stream(peer, greeting.instance)
        with self._lock:
            self._welcome(stream, first.acknowledged)
            self._roster.opened(peer, stream, time.monotonic(), single=self._directory().is_member(peer))
            self._streams[peer, stream.instance] = stream
        _LOG.info("connected", peer=peer, software=greeting.software)
        return stream

    def _welcome(self, stream: _Stream, acknowledged: int) -> None:
        peer = stream.peer
        with self._store.begin() as transaction:
            mailbox = self._store.mailbox(peer, stream.instance)
            known = self._store.instances(transaction, peer)
            if stream.instance not in known and acknowledged:
                raise PeerError(
                    "coordinator/lost-mail",
                    f"`{peer}` has read {acknowledged} messages that this coordinator does not remember",
                    remedy="the coordinator's database was replaced: run `consortia party serve --new-mailbox` once",
                )
            received = mailbox.received(transaction)
            mailbox.acknowledged(transaction, acknowledged)
            if stream.instance not in known and self._directory().is_member(peer):
                for old in known:
                    self._store.drop_instance(transaction, peer, old)
                self._desk.propose_again(transaction, peer, stream.instance, self._clock())
            stream.put_body(Kind.WELCOME, Welcome(software=self._software), acknowledged=received)
            for letter in mailbox.pending(transaction, acknowledged):
                stream.put(letter, received)
        self._hand_out()  # the new stream is not listed yet: it has its letters

    def _read(self, stream: _Stream, request_iterator: Iterator[control_pb2.Message]) -> None:
        try:
            for message in request_iterator:
                self._receive(stream, message)
        except grpc.RpcError:
            _LOG.info("stream-broken", peer=stream.peer)
        except ConsortiaError as error:
            _LOG.warning("stream-ended", peer=stream.peer, code=error.code, message=error.message)
            stream.fault = _fault(error)
        except Exception as error:  # noqa: BLE001  # one stream's failure must not take the reader's trace with it
            _LOG.error("stream-failed", peer=stream.peer, **unexpected(error))
            stream.fault = _fault(InternalError("coordinator/internal", f"an unexpected {type(error).__name__}"))
        finally:
            stream.end()

    def _receive(self, stream: _Stream, message: control_pb2.Message) -> None:
        check_wire_version(message.wire_version, stream.peer)
        letter = Letter.of(message)
        with self._lock:
            if letter.session:
                self._roster.heard(stream.peer, letter.session, time.monotonic())
            if not letter.sequence:
                self._pass_on(stream, letter)
            with self._store.begin() as transaction:
                mailbox = self._store.mailbox(stream.peer, stream.instance)
                if message.acknowledged:
                    mailbox.acknowledged(transaction, message.acknowledged)
                if letter.sequence and mailbox.accept(transaction, letter.sequence):
                    self._apply(transaction, stream, letter)
            self._hand_out()
            if letter.sequence:
                stream.put_body(Kind.ACK, Empty(), acknowledged=letter.sequence)

    def _apply(self, transaction: Connection, stream: _Stream, letter: Letter) -> None:
        posted = len(self._desk.posted)
        try:
            with transaction.begin_nested():
                self._desk.handle(transaction, stream.peer, stream.instance, letter, self._clock())
            _LOG.info("message", kind=letter.kind, peer=stream.peer, session=letter.session)
        except ConsortiaError as error:
            # The message is used up (it would fail again), its sender is told, and nothing else has changed.
            _LOG.warning("message-refused", kind=letter.kind, peer=stream.peer, session=letter.session, code=error.code)
            del self._desk.posted[posted:]
            self._desk.refuse(transaction, stream.peer, stream.instance, letter, _fault(error))

    def _pass_on(self, stream: _Stream, letter: Letter) -> None:
        """A party's progress goes to the submitter's open stream, or nowhere."""
        if letter.kind != Kind.PROGRESS:
            return
        with self._store.begin() as transaction:
            record = self._store.load(transaction, letter.session)
        if record is not None and stream.peer in record.state.parties:
            client = self._streams.get((record.state.submitter, record.instance))
            if client is not None:
                client.put(Letter(letter.kind, letter.session, letter.body, stream.peer), 0)

    def _hand_out(self) -> None:
        posted, self._desk.posted = self._desk.posted, []
        for peer, instance, letter in posted:
            stream = self._streams.get((peer, instance))
            if stream is not None:
                stream.put(letter, 0)

    def _close(self, stream: _Stream) -> None:
        with self._lock:
            self._roster.closed(stream.peer, stream, time.monotonic())
            if self._streams.get((stream.peer, stream.instance)) is stream:
                del self._streams[stream.peer, stream.instance]
        _LOG.info("disconnected", peer=stream.peer)

    def _forget_clients(self, transaction: Connection, now: float) -> None:
        busy = {(record.state.submitter, record.instance) for record in self._store.running(transaction)}
        for peer in self._roster.absent_since(now - FORGET_CLIENTS_AFTER):
            for instance in self._store.instances(transaction, peer):
                if not self._directory().is_member(peer) and (peer, instance) not in busy:
                    self._store.drop_instance(transaction, peer, instance)

    def _keep_only(self, running: set[str]) -> None:
        """Memory must not grow with sessions that have ended."""
        self._roster.keep_only(running)
        self._began = {session: began for session, began in self._began.items() if session in running}

    def _presence(self, peer: str, session: str) -> Presence:
        return self._roster.presence(peer, session)

    def _presence_of(self, peer: str) -> tuple[bool, bool]:
        presence = self._roster.presence(peer, "")
        return presence.connected, presence.seen


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A served coordinator: ``stop`` ends it."""

    port: int
    server: grpc.Server
    service: CoordinatorService
    stopping: threading.Event

    def stop(self, seconds: float = 2.0) -> None:
        """Close all streams and the port; returns when both are closed."""
        self.stopping.set()
        self.service.stop()
        self.server.stop(seconds).wait()


def serve(service: CoordinatorService, listen: str, tls: TlsIdentity, limits: ControlLimits) -> RunningServer:
    """Bind ``service`` to ``listen`` (``host:port``, port 0 for a free one) and start it and its clock.

    Raises OperatorError ``coordinator/port`` if the port is taken.
    """
    split_endpoint(listen)
    server = grpc.server(
        ThreadPoolExecutor(limits.streams, thread_name_prefix="stream"),
        options=channel_options(limits),
        maximum_concurrent_rpcs=limits.streams,
    )
    control_pb2_grpc.add_CoordinatorServicer_to_server(service, server)
    try:
        port = server.add_secure_port(listen, tls.server_credentials(service.roots))
    except RuntimeError as error:
        raise OperatorError(
            "coordinator/port",
            f"cannot listen on {listen}",
            remedy="another program uses the port; stop it, or set another endpoint here and in the manifest",
        ) from error
    server.start()
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(_WATCH_SECONDS):
            try:
                service.watch_once()
            except Exception as error:  # noqa: BLE001  # without this clock no session would ever end by itself
                _LOG.error("watch-failed", **unexpected(error))

    threading.Thread(target=watch, name="watch", daemon=True).start()
    return RunningServer(port, server, service, stopping)


def _refuse(context: grpc.ServicerContext, error: ConsortiaError) -> NoReturn:
    status = grpc.StatusCode.PERMISSION_DENIED if isinstance(error, PeerError) else grpc.StatusCode.FAILED_PRECONDITION
    context.abort(status, encode(_fault(error)).decode())
    raise InternalError("coordinator/internal", "an aborted stream went on")


def _fault(error: ConsortiaError) -> Fault:
    """The coordinator keeps no secrets: the sender of a bad message is told everything."""
    return Fault(
        kind=type(error).__name__,
        code=error.code,
        party=COORDINATOR,
        place=error.place,
        message=error.message,
        remedy=error.remedy,
    )
