"""What of each shared step anybody still needs: columns that nobody reads are neither moved nor cleared.

Likewise marks of members: a row is marked with the members whose data it holds as long as some aggregate asks for
them. All follows from the plan alone, so all parties drop the same columns and the declared cost is that of the run.
"""

from collections.abc import Mapping
from typing import Literal

from consortia.plans.expressions import columns_of
from consortia.plans.model import (
    Aggregate,
    AggregateStep,
    Control,
    Filter,
    Join,
    Plan,
    Project,
    Release,
    Share,
    Sort,
    Step,
    Window,
)
from consortia.plans.steps_of_models import Fit, Score, Weights
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.plans.steps_of_noise import Bound, Noise

SHARED = "shared"
Holds = Literal["one-each", "any", "mixed"]


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
        for place, source in enumerate(step.inputs):
            given = {column.name for column in plan.step(source).columns}
            live[source] |= _reads(step, live[step.id], place, given)
    return {step: frozenset(names) for step, names in live.items()}


def _read_by_groups(step: AggregateStep, live: frozenset[str]) -> set[str]:
    """Columns of the input: keys, the entity, and what aggregates that are read, or that these are made of, read."""
    names = {name for aggregate in live_aggregates(step, live) for name in (aggregate.name, aggregate.of)}
    read = {aggregate.column for aggregate in step.aggregates if aggregate.name in names and aggregate.column}
    return {*step.keys, *([step.entity] if step.entity else []), *read}


def live_aggregates(step: AggregateStep, live: frozenset[str]) -> tuple[Aggregate, ...]:
    """The aggregates of ``step`` whose result is read later."""
    return tuple(aggregate for aggregate in step.aggregates if aggregate.name in live)


def _reads(  # noqa: C901, PLR0912 - one case for each kind of a closed set
    step: Step, live: set[str], place: int, given: set[str]
) -> set[str]:
    """Of ``given``, the columns of input ``place``, those that ``step`` needs if ``live`` of its result are read."""
    match step:
        case Release():
            return {column.name for column in step.columns} | set(step.membership)
        case Control():
            return live.union(*(rule.margin().columns() for rule in step.rules))
        case Filter():
            return live | columns_of(step.predicate)
        case Project():
            return set().union(*(columns_of(named.expression) for named in step.expressions if named.name in live))
        case Join():
            # names of the two sides differ, but for keys of the second that are not taken
            own = live & given
            return own | {key.left if place == 0 else key.right for key in step.on}
        case Propagate() if place == 0:
            return (live - {step.made}) | {step.key, *([step.score] if step.score else [])}
        case Match() if place == 0:
            return live | {step.key}
        case Propagate():
            paid = step.periods[place - 1]
            return {paid.source, paid.target, paid.amount}
        case Match() if place == 1:
            return {step.source, step.target, step.amount, step.time}
        case Match():
            return {step.seed}
        case Fit() | Weights():
            return {*step.features, step.label, *filter(None, (step.held,))}
        case Score() if place == 0:
            return (live - {step.made}) | set(step.features)
        case Score():
            return given
        case Bound(keys=keys, entity=entity):
            return live | {*keys, entity}
        case Noise(keys=keys, selection=selection):
            return live | set(keys) | ({selection.column} if selection else set())
        case Sort():
            return live | {key.column for key in step.keys}
        case Window():
            wanted = [function for function in step.functions if function.name in live]
            ordered = {*step.partition, *(key.column for key in step.order)} if wanted else set()
            return (live & given) | ordered | {function.column for function in wanted if function.column}
        case AggregateStep():
            return _read_by_groups(step, frozenset(live))
        case _:
            return live


# --- members --------------------------------------------------------------------------------------------


def owners_below(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """For each shared step, the members whose data its rows may hold, in the order of the plan's share steps."""
    found: dict[str, set[str]] = {}
    for step in shared_steps(plan):
        found[step.id] = {step.owner} if isinstance(step, Share) else set().union(*(found[i] for i in _given(step)))
    owners = tuple(dict.fromkeys(plan.owners()))
    return {step: tuple(owner for owner in owners if owner in names) for step, names in found.items()}


def _given(step: Step) -> tuple[str, ...]:
    """The inputs whose data stands in the rows of ``step``.

    Whether there is a match, where none is wanted, is not data of the member that has it. A row of accounts that
    payments were followed to is told to the member that keeps the account, and a scored one to the member of the row.
    """
    first = isinstance(step, Propagate | Match | Score) or (isinstance(step, Join) and step.how in ("anti", "not-in"))
    return step.inputs[:1] if first else step.inputs


def holdings(plan: Plan) -> Mapping[str, Holds]:
    """For each shared step, whose data a row of its *input* holds: see ``protocols.relational.contributors``."""
    mixed: dict[str, bool] = {}
    found: dict[str, Holds] = {}
    for step in shared_steps(plan):
        below = any(mixed[source] for source in reads(step))
        mixed[step.id] = below or isinstance(step, Join | AggregateStep | Bound)
        unique = isinstance(step, AggregateStep) and step.unique_per_member
        found[step.id] = "mixed" if below else "one-each" if unique else "any"
    return found


def marked_members(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """For each shared step, the members of which its result must tell the rows that hold their data."""
    below, holds, live = owners_below(plan), holdings(plan), live_columns(plan)
    wanted: dict[str, set[str]] = {step.id: set() for step in shared_steps(plan)}
    for step in reversed(shared_steps(plan)):
        if isinstance(step, Share | Release):
            continue
        asked = set(wanted[step.id])
        if isinstance(step, AggregateStep):
            for aggregate in live_aggregates(step, live[step.id]):
                asked |= _tells_apart(step, aggregate, below[step.id], holds[step.id])
        for source in _given(step):
            wanted[source] |= asked & set(below[source])
    return {step: tuple(owner for owner in below[step] if owner in names) for step, names in wanted.items()}


def _tells_apart(step: AggregateStep, aggregate: Aggregate, owners: tuple[str, ...], holds: Holds) -> set[str]:
    """The members whose rows ``aggregate`` has to know."""
    match aggregate.function:
        case "has-member":
            return {aggregate.member}
        case "count-members" if holds == "mixed":
            return set(owners)
        case "count-members" if holds == "any" or (step.entity and step.entity not in step.keys):
            return set(owners) - set(aggregate.excluding)
        case "largest" | "magnitude" if holds == "mixed":
            return set(owners)
        case "largest" | "magnitude" if aggregate.by == "member":
            return set(owners) - set(aggregate.excluding)
        case "count-members" | "count-entities" | "largest" | "magnitude" | "count-beside":
            return set(aggregate.excluding)
        case _:
            return set()
