"""From a column that is compared or opened back to the aggregate of the last aggregation that it is."""

from consortia.plans.contributors import SUMMED
from consortia.plans.expressions import Ref
from consortia.plans.model import Aggregate, AggregateStep, Plan, Project, Release, Step


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
