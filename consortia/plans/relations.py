"""What a relation tree says of its columns: their types, under their names, and which of them hold one value.

A unit column (``ColumnType.unit``) follows its amount through renames: the type of a renamed amount names the renamed
unit column. Where the unit column is left behind, the amount is a plain number; the binder sees to it that its unit is
fixed by then.
"""

from collections.abc import Mapping, Sequence

from consortia.plans.catalogue import Catalogue
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.learning import score_type
from consortia.plans.meaning import type_of
from consortia.plans.model import JoinKey, Named
from consortia.plans.networks import made_type
from consortia.plans.query import (
    Computed,
    Filtered,
    Grouped,
    Joined,
    Limited,
    Matched,
    Propagated,
    QueryAggregate,
    Relation,
    Scored,
    Stacked,
    TableRows,
    Windowed,
)
from consortia.plans.tables import column_types, find_table
from consortia.plans.trees import conjuncts
from consortia.plans.types import ColumnType

ColumnTypes = dict[str, ColumnType]


def relation_types(relation: Relation, catalogue: Catalogue) -> ColumnTypes:  # noqa: C901 - a case for each kind of node
    """The type of each column of ``relation`` by name, in the relation's order."""
    match relation:
        case TableRows(table=table):
            return column_types(find_table(catalogue, table), catalogue)
        case Computed(source=source, expressions=expressions):
            return computed_types(relation_types(source, catalogue), expressions)
        case Joined(how="inner" | "left", left=left, right=right, on=on):
            return joined_types(relation_types(left, catalogue), relation_types(right, catalogue), on)
        case Joined(left=left):
            return relation_types(left, catalogue)
        case Stacked(sources=sources):
            return relation_types(sources[0], catalogue)
        case Grouped(source=source, keys=keys, aggregates=aggregates):
            return grouped_types(relation_types(source, catalogue), keys, aggregates)
        case Windowed(source=source, functions=functions, types=kinds):
            made = {function.name: kind for function, kind in zip(functions, kinds, strict=True)}
            return relation_types(source, catalogue) | made
        case Filtered(source=source) | Limited(source=source):
            return relation_types(source, catalogue)
        case Scored(source=source, made=made_name):
            return relation_types(source, catalogue) | {made_name: score_type()}
        case Propagated(accounts=accounts, made=made, method=method):
            return relation_types(accounts, catalogue) | {made: made_type(method)}
        case Matched(accounts=accounts):
            return relation_types(accounts, catalogue)


def computed_types(types: Mapping[str, ColumnType], expressions: Sequence[Named]) -> ColumnTypes:
    """The types of ``expressions`` over columns of ``types``, units named as they are called after it."""
    moved: dict[str, str] = {}
    for named in expressions:
        if isinstance(named.expression, Ref):
            moved.setdefault(named.expression.column, named.name)
    return {named.name: _of_unit(type_of(named.expression, types), moved) for named in expressions}


def grouped_types(
    types: Mapping[str, ColumnType], keys: Sequence[str], aggregates: Sequence[QueryAggregate]
) -> ColumnTypes:
    """The types of ``keys`` and ``aggregates`` over columns of ``types``; the unit of an amount is kept as a key."""
    kinds = {key: types[key] for key in keys} | {made.name: made.type for made in aggregates}
    return {name: _of_unit(kind, {key: key for key in keys}) for name, kind in kinds.items()}


def joined_types(left: ColumnTypes, right: ColumnTypes, on: Sequence[JoinKey]) -> ColumnTypes:
    """The types of both sides; amounts whose units are join keys have one unit, the left side's."""
    equal = {name: name for name in right} | {key.right: key.left for key in on}
    return left | {name: _of_unit(kind, equal) for name, kind in right.items()}


def _of_unit(kind: ColumnType, moved: Mapping[str, str]) -> ColumnType:
    if not kind.unit:
        return kind
    return kind.model_copy(update={"unit": moved.get(kind.unit, "")})


def fixed_columns(relation: Relation) -> frozenset[str]:
    """Columns of ``relation`` that conditions hold to one value in all rows (or NULL, by a left join)."""
    match relation:
        case TableRows() | Stacked():
            return frozenset()
        case Filtered(source=source, predicate=predicate):
            return fixed_columns(source) | fixed_by(predicate)
        case Computed(source=source, expressions=expressions):
            fixed = fixed_columns(source)
            return frozenset(named.name for named in expressions if _is_fixed(named.expression, fixed))
        case Joined(how=how, left=left, right=right, on=on):
            fixed = fixed_columns(left)
            if how not in ("inner", "left"):
                return fixed
            fixed |= fixed_columns(right)
            return fixed | frozenset(key.right for key in on if key.left in fixed)
        case Grouped(source=source, keys=keys):
            return fixed_columns(source) & frozenset(keys)
        case Windowed(source=source) | Limited(source=source) | Scored(source=source):
            return fixed_columns(source)
        case Propagated(accounts=accounts) | Matched(accounts=accounts):
            return fixed_columns(accounts)


def _is_fixed(expression: Expr, fixed: frozenset[str]) -> bool:
    return isinstance(expression, Const) or (isinstance(expression, Ref) and expression.column in fixed)


def fixed_by(condition: Expr | None) -> frozenset[str]:
    """Columns that hold one value in rows for which ``condition`` is TRUE, by its parts ``column = constant``."""
    fixed = set()
    for part in conjuncts(condition):
        match part:
            case (
                Call(op="eq" | "in", args=[Ref(column=column), Const()])
                | Call(op="eq", args=[Const(), Ref(column=column)])
            ):
                fixed.add(column)
    return frozenset(fixed)
