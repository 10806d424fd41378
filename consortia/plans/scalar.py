"""Scalar SQL bound to typed expressions: names resolved, constants converted, everything else refused.

sqlglot is used as a parser only: its tree is read node by node, every argument of every node is accounted for
(``only``), and nothing is rewritten but what stands here: BETWEEN becomes two comparisons, ``CASE x WHEN y``
comparisons with x, ``IS TRUE`` a COALESCE. All three keep SQL's three-valued meaning (tests/unit/plans).
"""

from datetime import UTC
from functools import partial

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans import literals, meaning
from consortia.plans.binding.calls import called, operands
from consortia.plans.binding.scope import Scope, column
from consortia.plans.evaluate import evaluate
from consortia.plans.expressions import Call, Const, Expr, Op
from consortia.plans.meaning import BOOL, Misfit
from consortia.plans.refuse import Node, function_name, only, place_of, refused_node, unsupported

MAX_DEPTH = 64
"""Expressions nested deeper are refused, so that no party's stack decides what is accepted."""

COMPARISONS: dict[type[Node], Op] = {
    exp.EQ: "eq", exp.NEQ: "ne", exp.LT: "lt", exp.LTE: "le", exp.GT: "gt", exp.GTE: "ge",
}  # fmt: skip
ARITHMETIC: dict[type[Node], Op] = {
    exp.Add: "add", exp.Sub: "subtract", exp.Mul: "multiply", exp.Div: "divide", exp.Mod: "modulo",
}  # fmt: skip


def check_depth(root: Node, text: str) -> None:
    """Refuse a tree nested deeper than ``MAX_DEPTH``; chains of AND and OR count once."""
    stack = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise RequestError(
                "plans/too-deep",
                f"the expression is nested more than {MAX_DEPTH} deep",
                place=place_of(node, text),
                remedy="use IN for lists and leave out parentheses",
            )
        for child in node.iter_expressions():
            chained = isinstance(node, exp.And | exp.Or) and type(child) is type(node)
            stack.append((child, depth if chained else depth + 1))


def bind(node: Node, scope: Scope) -> Expr:
    """``node`` as a typed expression over ``scope``; RequestError with its place if it can't be one."""
    try:
        special = scope.special(node)
        return _bind(node, scope) if special is None else special
    except Misfit as misfit:
        raise RequestError(
            misfit.code, misfit.message, place=place_of(node, scope.text), remedy=misfit.remedy
        ) from misfit


def bind_condition(node: Node, scope: Scope) -> Expr:
    """``node`` where a truth value is needed."""
    bound = bind(node, scope)
    try:
        return meaning.condition(bound, scope.columns)
    except Misfit as misfit:
        raise RequestError(
            misfit.code, misfit.message, place=place_of(node, scope.text), remedy=misfit.remedy
        ) from misfit


def _bind(node: Node, scope: Scope) -> Expr:  # noqa: C901, PLR0912 - one case for each node of a closed set
    only_here = partial(only, node, scope.text)
    match node:
        case exp.Paren():
            only_here("this")
            return bind(node.this, scope)
        case exp.Column():
            return column(node, scope)
        case exp.Literal():
            return literals.word(node.this) if node.args.get("is_string") else literals.number(node.this)
        case exp.Boolean():
            return literals.truth(bool(node.this))
        case exp.Null():
            return meaning.UNTYPED_NULL
        case exp.CurrentDate():
            only_here()
            return literals.day_constant(scope.as_of.astimezone(UTC).date())
        case exp.CurrentTimestamp():
            only_here()
            return literals.instant_constant(scope.as_of)
        case exp.And() | exp.Or():
            op: Op = "and" if isinstance(node, exp.And) else "or"
            return Call(op=op, args=tuple(bind_condition(part, scope) for part in _chain(node)), type=BOOL)
        case exp.Not():
            only_here("this")
            return Call(op="not", args=(bind_condition(node.this, scope),), type=BOOL)
        case exp.Is():
            return _is(node, scope)
        case exp.In():
            only_here("this", "expressions")
            candidates = [bind(candidate, scope) for candidate in node.expressions]
            return meaning.membership(bind(node.this, scope), candidates, scope.columns)
        case exp.Between():
            only_here("this", "low", "high")
            value = bind(node.this, scope)
            low = meaning.compare("ge", value, bind(node.args["low"], scope), scope.columns)
            high = meaning.compare("le", value, bind(node.args["high"], scope), scope.columns)
            return Call(op="and", args=(low, high), type=BOOL)
        case exp.Case():
            return _case(node, scope)
        case exp.Coalesce():
            only_here("this", "expressions")
            bound = [bind(part, scope) for part in (node.this, *node.expressions)]
            args, common = meaning.unified(bound, scope.columns, "COALESCE")
            if all(meaning.is_null_constant(arg) for arg in args):
                return meaning.UNTYPED_NULL
            return Call(op="coalesce", args=args, type=common)
        case exp.Cast():
            return _cast(node, scope)
        case exp.Neg():
            only_here("this")
            return _constant(meaning.negation(bind(node.this, scope), scope.columns))
        case exp.Anonymous() if node.name.lower() == "member":
            if node.expressions:
                raise unsupported(node, scope.text, "member() with arguments", "write member()")
            if not scope.one_table:
                raise unsupported(
                    node, scope.text, "member() over joined or nested rows",
                    "filter by member() in a subquery over one table",
                )  # fmt: skip
            return Call(op="member", type=meaning.TEXT)
        case exp.AggFunc() | exp.WithinGroup():
            raise unsupported(
                node, scope.text, f"an aggregate in this place ({function_name(node)})",
                "conditions on aggregates stand in HAVING; aggregates are not nested",
            )  # fmt: skip
    if type(node) in COMPARISONS:
        only_here("this", "expression")
        left, right = bind(node.this, scope), bind(node.expression, scope)
        return meaning.compare(COMPARISONS[type(node)], left, right, scope.columns)
    if type(node) in ARITHMETIC:
        # `typed` and `safe` only describe the dialect's division, whose meaning is ours
        only_here("this", "expression", "typed", "safe")
        left, right = bind(node.this, scope), bind(node.expression, scope)
        return _constant(meaning.arithmetic(ARITHMETIC[type(node)], left, right, scope.columns))
    parts = operands(node, scope.text)
    if parts is not None:
        return _constant(called(node, [bind(part, scope) for part in parts], scope.columns))
    raise refused_node(node, scope.text)


def _chain(node: Node) -> list[Node]:
    """Operands of a chain of one of AND, OR, in the order of the text."""
    parts: list[Node] = []
    stack: list[Node] = [node]
    while stack:
        part = stack.pop()
        if type(part) is type(node):
            stack += [part.expression, part.this]
        else:
            parts.append(part)
    return parts


def _constant(call: Expr) -> Expr:
    """The value at once, if all operands are constants."""
    if not isinstance(call, Call) or not all(isinstance(arg, Const) for arg in call.args):
        return call
    try:
        value = evaluate(call, {}, {})
    except OverflowError as error:
        raise Misfit(
            f"{call.op.upper()} of a constant reaches 2^126", "use smaller numbers", "plans/capacity"
        ) from error
    return Const(type=call.type, integer=value if isinstance(value, int) else None)


def _is(node: Node, scope: Scope) -> Expr:
    only(node, scope.text, "this", "expression", "negate")
    what = node.expression
    result: Expr
    if isinstance(what, exp.Null):
        result = Call(op="is_null", args=(bind(node.this, scope),), type=BOOL)
    elif isinstance(what, exp.Boolean):
        wanted = bool(what.this)
        known = Call(op="coalesce", args=(bind_condition(node.this, scope), literals.truth(not wanted)), type=BOOL)
        result = known if wanted else Call(op="not", args=(known,), type=BOOL)
    else:
        raise refused_node(node, scope.text)
    return Call(op="not", args=(result,), type=BOOL) if node.args.get("negate") else result


def _case(node: Node, scope: Scope) -> Expr:
    only(node, scope.text, "this", "ifs", "default")
    truths: list[Expr] = []
    values: list[Expr] = []
    for branch in node.args["ifs"]:
        if node.args.get("this"):
            truths.append(meaning.compare("eq", bind(node.this, scope), bind(branch.this, scope), scope.columns))
        else:
            truths.append(bind_condition(branch.this, scope))
        values.append(bind(branch.args["true"], scope))
    default = node.args.get("default")
    values.append(bind(default, scope) if default else meaning.UNTYPED_NULL)
    values_of_one_type, common = meaning.unified(values, scope.columns, "CASE")
    if all(meaning.is_null_constant(value) for value in values):
        return meaning.UNTYPED_NULL
    *chosen, otherwise = values_of_one_type
    branches = [arg for pair in zip(truths, chosen, strict=True) for arg in pair]
    return Call(op="case", args=(*branches, otherwise), type=common)


def _cast(node: Node, scope: Scope) -> Expr:
    only(node, scope.text, "this", "to")
    target = node.args["to"]
    name = target.this.name
    if isinstance(node.this, exp.Literal) and node.this.args.get("is_string"):
        if name == "DATE":
            return literals.day(node.this.this)
        if name == "TIMESTAMP" and not target.expressions:
            return literals.instant(node.this.this)
    operand = bind(node.this, scope)
    kind = meaning.type_of(operand, scope.columns)
    if name == "TIMESTAMP" and kind.kind in ("date", "timestamp"):
        moment = meaning.moment(operand)
        if meaning.type_of(moment, scope.columns).kind == "timestamp":
            return moment
    if name == "DECIMAL" and (meaning.is_numeric(kind) or meaning.is_null_constant(operand)):
        scale = _scale(target, scope)
        if meaning.is_null_constant(operand):
            return meaning.null_of(meaning.decimal(scale))
        if scale >= kind.scale:
            return meaning.rescaled(operand, scale, scope.columns)
        raise Misfit(f"the cast drops decimals of {meaning.type_words(kind)}", f"keep {kind.scale} places, or ROUND")
    if name in ("INT", "BIGINT") and kind.kind == "int":
        return operand
    raise unsupported(
        node, scope.text, f"a cast from {meaning.type_words(kind)} to {target.sql('postgres')}",
        "casts are from int to DECIMAL(p,s), to a finer DECIMAL, and of a constant date to TIMESTAMP; "
        "for bool write CASE WHEN x THEN 1 ELSE 0 END",
    )  # fmt: skip


def _scale(target: Node, scope: Scope) -> int:
    """The scale of DECIMAL(p,s); bounds, not the precision, decide what fits."""
    sizes = [parameter.this for parameter in target.expressions]
    if not sizes:
        raise unsupported(target, scope.text, "DECIMAL without a scale", "write DECIMAL(18,2)")
    if not all(isinstance(size, exp.Literal) and str(size.this).isdigit() for size in sizes):
        raise refused_node(target, scope.text)
    return int(sizes[1].this) if len(sizes) > 1 else 0
