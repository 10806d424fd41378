"""The steps of a query over a relation, up to HAVING: what owners can do in clear, then the rest on shares."""

from dataclasses import replace

from consortia.plans.contributors import contributor_columns
from consortia.plans.draft import Draft
from consortia.plans.local import counts_entities
from consortia.plans.lowering.context import Context
from consortia.plans.lowering.convert import fitted
from consortia.plans.lowering.groups import Contributors, aggregated
from consortia.plans.lowering.knowledge import Knowledge
from consortia.plans.lowering.lower import lower
from consortia.plans.lowering.made import Builder
from consortia.plans.lowering.native import native_uses
from consortia.plans.lowering.needs import Needs, add_need, add_reads
from consortia.plans.lowering.rowwise import filtered
from consortia.plans.lowering.top import top_order
from consortia.plans.lowering.weights import weights
from consortia.plans.meaning import BOOL, INT
from consortia.plans.query import Grouped


def lower_relation(draft: Draft) -> Draft:
    """The draft with these steps; a query over one table has its own way."""
    query = draft.query
    if query.relation is None:
        return draft
    knowledge = Knowledge(draft.catalogue, draft.environment.as_of)
    context = Context(knowledge, Builder(draft.names()), draft.obligations, lower)
    if query.model is not None:
        return replace(draft, steps=weights(context, query.relation, query.model))
    last = Grouped(source=query.relation, keys=tuple(key.name for key in query.keys), aggregates=query.aggregates)
    counts = contributor_columns(draft)
    native = dict(native_uses(knowledge, last))
    types = knowledge.types(last) | {made.name: BOOL if made.function == "has-member" else INT for made in counts}
    needs: Needs = {}
    for name in (*last.keys, *(aggregate.name for aggregate in query.aggregates)):
        add_need(needs, (name, native[name]))
    made = aggregated(context, last, needs, Contributors(draft.entity if counts_entities(draft) else "", counts))
    # ordered columns are keys, and as keys they are opened
    ordered = {key.column for key in top_order(query)} if query.limit is not None else set()
    kept: Needs = {(name, "key" if name in ordered else use): None for name, use in made.places}
    wanted: Needs = dict(kept)
    if query.having is not None:
        add_reads(wanted, [(query.having, "key")], types, native)
    made = fitted(context, made, wanted, types)
    if query.having is not None:
        made = filtered(context, made, query.having, types, "having", kept)
    steps, _ = context.builder.numbered()
    return replace(draft, steps=steps)
