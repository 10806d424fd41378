"""One connection of MPyC's runtime, behind a proof of identity, and with futures that fail when the connection does.

The dialling side says which session it wants and which rank it has, and then sends MPyC's keys for the subsets of which
it is the first member. Neither side sends anything before it has checked the other's certificate.
"""

import asyncio
import hmac
import struct
from typing import Any, Protocol

import structlog

from consortia.errors import ConsortiaError, PeerError
from consortia.protocols.shamir.costs import Group
from consortia.protocols.shamir.mpyc_modules import mpyc_module
from consortia.protocols.shamir.tls import Credentials

_LOG = structlog.get_logger("consortia.shamir")
SESSION_BYTES = 32
_HELLO = struct.Struct(f"<{SESSION_BYTES}sH")
"""First bytes from the dialling side: the session, and its rank."""
_MessageExchanger: Any = mpyc_module("asyncoro").MessageExchanger


class Links(Protocol):
    """What a connection uses of the computer that it belongs to."""

    runtime: Any
    group: Group
    rank: int
    session: bytes
    credentials: Credentials

    def awaits(self, rank: int) -> bool:
        """Whether the computer of ``rank`` is one that dials this one, and has not yet."""
        ...

    def established(self, exchanger: "Exchanger") -> None:
        """A peer has proven who it is, and its keys are known."""
        ...

    def failed(self, error: ConsortiaError) -> None:
        """No run is possible."""
        ...


class Exchanger(_MessageExchanger):  # type: ignore[misc]  # the base class is not typed
    """One connection; ``expected`` is the rank that is dialled, None on the answering side."""

    def __init__(self, links: Links, expected: int | None) -> None:
        super().__init__(links.runtime, expected)
        self.links = links
        self.hello = bytearray()
        self.proven = False
        self.closed = asyncio.Event()
        self.lost: PeerError | None = None

    def connection_made(self, transport: Any) -> None:
        """The dialling side checks whom it has reached, then says who it is and sends its keys."""
        self.transport = transport
        if self.peer_pid is None:
            return
        try:
            self.check(self.peer_pid)
        except ConsortiaError as error:
            transport.abort()
            self.links.failed(error)
            return
        keys = self.runtime._prss_keys_to_peer(self.peer_pid)  # noqa: SLF001  MPyC has no other access
        transport.writelines([_HELLO.pack(self.links.session, self.links.rank), *keys])
        self.establish()

    def check(self, rank: int) -> None:
        """Raises PeerError unless the other side's certificate is that of the member of ``rank``."""
        certificate = self.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        self.links.credentials.check(self.links.group.computers[rank], certificate)

    def establish(self) -> None:
        self.proven = True
        self.links.established(self)

    def data_received(self, data: bytes) -> None:
        if not self.proven:
            self.hello.extend(data)
            rest = self.greeted()
            if rest is None:
                return
            data = rest
        super().data_received(data)

    def greeted(self) -> bytes | None:
        """What follows the hello, once it is whole; a stranger's connection is dropped."""
        if len(self.hello) < _HELLO.size:
            return None
        session, rank = _HELLO.unpack_from(self.hello)
        if not hmac.compare_digest(session, self.links.session) or not self.links.awaits(rank):
            self.transport.abort()
            return None
        edge = _HELLO.size + self.runtime._prss_keys_from_peer(rank)  # noqa: SLF001  as above
        if len(self.hello) < edge:
            return None
        try:
            self.check(rank)
        except ConsortiaError as error:
            _LOG.warning("stranger", **error.as_dict())
            self.transport.abort()
            return None
        self.peer_pid = rank
        self.runtime._prss_keys_from_peer(rank, bytes(self.hello[_HELLO.size : edge]))  # noqa: SLF001  as above
        self.establish()
        return bytes(self.hello[edge:])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  what is lost is lost
        self.closed.set()
        if not self.proven:
            return
        self.lost = closed(self.links.group.computers[self.peer_pid])
        for waiting in self.buffers.values():
            if isinstance(waiting, asyncio.Future) and not waiting.done():
                waiting.set_exception(self.lost)


def closed(name: str, step: str = "") -> PeerError:
    """The connection to ``name`` is gone."""
    return PeerError(
        "transport/closed",
        f"the connection to the computing process of `{name}` is gone",
        place=step,
        remedy=f"ask the operator of `{name}` to look at its node, then run again",
    )


def wrong_peer(name: str, why: str) -> PeerError:
    """Whoever answers is not the node of ``name``."""
    return PeerError(
        "transport/wrong-peer",
        f"whoever answers at the address of `{name}` does not prove to be it: {why}",
        remedy=f"compare the card of `{name}` with the certificate of its node; one that an earlier version made for a "
        "client alone must be issued again",
    )
