"""What a plan costs and opens, exactly: the executor itself, run on the counting engine."""

from collections.abc import Iterable, Mapping

from consortia.errors import RequestError
from consortia.execution.executor import run_shared
from consortia.execution.liveness import reads, shared_steps
from consortia.plans.cost import Estimate, Opening, StepCost, party_bytes
from consortia.plans.model import Plan
from consortia.protocols.channel import lane
from consortia.protocols.counting import CountingEngine
from consortia.protocols.shamir.costs import LARGEST_BYTES, Group
from consortia.protocols.shamir.counting import ShamirCountingEngine


def estimate(plan: Plan) -> Estimate:
    """Rounds, bytes by member and openings of ``plan`` by step, before anything is shared.

    A sort needs more batches than declared with a probability below 10^-6 (``protocols.order.schedule``). Raises
    RequestError ``shamir/too-large`` for a plan that the shamir engine does not carry.
    """
    engine = counting_engine(plan)
    run_shared(plan, engine, {})
    counts = engine.counts
    openings = [(each.step, each.what, each.elements, each.to) for each in counts.opened]
    cost = declared(plan, counts.rounds, counts.sent, openings)
    if plan.engine == "shamir":
        check_size(cost)
    return cost


def check_size(cost: Estimate) -> None:
    """Raises RequestError ``shamir/too-large`` with the estimate if the shamir engine does not carry so much."""
    busiest = max(cost.bytes_by_party, key=lambda entry: entry.sent, default=None)
    if busiest is None or busiest.sent <= LARGEST_BYTES:
        return
    heaviest = max(cost.steps, key=lambda step: step.largest_bytes)
    raise RequestError(
        "shamir/too-large",
        f"with colluding computers the plan takes {cost.rounds} rounds, and `{busiest.member}` sends "
        f"{busiest.sent:,} bytes; up to {LARGEST_BYTES:,} are carried",
        place=heaviest.step,
        remedy="have owners keep fewer rows (WHERE on their own columns, fewer group keys), or ask owners whose "
        "policies accept `collusion: 1`",
    )


def counting_engine(plan: Plan) -> CountingEngine | ShamirCountingEngine:
    """The counting counterpart of the plan's engine."""
    if plan.engine == "shamir":
        return ShamirCountingEngine(Group(plan.computers, plan.collusion))
    return CountingEngine(plan.ring(), plan.circuits)


def declared(
    plan: Plan,
    rounds: Mapping[str, int],
    sent: Mapping[tuple[str, str], int],
    openings: Iterable[tuple[str, str, int, tuple[str, ...]]],
) -> Estimate:
    """Counts by step path (``s5/sort/...``) and member, added up by plan step, in plan order.

    Every shared step is listed, every party of the plan in each, so that declared and measured compare with ``==``;
    also where steps ran at the same time.
    """
    steps = []
    parties = sorted({*plan.computers, *plan.owners()})
    for step in shared_steps(plan):
        by_member = dict.fromkeys(parties, 0)
        for (path, member), count in sent.items():
            if lane(path) == step.id:
                by_member[member] += count
        total = sum(count for path, count in rounds.items() if lane(path) == step.id)
        steps.append(StepCost(step=step.id, after=reads(step), rounds=total, bytes_by_party=party_bytes(by_member)))
    return Estimate(steps=tuple(steps), openings=_openings(plan, openings))


def _openings(plan: Plan, openings: Iterable[tuple[str, str, int, tuple[str, ...]]]) -> tuple[Opening, ...]:
    """Openings of one kind in one plan step as one, by plan step and then in order of appearance."""
    totals: dict[tuple[str, str, tuple[str, ...]], int] = {}
    for path, what, elements, to in openings:
        key = (lane(path), what, tuple(sorted(to)))
        totals[key] = totals.get(key, 0) + elements
    place = {step.id: number for number, step in enumerate(plan.steps)}
    made = [Opening(step=step, what=what, elements=count, to=to) for (step, what, to), count in totals.items()]
    return tuple(sorted(made, key=lambda opening: place[opening.step]))
