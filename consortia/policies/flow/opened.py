"""From a column that is compared or opened back to the aggregate of the last aggregation that it is."""

from collections.abc import Callable

from consortia.plans.contributors import SUMMED
from consortia.plans.expressions import Ref
from consortia.plans.model import Aggregate, AggregateStep, Filter, Plan, Project, Release, Scan, Sort, Step, Union


def made_by(plan: Plan, step: Step, column: str, groups: AggregateStep) -> Aggregate | None:
    """The aggregate of ``groups`` that ``column``, as ``step`` reads it, holds; None if it is anything else."""
    name = column
    for _ in plan.steps:  # a malformed plan may go round in circles
        if step.id == groups.id or len(step.inputs) != 1:
            break
        if isinstance(step, Project):
            read = next((each.expression for each in step.expressions if each.name == name), None)
            name = read.column if isinstance(read, Ref) else ""
        step = plan.step(step.inputs[0])
    return next((made for made in groups.aggregates if step.id == groups.id and made.name == name), None)


def counted_by_owners(plan: Plan, groups: AggregateStep, column: str, unit: Callable[[Scan], str]) -> bool:
    """Whether ``column`` of the rows of ``groups`` is each owner's number of its own units in the same groups.

    Then every owner has one row a group at most. ``unit`` gives the privacy unit of a scanned table.
    """
    step: Step = groups
    while isinstance(step, AggregateStep | Sort) and step.at == "shared":
        step = plan.step(step.inputs[0])
    shares = [plan.step(source) for source in step.inputs]
    return (
        isinstance(step, Union)
        and bool(step.owners)
        and all(_counts_units(plan, plan.step(share.inputs[0]), groups.keys, column, unit) for share in shares)
    )


def _counts_units(plan: Plan, step: Step, keys: tuple[str, ...], column: str, unit: Callable[[Scan], str]) -> bool:
    if not isinstance(step, AggregateStep) or step.keys != keys:
        return False
    counted = any(
        (made.name, made.function, made.excluding) == (column, "count-entities", ()) for made in step.aggregates
    )
    name = step.entity
    below = plan.step(step.inputs[0])
    while not isinstance(below, Scan):
        if isinstance(below, Project):
            read = next((each.expression for each in below.expressions if each.name == name), None)
            name = read.column if isinstance(read, Ref) else ""
        elif not isinstance(below, Filter):
            return False
        below = plan.step(below.inputs[0])
    return counted and bool(name) and name == unit(below)


def opened_sums(plan: Plan, release: Release, groups: AggregateStep) -> tuple[Aggregate, ...]:
    """The aggregates of ``groups`` that are sums of what rows hold, and that ``release`` opens."""
    found = (made_by(plan, release, column.name, groups) for column in release.columns)
    return tuple(made for made in found if made is not None and made.function in SUMMED)


def opened_numbers(plan: Plan, release: Release, groups: AggregateStep) -> tuple[str, ...]:
    """The columns of ``release`` that are numbers made of rows, not keys of groups."""
    return tuple(
        column.name
        for column in release.columns
        if column.type.kind in ("int", "decimal") and made_by(plan, release, column.name, groups) is not None
    )
