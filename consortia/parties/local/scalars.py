"""Expressions of a plan as DuckDB SQL, node by node, with exactly the meaning of ``plans/evaluate.py``.

Columns in the database: int and decimal are HUGEINT (the carried integer), bool BOOLEAN, date DATE, timestamp
TIMESTAMP, enum and text VARCHAR, key BLOB. So arithmetic is on 128 bits and raises when it leaves them, ``//``
truncates towards zero, a division by zero is NULL, and three-valued logic is the database's own, which is SQL's.
Nothing is simplified, reordered or rewritten here.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from sqlglot import exp

from consortia.errors import InternalError
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.meaning import type_of
from consortia.plans.types import ColumnType

Sql = exp.Expr

INTEGER = "INT128"
"""DuckDB's other name for HUGEINT, the one that sqlglot writes."""
DATABASE_TYPES: Mapping[str, str] = {
    "int": INTEGER, "decimal": INTEGER, "bool": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMP",
    "enum": "TEXT", "text": "TEXT", "key": "BLOB",
}  # fmt: skip
INTEGER_FUNCTIONS: Mapping[str, str] = {
    "sqrt": "exact_sqrt", "ln": "exact_ln", "exp": "exact_exp", "sigmoid": "exact_sigmoid",
}  # fmt: skip
"""Functions of a carried integer and its scale that ``functions`` adds to the database, by operator."""
POWER = "exact_power"
"""The same for a carried integer, its scale, a carried exponent and its scale."""
_EPOCH = date(1970, 1, 1)
_MIDNIGHT = datetime(1970, 1, 1)
_BINARY: Mapping[str, type[Sql]] = {
    "add": exp.Add, "subtract": exp.Sub, "multiply": exp.Mul,
    "eq": exp.EQ, "ne": exp.NEQ, "lt": exp.LT, "le": exp.LTE, "gt": exp.GT, "ge": exp.GTE,
}  # fmt: skip


def label(text: str) -> exp.Identifier:
    """The name of a column as a quoted identifier; names of plans are lower case, so no two of them fold to one."""
    return exp.to_identifier(text, quoted=True)


def name(text: str) -> Sql:
    """A column by its name in the plan."""
    return exp.column(label(text))


def cast(value: Sql, kind: str) -> Sql:
    """CAST(value AS kind)."""
    return exp.Cast(this=value, to=exp.DataType.build(kind, dialect="duckdb"))


def function(called: str, *arguments: Sql) -> Sql:
    """A function of DuckDB by its name."""
    return exp.Anonymous(this=called, expressions=list(arguments))


def integer(value: int) -> Sql:
    """An integer of any size that fits 128 bits."""
    digits = exp.Literal.number(abs(value))
    return cast(exp.Neg(this=digits) if value < 0 else digits, INTEGER)


class Renderer:
    """Renders expressions over columns of ``types``, for rows that ``member`` holds.

    The operands of a rounded quotient are used several times; they are ``lifted``: pairs of name and SQL that must
    become columns, in this order, below the rendered expression.
    """

    def __init__(self, types: Mapping[str, ColumnType], member: str) -> None:
        self._types = types
        self._member = member
        self.lifted: list[tuple[str, Sql]] = []

    def render(self, expression: Expr) -> Sql:
        """The SQL of ``expression``."""
        match expression:
            case Ref(column=column):
                return name(column)
            case Const():
                return _constant(expression)
            case Call(op="member"):
                return exp.Literal.string(self._member)
            case Call(op="divide"):
                return self._quotient(expression)
            case Call(op="round" | "floor" | "ceil"):
                return self._whole(expression)
            case Call():
                return exp.Paren(this=self._call(expression))

    def _call(self, call: Call) -> Sql:
        args = [self.render(arg) for arg in call.args]
        if call.op in ("add", "subtract") and self._is_date(call.args[0]):
            return self._days(call, args)
        if call.op == "modulo":
            return exp.Mod(this=args[0], expression=_not_zero(args[1]))
        if call.op in _BINARY:
            return _BINARY[call.op](this=args[0], expression=args[1])
        if call.op in INTEGER_FUNCTIONS:
            return function(INTEGER_FUNCTIONS[call.op], args[0], integer(self._scale(call.args[0])))
        if call.op == "power":
            scales = [integer(self._scale(arg)) for arg in call.args]
            return function(POWER, args[0], scales[0], args[1], scales[1])
        if call.op == "cast":
            factor = 10 ** (call.type.scale - self._scale(call.args[0]))
            return exp.Mul(this=args[0], expression=integer(factor))
        return _logic(call, args)

    def _scale(self, expression: Expr) -> int:
        return type_of(expression, self._types).scale

    def _is_date(self, expression: Expr) -> bool:
        return type_of(expression, self._types).kind == "date"

    def _days(self, call: Call, args: list[Sql]) -> Sql:
        """A date moved by whole days, or the days between two dates."""
        if self._is_date(call.args[1]):
            return cast(exp.Paren(this=exp.Sub(this=args[0], expression=args[1])), INTEGER)
        operator = exp.Add if call.op == "add" else exp.Sub
        return operator(this=args[0], expression=cast(args[1], "INT"))

    def _quotient(self, call: Call) -> Sql:
        dividend, divisor = (self.render(arg) for arg in call.args)
        if call.type.kind == "int":
            return exp.Paren(this=exp.IntDiv(this=dividend, expression=_not_zero(divisor)))
        scales = [type_of(arg, self._types).scale for arg in call.args]
        shift = call.type.scale - scales[0] + scales[1]
        a = self._lift(exp.Mul(this=dividend, expression=integer(10**shift)))
        return _rounded(a, self._lift(_not_zero(divisor)))

    def _whole(self, call: Call) -> Sql:
        """A number without some of its places."""
        a = self._lift(self.render(call.args[0]))
        divisor = integer(10 ** (self._scale(call.args[0]) - call.type.scale))
        if call.op == "round":
            return _rounded(a, divisor)
        # the quotient towards zero, one less or more where something was cut off on the other side of zero
        beyond = exp.LT if call.op == "floor" else exp.GT
        rest = exp.Mod(this=a.copy(), expression=divisor.copy())
        step = exp.Case(
            ifs=[exp.If(this=beyond(this=rest, expression=integer(0)), true=integer(-1 if call.op == "floor" else 1))],
            default=integer(0),
        )
        quotient = exp.Paren(this=exp.IntDiv(this=a, expression=divisor))
        return exp.Paren(this=exp.Add(this=quotient, expression=step))

    def _lift(self, value: Sql) -> Sql:
        """``value`` as a column below; its name holds a space, which no name of a plan does."""
        operand = f"operand {len(self.lifted)}"
        self.lifted.append((operand, value))
        return name(operand)


def _logic(call: Call, args: list[Sql]) -> Sql:
    """Operators that pass values on or judge them; all but the sign are those of three-valued logic."""
    match call.op:
        case "negate":
            return exp.Neg(this=args[0])
        case "abs" | "greatest" | "least":
            return function(call.op, *args)
        case "and" | "or":
            return _chain(exp.And if call.op == "and" else exp.Or, args)
        case "not":
            return exp.Not(this=args[0])
        case "is_null":
            return exp.Is(this=args[0], expression=exp.Null())
        case "coalesce":
            return exp.Coalesce(this=args[0], expressions=args[1:])
        case "in":
            return exp.In(this=args[0], expressions=args[1:])
        case "case":
            pairs = zip(args[:-1:2], args[1::2], strict=True)
            return exp.Case(ifs=[exp.If(this=truth, true=value) for truth, value in pairs], default=args[-1])
    raise InternalError("local/expression", f"the operator `{call.op}` has no SQL")


def _rounded(a: Sql, b: Sql) -> Sql:
    """The quotient of two columns or constants, halves away from zero."""
    # the quotient towards zero, one further away from zero if the rest is at least half of the divisor
    quotient = exp.Paren(this=exp.IntDiv(this=a, expression=b))
    rest = function("abs", exp.Mod(this=a.copy(), expression=b.copy()))
    half = exp.GTE(this=rest, expression=exp.Sub(this=function("abs", b.copy()), expression=rest.copy()))
    away = exp.Mul(this=function("sign", a.copy()), expression=function("sign", b.copy()))
    step = exp.Case(ifs=[exp.If(this=half, true=cast(away, INTEGER))], default=integer(0))
    return exp.Paren(this=exp.Add(this=quotient, expression=step))


def _not_zero(divisor: Sql) -> Sql:
    """The divisor, NULL in the place of 0: DuckDB 2 raises on a division by zero, a plan's quotient is NULL."""
    return exp.Nullif(this=divisor, expression=integer(0))


def _chain(operator: type[Sql], args: list[Sql]) -> Sql:
    chained = args[0]
    for arg in args[1:]:
        chained = operator(this=chained, expression=arg)
    return chained


def _constant(const: Const) -> Sql:
    kind = const.type.kind
    if const.integer is None and const.text is None:
        return cast(exp.Null(), DATABASE_TYPES[kind])
    if kind in ("text", "enum"):
        word = const.text if const.text is not None else const.type.values[const.integer or 0]
        return exp.Literal.string(word)
    value = const.integer
    if value is None or kind == "key":
        raise InternalError("local/expression", f"a constant of type {kind} has no SQL")
    match kind:
        case "bool":
            return exp.Boolean(this=bool(value))
        case "date":
            return _day(value)
        case "timestamp":
            return _moment(value)
        case _:
            return integer(value)


def _day(value: int) -> Sql:
    try:
        return cast(exp.Literal.string((_EPOCH + timedelta(days=value)).isoformat()), "DATE")
    except OverflowError:  # beyond the years that Python writes
        epoch = cast(exp.Literal.string(_EPOCH.isoformat()), "DATE")
        return exp.Paren(this=exp.Add(this=epoch, expression=cast(integer(value), "INT")))


def _moment(value: int) -> Sql:
    try:
        return cast(exp.Literal.string((_MIDNIGHT + timedelta(microseconds=value)).isoformat(" ")), "TIMESTAMP")
    except OverflowError:
        return function("make_timestamp", cast(integer(value), "BIGINT"))
