"""Refuse what no plan can stand on: an unknown purpose, a submitter of no member, computers that are no members."""

from consortia.errors import InternalError, RequestError
from consortia.ids import member_of
from consortia.plans.draft import Draft
from consortia.plans.refuse import nearest


def check_environment(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/unknown-purpose`` or ``plans/submitter``."""
    environment = draft.environment
    if environment.purpose not in draft.catalogue.purposes:
        raise RequestError(
            "plans/unknown-purpose",
            f"the catalogue has no purpose `{environment.purpose}`",
            remedy=nearest(environment.purpose, list(draft.catalogue.purposes)),
        )
    if member_of(environment.submitter) not in environment.members:
        raise RequestError(
            "plans/submitter",
            f"`{environment.submitter}` is of no member of this consortium",
            remedy="submit as a person of a member: name@member",
        )
    obligations = draft.obligations
    if draft.query.relation is None and obligations.counts_entities and draft.entity not in draft.row_types:
        raise InternalError(
            "plans/obligations",
            f"a rule counts entities of `{draft.query.table}` by `{draft.entity}`, which is no column of it",
        )
    return draft
