"""Which engine computes a plan, and at which computers: from the strictest policy of its owners.

An owner's policy says how many computers may collude without learning anything (``collusion``). One is what the ring3
engine promises, with the first three computers of the manifest. More takes the shamir engine, with the first 2t + 1 of
them: fewer than half may collude. Where the manifest has fewer, the plan stays with the ring and the owner's rule
denies it, naming what is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from consortia.plans.draft import Environment


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine, how many of its computers may collude, and the computers in order of rank."""

    engine: Literal["ring3", "shamir"]
    collusion: int
    computers: tuple[str, ...]


def needed_computers(collusion: int) -> int:
    """The fewest computers of which ``collusion`` are fewer than half."""
    return 2 * collusion + 1


def choose_engine(environment: Environment, owners: Sequence[str]) -> Choice:
    """The engine for a plan with input of ``owners``."""
    wanted = max((environment.collusion.get(owner, 1) for owner in owners), default=1)
    needed = needed_computers(wanted)
    if wanted > 1 and needed <= len(environment.computers):
        return Choice("shamir", wanted, environment.computers[:needed])
    return Choice("ring3", 1, environment.computers[:3])
