"""The phases of a session and the legal moves between them: one table for the coordinator and for every node.

    proposed -> reviewing -> (held ->) approved -> sharing -> computing -> controlling -> releasing -> sealed

and, by the table below, ``denied``, ``aborted`` or ``expired``. A session that has ended never moves again. A secure
stage is never resumed: a node that finds a session between ``sharing`` and ``releasing`` at its start aborts it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from consortia.errors import ProtocolAbort


class Phase(StrEnum):
    """Where a session stands."""

    PROPOSED = "proposed"
    REVIEWING = "reviewing"
    HELD = "held"
    APPROVED = "approved"
    SHARING = "sharing"
    COMPUTING = "computing"
    CONTROLLING = "controlling"
    RELEASING = "releasing"
    SEALED = "sealed"
    DENIED = "denied"
    ABORTED = "aborted"
    EXPIRED = "expired"


STAGES = (Phase.APPROVED, Phase.SHARING, Phase.COMPUTING, Phase.CONTROLLING, Phase.RELEASING, Phase.SEALED)
"""What each party goes through after approval, in this order; ``controlling`` is left out by plans without it."""

ENDS = frozenset({Phase.SEALED, Phase.DENIED, Phase.ABORTED, Phase.EXPIRED})

MOVES: Mapping[Phase, frozenset[Phase]] = MappingProxyType(
    {
        Phase.PROPOSED: frozenset({Phase.REVIEWING, Phase.DENIED, Phase.ABORTED, Phase.EXPIRED}),
        Phase.REVIEWING: frozenset({Phase.HELD, Phase.APPROVED, Phase.DENIED, Phase.ABORTED, Phase.EXPIRED}),
        Phase.HELD: frozenset({Phase.REVIEWING, Phase.DENIED, Phase.ABORTED, Phase.EXPIRED}),
        Phase.APPROVED: frozenset({Phase.SHARING, Phase.DENIED, Phase.ABORTED, Phase.EXPIRED}),
        Phase.SHARING: frozenset({Phase.COMPUTING, Phase.RELEASING, Phase.ABORTED}),
        Phase.COMPUTING: frozenset({Phase.CONTROLLING, Phase.RELEASING, Phase.ABORTED}),
        Phase.CONTROLLING: frozenset({Phase.RELEASING, Phase.ABORTED}),
        Phase.RELEASING: frozenset({Phase.SEALED, Phase.ABORTED}),
        Phase.SEALED: frozenset(),
        Phase.DENIED: frozenset(),
        Phase.ABORTED: frozenset(),
        Phase.EXPIRED: frozenset(),
    }
)


def check_move(session: str, current: Phase, target: Phase) -> Phase:
    """``target`` itself; raises ProtocolAbort ``control/illegal-move`` unless the table allows the move."""
    if target not in MOVES[current]:
        raise ProtocolAbort(
            "control/illegal-move",
            f"a session that is {current} can't become {target}",
            place=f"session {session}",
            remedy="nothing was opened by this; run the analysis again if the session has ended",
        )
    return target
