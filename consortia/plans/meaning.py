"""The types of expressions: what an operator makes of its operands, after PostgreSQL, and which it refuses.

Constants are converted here (an int constant beside a decimal becomes a decimal constant, a word beside an enum
its code), so that plans hold typed values only. Functions return new expressions; a misfit raises ``Misfit``,
which the binder turns into an error with its place in the SQL text.
"""

from collections.abc import Mapping, Sequence

from consortia.plans.expressions import Call, Const, Expr, Op, Ref
from consortia.plans.refuse import nearest
from consortia.plans.types import ColumnType

BOOL = ColumnType(kind="bool")
INT = ColumnType(kind="int")
DATE = ColumnType(kind="date")
TIMESTAMP = ColumnType(kind="timestamp")
TEXT = ColumnType(kind="text")
UNTYPED_NULL = Const(type=TEXT)
"""NULL before its neighbours give it a type; text's own NULL is the same value."""
DAY_MICROSECONDS = 86_400_000_000
QUOTIENT_DIGITS = 6
"""Digits that a decimal quotient and AVG have beyond their operands."""
MAX_SCALE = 30
"""Scales beyond this are refused; a literal or product that long is a mistake."""

Types = Mapping[str, ColumnType]


class Misfit(Exception):
    """Operands that don't fit an operator: ``code`` of the error, what is wrong, what to do."""

    def __init__(self, message: str, remedy: str, code: str = "plans/type") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


def decimal(scale: int, unit: str = "") -> ColumnType:
    """The decimal type of that scale."""
    if scale > MAX_SCALE:
        raise Misfit(f"a decimal of {scale} places is too fine", f"use at most {MAX_SCALE} places")
    return ColumnType(kind="decimal", scale=scale, unit=unit)


def type_of(expression: Expr, types: Types) -> ColumnType:
    """The type of ``expression`` over columns of ``types``."""
    match expression:
        case Ref(column=column):
            return types[column]
        case Const(type=kind) | Call(type=kind):
            return kind


def type_words(kind: ColumnType) -> str:
    """The type as people write it: ``decimal(2)``, ``key customer``, ``enum country``."""
    match kind.kind:
        case "decimal":
            return f"decimal({kind.scale})"
        case "key" | "enum":
            return f"{kind.kind} {kind.domain}".rstrip()
        case plain:
            return plain


def is_numeric(kind: ColumnType) -> bool:
    """Whether arithmetic is defined on it."""
    return kind.kind in ("int", "decimal")


def null_of(kind: ColumnType) -> Const:
    """NULL of a type."""
    return Const(type=kind)


def is_null_constant(expression: Expr) -> bool:
    """Whether it is the literal NULL, of whatever type."""
    return isinstance(expression, Const) and expression.integer is None and expression.text is None


def is_word(expression: Expr) -> bool:
    """Whether it is a text literal, which an enum gives its meaning."""
    return isinstance(expression, Const) and expression.type.kind == "text" and expression.text is not None


def is_member(expression: Expr) -> bool:
    """Whether it is ``member()``."""
    return isinstance(expression, Call) and expression.op == "member"


def enum_constant(word: str, kind: ColumnType) -> Const:
    """The word of an enum as a constant."""
    if word not in kind.values:
        raise Misfit(
            f"`{word}` is no word of the enum `{kind.domain}`", nearest(word, list(kind.values)), "plans/unknown-word"
        )
    return Const(type=kind, integer=kind.values.index(word), text=word)


def rescaled(expression: Expr, scale: int, types: Types) -> Expr:
    """An int or decimal as a decimal of a scale at least its own; constants at once, others by a cast."""
    own = type_of(expression, types)
    if own.kind == "decimal" and own.scale == scale:
        return expression
    target = decimal(scale, own.unit)
    if isinstance(expression, Const):
        value = expression.integer
        return Const(type=target, integer=None if value is None else value * 10 ** (scale - own.scale))
    return Call(op="cast", args=(expression,), type=target)


def _without_unit(kind: ColumnType) -> ColumnType:
    return kind.model_copy(update={"unit": ""})


def unit_of(kinds: Sequence[ColumnType]) -> str:
    """The one unit among ``kinds``; two of them can't be added, compared or chosen between."""
    units = sorted({kind.unit for kind in kinds} - {""})
    if len(units) > 1:
        raise Misfit(f"values in units of `{units[0]}` and of `{units[1]}` meet", "keep them apart", "plans/units")
    return units[0] if units else ""


def moment(expression: Expr) -> Expr:
    """A constant date as the instant at which it begins; anything else is returned as it is."""
    if isinstance(expression, Const) and expression.type.kind == "date":
        value = expression.integer
        return Const(type=TIMESTAMP, integer=None if value is None else value * DAY_MICROSECONDS)
    return expression


def unified(expressions: Sequence[Expr], types: Types, what: str) -> tuple[tuple[Expr, ...], ColumnType]:
    """The expressions converted to one common type, and that type; ``what`` names the operator in refusals."""
    typed = [e for e in expressions if not is_null_constant(e)]
    kinds = [type_of(e, types) for e in typed]
    if not kinds:
        return tuple(expressions), TEXT
    lead = next((kind for kind in kinds if kind.kind != "text"), TEXT)
    names = {kind.kind for kind in kinds}
    if names <= {"int", "decimal"}:
        unit = unit_of(kinds)
        if names == {"int"}:
            common = ColumnType(kind="int", unit=unit)
        else:
            common = decimal(max(kind.scale for kind in kinds), unit)
        convert = [_number(e, common, types) for e in expressions]
        return tuple(convert), common
    if lead.kind == "enum":
        return tuple(_enum(e, lead, types, what) for e in expressions), lead
    if names == {"date", "timestamp"} and all(
        isinstance(e, Const) for e, kind in zip(typed, kinds, strict=True) if kind.kind == "date"
    ):
        return tuple(null_of(TIMESTAMP) if is_null_constant(e) else moment(e) for e in expressions), TIMESTAMP
    if len(names) > 1:
        other = next(kind for kind in kinds if kind.kind != lead.kind)
        raise _mixed(lead, other, what)
    if lead.kind == "key" and len({kind.domain for kind in kinds}) > 1:
        one, two = sorted({kind.domain for kind in kinds})[:2]
        raise Misfit(f"{what} of keys of the domains `{one}` and `{two}`", "keys match within one domain only")
    common = _without_unit(lead)
    return tuple(null_of(common) if is_null_constant(e) else e for e in expressions), common


def _number(expression: Expr, common: ColumnType, types: Types) -> Expr:
    if is_null_constant(expression):
        return null_of(common)
    return expression if common.kind == "int" else rescaled(expression, common.scale, types)


def _enum(expression: Expr, lead: ColumnType, types: Types, what: str) -> Expr:
    if is_null_constant(expression):
        return null_of(lead)
    if is_word(expression) and isinstance(expression, Const):
        return enum_constant(expression.text or "", lead)
    if is_member(expression):
        return Call(op="member", type=lead)
    own = type_of(expression, types)
    if own.kind != "enum":
        raise _mixed(lead, own, what)
    if own.values != lead.values:
        raise Misfit(f"{what} of words of the enums `{lead.domain}` and `{own.domain}`", "use columns of one enum")
    return expression


def _mixed(one: ColumnType, other: ColumnType, what: str) -> Misfit:
    kinds = {one.kind, other.kind}
    if "key" in kinds:
        remedy = "a key is hashed when it is registered: a plan knows no identifier; filter in the member's own data"
    elif kinds == {"text", "date"}:
        remedy = "write DATE '2026-03-01'"
    elif kinds == {"text", "timestamp"}:
        remedy = "write TIMESTAMP '2026-03-01 00:00:00'"
    elif kinds == {"date", "timestamp"}:
        remedy = "compare the timestamp with constants, TIMESTAMP '2026-03-01 00:00:00'"
    elif kinds & {"int", "decimal"} and "text" in kinds:
        remedy = "write the number without quotes; 007 and 7 never match as text"
    else:
        remedy = "compare values of one type"
    return Misfit(f"{what} of {type_words(one)} and {type_words(other)}", remedy)


SIGNS: dict[str, str] = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "modulo": "%", "negate": "-",
    "eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
ORDERED = ("lt", "le", "gt", "ge")


def compare(op: Op, left: Expr, right: Expr, types: Types) -> Call:
    """A comparison; operands of one kind only, order on numbers, dates and timestamps only."""
    what = f"the comparison `{SIGNS[op]}`"
    (a, b), common = unified((left, right), types, what)
    unknown = is_null_constant(a) and is_null_constant(b)
    if op in ORDERED and common.kind not in ("int", "decimal", "date", "timestamp") and not unknown:
        raise Misfit(f"{type_words(common)} has no order", "compare with `=`, `<>` or IN")
    return Call(op=op, args=(a, b), type=BOOL)


def membership(value: Expr, candidates: Sequence[Expr], types: Types) -> Call:
    """``value IN (candidates)``."""
    args, _ = unified((value, *candidates), types, "IN")
    return Call(op="in", args=args, type=BOOL)


def condition(expression: Expr, types: Types) -> Expr:
    """``expression`` where a truth value is needed; a bare NULL is an unknown one."""
    if is_null_constant(expression):
        return null_of(BOOL)
    own = type_of(expression, types)
    if own.kind != "bool":
        raise Misfit(f"{type_words(own)} is no condition", "compare it with a value")
    return expression


def arithmetic(op: Op, left: Expr, right: Expr, types: Types) -> Call:
    """``+ - * / %``: int with int stays int, a decimal makes decimals; a date moves by whole days."""
    a, b = (null_of(INT) if is_null_constant(e) else e for e in (left, right))
    one, two = type_of(a, types), type_of(b, types)
    if op in ("add", "subtract") and "date" in (one.kind, two.kind):
        return _days(op, a, b, one, two)
    for kind in (one, two):
        if not is_numeric(kind):
            raise Misfit(f"`{SIGNS[op]}` on {type_words(kind)}", "arithmetic is for int and decimal columns")
    if op in ("add", "subtract", "modulo"):
        args, common = unified((a, b), types, f"`{SIGNS[op]}`")
        return Call(op=op, args=args, type=common)
    if op == "multiply":
        if one.unit and two.unit:
            raise Misfit("the product of two amounts with units", "multiply by a plain number", "plans/units")
        unit = one.unit or two.unit
        whole = one.kind == "int" and two.kind == "int"
        kind = ColumnType(kind="int", unit=unit) if whole else decimal(one.scale + two.scale, unit)
        return Call(op=op, args=(a, b), type=kind)
    unit = one.unit if not two.unit else ""
    if one.kind == "int" and two.kind == "int":
        return Call(op=op, args=(a, b), type=ColumnType(kind="int", unit=unit))
    return Call(op=op, args=(a, b), type=decimal(max(one.scale, two.scale) + QUOTIENT_DIGITS, unit))


def _days(op: Op, a: Expr, b: Expr, one: ColumnType, two: ColumnType) -> Call:
    if one.kind == "date" and two.kind == "int":
        return Call(op=op, args=(a, b), type=DATE)
    if op == "add" and one.kind == "int" and two.kind == "date":
        return Call(op=op, args=(b, a), type=DATE)
    if op == "subtract" and one.kind == two.kind == "date":
        return Call(op=op, args=(a, b), type=INT)
    raise Misfit(f"`{SIGNS[op]}` of {type_words(one)} and {type_words(two)}", "add whole days to a date")


def negation(operand: Expr, types: Types) -> Call:
    """Unary minus."""
    operand = null_of(INT) if is_null_constant(operand) else operand
    kind = type_of(operand, types)
    if not is_numeric(kind):
        raise Misfit(f"`-` on {type_words(kind)}", "arithmetic is for int and decimal columns")
    return Call(op="negate", args=(operand,), type=kind)
