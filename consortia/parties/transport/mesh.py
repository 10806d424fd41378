"""From keys to links: who dials whom, and how both sides prove that they are in the same run.

A node listens on one port for all its sessions. The computer of higher rank dials the lower, owners dial computers
(architecture of the design, section 10). The dialler's first frame is the confirmation of the key schedule under the
pair's key, the listener answers with its own; only then does a link exist. A connection that proves nothing is closed
and tells the stranger nothing.
"""

import contextlib
import hmac
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from consortia.errors import ConsortiaError, OperatorError, PeerError
from consortia.parties.transport.frames import FLAG_CONFIRM, HEADER_SIZE, TAG_SIZE, Direction, Header
from consortia.parties.transport.key_schedule import LinkKeys
from consortia.parties.transport.links import Limits, TcpChannel

CONFIRM_STEP = "link/confirm"
_CONFIRM_SIZE = 32
_PENDING_LIMIT = 64

Ticket = tuple[bytes, int, int, int]
"""Session, attempt, place of the dialler, place of the listener."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a link belongs to: session id, attempt, all parties sorted by id, and the computers by rank."""

    session: str
    attempt: int
    parties: tuple[str, ...]
    computers: tuple[str, ...]

    def peers(self, me: str) -> tuple[str, ...]:
        """Parties that ``me`` needs a link to: computers need everybody, owners need the computers."""
        if me in self.computers:
            return tuple(party for party in self.parties if party != me)
        return tuple(party for party in self.computers if party != me)

    def dials(self, me: str, peer: str) -> bool:
        """Whether ``me`` opens the connection to ``peer``."""
        if me in self.computers and peer in self.computers:
            return self.computers.index(me) > self.computers.index(peer)
        return me not in self.computers


class Listener:
    """The node's one data-plane port. Connections wait here, unproven, until their session asks for them."""

    def __init__(self, host: str, port: int) -> None:
        try:
            self._socket = socket.create_server((host, port), backlog=32)
        except OSError as error:
            raise OperatorError(
                "transport/port",
                f"cannot listen on {host}:{port}: {error.strerror}",
                remedy="another program uses the port; stop it, or set another `listen` in party.yaml and the card",
            ) from error
        self.port: int = self._socket.getsockname()[1]
        self._arrivals: dict[Ticket, tuple[socket.socket, bytes]] = {}
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._accept, name="data-plane", daemon=True)
        self._thread.start()

    def claim(self, ticket: Ticket, deadline: float) -> tuple[socket.socket, bytes] | None:
        """The connection that announced ``ticket``, with its first frame; None at the deadline."""
        with self._changed:
            while ticket not in self._arrivals:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return None
                self._changed.wait(timeout=remaining)
            return self._arrivals.pop(ticket)

    def close(self) -> None:
        """Stop listening and drop what nobody claimed."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._changed:
            for sock, _ in self._arrivals.values():
                sock.close()
            self._arrivals.clear()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._admit, args=(sock,), daemon=True).start()

    def _admit(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(5)
            frame = _read(sock, HEADER_SIZE + _CONFIRM_SIZE + TAG_SIZE)
            header = Header.decode(frame[:HEADER_SIZE])
        except (OSError, ConsortiaError):
            sock.close()
            return
        with self._changed:
            ticket = (header.session, header.attempt, header.sender, header.receiver)
            if ticket in self._arrivals or len(self._arrivals) >= _PENDING_LIMIT:
                sock.close()
                return
            self._arrivals[ticket] = (sock, frame)
            self._changed.notify_all()


def open_links(
    me: str,
    run: Run,
    keys: Mapping[str, LinkKeys],
    endpoints: Mapping[str, str],
    listener: Listener,
    limits: Limits,
) -> dict[str, TcpChannel]:
    """Links to all peers of ``me`` in ``run``; on any failure those already open are closed.

    ``endpoints`` are ``host:port`` from the members' cards. Raises PeerError ``transport/unreachable`` naming the peer
    waited for, ``transport/wrong-peer`` if whoever answers can't prove that it is the peer in this run.
    """
    deadline = time.monotonic() + limits.connect
    links: dict[str, TcpChannel] = {}
    try:
        for peer in run.peers(me):
            if run.dials(me, peer):
                links[peer] = _dial(me, peer, run, keys[peer], endpoints[peer], deadline, limits)
        for peer in run.peers(me):
            if not run.dials(me, peer):
                links[peer] = _answer(me, peer, run, keys[peer], listener, deadline, limits)
    except BaseException:
        for link in links.values():
            link.close(cleanly=False)
        raise
    return links


def _directions(me: str, peer: str, run: Run, keys: LinkKeys) -> tuple[Direction, Direction]:
    session = bytes.fromhex(run.session)
    mine, theirs = run.parties.index(me), run.parties.index(peer)
    outgoing = Direction(keys.outgoing.key, keys.outgoing.iv, session, run.attempt, mine, theirs)
    incoming = Direction(keys.incoming.key, keys.incoming.iv, session, run.attempt, theirs, mine)
    return outgoing, incoming


def _dial(me: str, peer: str, run: Run, keys: LinkKeys, endpoint: str, deadline: float, limits: Limits) -> TcpChannel:
    outgoing, incoming = _directions(me, peer, run, keys)
    host, _, port = endpoint.rpartition(":")
    sock = _connect(peer, host.strip("[]"), int(port), deadline)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock.settimeout(max(0.1, deadline - time.monotonic()))
        sock.sendall(outgoing.seal(CONFIRM_STEP, keys.outgoing.confirmation, FLAG_CONFIRM))
        frame = _read(sock, HEADER_SIZE + _CONFIRM_SIZE + TAG_SIZE)
        _check_confirmation(peer, incoming, keys, frame)
    except OSError as error:
        sock.close()
        raise _wrong_peer(peer, endpoint) from error
    except BaseException:
        sock.close()
        raise
    return TcpChannel(peer, sock, outgoing, incoming, limits)


def _connect(peer: str, host: str, port: int, deadline: float) -> socket.socket:
    while True:
        try:
            return socket.create_connection((host, port), timeout=max(0.1, deadline - time.monotonic()))
        except OSError as error:
            if time.monotonic() + 0.1 >= deadline:
                raise PeerError(
                    "transport/unreachable",
                    f"`{peer}` does not answer at {host}:{port}: {error.strerror or error}",
                    remedy=f"ask the operator of `{peer}` whether its node runs and the address in its card is right",
                ) from error
            time.sleep(0.1)


def _answer(
    me: str, peer: str, run: Run, keys: LinkKeys, listener: Listener, deadline: float, limits: Limits
) -> TcpChannel:
    outgoing, incoming = _directions(me, peer, run, keys)
    ticket = (bytes.fromhex(run.session), run.attempt, run.parties.index(peer), run.parties.index(me))
    while True:
        arrival = listener.claim(ticket, deadline)
        if arrival is None:
            raise PeerError(
                "transport/unreachable",
                f"`{peer}` did not connect in time",
                remedy=f"ask the operator of `{peer}` whether its node reaches the address in this member's card",
            )
        sock, frame = arrival
        try:
            _check_confirmation(peer, incoming, keys, frame)
            sock.settimeout(max(0.1, deadline - time.monotonic()))
            sock.sendall(outgoing.seal(CONFIRM_STEP, keys.outgoing.confirmation, FLAG_CONFIRM))
        except (OSError, ConsortiaError):
            sock.close()  # a stranger knows the clear header at most: wait for the real peer
            outgoing, incoming = _directions(me, peer, run, keys)
            continue
        return TcpChannel(peer, sock, outgoing, incoming, limits)


def _check_confirmation(peer: str, incoming: Direction, keys: LinkKeys, frame: bytes) -> None:
    payload = bytearray(_CONFIRM_SIZE)
    header = Header.decode(frame[:HEADER_SIZE])
    proven = header.length == _CONFIRM_SIZE and header.flags == FLAG_CONFIRM
    if proven:
        try:
            incoming.open_into(header, frame[:HEADER_SIZE], frame[HEADER_SIZE:], memoryview(payload))
        except ConsortiaError as error:
            raise _wrong_peer(peer, "its connection") from error
    if not proven or not hmac.compare_digest(payload, keys.incoming.confirmation):
        raise _wrong_peer(peer, "its connection")


def _wrong_peer(peer: str, where: str) -> PeerError:
    return PeerError(
        "transport/wrong-peer",
        f"whoever answers at {where} can't prove to be `{peer}` in this run",
        remedy=f"compare the endpoint in the card of `{peer}` with its party.yaml; another node may use the address",
    )


def _read(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise ConnectionResetError("closed before the first frame was whole")
        data += chunk
    return bytes(data)
