"""Give the last rows of a relation exactly the columns that the query's groups read, under the names of the keys.

Group keys, arguments of aggregates and the privacy unit become plain columns, so that whatever computes them can be
moved below joins, to the owners.
"""

from consortia.plans.draft import Draft
from consortia.plans.expressions import Ref
from consortia.plans.model import Named
from consortia.plans.query import Computed, QueryAggregate
from consortia.plans.variants import with_query


def settle_rows(draft: Draft) -> Draft:
    """The draft with keys and arguments that are columns; a query over one table stays as it is."""
    query = draft.query
    if query.relation is None:
        return draft
    names = draft.names()
    columns = list(query.keys)
    if draft.entity and _column(columns, draft.entity) == "":
        taken = any(named.name == draft.entity for named in columns)
        name = names.fresh(draft.entity) if taken else draft.entity
        columns.append(Named(name=name, expression=Ref(column=draft.entity)))
    aggregates: list[QueryAggregate] = []
    for aggregate in query.aggregates:
        argument = aggregate.argument
        if argument is None:
            aggregates.append(aggregate)
            continue
        name = next((named.name for named in columns if named.expression == argument), "")
        if not name:
            own = argument.column if isinstance(argument, Ref) else ""
            name = own if own and all(named.name != own for named in columns) else names.fresh(own or "value")
            columns.append(Named(name=name, expression=argument))
        aggregates.append(aggregate.model_copy(update={"argument": Ref(column=name)}))
    return with_query(
        draft,
        relation=Computed(source=query.relation, expressions=tuple(columns)),
        keys=tuple(Named(name=key.name, expression=Ref(column=key.name)) for key in query.keys),
        aggregates=tuple(aggregates),
    )


def _column(columns: list[Named], source: str) -> str:
    return next((named.name for named in columns if named.expression == Ref(column=source)), "")
