"""COUNT(DISTINCT x) counts contributors where x is the privacy unit, and values of any other column.

Entities are counted over rows sorted by (keys, unit), which owners have pre-aggregated; other values by a sort of their
own. Groups of nested queries have no contributors of their own: there all are values.
"""

from consortia.plans.draft import Draft
from consortia.plans.expressions import Ref
from consortia.plans.lowering.nodes import rewritten
from consortia.plans.query import Grouped, QueryAggregate, Relation
from consortia.plans.variants import with_query


def choose_counts(draft: Draft) -> Draft:
    """The draft with count-entities for the privacy unit alone."""
    relation = draft.query.relation
    units = frozenset((draft.entity,)) if relation is None else draft.units.columns

    def chosen(aggregate: QueryAggregate) -> QueryAggregate:
        if aggregate.function not in ("count-entities", "count-distinct"):
            return aggregate
        is_unit = isinstance(aggregate.argument, Ref) and aggregate.argument.column in units
        return aggregate.model_copy(update={"function": "count-entities" if is_unit else "count-distinct"})

    changed = with_query(draft, aggregates=tuple(chosen(aggregate) for aggregate in draft.query.aggregates))
    return changed if relation is None else with_query(changed, relation=rewritten(relation, _values))


def _values(node: Relation) -> Relation:
    if not isinstance(node, Grouped):
        return node
    aggregates = tuple(
        aggregate.model_copy(update={"function": "count-distinct"})
        if aggregate.function == "count-entities"
        else aggregate
        for aggregate in node.aggregates
    )
    return node.model_copy(update={"aggregates": aggregates})
