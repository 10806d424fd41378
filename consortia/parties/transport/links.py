"""One link to one peer over a TCP stream: sealed frames out, checked frames in.

``TcpChannel`` implements ``protocols.channel.Channel``. A send is sealed in the caller's thread and written at once
where the kernel takes it; what it does not take is written by the link's own thread, so two parties that send large
messages to each other never wait for each other. When nothing was sent for a third of the silence limit the link
sends a beat (an empty sealed frame), so a peer that computes for a long time is told from a dead one; beats follow
the clock alone, never the data.
"""

import contextlib
import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from consortia.errors import ConsortiaError, NoProgress, PeerError, ProtocolAbort
from consortia.parties.transport.frames import (
    FLAG_BEAT,
    FLAG_CONFIRM,
    FLAG_END,
    HEADER_SIZE,
    PAYLOAD_LIMIT,
    TAG_SIZE,
    Direction,
    Header,
    step_label,
)

BEAT_STEP = "link/beat"
END_STEP = "link/end"


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits of the data plane in seconds: to reach a peer, and to hear nothing from it."""

    connect: float = 10.0
    silence: float = 60.0


class TcpChannel:
    """A pipe to ``peer`` over a connected socket whose first frames (confirmations) were exchanged already."""

    def __init__(
        self, peer: str, sock: socket.socket, outgoing: Direction, incoming: Direction, limits: Limits
    ) -> None:
        self.peer = peer
        self._socket = sock
        self._outgoing = outgoing
        self._incoming = incoming
        self._limits = limits
        self._lock = threading.Lock()
        self._backlog: deque[memoryview] = deque()
        self._wake = threading.Condition(self._lock)
        self._closed = False
        self._failure: PeerError | None = None
        self._last_sent = time.monotonic()
        self._sent: Counter[str] = Counter()
        self._header = bytearray(HEADER_SIZE)
        self._sealed = bytearray(PAYLOAD_LIMIT + TAG_SIZE)
        self._frame = bytearray(HEADER_SIZE + PAYLOAD_LIMIT + TAG_SIZE)
        sock.setblocking(False)
        self._writer = threading.Thread(target=self._write_backlog, name=f"link-{peer}", daemon=True)
        self._writer.start()

    @property
    def sent(self) -> Mapping[str, int]:
        """Payload bytes sealed so far by step path."""
        return self._sent

    def send(self, step: str, payload: bytes | bytearray | memoryview) -> None:
        """See ``Channel.send``; the payload is cut into frames of at most 256 KiB."""
        view = memoryview(payload).cast("B")
        for start in range(0, len(view), PAYLOAD_LIMIT):
            self._send_frame(step, view[start : start + PAYLOAD_LIMIT], 0)
        self._sent[step] += len(view)

    def receive(self, step: str, size: int) -> memoryview:
        """See ``Channel.receive``."""
        payload = memoryview(bytearray(size))
        position = 0
        while position < size:
            position += self._receive_frame(step, payload[position:])
        return payload

    def close(self, *, cleanly: bool) -> None:
        """Send the authenticated end frame if the run ended well, then close. Safe to call twice."""
        if cleanly and not self._closed:
            with contextlib.suppress(ConsortiaError):
                self._send_frame(END_STEP, b"", FLAG_END)
                self._drain()
        with self._lock:
            self._closed = True
            self._wake.notify_all()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._writer.join(timeout=1)
        self._socket.close()

    # --- sending ----------------------------------------------------------------------------------------

    def _send_frame(self, step: str, payload: bytes | memoryview, flags: int) -> None:
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise self._gone("the link is closed")
            frame = memoryview(self._frame)[: HEADER_SIZE + len(payload) + TAG_SIZE]
            self._outgoing.seal_into(step, payload, flags, frame)
            self._last_sent = time.monotonic()
            if not self._backlog:
                frame = frame[self._write_some(frame) :]
            if frame:
                # the buffer is used again by the next frame
                self._backlog.append(memoryview(bytes(frame)))
                self._wake.notify()

    def _write_some(self, frame: memoryview) -> int:
        try:
            return self._socket.send(frame)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._failure = self._gone(error.strerror or "connection lost")
            raise self._failure from error

    def _write_backlog(self) -> None:
        beat = self._limits.silence / 3
        while True:
            with self._lock:
                if not self._backlog and not self._closed:
                    self._wake.wait(timeout=beat)
                if self._closed or self._failure is not None:
                    return
                due = not self._backlog and time.monotonic() - self._last_sent >= beat
            if due:
                with contextlib.suppress(PeerError):
                    self._send_frame(BEAT_STEP, b"", FLAG_BEAT)
                continue
            try:
                select.select([], [self._socket], [], beat)
                with self._lock:
                    while self._backlog:
                        written = self._write_some(self._backlog[0])
                        if written < len(self._backlog[0]):
                            self._backlog[0] = self._backlog[0][written:]
                            break
                        self._backlog.popleft()
                    self._wake.notify_all()
            except (OSError, PeerError, ValueError):
                return

    def _drain(self) -> None:
        deadline = time.monotonic() + self._limits.connect
        with self._lock:
            while self._backlog and self._failure is None and time.monotonic() < deadline:
                self._wake.wait(timeout=0.1)

    # --- receiving --------------------------------------------------------------------------------------

    def _receive_frame(self, step: str, target: memoryview) -> int:
        while True:
            self._read_exactly(memoryview(self._header), step)
            fields = Header.decode(self._header)
            sealed = memoryview(self._sealed)[: fields.length + TAG_SIZE]
            self._read_exactly(sealed, step)
            fits = fields.length <= len(target) and not fields.flags
            place = target[: fields.length] if fits else memoryview(bytearray(fields.length))
            self._incoming.open_into(bytes(self._header), sealed, place)
            if fields.flags & FLAG_BEAT:
                continue
            if fields.flags & FLAG_END:
                raise PeerError(
                    "transport/ended",
                    f"`{self.peer}` ended its part while this node waited for more",
                    place=step,
                    remedy=f"ask the operator of `{self.peer}` why its session ended",
                )
            if not fits or fields.flags & FLAG_CONFIRM or fields.step != step_label(step):
                raise ProtocolAbort(
                    "transport/out-of-step",
                    f"`{self.peer}` sent a message of another step or size than the plan says here",
                    place=step,
                    remedy="both members must run the same version; if they do, treat it as an attack",
                )
            return fields.length

    def _read_exactly(self, target: memoryview, step: str) -> None:
        position = 0
        deadline = time.monotonic() + self._limits.silence
        while position < len(target):
            try:
                count = self._socket.recv_into(target[position:])
            except BlockingIOError:
                self._wait_readable(deadline, step)
                continue
            except OSError as error:
                raise self._gone(error.strerror or "connection lost", step) from error
            if count == 0:
                raise self._gone("it closed the connection", step)
            position += count
            deadline = time.monotonic() + self._limits.silence

    def _wait_readable(self, deadline: float, step: str) -> None:
        remaining = deadline - time.monotonic()
        try:
            ready = remaining > 0 and select.select([self._socket], [], [], remaining)[0]
        except (OSError, ValueError) as error:
            raise self._gone("the link is closed", step) from error
        if not ready and time.monotonic() >= deadline:
            raise NoProgress(
                "transport/silent",
                f"nothing came from `{self.peer}` for {self._limits.silence:g} s",
                place=step,
                remedy=f"ask the operator of `{self.peer}` whether its node runs and the network is up",
            )

    def _gone(self, why: str, step: str = "") -> PeerError:
        return PeerError(
            "transport/closed",
            f"the connection to `{self.peer}` is gone: {why}",
            place=step,
            remedy=f"ask the operator of `{self.peer}` to look at its node, then run again",
        )
