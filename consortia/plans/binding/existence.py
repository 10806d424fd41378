"""WHERE: plain conditions, and [NOT] EXISTS and [NOT] IN over a subquery as joins that add no columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans.binding.keys import KeyPair, joined
from consortia.plans.binding.rows import Bound, Context, Rows, check_size, computed
from consortia.plans.binding.scope import Scope, candidates
from consortia.plans.binding.sources import bind_from, parts_of
from consortia.plans.expressions import Expr, Ref
from consortia.plans.model import JoinKind, Named
from consortia.plans.names import NamePool
from consortia.plans.query import Filtered
from consortia.plans.refuse import Node, only, place_of, unsupported
from consortia.plans.scalar import bind, bind_condition
from consortia.plans.trees import conjunction, substitute

CORRELATE = "compare its columns with the outer query's: EXISTS (SELECT 1 FROM b WHERE b.x = a.x AND ...)"


def split_where(where: Node | None) -> tuple[list[Node], list[Node]]:
    """The plain conditions of WHERE, and those over subqueries; without any of these WHERE is one condition."""
    if where is None:
        return [], []
    parts = parts_of(where.this)
    tests = [part for part in parts if _subquery_test(part) is not None]
    if not tests:
        return [where.this], []
    return [part for part in parts if _subquery_test(part) is None], tests


def _subquery_test(node: Node) -> tuple[Node, bool] | None:
    """The EXISTS or IN (SELECT) that ``node`` is, and whether NOT stands before it."""
    negated = False
    while isinstance(node, exp.Paren | exp.Not):
        negated ^= isinstance(node, exp.Not)
        node = node.this
    if isinstance(node, exp.Exists) or (isinstance(node, exp.In) and node.args.get("query")):
        return node, negated
    return None


def bind_where(parts: Sequence[Node], scope: Scope) -> Expr | None:
    """Plain conditions as one."""
    return conjunction([bind_condition(part, scope) for part in parts])


def filtered(rows: Rows, where: Node | None, context: Context) -> Rows:
    """The rows that pass WHERE: filtered by its plain conditions first, then by its subqueries in turn."""
    plain, tests = split_where(where)
    condition = bind_where(plain, rows.scope)
    if condition is not None:
        rows = replace(rows, relation=Filtered(source=rows.relation, predicate=condition))
    return tested(rows, tests, context)


def tested(rows: Rows, tests: Sequence[Node], context: Context) -> Rows:
    """The rows that pass ``tests``, conditions over subqueries."""
    for test in tests:
        found = _subquery_test(test)
        if found is not None:
            node, negated = found
            bind_test = _exists if isinstance(node, exp.Exists) else _among
            rows = bind_test(rows, node, replace(context, outer=rows.scope), negated=negated)
            check_size(rows.relation, node, context.text)
    return rows


def _among(rows: Rows, node: Node, context: Context, *, negated: bool) -> Rows:
    """``x [NOT] IN (SELECT y ...)``."""
    only(node, context.text, "this", "query")
    if isinstance(node.this, exp.Tuple):
        raise unsupported(
            node.this, context.text, "a row value before IN (SELECT ...)", "write EXISTS with one equality a column"
        )
    bound = context.nested(node.args["query"], context)
    if len(bound.types) != 1:
        raise RequestError(
            "plans/type", f"IN compares one value with a query of {len(bound.types)} columns",
            place=place_of(node, context.text), remedy="select one column, or write EXISTS",
        )  # fmt: skip
    (name,) = bound.types
    return _matched("not-in" if negated else "semi", rows, bound, [(bind(node.this, rows.scope), Ref(column=name))],
                    node)  # fmt: skip


def _exists(rows: Rows, node: Node, context: Context, *, negated: bool) -> Rows:
    """``[NOT] EXISTS (SELECT ... FROM ... WHERE inner = outer AND conditions on the inner side)``."""
    only(node, context.text, "this")
    select = node.this
    while isinstance(select, exp.Subquery):
        only(select, context.text, "this")
        select = select.this
    if not isinstance(select, exp.Select):
        raise unsupported(select, context.text, "EXISTS over a set operation", "write one EXISTS for each part")
    only(select, context.text, "expressions", "distinct", "from_", "joins", "where")
    inner = bind_from(select, context)
    for item in select.expressions:
        if not item.find(exp.Star):
            bind(item.this if isinstance(item, exp.Alias) else item, inner.scope)
    pairs: list[tuple[Expr, Expr]] = []
    conditions: list[Node] = []
    where = select.args.get("where")
    plain, tests = split_where(where)
    for part in (piece for node_of in plain for piece in parts_of(node_of)):
        pair = _correlation(part, inner.scope, rows.scope)
        if pair is None:
            conditions.append(part)
        else:
            pairs.append(pair)
    condition = bind_where(conditions, inner.scope)
    if condition is not None:
        inner = replace(inner, relation=Filtered(source=inner.relation, predicate=condition))
    inner = tested(inner, tests, context)
    if not pairs:
        raise unsupported(node, context.text, "EXISTS without an equality with the outer query", CORRELATE)
    bound = Bound(inner.relation, dict(inner.types))
    return _matched("anti" if negated else "semi", rows, bound, pairs, node)


def _correlation(node: Node, inner: Scope, outer: Scope) -> tuple[Expr, Expr] | None:
    """The outer and the inner expression of an equality between the two."""
    if not isinstance(node, exp.EQ):
        return None
    only(node, inner.text, "this", "expression")
    for here, there in ((node.this, node.expression), (node.expression, node.this)):
        if _reads(here, inner) and _reads(there, outer, hidden_by=inner):
            return bind(there, outer), bind(here, inner)
    return None


def _reads(node: Node, scope: Scope, hidden_by: Scope | None = None) -> bool:
    """Whether ``node`` reads columns, all of ``scope`` and none of ``hidden_by``."""
    columns = list(node.find_all(exp.Column))
    return bool(columns) and all(
        candidates(column, scope) and not (hidden_by and candidates(column, hidden_by)) for column in columns
    )


def _matched(how: JoinKind, rows: Rows, inner: Bound, pairs: Sequence[tuple[Expr, Expr]], node: Node) -> Rows:
    """``rows`` with a semi, anti or not-in join; the inner side's columns get names of their own."""
    names = NamePool({*rows.types, *inner.types})
    moved = {name: names.fresh(f"in_{name}") if name in rows.types else name for name in inner.types}
    inner = computed(inner, [Named(name=new, expression=Ref(column=old)) for old, new in moved.items()])
    columns = {old: Ref(column=new) for old, new in moved.items()}
    key_pairs = [KeyPair(left, substitute(right, columns), node) for left, right in pairs]
    made = joined(how, Bound(rows.relation, dict(rows.types)), inner, key_pairs, rows.scope.text)
    return Rows(made.relation, replace(rows.scope, columns=made.types))
