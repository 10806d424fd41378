"""Who holds a session up, and when that ends it: deadlines measure lack of progress, never total time.

Pure: the service passes in the time and what the roster knows. Three ways to be waited for in vain: never connected
(``coordinator/never-seen``), connected once but not now (``coordinator/disconnected``), connected but silent although
it is its turn (``coordinator/silent``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consortia.control.limits import ControlLimits
from consortia.control.messages import Fault, Waiting
from consortia.control.phases import ENDS
from consortia.coordinator.sessions import SessionState


@dataclass(frozen=True, slots=True)
class Presence:
    """What the roster knows of a party, in seconds of the coordinator's monotonic clock.

    ``since`` is when the connection last opened or closed (the coordinator's own start, if that is later);
    ``heard`` when the party last said anything about the session in question.
    """

    connected: bool
    seen: bool
    since: float
    heard: float


def waiting_for(
    state: SessionState, presences: Mapping[str, Presence], began: float, now: float
) -> tuple[Waiting, ...]:
    """The parties that the session waits for, the absent ones first.

    A party that waits for officers may be away: it asks for nothing, and finds their word when it comes back.
    """
    if state.phase in ENDS:
        return ()
    absent = [party for party in state.parties if not presences[party].connected and party not in state.holding]
    present = [party for party in state.awaited if presences[party].connected]
    return tuple(
        Waiting(
            party=party,
            seen=presences[party].seen,
            connected=presences[party].connected,
            seconds=int(_waited(presences[party], began, now)),
        )
        for party in (*absent, *present)
    )


def overdue(
    state: SessionState, presences: Mapping[str, Presence], began: float, now: float, limits: ControlLimits
) -> Fault | None:
    """The fault that ends the session now, naming the party; None while everybody is within the limits.

    ``began`` is when the coordinator began to wait: the session's start, or its own start if that is later.
    """
    for waiting in waiting_for(state, presences, began, now):
        waited = _waited(presences[waiting.party], began, now)
        if not waiting.seen and waited >= limits.unseen_seconds:
            return Fault(
                kind="PeerError",
                code="coordinator/never-seen",
                party=waiting.party,
                message=f"waiting for {waiting.party}, never seen: it has not connected in {int(waited)} s",
                remedy=f"ask the operator of `{waiting.party}` to start its node, then run the analysis again",
            )
        if waiting.seen and not waiting.connected and waited >= limits.closed_seconds:
            return Fault(
                kind="PeerError",
                code="coordinator/disconnected",
                party=waiting.party,
                message=f"{waiting.party} has gone: its connection closed {int(waited)} s ago",
                remedy=f"ask the operator of `{waiting.party}` to look at its node, then run the analysis again",
            )
        if waiting.connected and waited >= limits.silence_seconds:
            return Fault(
                kind="NoProgress",
                code="coordinator/silent",
                party=waiting.party,
                message=f"{waiting.party} is connected but has said nothing for {int(waited)} s",
                remedy=f"ask the operator of `{waiting.party}` to look at its node's log, then run the analysis again",
            )
    return None


def _waited(presence: Presence, began: float, now: float) -> float:
    since = max(presence.heard, presence.since) if presence.connected else presence.since
    return now - max(began, since)
