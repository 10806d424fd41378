"""In nested groups, what an aggregate computes over becomes a column of the rows below."""

from consortia.plans.draft import Draft
from consortia.plans.expressions import Expr, Ref
from consortia.plans.lowering.nodes import rewritten, types_of
from consortia.plans.model import Named
from consortia.plans.query import Computed, Grouped, Relation
from consortia.plans.variants import with_query


def name_arguments(draft: Draft) -> Draft:
    """The draft whose nested aggregates read columns alone."""
    if draft.query.relation is None:
        return draft
    names = draft.names()

    def named(node: Relation) -> Relation:
        if not isinstance(node, Grouped) or all(isinstance(made.argument, Ref | None) for made in node.aggregates):
            return node
        columns = [Named(name=name, expression=Ref(column=name)) for name in types_of(node.source, draft.catalogue)]
        known: list[tuple[Expr, str]] = []
        aggregates = []
        for made in node.aggregates:
            if made.argument is None or isinstance(made.argument, Ref):
                aggregates.append(made)
                continue
            name = next((name for expression, name in known if expression == made.argument), "")
            if not name:
                name = names.fresh("value")
                known.append((made.argument, name))
                columns.append(Named(name=name, expression=made.argument))
            aggregates.append(made.model_copy(update={"argument": Ref(column=name)}))
        rows = Computed(source=node.source, expressions=tuple(columns))
        return node.model_copy(update={"source": rows, "aggregates": tuple(aggregates)})

    return with_query(draft, relation=rewritten(draft.query.relation, named))
