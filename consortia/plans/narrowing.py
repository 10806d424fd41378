"""What a condition proves of the rows that pass it: bounds of columns, and that they are not NULL."""

from consortia.plans.columns import Column
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.ranges import hull
from consortia.plans.trees import conjuncts
from consortia.plans.types import Bounds
from consortia.plans.variants import with_column

MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
"""The same comparison with its sides exchanged."""


def narrowed(columns: dict[str, Column], condition: Expr) -> dict[str, Column]:
    """The columns of rows for which ``condition`` is TRUE, read from its parts that compare a column with constants.

    A comparison is TRUE of no NULL. A condition that no value can meet narrows nothing.
    """
    result = dict(columns)
    for part in conjuncts(condition):
        match part:
            case Call(op="not", args=[Call(op="is_null", args=[Ref(column=name)])]):
                result[name] = with_column(result[name], nullable=False)
            case Call(op="in", args=[Ref(column=name), *candidates]):
                values = [value for value in map(_value, candidates) if value is not None]
                if len(values) == len(candidates):
                    within = hull([Bounds(lo=value, hi=value) for value in values])
                    result[name] = _met(result[name], within.lo, within.hi)
            case Call(op=op, args=[Ref(column=name), Const() as constant]) if op in MIRRORED:
                result[name] = _compared(result[name], op, constant)
            case Call(op=op, args=[Const() as constant, Ref(column=name)]) if op in MIRRORED:
                result[name] = _compared(result[name], MIRRORED[op], constant)
    return result


def _value(expression: Expr) -> int | None:
    return expression.integer if isinstance(expression, Const) else None


def _compared(column: Column, op: str, constant: Const) -> Column:
    value = constant.integer
    if value is None:
        return column if constant.text is None else with_column(column, nullable=False)
    least: int | None = None
    most: int | None = None
    if op in ("eq", "ge", "gt"):
        least = value + int(op == "gt")
    if op in ("eq", "le", "lt"):
        most = value - int(op == "lt")
    return _met(column, least, most)


def _met(column: Column, least: int | None, most: int | None) -> Column:
    """The column with values from ``least`` to ``most`` (None: as before) and no NULL."""
    if column.bounds is None:
        return with_column(column, nullable=False)
    lo = column.bounds.lo if least is None else max(column.bounds.lo, least)
    hi = column.bounds.hi if most is None else min(column.bounds.hi, most)
    bounds = Bounds(lo=lo, hi=hi) if lo <= hi else column.bounds
    return with_column(column, bounds=bounds, nullable=False)
