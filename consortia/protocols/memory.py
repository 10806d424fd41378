"""Channels within one process: parties are threads. For simulation, and for tests with a liar in the middle.

The semantics are those of ``channel.Channel``. An interceptor sees every payload before it is delivered and may
change, drop (None), delay (by sleeping) or replay it (by returning an earlier one). Each message carries the logical
time of its sender, so that the network can say how many rounds a program truly took: the longest chain of messages
of which each was sent after the one before had arrived.
"""

import queue
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from consortia.errors import NoProgress, PeerError, ProtocolAbort

Interceptor = Callable[[str, str, str, bytes], bytes | None]
"""(step, sender, receiver, payload) to the payload that is delivered, or None to drop it."""


@dataclass(slots=True)
class _Clock:
    """Logical time of one party: the longest chain of messages that ends at it."""

    now: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    step: str
    payload: bytearray
    sent_at: int


@dataclass(slots=True)
class _Pipe:
    frames: "queue.SimpleQueue[_Frame | None]" = field(default_factory=queue.SimpleQueue)
    closed: bool = False


class MemoryChannel:
    """One end of a pipe between two parties of one process."""

    def __init__(
        self,
        own: str,
        peer: str,
        pipes: tuple[_Pipe, _Pipe],
        clock: _Clock,
        *,
        silence: float,
        interceptor: Interceptor | None,
    ) -> None:
        self._own, self._peer = own, peer
        self._out, self._in = pipes
        self._clock = clock
        self._silence = silence
        self._interceptor = interceptor
        self._sent: Counter[str] = Counter()

    @property
    def sent(self) -> Mapping[str, int]:
        """Payload bytes by step path."""
        return self._sent

    def send(self, step: str, payload: bytes | bytearray | memoryview) -> None:
        if len(payload) == 0:
            return
        if self._in.closed:
            raise self._gone(step)
        self._sent[step] += len(payload)
        copy = bytearray(payload)
        if self._interceptor is not None:
            changed = self._interceptor(step, self._own, self._peer, bytes(copy))
            if changed is None:
                return
            copy = bytearray(changed)
        self._out.frames.put(_Frame(step, copy, self._clock.now + 1))

    def receive(self, step: str, size: int) -> memoryview:
        try:
            frame = self._in.frames.get(timeout=self._silence)
        except queue.Empty:
            raise NoProgress(
                "transport/silent",
                f"nothing came from `{self._peer}` for {self._silence:g} s",
                place=step,
                remedy=f"ask the operator of `{self._peer}` whether its node runs",
            ) from None
        if frame is None:
            self._in.frames.put(None)  # later receives find the end as well
            raise self._gone(step)
        if frame.step != step or len(frame.payload) != size:
            raise ProtocolAbort(
                "transport/out-of-step",
                f"`{self._peer}` sent {len(frame.payload)} bytes of step `{frame.step}`, expected {size} of `{step}`",
                place=step,
                remedy="start the session again; if it persists, compare the versions of both nodes",
            )
        self._clock.now = max(self._clock.now, frame.sent_at)
        return memoryview(frame.payload)

    def close(self) -> None:
        """Tell the peer that nothing follows; what was sent before can still be received."""
        self._out.closed = True
        self._out.frames.put(None)

    def _gone(self, step: str) -> PeerError:
        return PeerError(
            "transport/closed",
            f"`{self._peer}` has closed the connection",
            place=step,
            remedy=f"ask the operator of `{self._peer}` what ended its run",
        )


class MemoryNetwork:
    """Channels between every two of ``names``; ``channels[a][b]`` is a's end towards b."""

    def __init__(self, names: Sequence[str], *, silence: float = 60.0, interceptor: Interceptor | None = None) -> None:
        self._clocks = {name: _Clock() for name in names}
        pipes = {(a, b): _Pipe() for a in names for b in names if a != b}
        self.channels: dict[str, dict[str, MemoryChannel]] = {
            a: {
                b: MemoryChannel(
                    a, b, (pipes[a, b], pipes[b, a]), self._clocks[a], silence=silence, interceptor=interceptor
                )
                for b in names
                if b != a
            }
            for a in names
        }

    def rounds(self) -> int:
        """The longest chain of dependent messages so far."""
        return max((clock.now for clock in self._clocks.values()), default=0)

    def close(self, name: str) -> None:
        """Close every channel of one party, as when its process ends."""
        for channel in self.channels[name].values():
            channel.close()
