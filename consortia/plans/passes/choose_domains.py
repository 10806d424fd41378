"""How each shared column is carried: keys and bits boolean, sums and counts arithmetic, or wide from 2^62 on.

A partial sum is shared in the domain that the consortium's sum needs, so that nothing is converted on shares.
"""

from dataclasses import replace

from consortia.plans.columns import Column, Domain
from consortia.plans.draft import Draft
from consortia.plans.model import AggregateStep, Step
from consortia.plans.ranges import magnitude
from consortia.plans.types import WIDE_FROM
from consortia.plans.variants import with_column, with_columns


def choose_domains(draft: Draft) -> Draft:
    """The draft with the domain of every column of every shared step; other steps stay ``clear``."""
    if draft.query.relation is not None:
        return draft
    aggregation = next(step for step in draft.steps if isinstance(step, AggregateStep) and step.at == "shared")
    after = {column.name: _own_domain(column, aggregation) for column in aggregation.columns}
    before = _inputs(aggregation, after)
    index = draft.steps.index(aggregation)
    steps = []
    for number, step in enumerate(draft.steps):
        if step.at == "shared":
            steps.append(_carried(step, before if number < index else after))
        else:
            steps.append(_carried(step, before) if step.kind == "share" else step)
    return replace(draft, steps=tuple(steps))


def _own_domain(column: Column, aggregation: AggregateStep) -> Domain:
    bits = [aggregate.name for aggregate in aggregation.aggregates if aggregate.function == "has-member"]
    if column.name in aggregation.keys or column.name in bits:
        return "boolean"
    if column.bounds is not None and magnitude(column.bounds) >= WIDE_FROM:
        return "wide"
    return "arithmetic"


def _inputs(aggregation: AggregateStep, after: dict[str, Domain]) -> dict[str, Domain]:
    """Domains of the columns before aggregation: keys and entity boolean, a summed column as its widest sum."""
    before: dict[str, Domain] = {name: "boolean" for name in (*aggregation.keys, aggregation.entity) if name}
    for aggregate in aggregation.aggregates:
        if aggregate.column and before.get(aggregate.column) != "wide":
            before[aggregate.column] = after[aggregate.name]
    return before


def _carried(step: Step, domains: dict[str, Domain]) -> Step:
    return with_columns(step, tuple(with_column(column, domain=domains[column.name]) for column in step.columns))
