"""What the output control reads of an aggregation beside counts: what contributors hold, and who stands beside a cell.

Aggregates of the plan in, calls of ``protocols.relational.magnitudes`` and ``beside`` out.
"""

from collections.abc import Sequence
from typing import Literal

from consortia.errors import InternalError
from consortia.execution.layout import bounds_of
from consortia.plans.contributors import OF_MAGNITUDES, reach_of
from consortia.plans.model import Aggregate, AggregateStep
from consortia.protocols.engine import Engine
from consortia.protocols.relational.beside import beside
from consortia.protocols.relational.group import Grouping
from consortia.protocols.relational.magnitudes import Apart, Contribution, Wanted, by_entity, by_member
from consortia.protocols.relational.table import SharedColumn, SharedTable

__all__ = ["OF_MAGNITUDES", "beside_cells", "counted_beside", "held"]


def held(
    engine: Engine,
    step: AggregateStep,
    table: SharedTable,
    grouping: Grouping,
    aggregates: Sequence[Aggregate],
    owners: Sequence[str],
) -> dict[str, SharedColumn]:
    """The columns of ``largest`` and ``magnitude``, by groups of ``grouping`` over the rows of ``table``."""
    found: dict[str, SharedColumn] = {}
    for by, compute in (("entity", by_entity), ("member", by_member)):
        chosen = [each for each in aggregates if each.by == by]
        if not chosen:
            continue
        excluding = {each.excluding for each in chosen}
        if len(excluding) != 1:
            raise InternalError("execution/unsupported", "rules leave out different members", place=step.id)
        out = tuple(member for member in chosen[0].excluding if member in owners)
        who = Apart(tuple(owners), out, mixed=grouping.holds == "mixed")
        contributions = [_contribution(step, of) for of in dict.fromkeys(each.of for each in chosen)]
        wanted = [Wanted(each.name, each.of, each.count) for each in chosen]
        found.update(compute(engine.narrow(f"by-{by}"), table, grouping, contributions, wanted, who))
    return found


def _contribution(step: AggregateStep, of: str) -> Contribution:
    """What rows add to the aggregate ``of`` of the step."""
    aggregate = next(each for each in step.aggregates if each.name == of)
    bounds = bounds_of(next(column for column in step.columns if column.name == of))
    function: Literal["sum", "count", "count-rows"]
    match aggregate.function:
        case "sum" | "count" | "count-rows" as summed:
            function = summed
        case other:
            raise InternalError("execution/unsupported", f"`{other}` is no sum of contributions", place=step.id)
    return Contribution(of, function, reach_of(bounds), aggregate.column, signed=bounds.lo < 0)


def counted_beside(step: AggregateStep, wanted: Sequence[Aggregate]) -> dict[str, Aggregate]:
    """For each ``count-beside`` of ``wanted`` the entity count of the same rows, by name."""
    counts = {each.excluding: each for each in step.aggregates if each.function == "count-entities"}
    return {each.name: counts[each.excluding] for each in wanted if each.function == "count-beside"}


def beside_cells(
    engine: Engine,
    step: AggregateStep,
    groups: SharedTable,
    wanted: Sequence[Aggregate],
    counts: dict[str, Aggregate],
) -> dict[str, SharedColumn]:
    """The columns of ``count-beside`` from finished groups, which hold all keys and the counts."""
    found = {}
    for each in wanted:
        if each.function == "count-beside":
            most = bounds_of(next(column for column in step.columns if column.name == each.name)).hi
            place = engine.narrow(f"beside-{each.of}")
            found[each.name] = beside(place, groups, step.keys, each.of, counts[each.name].name, most)
    return found
