"""A link between two members measured by itself: how long a round trip takes, and how many bytes pass a second.

``connect_seconds`` needs nothing from the other side: the time to open a TCP connection is a round trip. ``measure``
talks to ``answer`` at the other side (``consortia bench --listen``): one connection, on which the prober sends a byte
that says what is wanted and a length; no key, no data, only zeros, so whoever listens opens the port for as long as
the measurement takes.
"""

import contextlib
import socket
import statistics
import struct
import time
from dataclasses import dataclass

from consortia.errors import OperatorError, PeerError

SECONDS = 5.0
"""How long either side waits for the other."""
TRIPS = 20
BULK = 1 << 24
"""Bytes of one transfer."""
MOST = 1 << 28
"""The most that a prober may ask for."""

_WANTED = struct.Struct(">cI")
_ECHO, _TAKE, _GIVE = b"e", b"t", b"g"
_ZEROS = bytes(1 << 16)


@dataclass(frozen=True, slots=True)
class Measured:
    """One-way latency (half of the median round trip) in seconds, and bytes a second to and from the other side."""

    latency: float
    bytes_out: float
    bytes_in: float


def connect_seconds(host: str, port: int, times: int = 5) -> float:
    """The least time in seconds that a connection takes to open, a round trip; PeerError ``parties/probe``."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        with _connected(host, port):
            found.append(time.perf_counter() - started)
    return min(found)


def measure(host: str, port: int) -> Measured:
    """The link to whoever answers at ``host:port``. Raises PeerError ``parties/probe``."""
    try:
        with _connected(host, port) as sock:
            trips = []
            for _ in range(TRIPS):
                started = time.perf_counter()
                sock.sendall(_WANTED.pack(_ECHO, 1) + b"x")
                _take(sock, 1)
                trips.append(time.perf_counter() - started)
            trip = statistics.median(trips)
            return Measured(trip / 2, _outward(sock, trip), _inward(sock, trip))
    except OSError as error:
        raise _no_answer(host, port, error) from error


def _outward(sock: socket.socket, trip: float) -> float:
    started = time.perf_counter()
    sock.sendall(_WANTED.pack(_TAKE, BULK))
    _give(sock, BULK)
    _take(sock, 1)
    return BULK / max(1e-9, time.perf_counter() - started - trip)


def _inward(sock: socket.socket, trip: float) -> float:
    started = time.perf_counter()
    sock.sendall(_WANTED.pack(_GIVE, BULK))
    _take(sock, BULK)
    return BULK / max(1e-9, time.perf_counter() - started - trip)


def answer(listening: socket.socket) -> None:
    """Serve one prober at a time on ``listening`` until it is closed."""
    while True:
        try:
            sock, _ = listening.accept()
        except OSError:
            return
        with sock, contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(SECONDS)
            _serve(sock)


def listen(host: str, port: int) -> socket.socket:
    """A port for ``answer``; raises OperatorError ``parties/bench-port``."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise OperatorError(
            "parties/bench-port",
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy="stop the program that uses the port, or name another",
        ) from error


def _serve(sock: socket.socket) -> None:
    while True:
        wanted, size = _WANTED.unpack(_read(sock, _WANTED.size))
        if size > MOST:
            return
        match wanted:
            case b"e":
                sock.sendall(_read(sock, min(size, 64)))
            case b"t":
                _take(sock, size)
                sock.sendall(b"x")
            case b"g":
                _give(sock, size)
            case _:
                return


def _give(sock: socket.socket, size: int) -> None:
    for start in range(0, size, len(_ZEROS)):
        sock.sendall(_ZEROS[: size - start])


def _take(sock: socket.socket, size: int) -> None:
    buffer = bytearray(1 << 16)
    while size:
        count = sock.recv_into(buffer, min(size, len(buffer)))
        if not count:
            raise ConnectionResetError("the other side ended")
        size -= count


def _read(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionResetError("the other side ended")
        data += piece
    return data


def _connected(host: str, port: int) -> socket.socket:
    try:
        sock = socket.create_connection((host, port), timeout=SECONDS)
    except OSError as error:
        raise _no_answer(host, port, error) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _no_answer(host: str, port: int, error: OSError) -> PeerError:
    return PeerError(
        "parties/probe",
        f"nobody answers at {host}:{port}: {error.strerror or error}",
        remedy="start `consortia bench --listen` there, or the node; look at firewalls between you",
    )
