"""Padded row counts: from the catalogue's ``max_rows`` and ``max_distinct`` and the plan's shape, nothing else.

Never from a filter's constants or from data: a size tells nothing.
"""

from dataclasses import replace
from math import prod

from consortia.plans.draft import Draft
from consortia.plans.expressions import Expr, Ref, columns_of
from consortia.plans.meaning import type_of
from consortia.plans.model import AggregateStep, Named, Step
from consortia.plans.ranges import infer


def count_rows(draft: Draft) -> Draft:
    """The draft with ``rows`` of every step."""
    done: dict[str, int] = {}
    steps: list[Step] = []
    for step in draft.steps:
        done[step.id] = _rows(draft, step, [done[source] for source in step.inputs])
        steps.append(step.model_copy(update={"rows": done[step.id]}))
    return replace(draft, steps=tuple(steps))


def _rows(draft: Draft, step: Step, inputs: list[int]) -> int:
    if not inputs:
        return draft.table.max_rows
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
    return _size(draft, key.expression)


def _size(draft: Draft, expression: Expr) -> int | None:
    if type_of(expression, draft.row_types).kind in ("key", "text"):
        return None
    found = infer(expression, draft.row_columns)
    if found.bounds is None:
        return None
    return found.bounds.hi - found.bounds.lo + 1 + int(found.nullable)


def _distinct(draft: Draft, expression: Expr) -> int:
    """The most values of ``expression`` at one owner, NULL included."""
    sizes = [draft.table.max_rows]
    size = _size(draft, expression)
    if size is not None:
        sizes.append(size)
    if isinstance(expression, Ref):
        column = draft.declared(expression.column)
        if column.max_distinct:
            sizes.append(column.max_distinct + int(column.nullable))
    else:
        sizes.append(prod(_distinct(draft, Ref(column=name)) for name in sorted(columns_of(expression))))
    return min(sizes)
