"""Variance from exact sums: with c values, (c * sum of squares - square of the sum) is an exact integer.

Divided by c^2 it is the population variance, by c (c - 1) the sample variance; whoever gets this numerator and c
divides, and learns neither the sum nor the sum of squares. Everything stays an integer: no rounding, no cancellation.
"""

from dataclasses import replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.relational.window import LARGEST_NUMBER, LARGEST_WIDE
from consortia.protocols.shares import Arithmetic, Wide


def with_squares(engine: Engine, table: SharedTable, column: str, name: str) -> SharedTable:
    """The table with the squares of ``column`` as ``name``: to be summed by a group, beside the column itself.

    Wide where the sum of all squares may reach 2^62. Raises InternalError ``relational/range`` from 2^126 on.
    """
    source = table.column(column)
    largest = max(abs(source.lo), abs(source.hi)) ** 2
    broad = largest * table.length >= LARGEST_NUMBER or isinstance(source.value, Wide)
    if largest * table.length >= LARGEST_WIDE:
        raise InternalError("relational/range", f"squares of `{column}` may sum up to {largest * table.length}")
    squared: Arithmetic | Wide
    if broad:
        wide = _wide(engine.narrow("widen"), column, source)
        squared = engine.narrow("square").multiply_wide(wide, wide)
    else:
        number = _number(column, source)
        squared = engine.narrow("square").multiply(number, number)
    return replace(table, columns={**table.columns, name: SharedColumn(squared, 0, largest, source.validity)})


def with_variance(engine: Engine, groups: SharedTable, count: str, total: str, squares: str, name: str) -> SharedTable:
    """Groups with count * squares - total^2 as ``name``; NULL where the total is, that is without any value.

    ``count`` counts the values that ``total`` adds up, so not those that are NULL.
    Raises InternalError ``relational/range`` if the numerator may reach 2^126.
    """
    c, t, q = groups.column(count), groups.column(total), groups.column(squares)
    largest = max(c.hi * q.hi, max(abs(t.lo), abs(t.hi)) ** 2)
    if largest >= LARGEST_WIDE:
        raise InternalError("relational/range", f"the variance of `{total}` may reach {largest}")
    value: Arithmetic | Wide
    if largest < LARGEST_NUMBER:
        n, x, y = _number(count, c), _number(total, t), _number(squares, q)
        products = engine.narrow("products").multiply(n.concatenated([x]), y.concatenated([x]))
        value = products.rows(0, groups.length) - products.rows(groups.length, 2 * groups.length)
    else:
        wide = [
            _wide(engine.narrow(f"widen-{i}"), *pair) for i, pair in enumerate(((count, c), (total, t), (squares, q)))
        ]
        pairs = wide[0].concatenated([wide[1]]), wide[2].concatenated([wide[1]])
        wide_products = engine.narrow("products").multiply_wide(*pairs)
        value = wide_products.rows(0, groups.length) - wide_products.rows(groups.length, 2 * groups.length)
    return replace(groups, columns={**groups.columns, name: SharedColumn(value, 0, c.hi * q.hi, t.validity)})


def _number(name: str, column: SharedColumn) -> Arithmetic:
    if not isinstance(column.value, Arithmetic):
        raise InternalError("relational/sum", f"`{name}` must be shared as arithmetic")
    return column.value


def _wide(engine: Engine, name: str, column: SharedColumn) -> Wide:
    match column.value:
        case Wide():
            return column.value
        case Arithmetic():
            return engine.widened(column.value, max(abs(column.lo), abs(column.hi)).bit_length() + 1)
    raise InternalError("relational/sum", f"`{name}` must be shared as arithmetic or wide")
