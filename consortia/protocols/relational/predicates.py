"""Expressions over the columns of a table on shares: exact integers, and SQL's three-valued logic.

Every expression is worth a number, a code or a truth value (``values``). What is not offered here raises InternalError
``relational/unsupported``: the planner refuses it before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.choice import case, coalesce, extreme
from consortia.protocols.relational.comparisons import both, fill_planes, is_negative, signed_bits
from consortia.protocols.relational.functions import ROUGH
from consortia.protocols.relational.operators import applied
from consortia.protocols.relational.table import SharedTable, packed, unpacked
from consortia.protocols.relational.values import (
    Code,
    Number,
    Truth,
    Value,
    as_code,
    as_number,
    constant,
    of_column,
    shared,
)
from consortia.protocols.shares import Boolean

Op = Literal[
    "add", "subtract", "multiply", "negate",
    "eq", "ne", "lt", "le", "gt", "ge", "is_null", "in",
    "and", "or", "not", "case", "coalesce", "greatest", "least", "abs",
    "quotient", "rounded-quotient", "modulo", "round", "floor", "ceil", "sqrt", "ln", "exp", "sigmoid", "power",
]  # fmt: skip
_LOGIC = ("and", "or", "not", "in", "is_null", "eq", "ne", "lt", "le", "gt", "ge")


@dataclass(frozen=True, slots=True)
class Ref:
    """A column of the table."""

    column: str


@dataclass(frozen=True, slots=True)
class Const:
    """A public integer in carried units; None is NULL."""

    value: int | None


@dataclass(frozen=True, slots=True)
class Call:
    """An operator over expressions; ``in`` compares its first argument with each other one.

    ``case`` takes condition, value, condition, value, ..., otherwise. ``quotient`` is rounded towards zero,
    ``rounded-quotient`` to the nearest, halves away from zero. ``numbers`` are public: of round, floor and ceil the
    divisor; of a function the places of its argument, of ``power`` also the numerator and denominator of the exponent.
    """

    op: Op
    args: tuple[Expression, ...]
    numbers: tuple[int, ...] = ()


Expression = Ref | Const | Call


def truth(engine: Engine, table: SharedTable, expression: Expression) -> Truth:
    """The expression as a truth value, row by row."""
    match expression:
        case Call(op=op) if op in _LOGIC:
            return _logic(engine, table, expression)
        case Const(value=value):
            length = table.length
            zeros = fill_planes(engine, length, 0, 1)
            return Truth(zeros, zeros) if value is None else Truth(fill_planes(engine, length, int(value != 0), 1))
        case _:
            code = operand(engine, table, expression)
            if isinstance(code, Code) and code.planes.bits == 1 and code.lo == 0:
                return _decided(engine.narrow("decided"), code.planes, code.known)
    raise InternalError("relational/unsupported", "this expression is no truth value", place=type(expression).__name__)


def _logic(engine: Engine, table: SharedTable, call: Call) -> Truth:
    match call.op:
        case "and":
            return conjunction(engine, [truth(engine.narrow(f"{i}"), table, arg) for i, arg in enumerate(call.args)])
        case "or":
            inner = [truth(engine.narrow(f"{i}"), table, arg).negation(engine) for i, arg in enumerate(call.args)]
            return conjunction(engine, inner).negation(engine)
        case "not":
            return truth(engine.narrow("0"), table, call.args[0]).negation(engine)
        case "in":
            members = tuple(Call("eq", (call.args[0], candidate)) for candidate in call.args[1:])
            return truth(engine, table, Call("or", members))
        case "is_null":
            return _is_null(engine, table, call.args[0])
        case _:
            left = operand(engine.narrow("left"), table, call.args[0])
            right = operand(engine.narrow("right"), table, call.args[1])
            return compare(engine, table.length, call.op, left, right)


def conjunction(engine: Engine, terms: Sequence[Truth]) -> Truth:
    """AND of all terms: FALSE if one is, TRUE if all are, NULL otherwise. A round a term."""
    result = terms[0]
    for place, term in enumerate(terms[1:]):
        step = engine.narrow(f"and-{place}")
        if result.false is None and term.false is None:
            result = Truth(step.conjunction(result.true, term.true))
            continue
        left = packed([result.true, engine.invert(result.falsehood(engine))])
        right = packed([term.true, engine.invert(term.falsehood(engine))])
        true, not_false = unpacked(step.conjunction(left, right), [1, 1])
        result = Truth(true, engine.invert(not_false))
    return result


def _is_null(engine: Engine, table: SharedTable, argument: Expression) -> Truth:
    match argument:
        case Ref(column=name):  # of a wide column too, which is worth no number
            known = table.column(name).validity
        case _:
            known = operand(engine.narrow("0"), table, argument).known
    return Truth(fill_planes(engine, table.length, 0, 1) if known is None else engine.invert(known))


def operand(engine: Engine, table: SharedTable, expression: Expression) -> Value:
    """The expression as a number or a code, row by row."""
    match expression:
        case Ref(column=name):
            return of_column(name, table.column(name))
        case Const(value=value):
            return constant(engine, table.length, value)
        case Call(op="case", args=(*branches, otherwise)):
            conditions = [truth(engine.narrow(f"when-{i}"), table, arg) for i, arg in enumerate(branches[::2])]
            values = [operand(engine.narrow(f"then-{i}"), table, arg) for i, arg in enumerate(branches[1::2])]
            last = operand(engine.narrow("else"), table, otherwise)
            return case(engine, table.length, conditions, values, last)
        case Call(op=op, args=args) if op in _LOGIC:
            return truth(engine, table, expression).code()
        case Call(op="coalesce" | "greatest" | "least" as op, args=args):
            values = [operand(engine.narrow(f"{place}"), table, arg) for place, arg in enumerate(args)]
            if op == "coalesce":
                return coalesce(engine, table.length, values)
            return extreme(engine, table.length, values, op)
        case Call(args=args):
            numbers = [
                as_number(engine.narrow(f"{place}"), operand(engine.narrow(f"{place}"), table, arg))
                for place, arg in enumerate(args)
            ]
            return applied(engine, table.length, expression.op, numbers, expression.numbers)


def is_rough(expression: Expression) -> bool:
    """Whether some value inside is approximate."""
    match expression:
        case Call(op=op, args=args):
            return op in ROUGH or any(is_rough(arg) for arg in args)
        case _:
            return False


def compare(engine: Engine, length: int, op: Op, left: Value, right: Value) -> Truth:
    """One of eq, ne, lt, le, gt, ge; NULL if an operand is."""
    known = both(engine.narrow("known"), left.known, right.known)
    swapped, inverted, base = _BY_BASE[op]
    if swapped:
        left, right = right, left
    match left, right:
        case Number(), Number():
            plane = _numbers(engine, length, base, left, right)
        case Code(), Code() if left.lo == right.lo:
            plane = _codes(engine, length, base, left, right)
        case Code(), Number(vector=None):
            plane = _code_and_constant(engine, length, base, left, right.offset, mirrored=False)
        case Number(vector=None), Code():
            plane = _code_and_constant(engine, length, base, right, left.offset, mirrored=True)
        case _:
            one, two = as_number(engine.narrow("left-number"), left), as_number(engine.narrow("right-number"), right)
            plane = _numbers(engine, length, base, one, two)
    decided = engine.invert(plane) if inverted else plane
    return _decided(engine.narrow("null"), decided, known)


_Base = Literal["lt", "eq"]
_BY_BASE: dict[Op, tuple[bool, bool, _Base]] = {
    "lt": (False, False, "lt"),
    "gt": (True, False, "lt"),
    "ge": (False, True, "lt"),
    "le": (True, True, "lt"),
    "eq": (False, False, "eq"),
    "ne": (False, True, "eq"),
}
"""Each comparison as: operands swapped, result inverted, and less-than or equality."""


def _decided(engine: Engine, plane: Boolean, known: Boolean | None) -> Truth:
    """``plane`` where known; NULL elsewhere. At most one AND."""
    if known is None:
        return Truth(plane)
    true = engine.conjunction(plane, known)
    return Truth(true, true ^ known)


def _numbers(engine: Engine, length: int, base: _Base, left: Number, right: Number) -> Boolean:
    lo, hi = left.lo - right.hi, left.hi - right.lo
    if base == "lt" and (hi < 0 or lo >= 0):
        return fill_planes(engine, length, int(hi < 0), 1)
    if base == "eq" and (hi < 0 or lo > 0 or lo == hi == 0):
        return fill_planes(engine, length, int(lo == hi == 0), 1)
    bits = signed_bits(lo, hi)
    difference = shared(engine, length, left) - shared(engine, length, right)
    if base == "lt":
        return is_negative(engine, difference, bits)
    return engine.narrow("zero").zero(difference, bits)


def _codes(engine: Engine, length: int, base: _Base, left: Code, right: Code) -> Boolean:
    bits = max(left.planes.bits, right.planes.bits)
    wide = [as_code(engine, length, code, code.lo, bits) for code in (left, right)]
    x, y = (code.planes for code in wide if code is not None)
    return engine.narrow("less").less_than(x, y) if base == "lt" else engine.narrow("equal").equal(x, y)


def _code_and_constant(
    engine: Engine, length: int, base: _Base, code: Code, constant: int, *, mirrored: bool
) -> Boolean:
    """Code < constant or code == constant; constant < code if ``mirrored``."""
    bits = code.planes.bits
    value = constant - code.lo
    if not 0 <= value < 1 << bits:
        answer = base == "lt" and ((value < 0) if mirrored else (value >= 1 << bits))
        return fill_planes(engine, length, int(answer), 1)
    public = fill_planes(engine, length, value, bits)
    if base == "eq":
        return engine.narrow("equal").equal(code.planes, public)
    x, y = (public, code.planes) if mirrored else (code.planes, public)
    return engine.narrow("less").less_than(x, y)
