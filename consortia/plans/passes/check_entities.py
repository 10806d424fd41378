"""Refuse alerts and scores over rows without identifier: they would form one group of strangers over all members."""

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.lowering.knowledge import Knowledge
from consortia.plans.lowering.nulls import never_null
from consortia.plans.passes.classify_output import identifying_keys
from consortia.plans.passes.release_results import last_aggregation


def check_entities(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/null-entity`` where an identifying group key can be NULL."""
    if draft.output_kind not in ("alert", "score"):
        return draft
    aggregation = last_aggregation(draft)
    for column in aggregation.columns:
        if column.name in identifying_keys(draft) and column.nullable and _may_be_null(draft, column.name):
            raise RequestError(
                "plans/null-entity",
                f"rows without `{column.name}` would form one group over all members, and it belongs to nobody",
                place=f"GROUP BY `{column.name}`",
                remedy=f"add WHERE {column.name} IS NOT NULL",
            )
    return draft


def _may_be_null(draft: Draft, key: str) -> bool:
    """Whether rows of a relation may hold NULL in a key that is nullable on shares."""
    relation = draft.query.relation
    if relation is None:
        return True
    return not never_null(relation, key, Knowledge(draft.catalogue, draft.environment.as_of))
