"""One link to one peer over a TCP stream: sealed frames out, checked frames in.

``TcpChannel`` implements ``protocols.channel.Channel``. A send is sealed in the caller's thread and written at once
where the kernel takes it; what it does not take is written by the link's own thread, so two parties that send large
messages to each other never wait for each other. Steps that run at the same time are lanes of one link: whichever
thread waits reads what comes next, and holds for the others what is theirs. When nothing was sent for a third of the
silence limit the link sends a beat (an empty sealed frame), so a peer that computes for a long time is told from a
dead one; beats follow the clock alone, never the data.
"""

import contextlib
import select
import socket
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from consortia.errors import ConsortiaError, PeerError, ProtocolAbort
from consortia.parties.transport.frames import (
    FLAG_BEAT,
    FLAG_END,
    HEADER_SIZE,
    LANE_SIZE,
    PAYLOAD_LIMIT,
    TAG_SIZE,
    Direction,
    Header,
    step_label,
)
from consortia.parties.transport.reader import Reader, closed

BEAT_STEP = "link/beat"
END_STEP = "link/end"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the data plane: seconds to reach a peer and to hear nothing from it; bytes held for later steps."""

    connect: float = 10.0
    silence: float = 60.0
    held_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class _Held:
    """A frame that came while its lane was not waiting."""

    label: bytes
    payload: memoryview


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
        self._frame = memoryview(bytearray(HEADER_SIZE + PAYLOAD_LIMIT + TAG_SIZE))
        # what the thread that reads uses alone
        self._reader = Reader(peer, sock, limits.silence, HEADER_SIZE + PAYLOAD_LIMIT + TAG_SIZE)
        # what all threads that receive share
        self._arrived = threading.Condition()
        self._reading = False
        self._held: defaultdict[bytes, deque[_Held]] = defaultdict(deque)
        self._held_bytes = 0
        self._awaited: set[bytes] = set()
        self._lost: ConsortiaError | None = None
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
        payload = np.empty(size, np.uint8).data
        label = step_label(step)
        position = 0
        while position < size:
            position += self._next_frames(step, label, payload[position:])
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
                raise closed(self.peer, "the link is closed")
            size = HEADER_SIZE + len(payload) + TAG_SIZE
            # the buffer is used again by the next frame; what has to wait gets memory of its own
            frame = memoryview(bytearray(size)) if self._backlog else self._frame[:size]
            self._outgoing.seal_into(step, payload, flags, frame)
            self._last_sent = time.monotonic()
            if self._backlog:
                self._backlog.append(frame)
                return
            written = self._write_some(frame)
            if written < size:
                self._backlog.append(memoryview(bytes(frame[written:])))
                self._wake.notify()

    def _write_some(self, frame: memoryview) -> int:
        try:
            return self._socket.send(frame)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._failure = closed(self.peer, error.strerror or "connection lost")
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

    def _next_frames(self, step: str, label: bytes, target: memoryview) -> int:
        """What is due next for the step, written to ``target``: one frame that was held, or all of it, read now."""
        own = label[:LANE_SIZE]
        held = self._wait_for_turn(own)
        if held is not None:
            if held.label != label or len(held.payload) > len(target):
                raise self._out_of_step(step)
            target[: len(held.payload)] = held.payload
            return len(held.payload)
        position = 0
        try:
            while position < len(target):
                fields, payload = self._read_frame(step, label, target[position:])
                if payload is None:
                    position += fields.length
                elif fields.step[:LANE_SIZE] == own:
                    raise self._out_of_step(step)
                else:
                    self._hold(_Held(fields.step, payload), step)
        except ConsortiaError as error:
            self._lost = error
            raise
        finally:
            with self._arrived:
                self._reading = False
                self._awaited.discard(own)
                if self._awaited:
                    self._arrived.notify_all()
        return position

    def _wait_for_turn(self, own: bytes) -> _Held | None:
        """A held frame of the lane; or None, and from then on this thread alone reads."""
        with self._arrived:
            frames = self._held[own]
            self._awaited.add(own)
            if self._reading:
                self._arrived.wait_for(lambda: frames or self._lost is not None or not self._reading)
            if frames:
                self._awaited.discard(own)
                held = frames.popleft()
                self._held_bytes -= len(held.payload)
                return held
            if self._lost is not None:
                raise self._lost
            self._reading = True
            return None

    def _hold(self, frame: _Held, step: str) -> None:
        with self._arrived:
            lane = frame.label[:LANE_SIZE]
            self._held[lane].append(frame)
            self._held_bytes += len(frame.payload)
            if lane in self._awaited:
                self._arrived.notify_all()
                return
        if self._held_bytes > self._limits.held_bytes:
            raise ProtocolAbort(
                "transport/held",
                f"`{self.peer}` sent {self._held_bytes} bytes of steps that this node has not begun",
                place=step,
                remedy="both members must run the same version; if they do, treat it as an attack",
            )

    def _read_frame(self, step: str, label: bytes, target: memoryview) -> tuple[Header, memoryview | None]:
        """The next frame but beats: its header, and its payload if it is not the one due, written to ``target``."""
        began = time.monotonic()
        while True:
            header = bytes(self._reader.take(HEADER_SIZE, step))
            fields = Header.decode(header)
            sealed = self._reader.take(fields.length + TAG_SIZE, step)
            due = fields.step == label and fields.length <= len(target) and not fields.flags
            place = target[: fields.length] if due else memoryview(bytearray(fields.length))
            self._incoming.open_into(fields, header, sealed, place)
            if fields.flags & FLAG_BEAT:
                if self._held_bytes and time.monotonic() - began > self._limits.silence:
                    # it lives and waits as well, but for another step
                    raise self._out_of_step(step)
                continue
            if fields.flags & FLAG_END:
                raise PeerError(
                    "transport/ended",
                    f"`{self.peer}` ended its part while this node waited for more",
                    place=step,
                    remedy=f"ask the operator of `{self.peer}` why its session ended",
                )
            if fields.flags:
                raise self._out_of_step(step)
            return fields, None if due else place

    def _out_of_step(self, step: str) -> ProtocolAbort:
        return ProtocolAbort(
            "transport/out-of-step",
            f"`{self.peer}` sent a message of another step or size than the plan says here",
            place=step,
            remedy="both members must run the same version; if they do, treat it as an attack",
        )
