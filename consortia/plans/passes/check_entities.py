"""Refuse alerts and scores over rows without identifier: they would form one group of strangers over all members."""

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.passes.classify_output import identifying_keys
from consortia.plans.passes.release_results import last_aggregation


def check_entities(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/null-entity`` where an identifying group key can be NULL."""
    if draft.output_kind not in ("alert", "score"):
        return draft
    aggregation = last_aggregation(draft)
    for column in aggregation.columns:
        if column.name in identifying_keys(draft) and column.nullable:
            raise RequestError(
                "plans/null-entity",
                f"rows without `{column.name}` would form one group over all members, and it belongs to nobody",
                place=f"GROUP BY `{column.name}`",
                remedy=f"add WHERE {column.name} IS NOT NULL",
            )
    return draft
