"""Grouping: owners pre-aggregate what is directly over their rows, the computers put the parts together on shares."""

from collections.abc import Sequence
from dataclasses import dataclass

from consortia.errors import InternalError
from consortia.plans.columns import Column
from consortia.plans.contributors import magnitude_bounds
from consortia.plans.expressions import Ref
from consortia.plans.lowering.context import Context, check_shareable
from consortia.plans.lowering.convert import fitted
from consortia.plans.lowering.flat import Flat
from consortia.plans.lowering.made import Made, number_domain, shared_column
from consortia.plans.lowering.native import NUMBERS, native_uses
from consortia.plans.lowering.needs import Column as Wanted
from consortia.plans.lowering.needs import Needs, add_need
from consortia.plans.lowering.nodes import owners_of
from consortia.plans.lowering.owners import project_rows, united
from consortia.plans.lowering.uses import Use, natural_use
from consortia.plans.meaning import BOOL, INT
from consortia.plans.model import Aggregate, AggregateStep, Named, Sort, SortKey
from consortia.plans.query import Grouped, QueryAggregate
from consortia.plans.ranges import Range, hull, summed
from consortia.plans.tables import find_table
from consortia.plans.types import Bounds
from consortia.plans.variants import with_column

PARTS = {"sum": "sum", "count": "sum", "count-rows": "sum", "min": "min", "max": "max"}
"""What the computers do with the parts of an aggregate that owners can begin."""
AT_COMPUTERS = ("count-members", "count-entities")
"""Aggregates to which the owners' parts are their rows by (keys, entity)."""


@dataclass(frozen=True)
class Contributors:
    """What the last aggregation counts beside what the query asks for: distinct values of ``entity``, members."""

    entity: str = ""
    counts: tuple[Aggregate, ...] = ()


def group(context: Context, node: Grouped, needs: Needs) -> Made:
    """The groups of ``node`` on shares."""
    return fitted(context, aggregated(context, node, needs, None), needs, context.knowledge.types(node))


def aggregated(context: Context, node: Grouped, needs: Needs, contributors: Contributors | None) -> Made:
    """The groups with the keys and aggregates that are needed, each in the domain that it comes in.

    ``contributors`` is None for a group of a nested query.
    """
    asked = {name for name, _ in needs}
    aggregates = [aggregate for aggregate in node.aggregates if aggregate.name in asked]
    for key in node.keys:
        check_shareable(key, context.knowledge.types(node)[key])
    flat = context.knowledge.flat(node.source)
    parts = all(aggregate.function in (*PARTS, *AT_COMPUTERS) for aggregate in aggregates)
    counted = contributors or Contributors()
    if flat is None or not parts or not context.obligations.pre_aggregate:
        return _of_rows(context, node, aggregates, needs, counted)
    shared, merged = _of_parts(context, node, flat, aggregates, needs, counted)
    if contributors is None and _is_whole(context, node, flat, aggregates):
        return shared
    return grouped(context, shared, node, merged, counted, unique=True)


def _is_whole(context: Context, node: Grouped, flat: Flat, aggregates: Sequence[QueryAggregate]) -> bool:
    """Whether one owner's groups are the groups: nobody has another part of them."""
    alone = len(owners_of(flat.rows, context.catalogue)) == 1
    return alone and bool(node.keys) and all(aggregate.function in PARTS for aggregate in aggregates)


# --- owners begin ------------------------------------------------------------------------------------------------


def _of_parts(
    context: Context,
    node: Grouped,
    flat: Flat,
    aggregates: Sequence[QueryAggregate],
    needs: Needs,
    contributors: Contributors,
) -> tuple[Made, list[Aggregate]]:
    """Owners group by (keys, entity) in clear, and share their parts; with what puts these together.

    Sums of parts are sums, and a member has one row a group and entity.
    """
    entity = contributors.entity
    keys = node.keys if not entity or entity in node.keys else (*node.keys, entity)
    key_columns = [_key_column(context, node, name, needs) for name in keys]
    projected = [Named(name=name, expression=flat.columns[name]) for name in keys]
    clear = [with_column(column, domain="clear") for column in key_columns]
    partials, shared, merged = [], list(key_columns), []
    for aggregate in aggregates:
        if aggregate.function in AT_COMPUTERS:
            merged.append(Aggregate.model_validate({"name": aggregate.name, "function": aggregate.function}))
            continue
        name = ""
        if isinstance(aggregate.argument, Ref):
            # an argument that is a key as well is read from the key's column
            name = aggregate.argument.column
            if all(named.name != name for named in projected):
                fact = context.knowledge.fact(node.source, name)
                projected.append(Named(name=name, expression=flat.columns[name]))
                clear.append(fact.column(name))
        function, merge = aggregate.function, PARTS[aggregate.function]
        partials.append(Aggregate.model_validate({"name": aggregate.name, "function": function, "column": name}))
        shared.append(_part_column(context, node, flat, aggregate))
        merged.append(Aggregate.model_validate({"name": aggregate.name, "function": merge, "column": aggregate.name}))
    rows = _rows_at_owner(context, node, flat, keys)
    last = {}
    for owner in owners_of(flat.rows, context.catalogue):
        project = project_rows(context, flat, owner, projected, clear)
        step = {
            **context.builder.place((project,), f"owner:{owner}"),
            "rows": rows,
            "columns": tuple(with_column(column, domain="clear") for column in shared),
            "keys": keys,
            "aggregates": tuple(partials),
        }
        last[owner] = context.builder.add(AggregateStep.model_validate(step))
    places: dict[Wanted, str] = {(column.name, _use_of(column)): column.name for column in shared}
    return united(context, last, shared, rows, places), merged


def _use_of(column: Column) -> Use:
    return "key" if column.domain == "boolean" else "number"


def _rows_at_owner(context: Context, node: Grouped, flat: Flat, keys: tuple[str, ...]) -> int:
    if not keys:
        return 1
    return context.knowledge.groups_at_owner(node.model_copy(update={"keys": keys}), flat)


def _key_column(context: Context, node: Grouped, name: str, needs: Needs) -> Column:
    fact = context.knowledge.fact(node.source, name)
    found, demanded = fact.range, needs.get((name, "key"))
    if demanded is not None and demanded.bounds is not None and found.bounds is not None:
        found = Range(hull([found.bounds, demanded.bounds]), found.nullable)
    return shared_column(name, context.knowledge.types(node.source)[name], "key", found)


def _part_column(context: Context, node: Grouped, flat: Flat, aggregate: QueryAggregate) -> Column:
    """What an owner shares of an aggregate; a sum in the domain of the whole, so that nothing is converted."""
    rows = find_table(context.catalogue, flat.rows.table).max_rows
    whole = context.knowledge.fact(node, aggregate.name)
    if aggregate.function in ("count", "count-rows"):
        found = Range(Bounds(lo=0, hi=rows), nullable=False)
    elif isinstance(aggregate.argument, Ref):
        source = context.knowledge.fact(node.source, aggregate.argument.column)
        if source.range.bounds is None:
            raise InternalError("plans/relation", f"`{aggregate.name}` is over no number")
        bounds = summed(source.range.bounds, rows) if aggregate.function == "sum" else source.range.bounds
        found = Range(bounds, source.range.nullable)
    else:
        raise InternalError("plans/relation", f"the argument of `{aggregate.name}` is no column")
    if aggregate.function in ("min", "max"):
        return shared_column(aggregate.name, aggregate.type, "key", found)
    column = shared_column(aggregate.name, aggregate.type, "number", found)
    return with_column(column, domain=number_domain(whole.range))


# --- the computers group -----------------------------------------------------------------------------------------


def _of_rows(
    context: Context,
    node: Grouped,
    aggregates: Sequence[QueryAggregate],
    needs: Needs,
    contributors: Contributors,
) -> Made:
    """Single rows of the source are sorted and grouped on shares."""
    below: Needs = {}
    for key in node.keys:
        add_need(below, (key, "key"), needs.get((key, "key")))
    if contributors.entity:
        add_need(below, (contributors.entity, "key"))
    loose = []
    for aggregate in aggregates:
        match aggregate.argument:
            case Ref(column=name) if aggregate.function == "count":
                loose.append(name)
            case Ref(column=name) if aggregate.function not in AT_COMPUTERS:
                add_need(below, (name, _argument_use(aggregate)))
            case _:
                pass
    native = native_uses(context.knowledge, node.source)
    for name in loose:
        if (name, "key") not in below and (name, "number") not in below:
            kind = context.knowledge.types(node.source)[name]
            add_need(below, (name, native.get(name, natural_use(kind))))
    source = context.lower(node.source, below)
    merged = []
    for aggregate in aggregates:
        column = ""
        if isinstance(aggregate.argument, Ref) and aggregate.function not in AT_COMPUTERS:
            name = aggregate.argument.column
            at = source.any_column(name) if aggregate.function == "count" else None
            column = (at or source.column(name, _argument_use(aggregate))).name
        merged.append(
            Aggregate.model_validate(
                {
                    "name": aggregate.name,
                    "function": aggregate.function,
                    "column": column,
                    "numerator": aggregate.numerator,
                    "denominator": aggregate.denominator,
                }
            )
        )
    return grouped(context, source, node, merged, contributors, unique=False)


def _argument_use(aggregate: QueryAggregate) -> Use:
    return "number" if aggregate.function == "sum" else "key"


def grouped(
    context: Context,
    source: Made,
    node: Grouped,
    aggregates: Sequence[Aggregate],
    contributors: Contributors,
    *,
    unique: bool,
) -> Made:
    """Sort by (keys, entity) and aggregate, on shares."""
    keys = tuple(source.column(key, "key").name for key in node.keys)
    entity = source.column(contributors.entity, "key").name if contributors.entity else ""
    order = keys if not entity or entity in keys else (*keys, entity)
    sorted_rows = sort(context, source, tuple(SortKey(column=name) for name in order)) if order else source
    facts = context.knowledge
    asked = {aggregate.name: aggregate for aggregate in node.aggregates}
    columns = [source.physical[key] for key in keys]
    places: dict[Wanted, str] = {(name, "key"): key for name, key in zip(node.keys, keys, strict=True)}
    for made in aggregates:
        use: Use = "number" if asked[made.name].function in NUMBERS else "key"
        found = facts.fact(node, made.name).range
        columns.append(shared_column(made.name, asked[made.name].type, use, found))
        places[made.name, use] = made.name
    counts = [_along_key(made, node, keys) for made in contributors.counts]
    for made in counts:
        columns.append(_count_column(made, source.rows, columns))
        places[made.name, _use_of(columns[-1])] = made.name
    rows = min(source.rows, facts.rows(node)) if node.keys else 1
    step = {
        **context.builder.place((sorted_rows.step,), "shared"),
        "rows": rows,
        "columns": tuple(columns),
        "keys": keys,
        "entity": entity,
        "unique_per_member": unique,
        "aggregates": (*aggregates, *counts),
    }
    return Made(context.builder.add(AggregateStep.model_validate(step)), rows, tuple(columns), places)


def _along_key(made: Aggregate, node: Grouped, keys: Sequence[str]) -> Aggregate:
    """The aggregate with the column that holds the key of the query which it names."""
    return made.model_copy(update={"of": keys[node.keys.index(made.of)]}) if made.function == "count-beside" else made


def _count_column(made: Aggregate, rows: int, columns: Sequence[Column]) -> Column:
    if made.function in ("largest", "magnitude"):
        of = next(column for column in columns if column.name == made.of)
        return shared_column(made.name, INT, "number", Range(magnitude_bounds(made, of), nullable=False))
    if made.function == "has-member":
        return shared_column(made.name, BOOL, "key", Range(Bounds(lo=0, hi=1), nullable=False))
    return shared_column(made.name, INT, "number", Range(Bounds(lo=0, hi=rows), nullable=False))


def sort(context: Context, source: Made, keys: tuple[SortKey, ...]) -> Made:
    """The rows in an order, valid ones first."""
    step = {"rows": source.rows, "columns": source.columns, "keys": keys}
    made = context.builder.add(Sort.model_validate({**context.builder.place((source.step,), "shared"), **step}))
    return Made(made, source.rows, source.columns, source.places)
