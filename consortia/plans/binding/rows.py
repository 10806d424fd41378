"""Rows in the making: a relation with the types of its columns, what binds it, and small steps between relations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from consortia.errors import RequestError
from consortia.plans.binding.scope import Scope
from consortia.plans.catalogue import Catalogue
from consortia.plans.expressions import Expr, Ref
from consortia.plans.lowering.nodes import tables_of
from consortia.plans.model import Named
from consortia.plans.names import NamePool
from consortia.plans.query import Computed, Relation
from consortia.plans.refuse import Node, place_of
from consortia.plans.relations import ColumnTypes, computed_types
from consortia.plans.trees import substitute
from consortia.plans.types import ColumnType

MOST_TABLES = 32
"""A query that reads more tables, each use of a WITH query counted, is refused: its plan would have no end."""


@dataclass(frozen=True)
class Bound:
    """A relation and its columns' types, in order."""

    relation: Relation
    types: ColumnTypes


@dataclass(frozen=True)
class Rows:
    """What FROM and WHERE give: a relation, and the scope in which expressions over its rows are bound."""

    relation: Relation
    scope: Scope

    @property
    def types(self) -> Mapping[str, ColumnType]:
        """Types of the relation's columns by name."""
        return self.scope.columns


@dataclass(frozen=True)
class Context:
    """What a query is bound in: the text, the catalogue and its time, queries of WITH by name.

    ``outer`` is the scope around a subquery; ``nested`` binds a query that stands inside another.
    """

    text: str
    catalogue: Catalogue
    as_of: datetime
    nested: Callable[[Node, Context], Bound]
    named: Mapping[str, Bound] = field(default_factory=dict)
    outer: Scope | None = None


def check_size(relation: Relation, node: Node, text: str) -> None:
    """Refuse a relation that reads too many tables; RequestError ``plans/too-deep``."""
    if len(tables_of(relation)) > MOST_TABLES:
        raise RequestError(
            "plans/too-deep", f"the query reads more than {MOST_TABLES} tables, each use of a WITH query counted",
            place=place_of(node, text), remedy="ask several queries, or define a local table in the catalogue",
        )  # fmt: skip


def with_columns(bound: Bound, expressions: Sequence[Expr], base: str, names: NamePool) -> tuple[Bound, list[str]]:
    """``bound`` with a column for each of ``expressions``, and their names; plain columns are taken as they are."""
    made: list[Named] = []
    found: list[str] = []
    for expression in expressions:
        known = next((named.name for named in made if named.expression == expression), "")
        if isinstance(expression, Ref):
            found.append(expression.column)
        elif known:
            found.append(known)
        else:
            made.append(Named(name=names.fresh(base), expression=expression))
            found.append(made[-1].name)
    if not made:
        return bound, found
    return computed(bound, (*(Named(name=name, expression=Ref(column=name)) for name in bound.types), *made)), found


def computed(bound: Bound, expressions: Sequence[Named]) -> Bound:
    """Exactly ``expressions`` over ``bound``; ``bound`` itself where they are its columns as they are."""
    unchanged = all(named.expression == Ref(column=named.name) for named in expressions)
    if unchanged and [named.name for named in expressions] == list(bound.types):
        return bound
    types = computed_types(bound.types, expressions)
    source = bound.relation
    if isinstance(source, Computed) and (_plain(expressions) or _plain(source.expressions)):
        # columns that are only renamed or left out need no step of their own
        below: dict[str, Expr] = {named.name: named.expression for named in source.expressions}
        expressions = [Named(name=named.name, expression=substitute(named.expression, below)) for named in expressions]
        source = source.source
    return Bound(Computed(source=source, expressions=tuple(expressions)), types)


def _plain(expressions: Sequence[Named]) -> bool:
    return all(isinstance(named.expression, Ref) for named in expressions)
