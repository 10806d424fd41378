"""MPyC's runtime as the carrier of one computer: its connections, its keys of subsets, its messages; always under TLS.

MPyC's own set-up can run without protection, and its array messages are pickled, which would let a peer run code. So
the connection set-up is replaced, and messages are bytes of known size. Every two computers are joined by one
connection under TLS 1.3, both sides with the certificate of their member: the dialling side knows whom it expects, the
answering side takes the rank from the certificate, and both compare the session. Only then does the lower rank send
the keys that MPyC drew for the subsets of which it is the first member.

The event loop runs in a thread of its own, so that channels may be used by any thread and the line is served while the
engine computes. MPyC keeps global state: one runtime a process.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from argparse import Namespace
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import structlog

from consortia.errors import ConsortiaError, NoProgress, PeerError, ProtocolAbort
from consortia.protocols.channel import Channel
from consortia.protocols.shamir.costs import Group
from consortia.protocols.shamir.exchanger import Exchanger, closed, wrong_peer
from consortia.protocols.shamir.mpyc_modules import mpyc_module
from consortia.protocols.shamir.tls import Credentials

_LOG = structlog.get_logger("consortia.shamir")
Subset = tuple[int, ...]
_RETRY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: until all computers are connected, and to hear nothing from a peer that is waited for."""

    connect: float = 30.0
    silence: float = 60.0


@dataclass(frozen=True, slots=True)
class Joined:
    """What a context needs: channels by member, and the keys of this computer's subsets."""

    channels: Mapping[str, Channel]
    keys: Mapping[Subset, bytes]


def listening(host: str, port: int = 0) -> socket.socket:
    """A socket for the connections of the other computers; port 0 is any free one."""
    return socket.create_server((host, port))


@contextlib.contextmanager
def joined(
    group: Group,
    rank: int,
    session: bytes,
    sock: socket.socket,
    addresses: Mapping[str, tuple[str, int]],
    credentials: Credentials,
    limits: Limits | None = None,
) -> Iterator[Joined]:
    """Connections to all other computers of ``group`` for one run, closed at the end.

    ``session`` are 32 bytes that all computers of the run have agreed on; ``addresses`` are (host, port) by member.
    Raises PeerError ``transport/unreachable`` naming who is missing, ``transport/wrong-peer`` if somebody else answers.
    """
    limits = limits or Limits()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="mpyc", daemon=True)
    thread.start()
    links = _Links(loop, group, rank, session, credentials, limits)
    try:
        links.call(links.connect(sock, addresses))
        yield Joined(links.channels(), links.keys())
    finally:
        links.call(links.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Links:
    """One computer's MPyC runtime and what is known of its peers. Everything but ``call`` runs in the loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        group: Group,
        rank: int,
        session: bytes,
        credentials: Credentials,
        limits: Limits,
    ) -> None:
        self.loop, self.group, self.rank, self.session = loop, group, rank, session
        self.credentials, self.limits = credentials, limits
        self.complete = asyncio.Event()
        self.failure: ConsortiaError | None = None
        self.exchangers: dict[int, Exchanger] = {}
        self._server: asyncio.Server | None = None
        self.runtime: Any = None
        self.call(self._make_runtime())

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run ``work`` in the loop's thread and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _make_runtime(self) -> None:
        module = mpyc_module("runtime")
        options = Namespace(threshold=self.group.threshold, no_log=True, no_prss=False, no_async=False)
        parties = [module.Party(rank) for rank in range(self.group.size)]
        self.runtime = module.Runtime(self.rank, parties, options)
        self.loop.set_exception_handler(
            lambda _, context: _LOG.warning(
                "connection", what=context["message"], kind=type(context.get("exception")).__name__
            )
        )

    # --- connecting -------------------------------------------------------------------------------------

    async def connect(self, sock: socket.socket, addresses: Mapping[str, tuple[str, int]]) -> None:
        self._server = await self.loop.create_server(
            lambda: Exchanger(self, None), sock=sock, ssl=self.credentials.accepting()
        )
        try:
            async with asyncio.timeout(self.limits.connect):
                for rank in range(self.rank + 1, self.group.size):
                    await self._dial(rank, addresses[self.group.computers[rank]])
                await self._all_here()
        except TimeoutError:
            missing = [
                name for r, name in enumerate(self.group.computers) if r != self.rank and r not in self.exchangers
            ]
            raise PeerError(
                "transport/unreachable",
                f"no connection with {', '.join(f'`{name}`' for name in missing)} in time",
                remedy="ask its operator whether its node runs, and whether the ports between the nodes are open",
            ) from None
        finally:
            self._server.close()

    async def _dial(self, rank: int, address: tuple[str, int]) -> None:
        name = self.group.computers[rank]
        while True:
            try:
                await self.loop.create_connection(
                    lambda: Exchanger(self, rank), *address, ssl=self.credentials.dialling(name), server_hostname=name
                )
            except ssl.SSLError as error:
                raise wrong_peer(name, error.reason or "TLS failed") from error
            except OSError:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if self.failure is not None:
                raise self.failure
            return

    async def _all_here(self) -> None:
        await self.complete.wait()
        if self.failure is not None:
            raise self.failure

    def established(self, exchanger: Exchanger) -> None:
        """A peer has proven who it is, and its keys are known."""
        rank = exchanger.peer_pid
        self.exchangers[rank] = exchanger
        self.runtime.parties[rank].protocol = exchanger
        if len(self.exchangers) == self.group.size - 1:
            self.complete.set()

    def awaits(self, rank: int) -> bool:
        """Whether the computer of ``rank`` is one that dials this one, and has not yet."""
        return rank < self.rank and rank not in self.exchangers

    def failed(self, error: ConsortiaError) -> None:
        """No run is possible."""
        self.failure = self.failure or error
        self.complete.set()

    async def close(self) -> None:
        """Send what is left, then close every connection."""
        for exchanger in self.exchangers.values():
            exchanger.close_connection()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.connect):
                for exchanger in self.exchangers.values():
                    await exchanger.closed.wait()

    # --- what the engine gets ---------------------------------------------------------------------------

    def channels(self) -> dict[str, Channel]:
        """To every other computer."""
        return {self.group.computers[rank]: _MpycChannel(self, rank) for rank in self.exchangers}

    def keys(self) -> dict[Subset, bytes]:
        """MPyC's keys of the subsets that contain this computer."""
        return {subset: bytes(key) for subset, key in self.runtime._prss_keys.items()}  # noqa: SLF001  MPyC has no other access


def _log_failure(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that came to nothing, such as a stranger's: kinds alone, never a text that a peer could write."""
    _LOG.warning("connection", kind=type(context.get("exception")).__name__)


class _MpycChannel:
    """``protocols.channel.Channel`` to one computer: MPyC's messages, labelled by step path and count."""

    def __init__(self, links: _Links, rank: int) -> None:
        self._links = links
        self._name = links.group.computers[rank]
        self._exchanger = links.exchangers[rank]
        self._sent: Counter[str] = Counter()
        self._counts: Counter[tuple[str, str]] = Counter()

    @property
    def sent(self) -> Mapping[str, int]:
        return self._sent

    def send(self, step: str, payload: bytes | bytearray | memoryview) -> None:
        if len(payload) == 0:
            return
        if self._exchanger.lost is not None:
            raise closed(self._name, step)
        self._sent[step] += len(payload)
        self._links.loop.call_soon_threadsafe(self._exchanger.send, self._label("out", step), bytes(payload))

    def receive(self, step: str, size: int) -> memoryview:
        payload = self._links.call(self._receive(self._label("in", step), step))
        if len(payload) != size:
            raise ProtocolAbort(
                "transport/out-of-step",
                f"`{self._name}` sent {len(payload)} bytes of step `{step}`, expected {size}",
                place=step,
                remedy="start the session again; if it persists, compare the versions of both nodes",
            )
        return memoryview(payload)

    def _label(self, direction: str, step: str) -> int:
        """A signed number of 64 bits, the same at both ends; two of one run meet by accident in 2^-64 of all cases."""
        self._counts[direction, step] += 1
        digest = sha256(f"{step}#{self._counts[direction, step]}".encode()).digest()
        return int.from_bytes(digest[:8], "little", signed=True)

    async def _receive(self, label: int, step: str) -> bytes:
        if self._exchanger.lost is not None and label not in self._exchanger.buffers:
            raise closed(self._name, step)
        payload = self._exchanger.receive(label)
        if isinstance(payload, bytes):
            return payload
        try:
            async with asyncio.timeout(self._links.limits.silence):
                return bytes(await payload)
        except TimeoutError:
            raise NoProgress(
                "transport/silent",
                f"nothing came from `{self._name}` for {self._links.limits.silence:g} s",
                place=step,
                remedy=f"ask the operator of `{self._name}` whether its node runs and the network is up",
            ) from None
