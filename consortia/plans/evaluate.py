"""What an expression is worth on one row: exact integers, SQL's three-valued logic, PostgreSQL's arithmetic.

This is the one definition of the meaning of ``Expr``: recipients compute with it, constants are folded with it,
and what owners run in their database must agree with it (roots and the like: within the errors of
docs/reference/functions.md). Values are carried integers (a bool is 0 or 1, an enum
its code), text is ``str``, NULL is None. A division by zero gives NULL (docs/reference/types.md).
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from operator import eq, ge, gt, le, lt, ne

from consortia.plans import functions
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.functions import rounded
from consortia.plans.meaning import type_of
from consortia.plans.types import ColumnType

Value = int | str | None
Row = Mapping[str, Value]
Types = Mapping[str, ColumnType]

COMPARISONS: dict[str, Callable[[int, int], bool]] = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}


def truncated(dividend: int, divisor: int) -> int:
    """The quotient rounded towards zero; the divisor is not 0."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def evaluate(expression: Expr, row: Row, types: Types, member: str = "") -> Value:
    """The value of ``expression`` on ``row``; ``types`` are those of the row's columns, ``member`` holds the row."""
    match expression:
        case Ref(column=column):
            return row[column]
        case Const(type=kind, integer=integer, text=text):
            return text if kind.kind == "text" else integer
        case Call(op="member", type=kind):
            if kind.kind == "enum":
                return kind.values.index(member) if member in kind.values else -1
            return member
        case Call(op="and" | "or" | "not" | "case" | "coalesce" | "in" | "is_null"):
            return _logic(expression, row, types, member)
        case Call(op="greatest" | "least", args=args):
            known = [evaluate(arg, row, types, member) for arg in args]
            numbers = [value for value in known if isinstance(value, int)]
            return (max if expression.op == "greatest" else min)(numbers) if numbers else None
        case Call(args=args):
            values = [evaluate(arg, row, types, member) for arg in args]
            if any(value is None for value in values):
                return None
            return _strict(expression, values, types)


def _logic(call: Call, row: Row, types: Types, member: str) -> Value:
    """Operators that can give a value although an operand is NULL."""
    first, *others = [evaluate(arg, row, types, member) for arg in call.args]
    match call.op:
        case "is_null":
            return int(first is None)
        case "not":
            return None if first is None else int(not first)
        case "and" | "or":
            decisive = int(call.op == "or")
            if decisive in (first, *others):
                return decisive
            return None if None in (first, *others) else 1 - decisive
        case "coalesce":
            return next((value for value in (first, *others) if value is not None), None)
        case "in":
            if first is None:
                return None
            if first in others:
                return 1
            return None if None in others else 0
        case _:
            *branches, otherwise = first, *others
            pairs = zip(branches[::2], branches[1::2], strict=True)
            return next((value for truth, value in pairs if truth == 1), otherwise)


def _strict(call: Call, values: list[Value], types: Types) -> Value:
    """Operators that are NULL as soon as an operand is."""
    if call.op in COMPARISONS:
        # both operands are of one kind, text or carried integers, which the binder has seen to
        return int(COMPARISONS[call.op](values[0], values[1]))  # type: ignore[arg-type]
    numbers = [value for value in values if isinstance(value, int)]
    scales = [type_of(arg, types).scale for arg in call.args]
    match call.op, numbers:
        case "add", [a, b]:
            return a + b
        case "subtract", [a, b]:
            return a - b
        case "multiply", [a, b]:
            return a * b
        case "negate", [a]:
            return -a
        case "cast", [a]:
            return a * int(10 ** (call.type.scale - scales[0]))
        case "divide" | "modulo", [a, b]:
            return None if b == 0 else _quotient(call, a, b, scales)
        case "abs", [a]:
            return abs(a)
        case "round" | "floor" | "ceil", [a]:
            return _whole(call, a, int(10 ** (scales[0] - call.type.scale)))
    return _function(call, numbers, scales)


def _whole(call: Call, a: int, divisor: int) -> int:
    """``a`` without some of its places."""
    match call.op:
        case "round":
            return rounded(a, divisor)
        case "floor":
            return a // divisor
        case _:
            return -(-a // divisor)


def _function(call: Call, numbers: list[int], scales: list[int]) -> int | None:
    """Functions with a result of ``FUNCTION_SCALE`` places."""
    match call.op, numbers:
        case "sqrt", [a]:
            return functions.square_root(a, scales[0])
        case "ln", [a]:
            return functions.logarithm(a, scales[0])
        case "exp", [a]:
            return functions.exponential(a, scales[0])
        case "sigmoid", [a]:
            return functions.sigmoid(a, scales[0])
        case "power", [a, b]:
            return functions.power(a, scales[0], Fraction(b, 10 ** scales[1]))
    raise TypeError(call.op)


def _quotient(call: Call, a: int, b: int, scales: list[int]) -> int:
    """``a / b`` or ``a % b``, b not 0: truncated for ints, rounded to the scale of the result for decimals."""
    if call.op == "modulo":
        return a - b * truncated(a, b)
    if call.type.kind == "int":
        return truncated(a, b)
    shift = call.type.scale - scales[0] + scales[1]
    return rounded(a * int(10**shift), b)
