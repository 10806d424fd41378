"""Expressions over aggregates on shares (HAVING): exact integers, and SQL's three-valued logic.

A *number* is a shared or public integer with the interval that holds it; widths of comparisons follow from intervals.
A *code* is a boolean-domain column (an unsigned value above its lower bound), compared with constants and with codes
of the same lower bound. A *truth* is two planes: is TRUE, is FALSE; NULL is neither, so NOT costs nothing.
What is not offered here raises InternalError ``relational/unsupported``: the planner refuses it before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import both, fill, fill_planes, is_negative, signed_bits
from consortia.protocols.relational.table import SharedTable, packed, unpacked
from consortia.protocols.shares import Arithmetic, Boolean

Op = Literal[
    "add", "subtract", "multiply", "negate",
    "eq", "ne", "lt", "le", "gt", "ge", "is_null", "in",
    "and", "or", "not", "coalesce",
]  # fmt: skip


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
    """An operator over expressions; ``in`` compares its first argument with each other one."""

    op: Op
    args: tuple[Expression, ...]


Expression = Ref | Const | Call


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """``vector`` + ``offset`` (a public number where there is no vector), within lo..hi; NULL where not ``known``.

    Where a row is NULL or invalid the value is any within lo..hi.
    """

    vector: Arithmetic | None
    offset: int
    lo: int
    hi: int
    known: Boolean | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """The unsigned ``planes`` stand for planes + ``lo``; NULL where not ``known``."""

    planes: Boolean
    lo: int
    known: Boolean | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Planes of the rows for which it is TRUE and FALSE; ``false`` None is the complement of ``true``."""

    true: Boolean
    false: Boolean | None = None

    def negation(self, engine: Engine) -> Truth:
        """NOT. Local."""
        if self.false is None:
            return Truth(engine.invert(self.true))
        return Truth(self.false, self.true)

    def falsehood(self, engine: Engine) -> Boolean:
        """The plane that says FALSE. Local."""
        return engine.invert(self.true) if self.false is None else self.false


def truth(engine: Engine, table: SharedTable, expression: Expression) -> Truth:
    """The expression as a truth value, row by row."""
    match expression:
        case Call(op="and" | "or" | "not" | "in" | "is_null" | "eq" | "ne" | "lt" | "le" | "gt" | "ge"):
            return _logic(engine, table, expression)
        case Const(value=value):
            length = table.length
            zeros = fill_planes(engine, length, 0, 1)
            return Truth(zeros, zeros) if value is None else Truth(fill_planes(engine, length, int(value != 0), 1))
        case Ref():
            code = operand(engine, table, expression)
            if isinstance(code, Code) and code.planes.bits == 1 and code.lo == 0:
                return _decided(engine, code.planes, code.known)
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
    value = operand(engine.narrow("0"), table, argument)
    if value.known is None:
        return Truth(fill_planes(engine, table.length, 0, 1))
    return Truth(engine.invert(value.known))


def operand(engine: Engine, table: SharedTable, expression: Expression) -> Number | Code:
    """The expression as something that can be compared."""
    match expression:
        case Ref(column=name):
            column = table.column(name)
            match column.value:
                case Boolean():
                    return Code(column.value, column.lo, column.validity)
                case Arithmetic():
                    return Number(column.value, 0, min(column.lo, 0), max(column.hi, 0), column.validity)
            raise InternalError(
                "relational/unsupported", f"`{name}` is a wide value: it can be added up and opened only"
            )
        case Const(value=value):
            if value is None:
                return Number(None, 0, 0, 0, fill_planes(engine, table.length, 0, 1))
            return Number(None, value, value, value)
        case Call():
            return _computed(engine, table, expression)


def _number(engine: Engine, table: SharedTable, expression: Expression) -> Number:
    value = operand(engine, table, expression)
    if isinstance(value, Code):
        raise InternalError(
            "relational/unsupported", "a value shared as boolean can be compared only, not computed with"
        )
    return value


def _computed(engine: Engine, table: SharedTable, call: Call) -> Number:
    args = [_number(engine.narrow(f"{place}"), table, arg) for place, arg in enumerate(call.args)]
    match call.op, args:
        case "negate", [x]:
            return scale(x, -1)
        case "add", [x, y]:
            return add(engine.narrow("known"), x, y)
        case "subtract", [x, y]:
            return add(engine.narrow("known"), x, scale(y, -1))
        case "multiply", [x, y]:
            return multiply(engine, table.length, x, y)
        case "coalesce", [_, *_]:
            result = args[0]
            for place, other in enumerate(args[1:]):
                result = coalesce(engine.narrow(f"else-{place}"), table.length, result, other)
            return result
    raise InternalError("relational/unsupported", f"`{call.op}` with {len(args)} arguments is not computed on shares")


def scale(x: Number, factor: int) -> Number:
    """A number times a public integer. Local."""
    ends = (x.lo * factor, x.hi * factor)
    vector = None if x.vector is None else x.vector.scaled(factor)
    return Number(vector, x.offset * factor, min(ends), max(ends), x.known)


def add(engine: Engine, x: Number, y: Number) -> Number:
    """The sum; NULL if one is. At most one AND, of the known bits."""
    vectors = [number.vector for number in (x, y) if number.vector is not None]
    vector = reduce(lambda a, b: a + b, vectors) if vectors else None
    return Number(vector, x.offset + y.offset, x.lo + y.lo, x.hi + y.hi, both(engine, x.known, y.known))


def shared(engine: Engine, length: int, x: Number) -> Arithmetic:
    """The number as one sharing. Local."""
    if x.vector is None:
        return fill(engine, length, x.offset)
    return x.vector if x.offset == 0 else x.vector + fill(engine, length, x.offset)


def multiply(engine: Engine, length: int, x: Number, y: Number) -> Number:
    """The product; local if one factor is public."""
    known = both(engine.narrow("known"), x.known, y.known)
    ends = [a * b for a in (x.lo, x.hi) for b in (y.lo, y.hi)]
    if x.vector is None or y.vector is None:
        factor, other = (x, y) if x.vector is None else (y, x)
        product = scale(other, factor.offset)
        return Number(product.vector, product.offset, min(ends), max(ends), known)
    vector = engine.narrow("product").multiply(shared(engine, length, x), shared(engine, length, y))
    return Number(vector, 0, min(ends), max(ends), known)


def coalesce(engine: Engine, length: int, x: Number, y: Number) -> Number:
    """X where it is known, y elsewhere."""
    if x.known is None:
        return x
    bit = engine.narrow("bit").bit_to_arithmetic(x.known)
    difference = shared(engine, length, x) - shared(engine, length, y)
    vector = engine.narrow("select").multiply(bit, difference)
    total = vector if y.vector is None else vector + y.vector
    known = None
    if y.known is not None:  # known if one of them is: not (neither)
        known = engine.invert(engine.narrow("or").conjunction(engine.invert(x.known), engine.invert(y.known)))
    return Number(total, y.offset, min(x.lo, y.lo), max(x.hi, y.hi), known)


def compare(engine: Engine, length: int, op: Op, left: Number | Code, right: Number | Code) -> Truth:
    """One of eq, ne, lt, le, gt, ge; NULL if an operand is."""
    known = both(engine.narrow("known"), left.known, right.known)
    swapped, inverted, base = _BY_BASE[op]
    if swapped:
        left, right = right, left
    match left, right:
        case Number(), Number():
            plane = _numbers(engine, length, base, left, right)
        case Code(), Code():
            plane = _codes(engine, base, left, right)
        case Code(), Number(vector=None):
            plane = _code_and_constant(engine, length, base, left, right.offset, mirrored=False)
        case Number(vector=None), Code():
            plane = _code_and_constant(engine, length, base, right, left.offset, mirrored=True)
        case _:
            raise InternalError("relational/unsupported", "a boolean value meets an arithmetic one in a comparison")
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


def _widened(engine: Engine, code: Code, bits: int) -> Boolean:
    missing = bits - code.planes.bits
    return code.planes if missing == 0 else code.planes.below(fill_planes(engine, code.planes.length, 0, missing))


def _codes(engine: Engine, base: _Base, left: Code, right: Code) -> Boolean:
    if left.lo != right.lo:
        raise InternalError("relational/unsupported", "boolean values of different lower bounds can't be compared")
    bits = max(left.planes.bits, right.planes.bits)
    x, y = _widened(engine, left, bits), _widened(engine, right, bits)
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
