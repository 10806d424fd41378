"""Who plays in a simulated run, by the plan's engine: an engine a computer, and how an owner outside shares columns.

Keys and seeds that computers agree on in a real run are drawn here; channels are given.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from consortia.execution.layout import shapes_of
from consortia.plans.model import Plan, Share
from consortia.protocols.channel import Channel
from consortia.protocols.context import Context
from consortia.protocols.engine import Engine
from consortia.protocols.randomness import Randomness
from consortia.protocols.ring3 import Ring3Engine
from consortia.protocols.shares import Words
from consortia.protocols.sharing.external import send_input
from consortia.protocols.transcript import Transcript

Channels = Mapping[str, Mapping[str, Channel]]
"""Each party's ends, by its own and the peer's member id."""
Send = Callable[[str, Share, Sequence[Words]], None]
"""At an owner outside: share the columns of one step."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The computers' engines by rank, and what an owner outside does."""

    engines: tuple[Engine, ...]
    send: Send


def cast_of(plan: Plan, channels: Channels, transcripts: Sequence[Transcript]) -> Cast:
    """The engines of ``plan``. Raises OperatorError ``shamir/not-installed`` where MPyC is missing."""
    return _shamir(plan, channels, transcripts) if plan.engine == "shamir" else _ring(plan, channels, transcripts)


def _ring(plan: Plan, channels: Channels, transcripts: Sequence[Transcript]) -> Cast:
    ring = plan.ring()
    seeds = [secrets.token_bytes(32) for _ in ring]
    engines = []
    for rank, member in enumerate(ring):
        randomness = Randomness(rank, seeds[rank], seeds[(rank + 1) % 3])
        context = Context(rank, ring, channels[member], randomness, transcripts[rank])
        engines.append(Ring3Engine(context, plan.circuits))

    def send(member: str, step: Share, values: Sequence[Words]) -> None:
        send_input(channels[member], ring, step.id, step.rows, shapes_of(step.columns), values)

    return Cast(tuple(engines), send)


def _shamir(plan: Plan, channels: Channels, transcripts: Sequence[Transcript]) -> Cast:
    # MPyC is optional: only plans that need it load it
    from consortia.protocols.shamir.context import Context as ShamirContext  # noqa: PLC0415
    from consortia.protocols.shamir.costs import Group  # noqa: PLC0415
    from consortia.protocols.shamir.engine import ShamirEngine  # noqa: PLC0415
    from consortia.protocols.shamir.field import fresh_key  # noqa: PLC0415
    from consortia.protocols.shamir.sharing import send_input as send_shares  # noqa: PLC0415

    group = Group(plan.computers, plan.collusion)
    keys = {subset: fresh_key() for subset in group.subsets}
    engines = []
    for rank, member in enumerate(group.computers):
        own = {subset: key for subset, key in keys.items() if rank in subset}
        engines.append(ShamirEngine(ShamirContext(rank, group, channels[member], own, transcripts[rank])))

    def send(member: str, step: Share, values: Sequence[Words]) -> None:
        send_shares(channels[member], group, step.id, step.rows, shapes_of(step.columns), values)

    return Cast(tuple(engines), send)
