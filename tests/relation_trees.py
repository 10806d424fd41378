"""Relation trees in a few words, for tests that need no SQL: tables of the small consortium, joins, groups."""

from collections.abc import Sequence

from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.model import JoinKey, JoinKind, Named, SortKey
from consortia.plans.query import (
    Computed,
    Filtered,
    Grouped,
    Joined,
    Query,
    QueryAggregate,
    QueryFunction,
    Relation,
    TableRows,
)
from consortia.plans.types import ColumnType
from tests.fixtures_catalogue import BOOL, INT


def ref(name: str) -> Ref:
    return Ref(column=name)


def integer(value: int) -> Const:
    return Const(type=INT, integer=value)


def columns(table: str, prefix: str, *names: str, owner: str = "") -> Relation:
    """Columns of a table, each named ``PREFIX_NAME``."""
    named = tuple(Named(name=f"{prefix}_{name}", expression=ref(name)) for name in names)
    return Computed(source=TableRows(table=table, owner=owner), expressions=named)


def where(source: Relation, op: str, *args: Expr) -> Relation:
    return Filtered(source=source, predicate=Call(op=op, args=args, type=BOOL))  # type: ignore[arg-type]  # op is a word


def joined(how: JoinKind, left: Relation, right: Relation, *on: tuple[str, str]) -> Relation:
    return Joined(how=how, left=left, right=right, on=tuple(JoinKey(left=one, right=two) for one, two in on))


def aggregate(
    name: str, function: QueryFunction, argument: str = "", kind: ColumnType = INT, **more: int
) -> QueryAggregate:
    read = ref(argument) if argument else None
    return QueryAggregate(name=name, function=function, argument=read, type=kind, **more)


def grouped(source: Relation, keys: Sequence[str], *aggregates: QueryAggregate) -> Relation:
    return Grouped(source=source, keys=tuple(keys), aggregates=aggregates)


def query(relation: Relation, keys: Sequence[str], *aggregates: QueryAggregate, **more: object) -> Query:
    """The last grouping, with all keys and aggregates as outputs."""
    named = tuple(Named(name=key, expression=ref(key)) for key in keys)
    outputs = (*named, *(Named(name=made.name, expression=ref(made.name)) for made in aggregates))
    return Query.model_validate(
        {"sql": "", "relation": relation, "keys": named, "aggregates": aggregates, "outputs": outputs} | more
    )


def by(*names: str) -> tuple[SortKey, ...]:
    """An order; a name with ``-`` before it descends."""
    return tuple(SortKey(column=name.lstrip("-"), descending=name.startswith("-")) for name in names)
