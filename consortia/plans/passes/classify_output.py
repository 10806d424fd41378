"""What kind of output the query gives: it follows from the query, never from the analyst's word.

- alert: an output with a key, or with the privacy unit's column
- score: the same with a value per entity (an aggregate) beside it
- count: counts alone, without group keys
- aggregate: everything else
"""

from dataclasses import replace

from consortia.plans.draft import Draft
from consortia.plans.expressions import columns_of

COUNTS = ("count", "count-rows", "count-members", "count-entities", "count-distinct")


def classify_output(draft: Draft) -> Draft:
    """The draft with ``output_kind``."""
    query = draft.query
    read = frozenset().union(*(columns_of(output.expression) for output in query.outputs))
    shown = [aggregate for aggregate in query.aggregates if aggregate.name in read]
    if read & identifying_keys(draft):
        return replace(draft, output_kind="score" if shown else "alert")
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
