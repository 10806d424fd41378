"""Who is connected, since when, and when each party was last heard of in each session.

In memory, by the monotonic clock that the service passes in; what outlives a restart (whether a party was ever seen)
comes from the store. Not thread-safe: the service calls it under its lock.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from consortia.coordinator.watch import Presence


class Stream(Protocol):
    """An open stream to one instance of a peer."""

    @property
    def instance(self) -> str: ...

    def replaced(self) -> None:
        """Close it because the same instance, or a member's newer node, has connected."""
        ...


@dataclass(slots=True)
class _Entry:
    since: float
    seen: bool
    streams: dict[str, Stream] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)


class Roster:
    """``started`` is the coordinator's own start: before it nobody can be missed."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._entries: dict[str, _Entry] = {}

    def _entry(self, peer: str) -> _Entry:
        return self._entries.setdefault(peer, _Entry(since=self._started, seen=False))

    def known(self, peer: str) -> None:
        """``peer`` was connected before the coordinator's start."""
        self._entry(peer).seen = True

    def opened(self, peer: str, stream: Stream, now: float, *, single: bool) -> None:
        """A stream opened. ``single``: a member has one node, so its other streams are replaced."""
        entry = self._entry(peer)
        for instance in list(entry.streams):
            if single or instance == stream.instance:
                entry.streams.pop(instance).replaced()
        entry.streams[stream.instance] = stream
        entry.since, entry.seen = now, True

    def closed(self, peer: str, stream: Stream, now: float) -> None:
        """A stream closed; unless it was replaced, the peer may be gone now."""
        entry = self._entry(peer)
        if entry.streams.get(stream.instance) is stream:
            del entry.streams[stream.instance]
            entry.since = now

    def heard(self, peer: str, session: str, now: float) -> None:
        """``peer`` said something about ``session``."""
        self._entry(peer).heard[session] = now

    def keep_only(self, sessions: Collection[str]) -> None:
        """Forget what was heard of all sessions but these: those that ended, and ids that never were a session."""
        for entry in self._entries.values():
            entry.heard = {session: at for session, at in entry.heard.items() if session in sessions}

    def presence(self, peer: str, session: str) -> Presence:
        """What ``watch`` needs to know of ``peer`` in ``session``."""
        entry = self._entry(peer)
        return Presence(
            connected=bool(entry.streams),
            seen=entry.seen,
            since=entry.since,
            heard=entry.heard.get(session, self._started),
        )

    def connected(self) -> tuple[str, ...]:
        """Everybody who is connected, sorted."""
        return tuple(sorted(peer for peer, entry in self._entries.items() if entry.streams))

    def absent_since(self, moment: float) -> tuple[str, ...]:
        """Peers without a stream since ``moment`` or longer, sorted."""
        return tuple(
            sorted(peer for peer, entry in self._entries.items() if not entry.streams and entry.since <= moment)
        )
