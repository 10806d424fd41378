"""Columns of an output control rounded to multiples of a public base, before anything is opened or ordered by them."""

from dataclasses import replace

from consortia.errors import InternalError
from consortia.execution.fit import fitted
from consortia.plans.model import Control
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.by_constant import floor_divided
from consortia.protocols.relational.comparisons import fill
from consortia.protocols.relational.domains import as_numbers
from consortia.protocols.relational.table import SharedTable
from consortia.protocols.shares import Arithmetic


def rounded(engine: Engine, step: Control, table: SharedTable) -> SharedTable:
    """The table with the columns of ``step.rounding`` at the nearest multiples; zero and NULL stay what they are.

    Rounds and bytes are those of a division by a constant for each column.
    """
    bases = {each.column: each.base for each in step.rounding if each.column in table.columns}
    if not bases:
        return table
    numbers = as_numbers(engine, table, tuple(bases))
    columns = dict(numbers.columns)
    for name, base in bases.items():
        column = numbers.column(name)
        if not isinstance(column.value, Arithmetic):
            raise InternalError("execution/shape", f"`{name}` is too large to be rounded", place=step.id)
        half = base // 2
        limit = max(abs(column.lo), abs(column.hi)) + half
        raised = column.value + fill(engine, table.length, half)
        multiple = floor_divided(engine.narrow(f"round-{name}"), raised, limit, base).scaled(base)
        lo, hi = ((end + half) // base * base for end in (column.lo, column.hi))
        columns[name] = replace(column, value=multiple, lo=lo, hi=hi)
    return fitted(engine, replace(numbers, columns=columns), step.columns, step.id)
