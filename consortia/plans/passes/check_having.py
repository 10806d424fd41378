"""HAVING runs on shares: comparisons of sums and counts, joined by AND, OR, NOT; anything else is refused here.

Each side is a sum of aggregates times constants below 2^62; wide values can be added and opened only.
"""

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.expressions import Call, Const, Expr, Ref, columns_of
from consortia.plans.meaning import SIGNS
from consortia.plans.model import Filter
from consortia.plans.ranges import Columns, Range, infer, magnitude
from consortia.plans.types import WIDE_FROM, Bounds

REMEDY = "compare sums and counts with numbers, joined by AND, OR and NOT"


def check_having(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/unsupported`` or ``plans/wide-comparison``."""
    if draft.query.relation is not None:
        return draft
    for step in draft.steps:
        if isinstance(step, Filter) and step.origin == "having":
            _condition(step.predicate, {column.name: column for column in step.columns})
    return draft


def _condition(expression: Expr, columns: Columns) -> None:
    match expression:
        case Call(op="and" | "or" | "not", args=args):
            for arg in args:
                _condition(arg, columns)
        case Call(op="is_null", args=[Ref(column=name)]):
            _aggregate(name, columns)
        case Call(op="eq" | "ne" | "lt" | "le" | "gt" | "ge", args=[left, right]):
            _comparison(expression, left, right, columns)
        case _:
            raise _unsupported(expression)


def _comparison(call: Call, left: Expr, right: Expr, columns: Columns) -> None:
    for side in (left, right):
        _linear(side, columns)
    one, two = infer(left, columns), infer(right, columns)
    worst = max((magnitude(part) for part in _intermediates(call, one, two, columns)), default=0)
    if worst >= WIDE_FROM:
        names = ", ".join(f"`{name}`" for name in sorted(columns_of(call)))
        raise RequestError(
            "plans/wide-comparison",
            f"the comparison `{SIGNS[call.op]}` over {names} can reach {worst}, and shares compare below 2^62 only",
            place="HAVING",
            remedy="narrow the bounds or max_rows in the catalogue, or compare after the result is opened",
        )


def _intermediates(call: Call, one: Range, two: Range, columns: Columns) -> list[Bounds]:
    """Bounds of both sides, their difference (which is what is compared) and every aggregate read."""
    found = [part.bounds for part in (one, two) if part.bounds is not None]
    if len(found) == 2:
        found.append(Bounds(lo=found[0].lo - found[1].hi, hi=found[0].hi - found[1].lo))
    read = [columns[name].bounds for name in sorted(columns_of(call))]
    return found + [bounds for bounds in read if bounds is not None]


def _linear(expression: Expr, columns: Columns) -> None:
    match expression:
        case Ref(column=name):
            _aggregate(name, columns)
        case Const(integer=int()):
            pass
        case Call(op="add" | "subtract" | "negate" | "cast", args=args):
            for arg in args:
                _linear(arg, columns)
        case Call(op="multiply", args=args) if any(isinstance(arg, Const) for arg in args):
            for arg in args:
                _linear(arg, columns)
        case _:
            raise _unsupported(expression)


def _aggregate(name: str, columns: Columns) -> None:
    if columns[name].domain == "boolean":
        raise RequestError(
            "plans/unsupported",
            f"the group key `{name}` beside an aggregate in one condition of HAVING is not supported",
            place="HAVING",
            remedy="join conditions on keys and on aggregates by AND, or move those on keys to WHERE",
        )


def _unsupported(expression: Expr) -> RequestError:
    what = expression.op.upper() if isinstance(expression, Call) else "NULL or a bare value"
    return RequestError("plans/unsupported", f"{what} in HAVING is not supported", place="HAVING", remedy=REMEDY)
