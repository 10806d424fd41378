"""Refuse LIMIT where each member receives its own groups: the first groups of all would tell of others' groups."""

from consortia.errors import RequestError
from consortia.plans.draft import Draft


def check_limit(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/unsupported`` for a LIMIT on alerts or scores."""
    if draft.query.limit is not None and draft.output_kind in ("alert", "score"):
        raise RequestError(
            "plans/unsupported",
            "LIMIT on a result of which each member receives its own part",
            place="LIMIT",
            remedy="leave LIMIT out, or raise the bar in HAVING",
        )
    return draft
