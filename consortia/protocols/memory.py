"""Channels within one process: parties are threads. For simulation, and for tests with a liar in the middle.

The semantics are those of ``channel.Channel``. An interceptor sees every payload before it is delivered and may
change, drop (None), delay (by sleeping) or replay it (by returning an earlier one). Each message carries the logical
time of its sender, so that the network can say how many rounds a program of one lane at a time truly took: the
longest chain of messages of which each was sent after the one before had arrived. A ``Pace`` makes the network as slow
as a given link; whoever waits for a message sleeps.
"""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from consortia.errors import NoProgress, PeerError, ProtocolAbort
from consortia.protocols.channel import lane

Interceptor = Callable[[str, str, str, bytes], bytes | None]
"""(step, sender, receiver, payload) to the payload that is delivered, or None to drop it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A link's one-way latency in seconds, and bytes a second in each direction."""

    latency: float
    bytes_per_second: float = float("inf")


@dataclass(slots=True)
class _Clock:
    """Logical time of one party: the longest chain of messages that ends at it."""

    now: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    step: str
    payload: bytearray
    sent_at: int
    due: float
    """When it has arrived, on the monotonic clock."""


@dataclass(slots=True)
class _Pipe:
    """One direction between two parties: what has been sent and not been received, by lane."""

    frames: defaultdict[str, deque[_Frame]] = field(default_factory=lambda: defaultdict(deque))
    changed: threading.Condition = field(default_factory=threading.Condition)
    closed: bool = False
    free: float = 0.0
    """When the last byte so far has left."""

    def put(self, frame: _Frame) -> None:
        with self.changed:
            self.frames[lane(frame.step)].append(frame)
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def holds_any(self) -> bool:
        """Whether something of any lane is here."""
        with self.changed:
            return any(self.frames.values())

    def take(self, step: str, seconds: float) -> _Frame | None:
        """The next frame of the lane of ``step``; None if the pipe is closed. TimeoutError after ``seconds``."""
        with self.changed:
            frames = self.frames[lane(step)]
            if not self.changed.wait_for(lambda: frames or self.closed, seconds):
                raise TimeoutError
            return frames.popleft() if frames else None


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
        pace: Pace | None,
    ) -> None:
        self._own, self._peer = own, peer
        self._out, self._in = pipes
        self._clock = clock
        self._silence = silence
        self._interceptor = interceptor
        self._pace = pace
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
        self._out.put(_Frame(step, copy, self._clock.now + 1, self._arrival(len(copy))))

    def receive(self, step: str, size: int) -> memoryview:
        try:
            frame = self._in.take(step, self._silence)
        except TimeoutError:
            if self._in.holds_any():
                raise self._out_of_step(step, "messages of other steps than the plan has here") from None
            raise NoProgress(
                "transport/silent",
                f"nothing came from `{self._peer}` for {self._silence:g} s",
                place=step,
                remedy=f"ask the operator of `{self._peer}` whether its node runs",
            ) from None
        if frame is None:
            raise self._gone(step)
        if frame.step != step or len(frame.payload) != size:
            raise self._out_of_step(step, f"{len(frame.payload)} bytes of step `{frame.step}`, expected {size} here")
        if frame.due:
            time.sleep(max(0.0, frame.due - time.monotonic()))
        self._clock.now = max(self._clock.now, frame.sent_at)
        return memoryview(frame.payload)

    def close(self) -> None:
        """Tell the peer that nothing follows; what was sent before can still be received, at both ends."""
        self._out.close()
        self._in.close()

    def _arrival(self, size: int) -> float:
        if self._pace is None:
            return 0.0
        with self._out.changed:
            self._out.free = max(self._out.free, time.monotonic()) + size / self._pace.bytes_per_second
            return self._out.free + self._pace.latency

    def _out_of_step(self, step: str, what: str) -> ProtocolAbort:
        return ProtocolAbort(
            "transport/out-of-step",
            f"`{self._peer}` sent {what}",
            place=step,
            remedy="start the session again; if it persists, compare the versions of both nodes",
        )

    def _gone(self, step: str) -> PeerError:
        return PeerError(
            "transport/closed",
            f"`{self._peer}` has closed the connection",
            place=step,
            remedy=f"ask the operator of `{self._peer}` what ended its run",
        )


class MemoryNetwork:
    """Channels between every two of ``names``; ``channels[a][b]`` is a's end towards b."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        silence: float = 60.0,
        interceptor: Interceptor | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._clocks = {name: _Clock() for name in names}
        pipes = {(a, b): _Pipe() for a in names for b in names if a != b}
        self.channels: dict[str, dict[str, MemoryChannel]] = {
            a: {
                b: MemoryChannel(
                    a,
                    b,
                    (pipes[a, b], pipes[b, a]),
                    self._clocks[a],
                    silence=silence,
                    interceptor=interceptor,
                    pace=pace,
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
