"""One end of the control stream, for nodes and clients: connects, reconnects, delivers each message once.

The stream may break at any time, and the coordinator may restart: what was posted is sent again until it is
acknowledged, what arrives is stored in one transaction with the note that it arrived. A connection belongs to one
mailbox; its thread is the only reader, any thread may post.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc
import structlog
from sqlalchemy import Connection as Transaction
from sqlalchemy import Engine

from consortia.control.diagnosis import diagnose
from consortia.control.identity import TlsIdentity
from consortia.control.limits import ControlLimits, channel_options
from consortia.control.mailbox import Letter, Mailbox
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
from consortia.errors import (
    ConsortiaError,
    InternalError,
    NoProgress,
    PeerError,
    ProtocolAbort,
    RequestError,
    unexpected,
)
from consortia.trust.certificates import COORDINATOR
from consortia.trust.documents import Frozen
from consortia.wire import control_pb2, control_pb2_grpc

_REFUSALS = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
    }
)
"""With these the coordinator says why, as a Fault in the details."""

_ROOM = 4096
"""Bytes of a message beside its body, at most."""
_LOG = structlog.get_logger("consortia.control")

Outgoing = queue.SimpleQueue[control_pb2.Message | None]


@dataclass(frozen=True, slots=True)
class Receiver:
    """What is done with a message: ``store`` in the transaction that notes its arrival, then ``deliver``.

    ``changed`` is told when the stream opens (None) or breaks (why).
    """

    deliver: Callable[[Letter], None]
    store: Callable[[Transaction, Letter], None] = lambda _transaction, _letter: None
    changed: Callable[[ConsortiaError | None], None] = lambda _failure: None


class ControlConnection:
    """A durable connection to the coordinator at ``endpoint``. ``start`` it once, ``close`` it once."""

    def __init__(
        self,
        endpoint: str,
        tls: TlsIdentity,
        mail: tuple[Engine, Mailbox],
        receiver: Receiver,
        limits: ControlLimits,
        software: str,
    ) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._engine, self._mailbox = mail
        self._receiver = receiver
        self._limits = limits
        self._software = software
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._outgoing: Outgoing | None = None
        self._queued = 0
        self._cancel: Callable[[], object] | None = None
        self._failure: ConsortiaError | None = None
        self._since = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def close(self, seconds: float = 5.0) -> None:
        """Close the stream and end the thread. What is not acknowledged stays in the mailbox."""
        self._stopping.set()
        with self._lock:
            if self._outgoing is not None:
                self._outgoing.put(None)
            cancel = self._cancel
        if cancel is not None:
            cancel()
        if self._thread.is_alive():
            self._thread.join(seconds)

    @property
    def connected(self) -> bool:
        """Whether the coordinator has answered on the present stream."""
        return self._outgoing is not None

    @property
    def failure(self) -> ConsortiaError | None:
        """Why the last attempt failed; None while connected."""
        return self._failure

    def disconnected_seconds(self) -> float:
        """How long there has been no stream; 0 while there is one."""
        return 0.0 if self.connected else time.monotonic() - self._since

    def wait_connected(self, seconds: float) -> None:
        """Return once connected; raise the failure if the coordinator refuses or does not answer in time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._outgoing is None:
                if self._failure is not None and self._failure.code != "control/unreachable":
                    raise self._failure
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise self._failure or NoProgress(
                        "control/no-answer",
                        f"the coordinator at {self._endpoint} did not answer in {seconds:g} s",
                        remedy="ask its operator whether it runs",
                    )
                self._changed.wait(remaining)

    def send(self, kind: Kind, body: Frozen, session: str = "", receiver: str = "") -> None:
        """Post a durable message in a transaction of its own."""
        with self._engine.begin() as transaction:
            self.post(transaction, kind, body, session, receiver)
        self.flush()

    def post(self, transaction: Transaction, kind: Kind, body: Frozen, session: str = "", receiver: str = "") -> None:
        """Post a durable message in the caller's transaction; call ``flush`` once it is committed."""
        content = encode(body)
        if len(content) > self._limits.message_bytes - _ROOM:
            # Stored, it would break the stream at every attempt to send it.
            raise RequestError(
                "control/too-large",
                f"a message `{kind}` of {len(content)} bytes is larger than the {self._limits.message_bytes} allowed",
                remedy="ask for less at once, or raise `message_bytes` at both ends and the coordinator",
            )
        self._mailbox.post(transaction, Letter(kind, session, content, receiver=receiver))

    def flush(self) -> None:
        """Hand what was posted to the stream, if there is one."""
        with self._lock:
            self._flush()

    def notify(self, kind: Kind, body: Frozen, session: str = "") -> None:
        """Send a message that may be lost."""
        with self._lock:
            if self._outgoing is not None:
                self._outgoing.put(Letter(kind, session, encode(body)).message(0, WIRE_VERSION))

    def _flush(self) -> None:
        if self._outgoing is None:
            return
        with self._engine.begin() as transaction:
            letters = self._mailbox.pending(transaction, self._queued)
            received = self._mailbox.received(transaction)
        for letter in letters:
            self._outgoing.put(letter.message(received, WIRE_VERSION))
            self._queued = letter.sequence

    def _run(self) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            opened = time.monotonic()
            failure = self._stream()
            was_connected = self.connected
            with self._changed:
                if was_connected:
                    self._since = time.monotonic()
                self._outgoing, self._cancel, self._failure = None, None, failure
                self._changed.notify_all()
            if self._stopping.is_set():
                return
            self._receiver.changed(failure)
            if failure.code == "coordinator/replaced":
                return  # another process took our place; taking it back would go on for ever
            pause = (
                0.1 if was_connected and time.monotonic() - opened > 1 else min(2 * pause, self._limits.backoff_seconds)
            )
            self._stopping.wait(pause)

    def _stream(self) -> ConsortiaError:
        """Serve one stream until it breaks; why it did."""
        options = [*channel_options(self._limits), ("grpc.ssl_target_name_override", COORDINATOR)]
        outgoing: Outgoing = queue.SimpleQueue()
        with grpc.secure_channel(self._endpoint, self._tls.channel_credentials(), options) as channel:
            try:
                call = control_pb2_grpc.CoordinatorStub(channel).Connect(_drain(outgoing))
                cancel: Callable[[], object] = call.cancel
                with self._lock:
                    self._cancel = cancel
                    if self._stopping.is_set():
                        cancel()
                self._serve(iter(call), cancel, outgoing)
            except grpc.RpcError as error:
                return self._explain(error)
            except ConsortiaError as error:
                return error
            except Exception as error:  # noqa: BLE001  # a stream that fails is opened again, whatever the reason
                _LOG.error("stream-failed", **unexpected(error))
                return InternalError("control/internal", f"the stream failed by an unexpected {type(error).__name__}")
            finally:
                outgoing.put(None)
        return self._diagnose()

    def _serve(self, call: Iterator[control_pb2.Message], cancel: Callable[[], object], outgoing: Outgoing) -> None:
        with self._engine.begin() as transaction:
            received = self._mailbox.received(transaction)
        greeting = Connect(software=self._software, instance=self._mailbox.instance)
        outgoing.put(Letter(Kind.CONNECT, "", encode(greeting)).message(received, WIRE_VERSION))
        timer = threading.Timer(self._limits.welcome_seconds, cancel)
        timer.daemon = True
        timer.start()
        try:
            welcome = next(call, None)
        finally:
            timer.cancel()
        if welcome is None:
            return
        check_wire_version(welcome.wire_version, COORDINATOR)
        if welcome.kind != Kind.WELCOME:
            raise ProtocolAbort("control/malformed", f"the coordinator's first message is `{welcome.kind}`")
        decode(Welcome, welcome.envelope, welcome.kind, COORDINATOR)
        self._acknowledged(welcome.acknowledged)
        with self._changed:
            self._outgoing, self._queued, self._failure = outgoing, welcome.acknowledged, None
            self._flush()
            self._changed.notify_all()
        self._receiver.changed(None)
        for message in call:
            self._handle(message, outgoing)

    def _handle(self, message: control_pb2.Message, outgoing: Outgoing) -> None:
        check_wire_version(message.wire_version, COORDINATOR)
        if message.acknowledged:
            self._acknowledged(message.acknowledged)
        letter = Letter.of(message)
        if letter.sequence:
            with self._engine.begin() as transaction:
                fresh = self._mailbox.accept(transaction, letter.sequence)
                if fresh:
                    self._receiver.store(transaction, letter)
            outgoing.put(Letter(Kind.ACK, "", encode(Empty())).message(letter.sequence, WIRE_VERSION))
            if not fresh:
                return
        if letter.kind != Kind.ACK:
            self._receiver.deliver(letter)

    def _diagnose(self) -> ConsortiaError:
        if self._stopping.is_set():
            return PeerError("control/closed", "the connection was closed by this side")
        return diagnose(self._endpoint, self._tls, self._limits.welcome_seconds, datetime.now(UTC))

    def _acknowledged(self, upto: int) -> None:
        with self._engine.begin() as transaction:
            self._mailbox.acknowledged(transaction, upto)

    def _explain(self, error: grpc.RpcError) -> ConsortiaError:
        code, details = error.code(), error.details() or ""
        if code in _REFUSALS:
            with contextlib.suppress(ConsortiaError):
                fault = decode(Fault, details.encode(), "refusal", COORDINATOR)
                return fault.error()
        return self._diagnose()


def _drain(outgoing: Outgoing) -> Iterator[control_pb2.Message]:
    while (message := outgoing.get()) is not None:
        yield message
