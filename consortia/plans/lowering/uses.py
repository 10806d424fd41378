"""In which domain an expression on shares reads each column.

A column is used as a *key* (boolean: sorted, grouped, joined, compared with a constant) or as a *number* (arithmetic
or wide: added, multiplied, compared with computed values). A column of both uses becomes two columns.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from consortia.errors import RequestError
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.meaning import SIGNS, type_of
from consortia.plans.types import ColumnType

Use = Literal["key", "number"]
USES: tuple[Use, ...] = ("key", "number")
Types = Mapping[str, ColumnType]
Visit = Callable[[str, Use | None], Expr]
"""Called for each column read, with its use, None where any will do; gives what stands in its place."""

COMPARISONS = frozenset(SIGNS) & {"eq", "ne", "lt", "le", "gt", "ge"}


def natural_use(kind: ColumnType) -> Use:
    """The use in which values of a type are computed: words, keys and truth values as bits, the others as numbers."""
    return "key" if kind.kind in ("bool", "enum", "key") else "number"


def placed(expression: Expr, types: Types, use: Use | None, visit: Visit) -> Expr:  # noqa: C901 - a case for each operator
    """``expression`` computed in the domain of ``use`` with ``visit`` in place of every column."""
    match expression:
        case Ref(column=name):
            return visit(name, use)
        case Const():
            return expression
        case Call(op="member"):
            raise RequestError(
                "plans/unsupported",
                "member() beside several tables or nested queries means no one member",
                remedy="select member() AS bank from one table in a nested query, where an enum names the members",
            )
        case Call(op="is_null", args=args):
            return _with(expression, _any_use(args, types, visit))
        case Call(op="in", args=args):
            return _with(expression, _compared(args, types, visit))
        case Call(op=op, args=args) if op in COMPARISONS:
            return _with(expression, _compared(args, types, visit))
        case Call(op="and" | "or" | "not", args=args):
            return _with(expression, tuple(placed(arg, types, "key", visit) for arg in args))
        case Call(op="case", args=args):
            own = natural_use(expression.type)
            truths = [placed(arg, types, "key", visit) for arg in args[:-1:2]]
            values = [placed(arg, types, own, visit) for arg in (*args[1::2], args[-1])]
            pairs = [part for pair in zip(truths, values[:-1], strict=True) for part in pair]
            return _with(expression, (*pairs, values[-1]))
        case Call(op="coalesce" | "greatest" | "least", args=args):
            own = natural_use(expression.type)
            return _with(expression, tuple(placed(arg, types, own, visit) for arg in args))
        case Call(args=args):
            return _with(expression, tuple(placed(arg, types, "number", visit) for arg in args))


def _with(call: Call, args: tuple[Expr, ...]) -> Call:
    return call.model_copy(update={"args": args})


def _any_use(args: tuple[Expr, ...], types: Types, visit: Visit) -> tuple[Expr, ...]:
    return tuple(
        placed(arg, types, None if isinstance(arg, Ref) else natural_use(type_of(arg, types)), visit) for arg in args
    )


def _compared(args: tuple[Expr, ...], types: Types, visit: Visit) -> tuple[Expr, ...]:
    """Operands of a comparison: a column beside constants as it comes, others in the natural use of their type."""
    plain = [arg for arg in args if isinstance(arg, Ref)]
    if len(plain) == 1 and all(isinstance(arg, Ref | Const) for arg in args):
        return _any_use(args, types, visit)
    kinds = [type_of(arg, types) for arg in args if not isinstance(arg, Const)] or [type_of(args[0], types)]
    return tuple(placed(arg, types, natural_use(kinds[0]), visit) for arg in args)
