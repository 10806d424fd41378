"""Which columns of each shared step anybody still needs: the others are neither moved nor cleared.

It follows from the plan alone, so all parties drop the same columns and the declared cost is that of the run.
"""

from collections.abc import Mapping

from consortia.plans.expressions import columns_of
from consortia.plans.model import Aggregate, AggregateStep, Control, Filter, Plan, Release, Share, Sort, Step, Union

SHARED = "shared"


def shared_steps(plan: Plan) -> tuple[Step, ...]:
    """The steps that the computers run, in plan order: inputs, operators on shares, releases."""
    return tuple(step for step in plan.steps if isinstance(step, Share | Release) or step.at == SHARED)


def reads(step: Step) -> tuple[str, ...]:
    """The shared steps whose results ``step`` reads, each once; what a share step reads is not shared."""
    return () if isinstance(step, Share) else tuple(dict.fromkeys(step.inputs))


def live_columns(plan: Plan) -> Mapping[str, frozenset[str]]:
    """For each shared step, the columns of its result that a later step reads."""
    live: dict[str, set[str]] = {step.id: set() for step in shared_steps(plan)}
    for step in reversed(shared_steps(plan)):
        if isinstance(step, Share):
            continue
        for source in step.inputs:
            live[source] |= _reads(step, live[step.id])
    return {step: frozenset(names) for step, names in live.items()}


def live_aggregates(step: AggregateStep, live: frozenset[str]) -> tuple[Aggregate, ...]:
    """The aggregates of ``step`` whose result is read later."""
    return tuple(aggregate for aggregate in step.aggregates if aggregate.name in live)


def _reads(step: Step, live: set[str]) -> set[str]:
    """Columns of its input that ``step`` needs, given those of its own result that are live."""
    match step:
        case Release():
            return {column.name for column in step.columns} | set(step.membership)
        case Control():
            return live | {rule.column for rule in step.rules}
        case Filter():
            return live | columns_of(step.predicate)
        case Sort():
            return live | {key.column for key in step.keys}
        case AggregateStep():
            aggregates = live_aggregates(step, frozenset(live))
            read = {aggregate.column for aggregate in aggregates if aggregate.column}
            return set(step.keys) | ({step.entity} if step.entity else set()) | read
        case _:
            return live


def marked_members(plan: Plan, union: Union) -> tuple[str, ...]:
    """The owners whose rows some aggregate has to tell apart, in the order of ``union``."""
    wanted: set[str] = set()
    live = live_columns(plan)
    for step in shared_steps(plan):
        if isinstance(step, AggregateStep):
            single = step.unique_per_member and (not step.entity or step.entity in step.keys)
            for aggregate in live_aggregates(step, live[step.id]):
                wanted |= _tells_apart(aggregate, union.owners, single=single)
    return tuple(owner for owner in union.owners if owner in wanted)


def _tells_apart(aggregate: Aggregate, owners: tuple[str, ...], *, single: bool) -> set[str]:
    match aggregate.function:
        case "has-member":
            return {aggregate.member}
        case "count-members" if not single:
            return set(owners) - set(aggregate.excluding)
        case "count-members" | "count-entities":
            return set(aggregate.excluding)
        case _:
            return set()
