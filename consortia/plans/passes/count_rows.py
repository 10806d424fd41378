"""Padded row counts: from the catalogue's ``max_rows`` and ``max_distinct`` and the plan's shape, nothing else.

Never from a filter's constants or from data: a size tells nothing. Steps of a relation know theirs.
"""

from dataclasses import replace
from math import prod

from consortia.plans.draft import Draft
from consortia.plans.expressions import Expr, Ref
from consortia.plans.model import AggregateStep, Control, Limit, Named, Step
from consortia.plans.sizes import distinct_values, domain_size


def count_rows(draft: Draft) -> Draft:
    """The draft with ``rows`` of every step."""
    done: dict[str, int] = {}
    steps: list[Step] = []
    counted = draft.query.relation is not None  # steps of a relation have their rows, up to the control step
    for step in draft.steps:
        counted = counted and not isinstance(step, Control)
        done[step.id] = step.rows if counted else _rows(draft, step, [done[source] for source in step.inputs])
        steps.append(step.model_copy(update={"rows": done[step.id]}))
    return replace(draft, steps=tuple(steps))


def _rows(draft: Draft, step: Step, inputs: list[int]) -> int:
    if not inputs:
        return draft.table.max_rows
    if isinstance(step, Limit):
        return min(inputs[0], step.count)
    if isinstance(step, AggregateStep):
        if step.at != "shared":
            return min(inputs[0], prod(_distinct(draft, _expression(draft, key)) for key in step.keys))
        return min(inputs[0], _groups(draft))
    if step.at == "recipient" and draft.complete_domain is not None:
        return prod(_domain(draft, key) or 1 for key in draft.query.keys)
    return sum(inputs)


def _expression(draft: Draft, name: str) -> Expr:
    keys = {key.name: key.expression for key in draft.query.keys}
    return keys.get(name, Ref(column=name))


def _groups(draft: Draft) -> int:
    """The most groups that all owners together can have."""
    keys, owners = draft.query.keys, len(draft.owners)
    local = prod(_distinct(draft, key.expression) for key in keys)
    by_key = []
    for key in keys:
        domain, found = _domain(draft, key), owners * _distinct(draft, key.expression)
        by_key.append(found if domain is None else min(domain, found))
    return min(owners * local if keys else 1, prod(by_key))


def _domain(draft: Draft, key: Named) -> int | None:
    """The number of values that a key can have at all, NULL included; None where nobody knows them beforehand."""
    return domain_size(key.expression, draft.row_columns)


def _distinct(draft: Draft, expression: Expr) -> int:
    return distinct_values(expression, draft.table, draft.catalogue)
