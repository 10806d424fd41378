"""UNION, INTERSECT and EXCEPT: rows stacked under common names and types, marked by side, and grouped.

A row is in an INTERSECT if its group has a mark of every side, in an EXCEPT if it has marks of the first side alone;
NULL equals NULL, as in every set operation of SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans import meaning
from consortia.plans.binding.ordering import check_order, ordered_output, read_limit, read_order
from consortia.plans.binding.rows import Bound, Context, check_size, computed
from consortia.plans.binding.scope import Scope, Source
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.meaning import Misfit
from consortia.plans.model import Named, SortKey
from consortia.plans.names import NamePool
from consortia.plans.query import Filtered, Grouped, Limited, QueryAggregate, Stacked
from consortia.plans.refuse import Node, only, place_of, unsupported
from consortia.plans.relations import ColumnTypes
from consortia.plans.trees import conjunction, substitute

SETS_ARE = ("this", "distinct", "expression", "order", "limit", "with_")


@dataclass(frozen=True)
class Combined:
    """A set operation before it is grouped.

    ``columns`` are its outputs, ``distinct`` says whether rows are grouped by them; ``aggregates`` count marks and
    ``condition`` decides by them.
    """

    stacked: Bound
    columns: ColumnTypes
    distinct: bool
    aggregates: tuple[QueryAggregate, ...] = ()
    condition: Expr | None = None


def bind_set(node: Node, context: Context) -> Bound:
    """The relation of a set operation inside a query."""
    combined = combine(node, context)
    bound = combined.stacked
    if combined.distinct:
        relation = Grouped(source=bound.relation, keys=tuple(combined.columns), aggregates=combined.aggregates)
        bound = Bound(relation, combined.columns | {made.name: made.type for made in combined.aggregates})
    if combined.condition is not None:
        bound = Bound(Filtered(source=bound.relation, predicate=combined.condition), bound.types)
    outputs = [Named(name=name, expression=Ref(column=name)) for name in combined.columns]
    bound = computed(bound, outputs)
    limit, order = read_limit(node, context.text), set_order(node, outputs, combined, context)
    for entry in order:
        check_order(combined.columns[entry.column], node.args["order"], context.text)
    if limit is None:
        return bound
    return Bound(Limited(source=bound.relation, order=order, rows=limit), bound.types)


def set_order(node: Node, outputs: Sequence[Named], combined: Combined, context: Context) -> tuple[SortKey, ...]:
    """ORDER BY of a set operation, by names and numbers of its outputs."""
    names = {name: name for name in combined.columns}
    scope = Scope(
        text=context.text,
        as_of=context.as_of,
        sources=(Source("the set operation", frozenset(), names),),
        columns=combined.columns,
        one_table=False,
    )
    order: dict[str, SortKey] = {}
    for entry in read_order(node.args.get("order"), context.text):
        name = ordered_output(entry.node, outputs, scope)
        order.setdefault(name, SortKey(column=name, descending=entry.descending))
    return tuple(order.values())


def combine(node: Node, context: Context) -> Combined:
    """The sides of a set operation stacked under the first one's names; RequestError where they do not fit."""
    only(node, context.text, *SETS_ARE)
    distinct = bool(node.args.get("distinct"))
    if not distinct and not isinstance(node, exp.Union):
        raise unsupported(
            node, context.text, f"{node.key.upper()} ALL", f"{node.key.upper()} gives distinct rows; or count the rows"
        )
    sides = [context.nested(side, context) for side in _sides(node)]
    stacked, columns = _aligned(sides, node, context)
    if distinct:
        _refuse_text(columns, node, context.text)
    if isinstance(node, exp.Union):
        made = Bound(Stacked(sources=tuple(side.relation for side in stacked)), columns)
        check_size(made.relation, node, context.text)
        return Combined(made, columns, distinct)
    combined = _marked(stacked, columns, every=isinstance(node, exp.Intersect))
    check_size(combined.stacked.relation, node, context.text)
    return combined


def _sides(node: Node) -> list[Node]:
    """The queries that a chain of one operation combines, from left to right.

    UNION removes what UNION ALL on its left has kept, so that may stand in its chain.
    """
    left = node.this
    if type(left) is not type(node) or any(left.args.get(name) for name in ("order", "limit", "with_")):
        return [left, node.expression]
    distinct, before = bool(node.args.get("distinct")), bool(left.args.get("distinct"))
    if before if not isinstance(node, exp.Union) else distinct or not before:
        return [*_sides(left), node.expression]
    return [left, node.expression]


def _aligned(sides: Sequence[Bound], node: Node, context: Context) -> tuple[list[Bound], ColumnTypes]:
    """All sides with the first one's names and, column by column, one type."""
    names = list(sides[0].types)
    if any(len(side.types) != len(names) for side in sides):
        counts = " and ".join(str(len(side.types)) for side in sides)
        raise RequestError(
            "plans/type", f"{node.key.upper()} of queries of {counts} columns", place=place_of(node, context.text),
            remedy="select the same columns on each side, in the same order",
        )  # fmt: skip
    renamed = []
    for side in sides:
        pairs = zip(names, side.types, strict=True)
        renamed.append(computed(side, [Named(name=new, expression=Ref(column=old)) for new, old in pairs]))
    expressions: list[list[Named]] = [[] for _ in sides]
    columns: ColumnTypes = {}
    for name in names:
        # one name stands for a column of each side: the sides are told apart while types are unified
        apart = {f"{place}.{name}": side.types[name] for place, side in enumerate(renamed)}
        try:
            unified, common = meaning.unified([Ref(column=column) for column in apart], apart, node.key.upper())
        except Misfit as misfit:
            raise RequestError(
                misfit.code, f"{misfit.message}, in column `{name}`", place=place_of(node, context.text),
                remedy=misfit.remedy,
            ) from misfit  # fmt: skip
        if len({kind.unit for kind in apart.values()}) > 1:
            raise RequestError(
                "plans/units", f"`{name}` has a unit on one side alone", place=place_of(node, context.text),
                remedy="select the amount's unit on each side, or fix it on each side",
            )  # fmt: skip
        for place, expression in enumerate(unified):
            own = substitute(expression, {f"{place}.{name}": Ref(column=name)})
            expressions[place].append(Named(name=name, expression=own))
        columns[name] = common
    return [computed(side, made) for side, made in zip(renamed, expressions, strict=True)], columns


def _refuse_text(columns: ColumnTypes, node: Node, text: str) -> None:
    for name, kind in columns.items():
        if kind.kind == "text":
            raise RequestError(
                "plans/text-shared", f"text never leaves its owner, so rows can't be compared by `{name}`",
                place=place_of(node, text), remedy="select enum, key or number columns",
            )  # fmt: skip


def _marked(sides: Sequence[Bound], columns: ColumnTypes, *, every: bool) -> Combined:
    """The sides with a mark for each, their sums, and the condition: a mark of every side, or of the first alone."""
    pool = NamePool(set(columns))
    groups = [[side] for side in sides] if every else [[sides[0]], list(sides[1:])]
    marks = [pool.fresh(f"side_{number}") for number in range(1, len(groups) + 1)]
    sources = []
    for place, group in enumerate(groups):
        for side in group:
            kept = [Named(name=name, expression=Ref(column=name)) for name in columns]
            set_marks = [
                Named(name=mark, expression=Const(type=meaning.INT, integer=int(number == place)))
                for number, mark in enumerate(marks)
            ]
            sources.append(computed(side, [*kept, *set_marks]).relation)
    aggregates = tuple(
        QueryAggregate(name=pool.fresh(f"sum_{mark}"), function="sum", argument=Ref(column=mark), type=meaning.INT)
        for mark in marks
    )
    zero = Const(type=meaning.INT, integer=0)
    tests = [
        Call(op="gt" if every or place == 0 else "eq", args=(Ref(column=made.name), zero), type=meaning.BOOL)
        for place, made in enumerate(aggregates)
    ]
    types = columns | dict.fromkeys(marks, meaning.INT)
    return Combined(Bound(Stacked(sources=tuple(sources)), types), columns, True, aggregates, conjunction(tests))
