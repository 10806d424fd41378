"""Expressions of a plan as expressions on shares: carried integers, scales made equal by public factors."""

from collections.abc import Mapping
from typing import cast

from consortia.errors import InternalError
from consortia.plans import expressions as plan
from consortia.plans.meaning import type_of
from consortia.plans.types import ColumnType
from consortia.protocols.relational import predicates as shares

Types = Mapping[str, ColumnType]

_SAME = frozenset(
    ("add", "subtract", "multiply", "negate", "eq", "ne", "lt", "le", "gt", "ge", "is_null", "in", "and", "or", "not")
) | {"case", "coalesce", "greatest", "least", "abs"}


def translated(expression: plan.Expr, types: Types) -> shares.Expression:
    """``expression`` over columns of ``types``; InternalError ``execution/unsupported`` where shares can't do it."""
    match expression:
        case plan.Ref(column=column):
            return shares.Ref(column)
        case plan.Const(integer=integer, text=text):
            if integer is None and text is not None:
                raise InternalError("execution/unsupported", "a text can't be compared on shares")
            return shares.Const(integer)
        case plan.Call(op="cast", args=(arg,), type=kind):
            factor = kind.scale - type_of(arg, types).scale
            if factor < 0:
                raise InternalError("execution/unsupported", "a cast to fewer places can't be computed on shares")
            inner = translated(arg, types)
            return inner if factor == 0 else shares.Call("multiply", (inner, shares.Const(10**factor)))
        case plan.Call(op=op, args=args) if op in _SAME:
            return shares.Call(cast("shares.Op", op), tuple(translated(arg, types) for arg in args))
        case plan.Call(op=op):
            raise InternalError("execution/unsupported", f"`{op}` can't be computed on shares")
