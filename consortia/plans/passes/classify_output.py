"""What kind of output the query gives: it follows from the query, never from the analyst's word.

- alert: an output with a key, or with the privacy unit's column
- score: the same with a value per entity (an aggregate, a nested query's aggregate or a window's number) beside it
- count: counts alone, without group keys
- model: what a model is, weights of its features
- aggregate: everything else
"""

from dataclasses import replace

from consortia.plans.draft import Draft
from consortia.plans.expressions import columns_of
from consortia.plans.lowering.nodes import children
from consortia.plans.query import (
    Computed,
    Filtered,
    Grouped,
    Joined,
    Limited,
    Matched,
    Propagated,
    Relation,
    Scored,
    Stacked,
    TableRows,
    Windowed,
)

COUNTS = ("count", "count-rows", "count-members", "count-entities", "count-distinct")


def classify_output(draft: Draft) -> Draft:
    """The draft with ``output_kind``."""
    query = draft.query
    if query.model is not None:
        return replace(draft, output_kind="model")
    read = frozenset().union(*(columns_of(output.expression) for output in query.outputs))
    shown = [aggregate for aggregate in query.aggregates if aggregate.name in read]
    if read & identifying_keys(draft):
        return replace(draft, output_kind="score" if shown or read & number_keys(draft) else "alert")
    if not query.keys and all(aggregate.function in COUNTS for aggregate in shown):
        return replace(draft, output_kind="count")
    return replace(draft, output_kind="aggregate")


def identifying_keys(draft: Draft) -> frozenset[str]:
    """Group keys that come from a key column or from the privacy unit."""
    types = draft.row_types
    return frozenset(
        key.name
        for key in draft.query.keys
        if any(types[name].kind == "key" or name == draft.entity for name in columns_of(key.expression))
    )


def number_keys(draft: Draft) -> frozenset[str]:
    """Group keys that are made of numbers over several rows: aggregates and windows of nested queries."""
    relation = draft.query.relation
    made = measured(relation) if relation is not None else frozenset()
    return frozenset(key.name for key in draft.query.keys if columns_of(key.expression) & made)


def measured(node: Relation) -> frozenset[str]:
    """Columns of ``node`` that are aggregates or window numbers, or made of such."""
    match node:
        case TableRows():
            return frozenset()
        case Computed():
            below = measured(node.source)
            return frozenset(named.name for named in node.expressions if columns_of(named.expression) & below)
        case Grouped():
            return measured(node.source) & frozenset(node.keys) | {made.name for made in node.aggregates}
        case Windowed():
            return measured(node.source) | {function.name for function in node.functions}
        case Scored():
            return measured(node.source) | {node.made}
        case Propagated():
            return measured(node.accounts) | {node.made}
        case Matched():
            return measured(node.accounts)
        case Joined() | Stacked():
            return frozenset().union(*(measured(child) for child in children(node)))
        case Filtered() | Limited():
            return measured(node.source)
