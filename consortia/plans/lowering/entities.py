"""Where the privacy unit of a relation's tables stands in its rows.

Contributors are counted over the last rows of a query, so the unit of every table that has one must stand there, as
one column: joined tables are joined on their units, nested groups keep the unit as a key.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consortia.plans.lowering.nodes import passed
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


@dataclass(frozen=True)
class Units:
    """``columns`` hold the unit of all tables that have one; ``tables`` are these; ``lost`` says where it got lost."""

    columns: frozenset[str] = frozenset()
    tables: tuple[str, ...] = ()
    lost: str = ""


def units_of(node: Relation, entities: Mapping[str, str]) -> Units:
    """The units of ``node``; ``entities`` gives the unit's column of each table that has one."""
    match node:
        case TableRows(table=table):
            unit = entities.get(table, "")
            return Units(frozenset((unit,)), (table,)) if unit else Units()
        case Filtered() | Windowed() | Limited() | Scored():
            return units_of(node.source, entities)
        case Computed():
            found = units_of(node.source, entities)
            names = passed(node.expressions)
            return _kept(found, frozenset(new for new, old in names.items() if old in found.columns), "a nested query")
        case Grouped():
            found = units_of(node.source, entities)
            return _kept(found, found.columns & frozenset(node.keys), "a nested GROUP BY")
        case Stacked():
            return _stacked([units_of(source, entities) for source in node.sources])
        case Joined():
            return _joined(node, entities)
        case Propagated() | Matched():
            return units_of(node.accounts, entities)


def _kept(found: Units, columns: frozenset[str], where: str) -> Units:
    if not found.tables or found.lost:
        return found
    if columns:
        return Units(columns, found.tables)
    return Units(frozenset(), found.tables, f"{where} over {_named(found.tables)} leaves out `{min(found.columns)}`")


def _stacked(parts: list[Units]) -> Units:
    tables = tuple(dict.fromkeys(table for part in parts for table in part.tables))
    lost = next((part.lost for part in parts if part.lost), "")
    if not tables or lost:
        return Units(frozenset(), tables, lost)
    columns = frozenset.intersection(*(part.columns for part in parts))
    if columns:
        return Units(columns, tables)
    return Units(frozenset(), tables, f"the units of {_named(tables)} stand in different columns of a UNION")


def _joined(node: Joined, entities: Mapping[str, str]) -> Units:
    left, right = units_of(node.left, entities), units_of(node.right, entities)
    tables = tuple(dict.fromkeys((*left.tables, *right.tables)))
    lost = left.lost or right.lost
    if lost:
        return Units(frozenset(), tables, lost)
    equal = {pair.left: pair.right for pair in node.on}
    if not right.tables:
        more = (
            {right for left_key, right in equal.items() if left_key in left.columns} if node.how == "inner" else set()
        )
        return Units(left.columns | more, tables)
    if not left.tables:
        if node.how == "inner":
            more = {left_key for left_key, right_key in equal.items() if right_key in right.columns}
            return Units(right.columns | more, tables)
        ours = frozenset(left_key for left_key, right_key in equal.items() if right_key in right.columns)
        if ours:
            return Units(ours, tables)
        return Units(frozenset(), tables, _apart(left, right, tables))
    if not any(left_key in left.columns and right_key in right.columns for left_key, right_key in equal.items()):
        return Units(frozenset(), tables, _apart(left, right, tables))
    return Units(left.columns | right.columns if node.how == "inner" else left.columns, tables)


def _apart(left: Units, right: Units, tables: tuple[str, ...]) -> str:
    names = " and ".join(f"`{min(part.columns)}`" for part in (left, right) if part.columns)
    return f"a join over {_named(tables)} is not on {names}"


def _named(tables: tuple[str, ...]) -> str:
    return " and ".join(f"`{table}`" for table in tables)
