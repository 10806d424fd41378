"""Columns computed from the columns of a table: zero where they are NULL or where the row is invalid, as all are."""

from consortia.protocols.engine import Engine
from consortia.protocols.relational.choice import clipped
from consortia.protocols.relational.comparisons import fill
from consortia.protocols.relational.domains import Form, recast
from consortia.protocols.relational.predicates import Expression, Ref, is_rough, operand
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.relational.values import Code, Number, shared
from consortia.protocols.shares import Boolean


def computed(engine: Engine, table: SharedTable, expression: Expression, form: Form) -> SharedColumn:
    """The expression as a column of the table in ``form``, whose bounds its known values keep.

    A value that is approximate is clipped to these bounds, which are those of the exact one.
    Raises InternalError ``relational/range`` or ``fixed/range`` if what has to be computed does not fit the ring.
    """
    if isinstance(expression, Ref):
        return recast(engine, table, table.column(expression.column), form)
    value = operand(engine.narrow("value"), table, expression)
    if isinstance(value, Number) and is_rough(expression):
        value = clipped(engine.narrow("clip"), table.length, value, form.lo, form.hi)
    keep = table.valid if value.known is None else value.known
    if value.known is not None and not value.clean:
        keep = engine.narrow("keep").conjunction(table.valid, value.known)
    column = _clean(engine, table, value, keep, form)
    return SharedColumn(column.value, form.lo, form.hi, None if value.known is None else keep)


def _clean(engine: Engine, table: SharedTable, value: Number | Code, keep: Boolean, form: Form) -> SharedColumn:
    """The value in ``form``, zero where ``keep`` is 0."""
    if isinstance(value, Code):
        top = value.lo + (1 << value.planes.bits) - 1
        planes = value.planes if value.clean else engine.narrow("clear").conjunction(value.planes, keep)
        return recast(engine, table, SharedColumn(planes, value.lo, top, keep), form)
    vector = shared(engine, table.length, value)
    if form.domain == "boolean":  # what is not kept is cleared as planes
        above = vector if form.lo == 0 else vector - fill(engine, table.length, form.lo)
        planes = engine.narrow("planes").decompose(above, form.bits)
        if form.lo or not value.clean:
            planes = engine.narrow("clear").conjunction(planes, keep)
        return SharedColumn(planes, form.lo, form.hi)
    if not value.clean:
        bit = engine.narrow("bit").bit_to_arithmetic(keep)
        vector = bit.scaled(value.offset) if value.vector is None else engine.narrow("clear").multiply(bit, vector)
    return recast(engine, table, SharedColumn(vector, value.lo, value.hi, keep), form)
