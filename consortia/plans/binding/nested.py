"""Queries inside a query: SELECTs in FROM, IN and WITH, row-wise, grouped, windowed or limited; WITH itself."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans import meaning
from consortia.plans.binding.existence import filtered
from consortia.plans.binding.ordering import check_order, plain_name, read_limit, read_order, select_place
from consortia.plans.binding.rows import Bound, Context, Rows, computed
from consortia.plans.binding.scope import Scope, folded_name, qualifier_of
from consortia.plans.binding.sets import bind_set
from consortia.plans.binding.sources import bind_from, renamed
from consortia.plans.binding.windows import WindowCollector
from consortia.plans.expressions import Expr, Ref, columns_of
from consortia.plans.grouping import Collector, Item, collect_keys, is_aggregated, named_outputs, select_items
from consortia.plans.model import Named, SortKey
from consortia.plans.names import NamePool, is_legal
from consortia.plans.query import Filtered, Grouped, Limited
from consortia.plans.refuse import CLAUSES, Node, nearest, only, place_of, refused_node, unsupported
from consortia.plans.relations import fixed_columns, grouped_types
from consortia.plans.scalar import bind, bind_condition

CLAUSES_OF_SELECT = ("expressions", "distinct", "from_", "joins", "where", "group", "having", "order", "limit", "with_")


def bind_nested(node: Node, context: Context) -> Bound:
    """The relation of a query that stands inside another; errors as in ``sql.bind``."""
    while isinstance(node, exp.Subquery):
        only(node, context.text, "this")
        node = node.this
    context = with_queries(node, context)
    if isinstance(node, exp.SetOperation):
        return bind_set(node, context)
    if not isinstance(node, exp.Select):
        raise refused_node(node, context.text)
    check_clauses(node, context.text)
    return _select(node, context)


def check_clauses(select: Node, text: str) -> None:
    """Refuse clauses that no SELECT of ours has, by name."""
    for clause, (construct, alternative) in CLAUSES.items():
        found = select.args.get(clause)
        if found and clause not in CLAUSES_OF_SELECT:
            raise unsupported(found[0] if isinstance(found, list) else found, text, construct, alternative)
    only(select, text, *CLAUSES_OF_SELECT)


def with_queries(node: Node, context: Context) -> Context:
    """The context with the queries of ``node``'s WITH, each of which sees those before it."""
    clause = node.args.get("with_")
    if clause is None:
        return context
    if clause.args.get("recursive"):
        raise unsupported(clause, context.text, "WITH RECURSIVE", "write the steps out, one query for each")
    only(clause, context.text, "expressions")
    given: set[str] = set()
    for query in clause.expressions:
        only(query, context.text, "this", "alias")
        alias = query.args["alias"]
        only(alias, context.text, "this", "columns")
        name = folded_name(alias.this)
        if name in given or not is_legal(name):
            raise RequestError(
                "plans/name", f"`{name}` is taken, or not a legal name, for a query of WITH",
                place=place_of(alias, context.text), remedy="name each query with a-z, 0-9, _ and -",
            )  # fmt: skip
        given.add(name)
        bound = renamed(context.nested(query.this, replace(context, outer=None)), alias, context)
        context = replace(context, named={**context.named, name: bound})
    return context


def _select(select: Node, context: Context) -> Bound:
    rows = filtered(bind_from(select, context), select.args.get("where"), context)
    items = _expanded(select_items(select, rows.scope), rows.scope)
    names = NamePool({*rows.types, *(item.alias for item in items)})
    groups = Collector(rows.scope, names) if is_aggregated(select, items) else None
    if groups is not None:
        collect_keys(groups, select, items, distinct_rows=False)
    base = rows.scope if groups is None else groups.scope
    windows = WindowCollector(base, names, fixed_columns(rows.relation))
    # a live view: binding an output adds aggregates and windows
    scope = replace(base, columns=ChainMap(windows.types, dict(base.columns) if groups is None else groups.types),
                    special=windows.special)  # fmt: skip
    outputs = named_outputs(items, [bind(item.node, scope) for item in items], scope)
    _check_names(items, rows)
    having = select.args.get("having")
    condition = bind_condition(having.this, base) if having else None
    limit = read_limit(select, context.text)
    distinct = select.args.get("distinct")
    if distinct:
        only(distinct, context.text)
    ordered = _ordered(select, outputs, scope, distinct=bool(distinct))
    _check_units(items, outputs, scope, fixed_columns(rows.relation), context.text)

    bound = Bound(rows.relation, dict(rows.types))
    if groups is not None:
        bound = _grouped(bound, groups)
        if condition is not None:
            bound = Bound(Filtered(source=bound.relation, predicate=condition), bound.types)
    bound = windows.applied(bound)
    extra = [] if limit is None else [expression for expression, _ in ordered if not _output(expression, outputs)]
    pool = NamePool({*bound.types, *(output.name for output in outputs)})
    given = [Named(name=pool.fresh("order"), expression=expression) for expression in dict.fromkeys(extra)]
    bound = computed(bound, [*outputs, *given])
    if distinct:
        bound = _distinct(bound, items, context.text)
    if limit is not None:
        columns = [_output(expression, (*outputs, *given)) for expression, _ in ordered]
        order = {name: SortKey(column=name, descending=falling)
                 for name, (_, falling) in reversed(list(zip(columns, ordered, strict=True)))}  # fmt: skip
        order = {name: order[name] for name in dict.fromkeys(columns)}
        bound = Bound(Limited(source=bound.relation, order=tuple(order.values()), rows=limit), bound.types)
    return computed(bound, [Named(name=output.name, expression=Ref(column=output.name)) for output in outputs])


def _expanded(items: Sequence[Item], scope: Scope) -> list[Item]:
    """The select list with ``*`` and ``alias.*`` written out."""
    found: list[Item] = []
    for item in items:
        star = item.node if isinstance(item.node, exp.Star) else item.node.this
        if not isinstance(star, exp.Star) or not isinstance(item.node, exp.Star | exp.Column):
            found.append(item)
            continue
        only(star, scope.text)
        qualifier = "" if item.node is star else qualifier_of(item.node)
        sources = [source for source in scope.sources if not qualifier or qualifier in source.qualifiers]
        if not sources:
            known = [name for source in scope.sources for name in sorted(source.qualifiers)]
            raise RequestError(
                "plans/unknown-table", f"`{qualifier}` is not in FROM", place=place_of(item.node, scope.text),
                remedy=nearest(qualifier, known),
            )  # fmt: skip
        skipped: set[str] = set()
        for source in sources:
            prefix = min(source.qualifiers, key=len, default="")
            for name in source.names:
                if qualifier or name not in skipped:
                    table = exp.to_identifier(prefix, quoted=True) if prefix else None
                    node = exp.Column(this=exp.to_identifier(name, quoted=True), table=table)
                    found.append(Item(node))
            skipped |= {name for name in source.names if name in scope.merged}
    return found


def _check_names(items: Sequence[Item], rows: Rows) -> None:
    """Refuse plain columns of one name: which of them the outer query meant could not be told."""
    plain = [folded_name(item.node.this) for item in items if isinstance(item.node, exp.Column) and not item.alias]
    taken = [*plain, *(item.alias for item in items if item.alias)]
    for name in taken:
        if taken.count(name) > 1:
            raise RequestError(
                "plans/name", f"two outputs of the nested query are called `{name}`",
                place=place_of(items[0].node, rows.scope.text), remedy="name the columns, each with a name of its own",
            )  # fmt: skip


def _ordered(select: Node, outputs: Sequence[Named], scope: Scope, *, distinct: bool) -> list[tuple[Expr, bool]]:
    """ORDER BY as expressions over the rows: those of outputs that are named or numbered, else of their own."""
    found: list[tuple[Expr, bool]] = []
    by_name = {output.name: output.expression for output in outputs}
    for entry in read_order(select.args.get("order"), scope.text):
        name = plain_name(entry.node)
        if isinstance(entry.node, exp.Literal) and not entry.node.args.get("is_string"):
            expression = outputs[select_place(entry.node, len(outputs), scope.text)].expression
        elif name in by_name:
            expression = by_name[name]
        else:
            expression = bind(entry.node, scope)
        if distinct and not _output(expression, outputs):
            raise unsupported(entry.node, scope.text, "ordering distinct rows by what is not selected", "select it too")
        check_order(meaning.type_of(expression, scope.columns), entry.node, scope.text)
        found.append((expression, entry.descending))
    return found


def _output(expression: Expr, outputs: Sequence[Named]) -> str:
    """The name of the output that is ``expression``, or nothing."""
    return next((output.name for output in outputs if output.expression == expression), "")


def _grouped(bound: Bound, groups: Collector) -> Bound:
    """``bound`` grouped by the collected keys; keys that are no columns are made columns first."""
    if any(not isinstance(key.expression, Ref) for key in groups.keys):
        read = {name for made in groups.aggregates if made.argument for name in columns_of(made.argument)}
        read -= {key.name for key in groups.keys}
        units = {bound.types[name].unit for name in read} | {groups.types[key.name].unit for key in groups.keys}
        kept = [name for name in bound.types if name in read | units and name not in {k.name for k in groups.keys}]
        bound = computed(bound, [*groups.keys, *(Named(name=name, expression=Ref(column=name)) for name in kept)])
    keys = tuple(key.name for key in groups.keys)
    relation = Grouped(source=bound.relation, keys=keys, aggregates=tuple(groups.aggregates))
    return Bound(relation, grouped_types(bound.types, keys, groups.aggregates))


def _distinct(bound: Bound, items: Sequence[Item], text: str) -> Bound:
    for name, kind in bound.types.items():
        if kind.kind == "text":
            raise RequestError(
                "plans/text-shared", f"text never leaves its owner, so rows can't be distinct by `{name}`",
                place=place_of(items[0].node, text), remedy="select enum, key or number columns",
            )  # fmt: skip
    return Bound(Grouped(source=bound.relation, keys=tuple(bound.types)), bound.types)


def _check_units(
    items: Sequence[Item], outputs: Sequence[Named], scope: Scope, fixed: frozenset[str], text: str
) -> None:
    """Refuse to leave the unit of an amount behind, unless WHERE fixes it: the amount would be a plain number."""
    kept = {output.expression.column for output in outputs if isinstance(output.expression, Ref)}
    for item, output in zip(items, outputs, strict=True):
        unit = meaning.type_of(output.expression, scope.columns).unit
        if unit and unit not in kept | fixed:
            raise RequestError(
                "plans/units", f"`{output.name}` is an amount of several units, and its unit `{unit}` is not selected",
                place=place_of(item.node, text), remedy=f"select {unit} too, or fix it: WHERE {unit} = '...'",
            )  # fmt: skip
