"""What an owner projects, pre-aggregates and shares for a query: names and types, the same at every owner."""

from dataclasses import dataclass

from consortia.plans.columns import Column
from consortia.plans.draft import Draft
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.meaning import BOOL, INT, type_of
from consortia.plans.model import Aggregate, Named
from consortia.plans.query import QueryAggregate

ONE, NONE = Const(type=INT, integer=1), Const(type=INT, integer=0)


@dataclass(frozen=True)
class LocalShape:
    """``projected`` expressions become columns; ``local_keys`` group them into ``partials`` at the owner.

    ``entity`` is the shared column that holds the privacy unit ("" where nothing counts entities). ``merged`` are
    the aggregates by which the computers put the owners' parts together. ``counted`` is the projected privacy unit
    that owners count themselves ("" where they don't).
    """

    projected: tuple[Named, ...]
    projected_columns: tuple[Column, ...]
    local_keys: tuple[str, ...]
    partials: tuple[Aggregate, ...]
    shared_columns: tuple[Column, ...]
    entity: str
    merged: tuple[Aggregate, ...]
    counted: str = ""


OWN_ENTITIES = "own_entities"
"""Base name of what an owner counts of its own entities in each group."""


def own_entities(draft: Draft) -> str:
    """The column in which each owner shares the number of its own entities in a group, "" where all are counted.

    The most that one owner has is no more than all have together; and rows need not keep entities apart, so what is
    shared grows with groups. Only where all owners accept that, and nothing else has to tell entities apart.
    """
    obligations = draft.obligations
    accepted = obligations.lower_bound and obligations.minimum_entities and not obligations.about_magnitudes
    asked = any(aggregate.function == "count-entities" for aggregate in draft.query.aggregates)
    if (
        not accepted
        or asked
        or not obligations.pre_aggregate
        or draft.query.relation is not None
        or not has_rules(draft)
    ):
        return ""
    return draft.names().fresh(OWN_ENTITIES)


def counts_entities(draft: Draft) -> bool:
    """Whether rows must keep the privacy unit: a rule or an aggregate counts entities, or noise hides one."""
    if own_entities(draft):
        return False
    asked = any(aggregate.function == "count-entities" for aggregate in draft.query.aggregates)
    return asked or has_noise(draft) or (has_rules(draft) and draft.obligations.counts_entities)


def has_rules(draft: Draft) -> bool:
    """Whether cells are released only with enough contributors: aggregates and counts, if a rule says so."""
    if has_noise(draft):
        return False  # cells are all released, or selected by noisy counts
    rule = draft.obligations.counts_entities or draft.obligations.minimum_members
    return bool(rule) and draft.output_kind in ("aggregate", "count")


def has_noise(draft: Draft) -> bool:
    """Whether numbers over cells, or a model's, are opened with noise on them, and on no other condition."""
    return draft.obligations.noise is not None and draft.output_kind in ("aggregate", "count", "model")


def local_shape(draft: Draft) -> LocalShape:
    """The owners' part of ``draft``."""
    query, rows, names = draft.query, draft.row_types, draft.names()
    projected = list(query.keys)
    entity = ""
    if counts_entities(draft):
        unit = Ref(column=draft.entity)
        entity = next((key.name for key in query.keys if key.expression == unit), draft.entity)
        if all(named.name != entity for named in projected):
            projected.append(Named(name=entity, expression=unit))
    keys = tuple(named.name for named in projected)
    partials: list[Aggregate] = []
    merged: list[Aggregate] = []
    own, counted = own_entities(draft), ""
    if own:
        counted = draft.entity
        projected.append(Named(name=counted, expression=Ref(column=draft.entity)))
        partials.append(Aggregate(name=own, function="count-entities"))
        merged.append(Aggregate(name=own, function="sum", column=own))
    # A key is shared as bits, so single rows that are grouped and summed by one column carry it twice.
    start = 0 if draft.obligations.pre_aggregate else len(keys)
    for aggregate in query.aggregates:
        column = ""
        argument = _argument(aggregate, pre_aggregate=draft.obligations.pre_aggregate)
        if argument is not None:
            column = next((named.name for named in projected[start:] if named.expression == argument), "")
            if not column:
                column = argument.column if isinstance(argument, Ref) else ""
                if not column or column in keys:
                    column = names.fresh("value")
                projected.append(Named(name=column, expression=argument))
        if aggregate.function in ("sum", "count", "count-rows"):
            partials.append(Aggregate(name=aggregate.name, function=aggregate.function, column=column))
        merged.append(_merge(draft, aggregate, column))
    columns = tuple(Column(name=named.name, type=type_of(named.expression, rows)) for named in projected)
    types = draft.group_types
    shared = columns[: len(keys)] + tuple(Column(name=part.name, type=types.get(part.name, INT)) for part in partials)
    return LocalShape(
        projected=tuple(projected),
        projected_columns=columns,
        local_keys=keys,
        partials=tuple(partials),
        shared_columns=shared if draft.obligations.pre_aggregate else columns,
        entity=entity,
        merged=tuple(merged),
        counted=counted,
    )


def _argument(aggregate: QueryAggregate, *, pre_aggregate: bool) -> Expr | None:
    """The expression that must be a column before aggregation. Single rows carry a 1 for each value counted."""
    if aggregate.function == "count-entities" or aggregate.argument is None:
        return None
    if aggregate.function == "count" and not pre_aggregate:
        missing = Call(op="is_null", args=(aggregate.argument,), type=BOOL)
        return Call(op="case", args=(missing, NONE, ONE), type=INT)
    return aggregate.argument


def _merge(draft: Draft, aggregate: QueryAggregate, column: str) -> Aggregate:
    """How the computers finish an aggregate: parts are summed, members and entities counted on shares."""
    name = aggregate.name
    match aggregate.function:
        case "count-members":
            return Aggregate(name=name, function="count-members")
        case "count-entities":
            return Aggregate(name=name, function="count-entities")
        case "count-rows" if not draft.obligations.pre_aggregate:
            return Aggregate(name=name, function="count-rows")
        case _:
            return Aggregate(name=name, function="sum", column=name if draft.obligations.pre_aggregate else column)
