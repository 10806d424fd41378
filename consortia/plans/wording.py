"""Expressions, columns and amounts as people write them; for reading only, nothing is parsed from it."""

from collections.abc import Mapping
from datetime import timedelta

from consortia.plans.columns import Column
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.literals import EPOCH, INSTANT_EPOCH
from consortia.plans.meaning import SIGNS, type_words
from consortia.plans.model import SortKey
from consortia.plans.tables import FIRST_DAY, LAST_DAY
from consortia.plans.types import ColumnType

INFIX: Mapping[str, str] = {op: sign for op, sign in SIGNS.items() if op != "negate"} | {"and": "AND", "or": "OR"}


def decimal_text(carried: int, scale: int) -> str:
    """A carried integer with its decimal point: ``-1250`` of scale 2 is ``-12.50``."""
    if scale == 0:
        return str(carried)
    whole, fraction = divmod(abs(carried), int(10**scale))
    return f"{'-' if carried < 0 else ''}{whole}.{fraction:0{scale}d}"


def day_text(carried: int) -> str:
    """A carried date; days beyond the years 1 to 9999 as a number."""
    return (EPOCH + timedelta(days=carried)).isoformat() if FIRST_DAY <= carried <= LAST_DAY else f"day {carried}"


def instant_text(carried: int) -> str:
    """A carried timestamp, microseconds only where they are not zero."""
    days, rest = divmod(carried, 86_400_000_000)
    if not FIRST_DAY <= days <= LAST_DAY:
        return f"microsecond {carried}"
    return (INSTANT_EPOCH + timedelta(days=days, microseconds=rest)).replace(tzinfo=None).isoformat(sep=" ")


def value_text(carried: int, kind: ColumnType) -> str:
    """A carried integer as the value that it stands for."""
    match kind.kind:
        case "bool":
            return "TRUE" if carried else "FALSE"
        case "decimal":
            return decimal_text(carried, kind.scale)
        case "date":
            return day_text(carried)
        case "timestamp":
            return instant_text(carried)
        case "enum" if 0 <= carried < len(kind.values):
            return kind.values[carried]
        case _:
            return str(carried)


def _constant(constant: Const) -> str:
    if constant.text is not None:
        return "'" + constant.text.replace("'", "''") + "'"
    if constant.integer is None:
        return "NULL"
    text = value_text(constant.integer, constant.type)
    return f"{constant.type.kind.upper()} '{text}'" if constant.type.kind in ("date", "timestamp") else text


def expression_text(expression: Expr) -> str:
    """The expression as SQL, with parentheses wherever one operator stands in another."""
    match expression:
        case Ref(column=column):
            return column
        case Const():
            return _constant(expression)
        case Call(op="not" | "is_null" | "negate" | "in"):
            return _affixed(expression)
        case Call(op="member" | "coalesce" | "cast" | "case"):
            return _worded(expression)
        case Call(op=op, args=args) if op not in INFIX:
            return f"{op.upper()}({', '.join(expression_text(arg) for arg in args)})"
        case Call(op=op, args=args):
            return f" {INFIX[op]} ".join(_inner(arg) for arg in args)


def _affixed(call: Call) -> str:
    match call:
        case Call(op="not", args=[Call(op="is_null", args=[inner])]):
            return f"{_inner(inner)} IS NOT NULL"
        case Call(op="is_null", args=[inner]):
            return f"{_inner(inner)} IS NULL"
        case Call(op="in", args=[value, *candidates]):
            return f"{_inner(value)} IN ({', '.join(expression_text(candidate) for candidate in candidates)})"
        case _:
            return f"{'NOT ' if call.op == 'not' else '-'}{_inner(call.args[0])}"


def _worded(call: Call) -> str:
    texts = [expression_text(arg) for arg in call.args]
    match call.op:
        case "member":
            return "member()"
        case "cast":
            return f"CAST({texts[0]} AS {type_words(call.type)})"
        case "coalesce":
            return f"COALESCE({', '.join(texts)})"
        case _:
            pairs = zip(texts[:-1:2], texts[1::2], strict=True)
            return f"CASE {' '.join(f'WHEN {a} THEN {b}' for a, b in pairs)} ELSE {texts[-1]} END"


def _inner(expression: Expr) -> str:
    text = expression_text(expression)
    infix = isinstance(expression, Call) and expression.op in {*INFIX, "not", "negate", "is_null", "in"}
    return f"({text})" if infix else text


def column_text(column: Column) -> str:
    """Name, type, bounds of numbers, NULL and domain: ``total int 0..600 nullable, arithmetic``."""
    parts = [column.name, type_words(column.type)]
    if column.bounds is not None and column.type.kind in ("int", "decimal"):
        bounds = (value_text(column.bounds.lo, column.type), value_text(column.bounds.hi, column.type))
        parts.append("..".join(bounds))
    if column.nullable:
        parts.append("nullable")
    domain = "" if column.domain == "clear" else f", {column.domain}"
    return " ".join(parts) + domain


def listed(names: tuple[str, ...]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), "".join(names[-1:])) if part)


def order_text(keys: tuple[SortKey, ...]) -> str:
    """``total DESC, country``."""
    return ", ".join(f"{key.column}{' DESC' if key.descending else ''}" for key in keys)
