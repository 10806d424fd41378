"""FROM: tables of the catalogue, queries of WITH, subqueries, and joins of them from left to right.

Columns keep their names; where both sides of a join have one name, the right side's column becomes ``alias_name``
within the plan. The right side of each join is the one whose keys are to be unique (``query.Joined``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans.binding.keys import KeyPair, joined
from consortia.plans.binding.rows import Bound, Context, Rows, check_size, computed
from consortia.plans.binding.scope import Scope, Source, column, folded_name
from consortia.plans.catalogue import CatalogueTable
from consortia.plans.expressions import Expr, Ref, columns_of
from consortia.plans.model import JoinKind, Named
from consortia.plans.names import NamePool, is_legal
from consortia.plans.query import Filtered, TableRows
from consortia.plans.refuse import Node, nearest, offset_of, only, place_of, refused_node, unsupported
from consortia.plans.scalar import bind, bind_condition
from consortia.plans.tables import column_types
from consortia.plans.trees import conjunction

ON_REMEDY = "join ON equalities of one side's columns with the other's: ON a.x = b.x AND a.y = b.y"
JOIN_KINDS = {
    "RIGHT": ("RIGHT JOIN", "swap the sides and write LEFT JOIN"),
    "FULL": ("FULL JOIN", "write a LEFT JOIN, UNION ALL the other side's rows WHERE NOT EXISTS"),
    "CROSS": ("CROSS JOIN", ON_REMEDY),
    "NATURAL": ("NATURAL JOIN", "name the columns: USING (x, y)"),
    "SEMI": ("SEMI JOIN", "write WHERE EXISTS (SELECT ...)"),
    "ANTI": ("ANTI JOIN", "write WHERE NOT EXISTS (SELECT ...)"),
}


@dataclass(frozen=True)
class _Entry:
    """One entry of FROM before it meets the others; its columns stand under the names that the text uses."""

    bound: Bound
    words: str
    qualifiers: frozenset[str]
    label: str
    one_table: bool = False


def bind_from(select: Node, context: Context) -> Rows:
    """The rows of FROM with all its joins; RequestError with the place of what can't be bound."""
    clause = select.args.get("from_")
    if clause is None:
        raise RequestError(
            "plans/syntax", "there is no FROM", place=place_of(select, context.text) or "line 1, column 1",
            remedy="name a table",
        )  # fmt: skip
    entry = _entry(clause.this, context)
    scope = Scope(
        text=context.text,
        as_of=context.as_of,
        sources=(Source(entry.words, entry.qualifiers, {name: name for name in entry.bound.types}),),
        columns=entry.bound.types,
        one_table=entry.one_table,
        outer=context.outer,
    )
    rows = Rows(entry.bound.relation, scope)
    for join in select.args.get("joins") or ():
        rows = _join(rows, join, context)
    return rows


def _entry(node: Node, context: Context) -> _Entry:
    if isinstance(node, exp.Subquery):
        only(node, context.text, "this", "alias")
        if not isinstance(node.this, exp.Select | exp.SetOperation | exp.Subquery):
            raise unsupported(node.this, context.text, "a join in parentheses", "join from left to right, without them")
        # what stands in FROM does not see the rows of the query around it
        bound = context.nested(node.this, replace(context, outer=None))
        return _named(bound, node, "the subquery", "", context)
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        raise refused_node(node, context.text)
    only(node, context.text, "this", "db", "alias")
    name = folded_name(node.this)
    if name in context.named and not node.args.get("db"):
        return _named(context.named[name], node, f"`{name}`", name, context)
    table, owner = _table(node, name, context)
    bound = Bound(TableRows(table=name, owner=owner), column_types(table, context.catalogue))
    entry = _named(bound, node, f"table `{name}`", name, context)
    if owner and not node.args.get("alias"):
        entry = replace(entry, qualifiers=frozenset((name, f"{owner}.{name}")))
    return replace(entry, one_table=True)


def _named(bound: Bound, node: Node, words: str, name: str, context: Context) -> _Entry:
    """The entry under its alias, if it has one, which hides its own name; columns renamed by the alias's list."""
    alias = node.args.get("alias")
    if alias:
        only(alias, context.text, "this", "columns")
        name = folded_name(alias.this) if alias.this else name
        bound = renamed(bound, alias, context)
        words = words if words.startswith("table ") else f"`{name}`"
    if not name:
        return _Entry(bound, words, frozenset(), "sub")
    return _Entry(bound, words, frozenset((name,)), name)


def renamed(bound: Bound, alias: Node, context: Context) -> Bound:
    """``bound`` with the column names that follow an alias: ``AS x (a, b)``; fewer names rename the first columns."""
    given = [folded_name(identifier) for identifier in alias.args.get("columns") or ()]
    if not given:
        return bound
    names = [*given, *list(bound.types)[len(given) :]]
    if len(given) > len(bound.types) or len(set(names)) < len(names) or not all(is_legal(name) for name in given):
        raise RequestError(
            "plans/name", f"{len(given)} names for {len(bound.types)} columns do not fit",
            place=place_of(alias, context.text), remedy="give each column its own name of a-z, 0-9, _ and -",
        )  # fmt: skip
    return computed(
        bound,
        [Named(name=new, expression=Ref(column=old)) for new, old in zip(names, bound.types, strict=True)],
    )


def _table(node: Node, name: str, context: Context) -> tuple[CatalogueTable, str]:
    """The table of the catalogue, and the member whose part is meant (or empty)."""
    by_name = {table.name: table for table in context.catalogue.tables}
    place = place_of(node, context.text)
    if name not in by_name:
        raise RequestError(
            "plans/unknown-table", f"the catalogue has no table `{name}`", place=place,
            remedy=nearest(name, [*by_name, *context.named]),
        )  # fmt: skip
    table = by_name[name]
    owner = folded_name(node.args["db"]) if node.args.get("db") else ""
    if owner and owner not in table.holders:
        raise RequestError(
            "plans/unknown-table", f"`{owner}` holds no part of `{name}`", place=place,
            remedy=nearest(owner, list(table.holders)) + '; a name with `-` stands in double quotes: "bank-a".deposits',
        )  # fmt: skip
    return table, owner


def _join(left: Rows, join: Node, context: Context) -> Rows:
    side, kind = str(join.args.get("side") or "").upper(), str(join.args.get("kind") or "").upper()
    for word in (str(join.args.get("method") or "").upper(), side, kind):
        if word in JOIN_KINDS:
            raise unsupported(join, context.text, *JOIN_KINDS[word])
    if isinstance(join.this, exp.Lateral):
        raise unsupported(join, context.text, "LATERAL", "join a subquery that is grouped by the join's keys")
    only(join, context.text, "this", "on", "using", "side", "kind")
    if not join.args.get("on") and not join.args.get("using"):
        raise unsupported(join, context.text, "a comma between tables", "write JOIN ... ON a.x = b.x")
    entry = _entry(join.this, context)
    right, names = _apart(entry, left)
    known = {qualifier for source in left.scope.sources for qualifier in source.qualifiers}
    if known & entry.qualifiers:
        raise RequestError(
            "plans/name", f"two entries of FROM are called `{min(known & entry.qualifiers)}`",
            place=place_of(join, context.text), remedy="give each an alias of its own: accounts AS b",
        )  # fmt: skip
    scope = replace(
        left.scope,
        sources=(*left.scope.sources, Source(entry.words, entry.qualifiers, names)),
        columns={**left.types, **right.types},
        one_table=False,
    )
    how: JoinKind = "left" if side == "LEFT" else "inner"
    if join.args.get("using"):
        pairs, merged = _using(join, left.scope, names, context)
        scope = replace(scope, merged={**scope.merged, **merged})
        above: list[Expr] = []
    else:
        pairs, above, below = _on(join.args["on"], left, right, scope, how)
        if below is not None:
            right = Bound(Filtered(source=right.relation, predicate=below), right.types)
    if not pairs:
        condition = join.args.get("on")
        placed = condition if condition is not None and offset_of(condition) is not None else join
        raise unsupported(placed, context.text, "a join without an equality", ON_REMEDY)
    made = joined(how, Bound(left.relation, dict(left.types)), right, pairs, context.text)
    relation = made.relation
    if above:
        condition = conjunction(above)
        relation = relation if condition is None else Filtered(source=relation, predicate=condition)
    check_size(relation, join, context.text)
    return Rows(relation, replace(scope, columns=made.types))


def _apart(entry: _Entry, left: Rows) -> tuple[Bound, dict[str, str]]:
    """The right side with names that differ from the left's, and which name of the text each of them is."""
    pool = NamePool({*left.types, *entry.bound.types})
    label = entry.label if is_legal(entry.label) else "right"
    names = {name: pool.fresh(f"{label}_{name}") if name in left.types else name for name in entry.bound.types}
    expressions = [Named(name=names[name], expression=Ref(column=name)) for name in entry.bound.types]
    return computed(entry.bound, expressions), names


def _using(join: Node, left: Scope, right: dict[str, str], context: Context) -> tuple[list[KeyPair], dict[str, str]]:
    """Key pairs of USING, and the columns that stand for both sides: the left one's."""
    pairs: list[KeyPair] = []
    merged: dict[str, str] = {}
    for identifier in join.args["using"]:
        name = folded_name(identifier)
        if name not in right:
            raise RequestError(
                "plans/unknown-column", f"the right side of the join has no column `{name}`",
                place=place_of(identifier, context.text), remedy=nearest(name, list(right)),
            )  # fmt: skip
        here = column(exp.Column(this=identifier.copy()), left)
        pairs.append(KeyPair(here, Ref(column=right[name]), identifier))
        merged[name] = here.column
    return pairs, merged


def _on(node: Node, left: Rows, right: Bound, scope: Scope, how: str) -> tuple[list[KeyPair], list[Expr], Expr | None]:
    """The key pairs of ON, the conditions that follow an inner join, and the one on the right side alone before it."""
    pairs: list[KeyPair] = []
    above: list[Expr] = []
    below: list[Expr] = []
    for part in parts_of(node):
        pair = _equality(part, left, right, scope)
        if pair is not None:
            pairs.append(pair)
            continue
        condition = bind_condition(part, scope)
        if how == "inner":
            above.append(condition)
        elif columns_of(condition) <= right.types.keys():
            below.append(condition)
        else:
            raise unsupported(
                part, scope.text, "a condition of LEFT JOIN on the left side",
                "make the joined columns NULL with CASE WHEN, or filter the left side in a subquery",
            )  # fmt: skip
    return pairs, above, conjunction(below)


def parts_of(node: Node) -> list[Node]:
    """The parts of a condition that must all be TRUE, in the order of the text; parentheses around ANDs are opened."""
    parts: list[Node] = []
    stack: list[Node] = [node]
    while stack:
        part = stack.pop()
        inner = part
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.And):
            stack += [inner.expression, inner.this]
        else:
            parts.append(part)
    return parts


def _equality(node: Node, left: Rows, right: Bound, scope: Scope) -> KeyPair | None:
    """The pair of an equality of one side's expression with the other's."""
    if not isinstance(node, exp.EQ):
        return None
    only(node, scope.text, "this", "expression")
    one, two = bind(node.this, scope), bind(node.expression, scope)
    for here, there in ((one, two), (two, one)):
        read, other = columns_of(here), columns_of(there)
        if read and other and read <= left.types.keys() and other <= right.types.keys():
            return KeyPair(here, there, node)
    return None
