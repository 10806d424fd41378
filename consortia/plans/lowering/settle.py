"""The last grouping of a query as a node over its relation: keys, arguments and the privacy unit as plain columns."""

from dataclasses import dataclass

from consortia.plans.draft import Draft
from consortia.plans.expressions import Expr, Ref
from consortia.plans.model import Named
from consortia.plans.query import Computed, Grouped, QueryAggregate


@dataclass(frozen=True)
class Settled:
    """The grouping, and the column of its rows that holds the privacy unit ("" where none does)."""

    node: Grouped
    entity: str


def settled(draft: Draft) -> Settled:
    """The last grouping of ``draft``, whose query is over a relation."""
    query = draft.query
    if query.relation is None:
        raise TypeError("the query is over one table")
    names = draft.names()
    columns = list(query.keys)
    unit = Ref(column=draft.entity) if draft.entity else None
    entity = next((key.name for key in query.keys if key.expression == unit), "")
    if unit is not None and not entity:
        entity = draft.entity if draft.entity not in {key.name for key in query.keys} else names.fresh(draft.entity)
        columns.append(Named(name=entity, expression=unit))
    aggregates: list[QueryAggregate] = []
    for aggregate in query.aggregates:
        if aggregate.argument is None or aggregate.function == "count-entities":
            aggregates.append(aggregate)
            continue
        name = _column(columns, aggregate.argument)
        if not name:
            own = aggregate.argument.column if isinstance(aggregate.argument, Ref) else ""
            taken = not own or any(named.name == own for named in columns)
            name = names.fresh("value") if taken else own
            columns.append(Named(name=name, expression=aggregate.argument))
        aggregates.append(aggregate.model_copy(update={"argument": Ref(column=name)}))
    rows = Computed(source=query.relation, expressions=tuple(columns))
    keys = tuple(key.name for key in query.keys)
    return Settled(Grouped(source=rows, keys=keys, aggregates=tuple(aggregates)), entity)


def _column(columns: list[Named], expression: Expr) -> str:
    return next((named.name for named in columns if named.expression == expression), "")
