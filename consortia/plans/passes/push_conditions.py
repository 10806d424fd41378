"""Move conditions down the relation, to the owners where their columns come from one table.

A condition passes a projection, a union, the left side of every join, the right side of an inner one that is grouped by
its keys, groups by its columns, and windows whose partitions are by its columns; never a limit, nor a propagation, a
match or a model (money flows through accounts, and is learnt from rows, that a condition leaves out), nor the right
side of a left join, whose rows without a match it would let through, nor a right side whose keys are checked when the
query runs: the check would tell whether a key stands twice among the rows that the condition picks out.
"""

from consortia.plans.catalogue import Catalogue
from consortia.plans.draft import Draft
from consortia.plans.expressions import Expr, columns_of
from consortia.plans.lowering.nodes import children, types_of, with_children
from consortia.plans.lowering.unique import is_grouped_by
from consortia.plans.query import (
    Computed,
    Filtered,
    Grouped,
    Joined,
    Limited,
    Matched,
    Propagated,
    Relation,
    Scored,
    Stacked,
    TableRows,
    Windowed,
)
from consortia.plans.trees import conjunction, conjuncts, substitute
from consortia.plans.variants import with_query


def push_conditions(draft: Draft) -> Draft:
    """The draft with every condition as low as it can stand."""
    if draft.query.relation is None:
        return draft
    return with_query(draft, relation=_pushed(draft.query.relation, (), draft.catalogue))


def _pushed(node: Relation, parts: tuple[Expr, ...], catalogue: Catalogue) -> Relation:
    """``node`` with the conditions ``parts`` on its columns, these and its own as low as they can stand."""
    match node:
        case Filtered():
            return _pushed(node.source, (*conjuncts(node.predicate), *parts), catalogue)
        case Computed():
            values = {named.name: named.expression for named in node.expressions}
            below = tuple(substitute(part, values) for part in parts)
            return node.model_copy(update={"source": _pushed(node.source, below, catalogue)})
        case Stacked():
            sources = tuple(_pushed(source, parts, catalogue) for source in node.sources)
            return node.model_copy(update={"sources": sources})
        case Joined():
            return _pushed_join(node, parts, catalogue)
        case Grouped(keys=columns) | Windowed(partition=columns):
            through = [part for part in parts if columns_of(part) and columns_of(part) <= set(columns)]
            source = _pushed(node.source, tuple(through), catalogue)
            return _kept(with_children(node, (source,)), [part for part in parts if part not in through])
        case Limited() | TableRows() | Propagated() | Matched() | Scored():
            below_nodes = tuple(_pushed(child, (), catalogue) for child in children(node))
            return _kept(with_children(node, below_nodes), list(parts))


def _pushed_join(node: Joined, parts: tuple[Expr, ...], catalogue: Catalogue) -> Relation:
    left_columns = types_of(node.left, catalogue).keys()
    grouped = is_grouped_by(node.right, frozenset(pair.right for pair in node.on))
    right_columns = types_of(node.right, catalogue).keys() if node.how == "inner" and grouped else frozenset()
    left: list[Expr] = []
    right: list[Expr] = []
    kept: list[Expr] = []
    for part in parts:
        if columns_of(part) <= left_columns:
            left.append(part)
        elif columns_of(part) <= right_columns:
            right.append(part)
        else:
            kept.append(part)
    sides = _pushed(node.left, tuple(left), catalogue), _pushed(node.right, tuple(right), catalogue)
    return _kept(with_children(node, sides), kept)


def _kept(node: Relation, parts: list[Expr]) -> Relation:
    condition = conjunction(parts)
    return node if condition is None else Filtered(source=node, predicate=condition)
