"""Relation trees: their children, the names and types of their columns, and walks over them."""

from collections.abc import Callable, Iterator, Mapping

from consortia.plans.catalogue import Catalogue
from consortia.plans.expressions import Ref
from consortia.plans.learning import score_type
from consortia.plans.model import Named
from consortia.plans.networks import made_type
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
from consortia.plans.relations import computed_types, grouped_types
from consortia.plans.tables import column_types, find_table
from consortia.plans.types import ColumnType


def children(node: Relation) -> tuple[Relation, ...]:
    """The relations that ``node`` reads, the left one first."""
    match node:
        case TableRows():
            return ()
        case Joined(left=left, right=right):
            return left, right
        case Matched(accounts=accounts, payments=payments, seeds=seeds) if seeds is not None:
            return accounts, payments, seeds
        case Matched(accounts=accounts, payments=payments):
            return accounts, payments
        case Propagated(accounts=accounts, payments=payments, later=later):
            return accounts, payments, *later
        case Stacked(sources=sources):
            return sources
        case Filtered() | Computed() | Grouped() | Windowed() | Limited() | Scored():
            return (node.source,)


def with_children(node: Relation, new: tuple[Relation, ...]) -> Relation:
    """The node over other relations with the same columns."""
    if new == children(node):
        return node
    match node:
        case TableRows():
            return node
        case Joined():
            return node.model_copy(update={"left": new[0], "right": new[1]})
        case Propagated():
            return node.model_copy(update={"accounts": new[0], "payments": new[1], "later": new[2:]})
        case Matched():
            seeds = {"seeds": new[2]} if len(new) > 2 else {}
            return node.model_copy(update={"accounts": new[0], "payments": new[1], **seeds})
        case Stacked():
            return node.model_copy(update={"sources": new})
        case Filtered() | Computed() | Grouped() | Windowed() | Limited() | Scored():
            return node.model_copy(update={"source": new[0]})


def rewritten(node: Relation, change: Callable[[Relation], Relation]) -> Relation:
    """The tree with ``change`` applied to every node, the lowest first."""
    return change(with_children(node, tuple(rewritten(child, change) for child in children(node))))


def walk(node: Relation) -> Iterator[Relation]:
    """The node and all below it, outermost first, left before right."""
    yield node
    for child in children(node):
        yield from walk(child)


def tables_of(node: Relation) -> tuple[TableRows, ...]:
    """Every table occurrence, left before right."""
    return tuple(found for found in walk(node) if isinstance(found, TableRows))


def holding_tables(node: Relation) -> tuple[TableRows, ...]:
    """The table occurrences whose data stands in the rows.

    Of a NOT EXISTS or NOT IN not those that must not match; of accounts and payments the accounts, for a row is told to
    the member that keeps the account.
    """
    match node:
        case TableRows():
            return (node,)
        case Joined(how="anti" | "not-in"):
            return holding_tables(node.left)
        case Propagated() | Matched():
            return holding_tables(node.accounts)
        case _:
            return tuple(found for child in children(node) for found in holding_tables(child))


def members_in_every_row(node: Relation) -> frozenset[str]:
    """Members of which every row of ``node`` holds data, since it is made of a part that the query names.

    An inner join's rows hold what both sides hold, those of a LEFT JOIN or NOT EXISTS what the left one does. The two
    sides of an inner join may be exchanged without changing the answer.
    """
    match node:
        case TableRows(owner=owner):
            return frozenset((owner,)) if owner else frozenset()
        case Joined(how="inner" | "semi", left=left, right=right):
            return members_in_every_row(left) | members_in_every_row(right)
        case Joined(left=left):
            return members_in_every_row(left)
        case Stacked(sources=sources):
            return frozenset.intersection(*(members_in_every_row(source) for source in sources))
        case Propagated() | Matched():
            return members_in_every_row(node.accounts)
        case Filtered() | Computed() | Grouped() | Windowed() | Limited() | Scored():
            return members_in_every_row(node.source)


def owners_of(rows: TableRows, catalogue: Catalogue) -> tuple[str, ...]:
    """The members whose rows of the table are asked for, sorted."""
    return (rows.owner,) if rows.owner else tuple(sorted(find_table(catalogue, rows.table).holders))


def types_of(node: Relation, catalogue: Catalogue) -> dict[str, ColumnType]:  # noqa: C901 - a case for each kind of node
    """The type of each column of ``node``, in its order."""
    match node:
        case TableRows(table=table):
            return column_types(find_table(catalogue, table), catalogue)
        case Filtered() | Limited():
            return types_of(node.source, catalogue)
        case Computed():
            return computed_types(types_of(node.source, catalogue), node.expressions)
        case Joined(how="inner" | "left"):
            return types_of(node.left, catalogue) | types_of(node.right, catalogue)
        case Joined():
            return types_of(node.left, catalogue)
        case Stacked():
            return types_of(node.sources[0], catalogue)
        case Grouped():
            return grouped_types(types_of(node.source, catalogue), node.keys, node.aggregates)
        case Windowed():
            made = {each.name: kind for each, kind in zip(node.functions, node.types, strict=True)}
            return types_of(node.source, catalogue) | made
        case Scored(made=made_name):
            return types_of(node.source, catalogue) | {made_name: score_type()}
        case Propagated(made=made_name, method=method):
            return types_of(node.accounts, catalogue) | {made_name: made_type(method)}
        case Matched():
            return types_of(node.accounts, catalogue)


def passed(expressions: tuple[Named, ...]) -> Mapping[str, str]:
    """The outputs of a projection that are plain columns of its source: new name to old name."""
    return {named.name: named.expression.column for named in expressions if isinstance(named.expression, Ref)}
