"""Functions of numbers: which SQL function is which operator, what it takes, and the type of its result."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from consortia.plans import meaning
from consortia.plans.expressions import FUNCTION_SCALE, Call, Const, Expr, Op
from consortia.plans.meaning import Misfit, Types
from consortia.plans.refuse import Node, only
from consortia.plans.types import ColumnType

TRANSCENDENTAL: dict[type[Node], Op] = {exp.Sqrt: "sqrt", exp.Ln: "ln", exp.Exp: "exp", exp.Pow: "power"}
TO_WHOLE: dict[type[Node], Op] = {exp.Floor: "floor", exp.Ceil: "ceil"}
CHOICES: dict[type[Node], Op] = {exp.Greatest: "greatest", exp.Least: "least"}
ORDERED_KINDS = ("int", "decimal", "date", "timestamp")


def operands(node: Node, text: str) -> list[Node] | None:
    """The operands of a function of numbers; None if ``node`` is none."""
    match node:
        case exp.Abs() | exp.Sqrt() | exp.Ln() | exp.Exp() | exp.Floor() | exp.Ceil():
            only(node, text, "this")
            return [node.this]
        case exp.Round():
            only(node, text, "this", "decimals")
            return [node.this, node.args["decimals"]] if node.args.get("decimals") else [node.this]
        case exp.Pow():
            only(node, text, "this", "expression")
            return [node.this, node.expression]
        case exp.Greatest() | exp.Least():
            # `ignore_nulls` only says what PostgreSQL does anyway
            only(node, text, "this", "expressions", "ignore_nulls")
            return [node.this, *node.expressions]
        case exp.Anonymous() if node.name.lower() == "sigmoid" and len(node.expressions) == 1:
            return list(node.expressions)
    return None


def called(node: Node, arguments: Sequence[Expr], types: Types) -> Expr:
    """The function over its bound ``arguments``; Misfit where they do not fit."""
    if type(node) in CHOICES:
        return _choice(CHOICES[type(node)], arguments, types)
    operand = meaning.null_of(meaning.INT) if meaning.is_null_constant(arguments[0]) else arguments[0]
    kind = meaning.type_of(operand, types)
    name = "sigmoid" if isinstance(node, exp.Anonymous) else node.key
    if not meaning.is_numeric(kind):
        raise Misfit(f"{name.upper()} of {meaning.type_words(kind)}", "give it an int or decimal")
    if isinstance(node, exp.Abs):
        return Call(op="abs", args=(operand,), type=kind)
    if isinstance(node, exp.Round):
        return _round(operand, kind, arguments[1:], types)
    if type(node) in TO_WHOLE:
        if kind.kind == "int":
            return operand
        return Call(op=TO_WHOLE[type(node)], args=(operand,), type=meaning.decimal(0, kind.unit))
    result = meaning.decimal(FUNCTION_SCALE, kind.unit)
    if isinstance(node, exp.Pow):
        return Call(op="power", args=(operand, _exponent(arguments[1])), type=result)
    op: Op = "sigmoid" if isinstance(node, exp.Anonymous) else TRANSCENDENTAL[type(node)]
    return Call(op=op, args=(operand,), type=result)


def _choice(op: Op, arguments: Sequence[Expr], types: Types) -> Expr:
    args, common = meaning.unified(arguments, types, op.upper())
    if all(meaning.is_null_constant(arg) for arg in args):
        return meaning.UNTYPED_NULL
    if common.kind not in ORDERED_KINDS:
        raise Misfit(f"{op.upper()} of {meaning.type_words(common)}", "give it numbers, dates or timestamps")
    return Call(op=op, args=args, type=common)


def _round(operand: Expr, kind: ColumnType, places: Sequence[Expr], types: Types) -> Expr:
    """To whole numbers, or to a constant number of places."""
    scale = 0
    if places:
        (wanted,) = places
        if not isinstance(wanted, Const) or wanted.type.kind != "int" or wanted.integer is None or wanted.integer < 0:
            raise Misfit("ROUND to places that are no whole number from 0", "write ROUND(x, 2)")
        scale = wanted.integer
    if kind.kind == "int":
        return operand
    target = meaning.decimal(scale, kind.unit)
    if scale >= kind.scale:
        return meaning.rescaled(operand, scale, types)
    return Call(op="round", args=(operand,), type=target)


def _exponent(bound: Expr) -> Const:
    if isinstance(bound, Const) and bound.integer is not None and meaning.is_numeric(bound.type):
        return bound
    raise Misfit("POWER to what is no constant number", "write the exponent out: POWER(x, 2), POWER(x, 0.5)")
