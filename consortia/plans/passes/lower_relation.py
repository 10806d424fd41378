"""The steps of a query over a relation, up to HAVING: what owners can do in clear, then the rest on shares."""

from dataclasses import replace

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
from consortia.plans.lowering.settle import settled
from consortia.plans.meaning import BOOL, INT
from consortia.plans.passes.combine_shares import contributor_columns


def lower_relation(draft: Draft) -> Draft:
    """The draft with these steps; a query over one table has its own way."""
    query = draft.query
    if query.relation is None:
        return draft
    knowledge = Knowledge(draft.catalogue, draft.environment.as_of)
    context = Context(knowledge, Builder(draft.names()), draft.obligations, lower)
    last = settled(draft)
    counts = contributor_columns(draft)
    contributors = Contributors(last.entity if counts_entities(draft) else "", counts)
    types = knowledge.types(last.node) | {made.name: BOOL if made.function == "has-member" else INT for made in counts}
    native = dict(native_uses(knowledge, last.node))
    needs: Needs = {}
    for name in (*last.node.keys, *(aggregate.name for aggregate in last.node.aggregates)):
        add_need(needs, (name, native[name]))
    made = aggregated(context, last.node, needs, contributors)
    kept: Needs = {**needs, **{wanted: None for wanted in made.places if wanted[0] not in native}}
    wanted: Needs = dict(kept)
    if query.having is not None:
        add_reads(wanted, [(query.having, "key")], types, native)
        made = fitted(context, made, wanted, types)
        made = filtered(context, made, query.having, types, "having", kept)
    steps, _ = context.builder.numbered()
    return replace(draft, steps=steps)
