"""Small functions over expression trees that passes share; all return new trees."""

from collections.abc import Iterator, Mapping, Sequence

from consortia.plans.expressions import Call, Expr, Ref
from consortia.plans.meaning import BOOL


def substitute(expression: Expr, values: Mapping[str, Expr]) -> Expr:
    """``expression`` with each column named in ``values`` replaced."""
    match expression:
        case Ref(column=column):
            return values.get(column, expression)
        case Call(args=args):
            return expression.model_copy(update={"args": tuple(substitute(arg, values) for arg in args)})
        case _:
            return expression


def conjuncts(condition: Expr | None) -> tuple[Expr, ...]:
    """The parts of a condition that must all be TRUE."""
    if condition is None:
        return ()
    if isinstance(condition, Call) and condition.op == "and":
        return tuple(part for arg in condition.args for part in conjuncts(arg))
    return (condition,)


def conjunction(parts: Sequence[Expr]) -> Expr | None:
    """One condition that is TRUE where all ``parts`` are; None for no parts."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return Call(op="and", args=tuple(parts), type=BOOL)


def walk(expression: Expr) -> Iterator[Expr]:
    """``expression`` and everything below it, outermost first."""
    yield expression
    if isinstance(expression, Call):
        for arg in expression.args:
            yield from walk(arg)
