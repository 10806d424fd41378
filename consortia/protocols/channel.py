"""The border between protocols and transport: an ordered, authenticated pipe to one peer.

Implementations: in memory (``protocols/memory.py``: tests and simulation), sealed frames over TCP and over the
coordinator's relay (``parties/transport``). Protocols never see sockets, keys or frames.
"""

from collections.abc import Mapping
from typing import Protocol


def lane(step: str) -> str:
    """The part of a step path that tells apart what runs at the same time: its first name, a step of the plan."""
    return step.partition("/")[0]


class Channel(Protocol):
    """To one peer, both directions. ``step`` is the full step path; both ends must name the same one.

    Messages arrive in the order in which they were sent within a lane; lanes may be used by a thread each, and what
    comes early for another lane is held for it.
    """

    def send(self, step: str, payload: bytes | bytearray | memoryview) -> None:
        """Queue ``payload`` and return; it is copied or sealed before return, so the buffer may be reused.

        An empty payload sends nothing. Raises PeerError ``transport/closed`` if the peer is gone.
        """
        ...

    def receive(self, step: str, size: int) -> memoryview:
        """Block until exactly ``size`` bytes sent under ``step`` are here.

        Raises ProtocolAbort ``transport/out-of-step`` if the next frame of the lane bears another step or length, and
        ``transport/held`` if the peer sends too much that no lane here waits for, PeerError ``transport/closed`` if
        the peer is gone, NoProgress ``transport/silent`` after the silence limit.
        """
        ...

    @property
    def sent(self) -> Mapping[str, int]:
        """Payload bytes sent so far by step path (before header and tag), counted where frames are sealed."""
        ...
