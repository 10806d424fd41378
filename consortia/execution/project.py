"""A projection on shares: each column in the domain and the bounds that it declares."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from consortia.execution.fit import declared_nulls, form_of
from consortia.execution.translate import translated
from consortia.plans.expressions import Ref
from consortia.plans.model import Named, Project
from consortia.plans.types import ColumnType
from consortia.protocols.engine import Engine
from consortia.protocols.relational.compute import computed
from consortia.protocols.relational.table import Ordering, SharedTable


def projected(
    engine: Engine, step: Project, table: SharedTable, types: Mapping[str, ColumnType], live: frozenset[str]
) -> SharedTable:
    """The columns of ``step`` that are ``live``; ``types`` are those of the input's columns. Rows keep their places.

    Raises InternalError ``execution/shape`` if a column may be NULL and must not.
    """
    declared = {column.name: column for column in step.columns}
    columns = {}
    for named in step.expressions:
        if named.name in live:
            column = declared[named.name]
            expression = translated(named.expression, types)
            made = computed(engine.narrow(f"column-{named.name}"), table, expression, form_of(column))
            columns[named.name] = declared_nulls(table, made, column, step.id, "never")
    return replace(table, columns=columns, order=_order(table.order, step.expressions, live))


def _order(order: Sequence[Ordering], expressions: Sequence[Named], live: frozenset[str]) -> tuple[Ordering, ...]:
    """The order as far as its columns go on, under their new names."""
    names = {
        named.expression.column: named.name
        for named in expressions
        if isinstance(named.expression, Ref) and named.name in live
    }
    kept = takewhile(lambda key: key.column in names, order)
    return tuple(replace(key, column=names[key.column]) for key in kept)
