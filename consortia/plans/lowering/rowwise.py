"""Row-wise steps on shares: computed columns and conditions."""

from collections.abc import Iterable
from dataclasses import replace

from consortia.plans.columns import Column
from consortia.plans.expressions import Const, Expr, Ref
from consortia.plans.lowering.context import Context, check_on_shares, in_order, too_wide
from consortia.plans.lowering.convert import fitted, project
from consortia.plans.lowering.made import Made, shared_column
from consortia.plans.lowering.native import native_uses
from consortia.plans.lowering.needs import Column as Wanted
from consortia.plans.lowering.needs import Needs, add_need, add_reads
from consortia.plans.lowering.uses import Types, Use, natural_use, placed
from consortia.plans.meaning import type_of
from consortia.plans.model import Filter
from consortia.plans.query import Computed, Filtered
from consortia.plans.ranges import Range, infer
from consortia.plans.trees import walk
from consortia.plans.types import WIDE_FROM, Bounds, ColumnType


def compute(context: Context, node: Computed, needs: Needs) -> Made:
    """Columns computed from those of the source, each in the natural domain of its type, then converted as needed."""
    below = context.knowledge.types(node.source)
    types = context.knowledge.types(node)
    expressions = {named.name: named.expression for named in node.expressions}
    source = context.lower(node.source, _reads(context, node, needs))
    if all(_is_itself(source, wanted, expressions[wanted[0]]) for wanted in needs):
        return replace(source, places={wanted: wanted[0] for wanted in needs})
    computed: dict[Wanted, tuple[Expr, Column]] = {}
    for name, use in in_order(needs, types):
        own = _own_use(expressions[name], below, use)
        if (name, own) not in computed:
            computed[name, own] = _computed(source, name, types[name], expressions[name], own, below)
    names = context.builder.names_of(computed)
    columns = [
        (wanted, expression, column.model_copy(update={"name": names[wanted]}))
        for wanted, (expression, column) in computed.items()
    ]
    return fitted(context, project(context, source, columns), needs, types)


def _is_itself(source: Made, wanted: Wanted, expression: Expr) -> bool:
    """Whether a column needed is one of the source under its own name."""
    return expression == Ref(column=wanted[0]) and source.places.get(wanted) == wanted[0]


def _reads(context: Context, node: Computed, needs: Needs) -> Needs:
    """What of the source is needed to compute what is needed of ``node``."""
    types = context.knowledge.types(node.source)
    expressions = {named.name: named.expression for named in node.expressions}
    below: Needs = {}
    computed: list[tuple[Expr, Use | None]] = []
    for (name, use), found in needs.items():
        expression = expressions[name]
        if isinstance(expression, Ref):
            add_need(below, (expression.column, use), found)
        else:
            computed.append((expression, _own_use(expression, types, use)))
    add_reads(below, computed, types, native_uses(context.knowledge, node.source))
    return below


def _own_use(expression: Expr, types: Types, wanted: Use) -> Use:
    """The domain in which an expression is computed when ``wanted`` is needed of it."""
    if isinstance(expression, Ref | Const):
        return wanted
    return natural_use(type_of(expression, types))


def _computed(
    source: Made, name: str, kind: ColumnType, expression: Expr, use: Use, types: Types
) -> tuple[Expr, Column]:
    """An expression over columns of the table, and the column that it gives."""
    over = placed(expression, types, use, source.reference)
    found = infer(over, source.physical)
    if not isinstance(over, Ref):
        check_on_shares(over, source.physical, f"column `{name}`")
    if isinstance(over, Const) and found.bounds is None:
        found = Range(Bounds(lo=0, hi=0), found.nullable)
    return over, shared_column(name, kind, use, found)


def keep(context: Context, node: Filtered, needs: Needs) -> Made:
    """The rows of the source that meet a condition on shares."""
    types = context.knowledge.types(node.source)
    below: Needs = dict(needs)
    add_reads(below, [(node.predicate, "key")], types, native_uses(context.knowledge, node.source))
    source = context.lower(node.source, below)
    return filtered(context, source, node.predicate, types, "where", needs)


def filtered(
    context: Context, source: Made, predicate: Expr, types: Types, origin: str, needs: Iterable[Wanted]
) -> Made:
    """A condition on shares over a table that holds what it reads; no column's range is narrowed by it."""
    over = placed(predicate, types, "key", source.reference)
    check_comparisons(over, source)
    builder = context.builder
    step = {"rows": source.rows, "columns": source.columns, "predicate": over, "origin": origin}
    made = builder.add(Filter.model_validate({**builder.place((source.step,), "shared"), **step}))
    return replace(source, step=made, places={each: source.places[each] for each in needs if each in source.places})


def check_comparisons(predicate: Expr, source: Made) -> None:
    """RequestError ``plans/capacity`` if a value or a difference inside a condition can't be computed on shares."""
    columns = source.physical
    check_on_shares(predicate, columns, "a condition")
    for part in walk(predicate):
        if isinstance(part, Ref | Const) or part.op not in ("eq", "ne", "lt", "le", "gt", "ge", "in"):
            continue
        first, *others = (infer(arg, columns).bounds for arg in part.args)
        for other in others:
            if first is None or other is None:
                continue
            widest = max(abs(first.lo - other.hi), abs(first.hi - other.lo))
            if widest >= WIDE_FROM:
                raise too_wide(widest, "a comparison")
