"""Window functions and limits on shares: a sort, and what reads its order."""

from collections.abc import Mapping

from consortia.plans.lowering.context import Context, check_shareable
from consortia.plans.lowering.convert import fitted
from consortia.plans.lowering.groups import sort
from consortia.plans.lowering.made import Made, shared_column
from consortia.plans.lowering.native import native_uses
from consortia.plans.lowering.needs import Column as Wanted
from consortia.plans.lowering.needs import Needs, add_need
from consortia.plans.lowering.uses import natural_use
from consortia.plans.model import Limit, SortKey, Window
from consortia.plans.query import Limited, Windowed
from consortia.plans.types import ColumnType


def window(context: Context, node: Windowed, needs: Needs) -> Made:
    """The rows of the source with window columns."""
    types = context.knowledge.types(node)
    below_types = context.knowledge.types(node.source)
    asked = {name for name, _ in needs}
    functions = [made for made in node.functions if made.name in asked]
    below: Needs = {wanted: found for wanted, found in needs.items() if wanted[0] in below_types}
    kept = list(below)
    for name in (*node.partition, *(key.column for key in node.order)):
        check_shareable(name, types[name])
        add_need(below, (name, "key"))
    native = native_uses(context.knowledge, node.source)
    for made in functions:
        if made.column and made.function == "sum":
            add_need(below, (made.column, "number"))
        elif made.column and not any((made.column, use) in below for use in ("key", "number")):
            add_need(below, (made.column, native.get(made.column, natural_use(types[made.column]))))
    source = context.lower(node.source, below)
    partition = tuple(source.column(name, "key").name for name in node.partition)
    order = _physical_order(source, node.order)
    if partition or order:
        source = sort(context, source, (*(SortKey(column=name) for name in partition), *order))
    fresh = [
        shared_column(made.name, types[made.name], "number", context.knowledge.fact(node, made.name).range)
        for made in functions
    ]
    columns = (*source.columns, *fresh)
    step = {
        **context.builder.place((source.step,), "shared"),
        "rows": source.rows,
        "columns": columns,
        "partition": partition,
        "order": order,
        "functions": tuple(
            made.model_copy(update={"column": _read(source, made.column, number=made.function == "sum")})
            for made in functions
        ),
    }
    places: Mapping[Wanted, str] = {
        **{wanted: source.places[wanted] for wanted in kept},
        **{(column.name, "number"): column.name for column in fresh},
    }
    made_step = context.builder.add(Window.model_validate(step))
    return fitted(context, Made(made_step, source.rows, columns, places), needs, types)


def _read(source: Made, column: str, *, number: bool) -> str:
    if not column:
        return ""
    return (source.column(column, "number") if number else source.any_column(column)).name


def _physical_order(source: Made, order: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
    return tuple(SortKey(column=source.column(key.column, "key").name, descending=key.descending) for key in order)


def limit(context: Context, node: Limited, needs: Needs) -> Made:
    """The first rows, in an order that all columns make total."""
    types = context.knowledge.types(node)
    given = [key.column for key in node.order]
    order = (*node.order, *(SortKey(column=name) for name in types if name not in given and _is_ordered(types[name])))
    below: Needs = dict(needs)
    for key in order:
        check_shareable(key.column, types[key.column])
        add_need(below, (key.column, "key"))
    source = context.lower(node.source, below)
    source = sort(context, source, _physical_order(source, order))
    rows = min(node.rows, source.rows)
    step = {"rows": rows, "columns": source.columns, "count": node.rows}
    made = context.builder.add(Limit.model_validate({**context.builder.place((source.step,), "shared"), **step}))
    return Made(made, rows, source.columns, {wanted: source.places[wanted] for wanted in needs})


def _is_ordered(kind: ColumnType) -> bool:
    return kind.kind != "text"
