"""A link of given latency and bandwidth on one machine: a relay between two ends that delays what passes.

Used where the kernel has no netem. Every direction of every connection is a pipe of its own: a piece of data leaves
after those before it at the given bytes a second, and arrives the latency later. One thread serves all pipes; it
sleeps until something arrives or is due, so it takes little from the processors that are measured.
"""

import contextlib
import select
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field

HOST = "127.0.0.1"
PIECE = 1 << 18
FULL = 1 << 26
"""Bytes on their way in one direction; a sender waits above it."""


@dataclass(slots=True, eq=False)
class _Pipe:
    """One direction."""

    source: socket.socket
    target: socket.socket
    pieces: deque[tuple[float, memoryview]] = field(default_factory=deque)
    under_way: int = 0
    free: float = 0.0
    ended: bool = False


class Relay:
    """``front(port)`` opens a port that leads to ``port`` with this relay's latency (seconds) and bytes a second.

    Both may be changed while nothing is under way.
    """

    def __init__(self, latency: float = 0.0, bytes_per_second: float = float("inf")) -> None:
        self.latency = latency
        self.bytes_per_second = bytes_per_second
        self._pipes: list[_Pipe] = []
        self._listeners: list[socket.socket] = []
        self._wake, self._waker = socket.socketpair()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)
        self._thread.start()

    def front(self, port: int) -> int:
        """A port that leads to ``port``."""
        listener = socket.create_server((HOST, 0))
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, port), daemon=True).start()
        return int(listener.getsockname()[1])

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        self._waker.send(b"x")
        self._thread.join()
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket, port: int) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection((HOST, port))
            for sock in (near, far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setblocking(False)
            self._pipes += [_Pipe(near, far), _Pipe(far, near)]
            self._waker.send(b"x")

    def _serve(self) -> None:
        while not self._closed:
            now = time.monotonic()
            reading = [pipe.source for pipe in self._pipes if not pipe.ended and pipe.under_way < FULL]
            due = [pipe for pipe in self._pipes if pipe.pieces and pipe.pieces[0][0] <= now]
            later = [pipe.pieces[0][0] - now for pipe in self._pipes if pipe.pieces and pipe.pieces[0][0] > now]
            readable, writable, _ = select.select(
                [self._wake, *reading], [pipe.target for pipe in due], [], min(later, default=None)
            )
            if self._wake in readable:
                self._wake.recv(64)
            for pipe in list(self._pipes):
                if pipe.source in readable:
                    self._read(pipe)
                if pipe.target in writable and pipe in due:
                    self._write(pipe)
                if pipe.ended and not pipe.pieces:
                    self._pipes.remove(pipe)
                    with contextlib.suppress(OSError):
                        pipe.target.shutdown(socket.SHUT_WR)
        for pipe in self._pipes:
            pipe.source.close()

    def _read(self, pipe: _Pipe) -> None:
        try:
            data = pipe.source.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            pipe.ended = True
            return
        pipe.free = max(pipe.free, time.monotonic()) + len(data) / self.bytes_per_second
        pipe.pieces.append((pipe.free + self.latency, memoryview(data)))
        pipe.under_way += len(data)

    def _write(self, pipe: _Pipe) -> None:
        due, data = pipe.pieces[0]
        try:
            sent = pipe.target.send(data)
        except BlockingIOError:
            return
        except OSError:
            pipe.ended = True
            pipe.pieces.clear()
            return
        pipe.under_way -= sent
        if sent == len(data):
            pipe.pieces.popleft()
        else:
            pipe.pieces[0] = (due, data[sent:])
