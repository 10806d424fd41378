"""Expressions of a plan as expressions on shares: carried integers, scales made equal by public factors."""

from collections.abc import Mapping
from fractions import Fraction
from typing import cast

from consortia.errors import InternalError
from consortia.plans import expressions as plan
from consortia.plans.meaning import type_of
from consortia.plans.types import ColumnType
from consortia.protocols.relational import predicates as shares

Types = Mapping[str, ColumnType]

_SAME = frozenset(
    ("add", "subtract", "multiply", "negate", "eq", "ne", "lt", "le", "gt", "ge", "is_null", "in", "and", "or", "not")
) | {"case", "coalesce", "greatest", "least", "abs", "modulo"}


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
            return _shifted(translated(arg, types), kind.scale - type_of(arg, types).scale)
        case plan.Call(op=op, args=args) if op in _SAME:
            return shares.Call(cast("shares.Op", op), tuple(translated(arg, types) for arg in args))
        case plan.Call():
            return _scaled(expression, types)


def _scaled(call: plan.Call, types: Types) -> shares.Expression:
    """Operators whose meaning depends on the scales of their operands."""
    match call:
        case plan.Call(op="divide", args=(dividend, divisor), type=kind):
            parts = translated(dividend, types), translated(divisor, types)
            if kind.kind == "int":
                return shares.Call("quotient", parts)
            shift = kind.scale - type_of(dividend, types).scale + type_of(divisor, types).scale
            return shares.Call("rounded-quotient", (_shifted(parts[0], shift), parts[1]))
        case plan.Call(op="round" | "floor" | "ceil" as op, args=(arg,), type=kind):
            inner, cut = translated(arg, types), type_of(arg, types).scale - kind.scale
            return shares.Call(op, (inner,), (10**cut,)) if cut > 0 else _shifted(inner, -cut)
        case plan.Call(op="sqrt" | "ln" | "exp" | "sigmoid" as op, args=(arg,)):
            return shares.Call(op, (translated(arg, types),), (type_of(arg, types).scale,))
        case plan.Call(op="power", args=(arg, plan.Const(type=kind, integer=int() as exponent))):
            share = Fraction(exponent, 10**kind.scale)
            numbers = (type_of(arg, types).scale, share.numerator, share.denominator)
            return shares.Call("power", (translated(arg, types),), numbers)
    raise InternalError("execution/unsupported", f"`{call.op}` can't be computed on shares")


def _shifted(inner: shares.Expression, places: int) -> shares.Expression:
    """The value with more decimal places."""
    if places < 0:
        raise InternalError("execution/unsupported", "a cast to fewer places can't be computed on shares")
    return inner if places == 0 else shares.Call("multiply", (inner, shares.Const(10**places)))
