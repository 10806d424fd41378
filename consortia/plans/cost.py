"""What running a plan costs, as integers: rounds, payload bytes and openings, by step; and seconds for a link.

The numbers come from ``execution.estimate``, which runs the very executor on a counting engine; ``plans`` gets that
function as an argument, and only these shapes live here. Bytes are payload, before frame header and seal. Nothing
here is floating point: times are microseconds.
"""

from collections.abc import Callable, Mapping

from consortia.errors import RequestError
from consortia.plans.model import Plan
from consortia.trust.documents import Frozen, Integer, Name


class PartyBytes(Frozen):
    """Payload bytes that one member sends in a step."""

    member: Name
    sent: Integer


class StepCost(Frozen):
    """Cost of one plan step: sequential rounds, and what each member sends, sorted by member id.

    ``after`` are the steps listed before that it waits for: those that do not wait for each other share rounds.
    ``work_bytes`` are bytes that the busiest computer handles locally (0: the bytes it sends stand for them).
    """

    step: str
    after: tuple[str, ...] = ()
    rounds: Integer
    bytes_by_party: tuple[PartyBytes, ...] = ()
    work_bytes: Integer = 0

    @property
    def total_bytes(self) -> int:
        """Bytes that all members together send in the step."""
        return sum(entry.sent for entry in self.bytes_by_party)

    @property
    def largest_bytes(self) -> int:
        """Bytes that the member with most to send sends."""
        return max((entry.sent for entry in self.bytes_by_party), default=0)


class Opening(Frozen):
    """A value opened inside a step: ``what`` in words, how many ``elements``, and ``to`` whom (sorted)."""

    step: str
    what: str
    elements: Integer
    to: tuple[str, ...]


class Estimate(Frozen):
    """The declared cost of a plan: its steps in plan order, and every opening inside the computers."""

    steps: tuple[StepCost, ...] = ()
    openings: tuple[Opening, ...] = ()

    @property
    def rounds(self) -> int:
        """Rounds that follow each other: those of the longest way through the plan."""
        until: dict[str, int] = {}
        for step in self.steps:
            until[step.step] = step.rounds + max((until[earlier] for earlier in step.after), default=0)
        return max(until.values(), default=0)

    @property
    def bytes(self) -> int:
        """Payload bytes that all members together send."""
        return sum(step.total_bytes for step in self.steps)

    @property
    def bytes_by_party(self) -> tuple[PartyBytes, ...]:
        """Payload bytes by member over all steps, sorted by member id."""
        totals: dict[str, int] = {}
        for step in self.steps:
            for entry in step.bytes_by_party:
                totals[entry.member] = totals.get(entry.member, 0) + entry.sent
        return tuple(PartyBytes(member=member, sent=totals[member]) for member in sorted(totals))

    def step(self, step_id: str) -> StepCost | None:
        """The cost of one plan step, None where it costs nothing."""
        return next((step for step in self.steps if step.step == step_id), None)


Estimator = Callable[[Plan], Estimate]
"""How ``plans`` and ``policies`` receive ``execution.estimate``."""


class Link(Frozen):
    """A network between two members: one-way latency (half of a round trip), and bandwidth each way."""

    name: str
    latency_us: Integer
    bytes_per_second: Integer


LINKS: tuple[Link, ...] = (
    Link(name="one-host", latency_us=20, bytes_per_second=2_000_000_000),
    Link(name="data-centre", latency_us=500, bytes_per_second=1_000_000_000),
    Link(name="metro", latency_us=5_000, bytes_per_second=125_000_000),
    Link(name="continent", latency_us=40_000, bytes_per_second=12_500_000),
)


USUAL_LINK = "metro"


def link_named(name: str) -> Link:
    """The link class ``name``; raises RequestError ``plans/link`` for a name that is none."""
    found = next((link for link in LINKS if link.name == name), None)
    if found is None:
        names = ", ".join(link.name for link in LINKS)
        raise RequestError("plans/link", f"`{name}` is no class of links", remedy=f"use one of {names}")
    return found


class Machine(Frozen):
    """What a computer adds: microseconds a round beside the link, and picoseconds of work for a byte sent."""

    round_us: Integer
    byte_ps: Integer


MACHINE = Machine(round_us=223, byte_ps=5_154)
"""Three computers on two cores, by ``python -m benchmarks.links --calibrate`` (docs/links.md); one's own are measured
by ``consortia bench``."""


SHAMIR_MACHINE = Machine(round_us=1_350, byte_ps=40_000)
"""The same for the shamir engine, three processes on two cores: a sort of 2,000 rows. Numbers alone take twice as long
a byte, so a prediction may be off by a factor of two."""


def machine_of(plan: Plan) -> Machine:
    """What the computers of the plan's engine add."""
    return SHAMIR_MACHINE if plan.engine == "shamir" else MACHINE


def microseconds(estimate: Estimate, link: Link, machine: Machine = MACHINE) -> int:
    """Predicted time of the secure part of a plan over ``link``, in microseconds, rounded up.

    Rounds are those that follow each other. What the busiest computer sends and works on adds up over all steps,
    also over those that run at the same time: they share its link and its cores.
    """
    waiting = estimate.rounds * (link.latency_us + machine.round_us)
    sent = max((entry.sent for entry in estimate.bytes_by_party), default=0)
    worked = sum(max(step.work_bytes, step.largest_bytes) for step in estimate.steps)
    return waiting - (-sent * 1_000_000 // link.bytes_per_second) - (-worked * machine.byte_ps // 1_000_000)


def seconds(estimate: Estimate, link: Link, machine: Machine = MACHINE) -> str:
    """The same in seconds, as text with three places, rounded up: ``"1.204"``."""
    milliseconds = -(-microseconds(estimate, link, machine) // 1000)
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def party_bytes(sent: Mapping[str, int]) -> tuple[PartyBytes, ...]:
    """``sent`` (member id to bytes) in the form of ``StepCost.bytes_by_party``."""
    return tuple(PartyBytes(member=member, sent=sent[member]) for member in sorted(sent))
