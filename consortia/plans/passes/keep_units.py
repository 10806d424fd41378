"""Refuse relations whose rows have lost a table's privacy unit, where contributors are counted or rows have owners."""

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.local import counts_entities
from consortia.plans.lowering.nodes import tables_of


def keep_units(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/entity-lost`` with what lost the unit and what keeps it."""
    relation = draft.query.relation
    if relation is None:
        return draft
    units = draft.units
    if not units.tables:
        return draft
    if draft.query.model is not None and (units.lost or draft.query.model.subject not in units.columns):
        what = units.lost or f"the examples are not grouped by `{min(units.columns)}`"
        raise _lost(what, "noise on a model hides whoever has one example")
    if units.lost and counts_entities(draft):
        raise _lost(units.lost, "contributors are counted over the rows that the query groups")
    if draft.output_kind in ("alert", "score") and len(tables_of(relation)) > 1:
        if units.lost:
            raise _lost(units.lost, "a row of the result belongs to the members that hold its privacy unit")
        if not any(key.expression.column in units.columns for key in draft.query.keys if key.expression.node == "ref"):
            what = f"the result is not grouped by `{draft.entity}`"
            raise _lost(what, "a row of the result belongs to the members that hold its privacy unit")
    return draft


def _lost(what: str, why: str) -> RequestError:
    return RequestError(
        "plans/entity-lost",
        f"{what}, and {why}",
        place=what,
        remedy="group nested queries by the privacy unit too, join on it, and select it, so that the last rows hold it",
    )
