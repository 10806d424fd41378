"""Columns of a result in the form that a plan declares: domain, bounds, and whether NULL may occur.

Mostly there is nothing to do. Conversions cost traffic, which the counting engine counts like everything else.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from consortia.errors import InternalError
from consortia.execution.layout import bounds_of, shape_of
from consortia.plans.columns import Column
from consortia.protocols.engine import Engine
from consortia.protocols.relational.domains import Form, recast
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic

Nulls = Literal["never", "gone"]
"""Of a column that may be NULL where the plan says that it is not: a misfit, or ruled out by the step itself."""


def form_of(column: Column) -> Form:
    """How the plan wants ``column`` to be shared."""
    bounds = bounds_of(column)
    return Form(shape_of(column).domain, bounds.lo, bounds.hi)


def fitted(
    engine: Engine, table: SharedTable, declared: Iterable[Column], place: str, nulls: Nulls = "never"
) -> SharedTable:
    """The table with the columns of ``declared`` that it has, in their order and form; its other columns are dropped.

    ``place`` is the step in errors. Raises InternalError ``execution/shape`` if a column may be NULL and must not.
    """
    columns = {
        column.name: fitted_column(engine.narrow(f"fit-{column.name}"), table, column, place, nulls)
        for column in declared
        if column.name in table.columns
    }
    return replace(table, columns=columns)


def fitted_column(engine: Engine, table: SharedTable, declared: Column, place: str, nulls: Nulls) -> SharedColumn:
    """One column of the table in its declared form."""
    found = recast(engine, table, table.column(declared.name), form_of(declared))
    return declared_nulls(table, found, declared, place, nulls)


def declared_nulls(
    table: SharedTable, column: SharedColumn, declared: Column, place: str, nulls: Nulls
) -> SharedColumn:
    """The column with validity bits exactly if ``declared`` may be NULL."""
    if declared.nullable:
        return column if column.validity is not None else replace(column, validity=table.valid)
    if column.validity is not None and nulls == "never":
        raise InternalError("execution/shape", f"`{declared.name}` may be NULL, which its plan denies", place=place)
    return replace(column, validity=None)


def number_of(table: SharedTable, name: str) -> Arithmetic:
    """The numbers of a column; InternalError ``execution/shape`` if it is shared in another form."""
    value = table.column(name).value
    if not isinstance(value, Arithmetic):
        raise InternalError("execution/shape", f"`{name}` must be a number", place=name)
    return value
