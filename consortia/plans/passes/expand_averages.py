"""Replace AVG by a sum and a count: both are opened, and the recipient divides exactly.

``AVG(x)`` in the select list becomes ``sum / count``, a decimal with six more places than x, rounded half away
from zero. In HAVING, ``AVG(x) > c`` becomes ``SUM(x) * 10^k > C * COUNT(x)`` in integers: the exact average is
compared, not a rounded one, and nothing is divided on shares. An average of nothing is NULL on both ways.
"""

from math import gcd

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.expressions import Call, Const, Expr, Ref, columns_of
from consortia.plans.meaning import BOOL, INT
from consortia.plans.model import Named
from consortia.plans.names import NamePool
from consortia.plans.narrowing import MIRRORED
from consortia.plans.query import QueryAggregate
from consortia.plans.ranges import infer
from consortia.plans.trees import substitute
from consortia.plans.types import ColumnType
from consortia.plans.variants import with_query


def expand_averages(draft: Draft) -> Draft:
    """The draft without ``avg``; RequestError ``plans/unsupported`` for an AVG in HAVING beside no constant."""
    averages = [aggregate for aggregate in draft.query.aggregates if aggregate.function == "avg"]
    if not averages:
        return draft
    names = draft.names()
    aggregates = [aggregate for aggregate in draft.query.aggregates if aggregate.function != "avg"]
    parts: dict[str, tuple[QueryAggregate, QueryAggregate]] = {}
    quotients: dict[str, Expr] = {}
    for average in averages:
        total, count = _total(average, draft), _count(average, draft)
        total, count = _kept(total, aggregates, names), _kept(count, aggregates, names)
        parts[average.name] = (total, count)
        quotients[average.name] = Call(
            op="divide", args=(Ref(column=total.name), Ref(column=count.name)), type=average.type
        )
    outputs = tuple(
        Named(name=output.name, expression=substitute(output.expression, quotients)) for output in draft.query.outputs
    )
    having = draft.query.having
    return with_query(
        draft,
        aggregates=tuple(aggregates),
        outputs=outputs,
        having=None if having is None else _condition(having, parts),
    )


def _total(average: QueryAggregate, draft: Draft) -> QueryAggregate:
    argument = _argument(average)
    types = draft.row_types
    kind = types[argument.column] if isinstance(argument, Ref) else argument.type
    base = f"sum_{argument.column}" if isinstance(argument, Ref) else "sum"
    return QueryAggregate(name=base, function="sum", argument=argument, type=kind)


def _count(average: QueryAggregate, draft: Draft) -> QueryAggregate:
    argument = _argument(average)
    if infer(argument, draft.row_columns).nullable:
        base = f"count_{argument.column}" if isinstance(argument, Ref) else "count"
        return QueryAggregate(name=base, function="count", argument=argument, type=INT)
    return QueryAggregate(name="rows", function="count-rows", type=INT)


def _argument(average: QueryAggregate) -> Expr:
    if average.argument is None:
        raise TypeError(average.name)
    return average.argument


def _kept(wanted: QueryAggregate, aggregates: list[QueryAggregate], names: NamePool) -> QueryAggregate:
    """The aggregate of that function and argument, added under a fresh name if there is none yet."""
    for known in aggregates:
        if (known.function, known.argument) == (wanted.function, wanted.argument):
            return known
    made = wanted.model_copy(update={"name": names.fresh(wanted.name)})
    aggregates.append(made)
    return made


def _condition(expression: Expr, parts: dict[str, tuple[QueryAggregate, QueryAggregate]]) -> Expr:
    if not columns_of(expression) & parts.keys() or not isinstance(expression, Call):
        return expression
    if expression.op in ("and", "or", "not"):
        return expression.model_copy(update={"args": tuple(_condition(arg, parts) for arg in expression.args)})
    if expression.op == "is_null" and isinstance(expression.args[0], Ref):
        total, _ = parts[expression.args[0].column]
        return Call(op="is_null", args=(Ref(column=total.name),), type=BOOL)
    if expression.op in MIRRORED:
        left, right = expression.args
        if isinstance(left, Const):
            return _comparison(MIRRORED[expression.op], right, left, parts)
        return _comparison(expression.op, left, right, parts)
    raise _unsupported()


def _comparison(
    op: str, average: Expr, constant: Expr, parts: dict[str, tuple[QueryAggregate, QueryAggregate]]
) -> Expr:
    """``average op constant`` without a division, in carried integers: S * 10^(t - s) op C * N."""
    inner = average.args[0] if isinstance(average, Call) and average.op == "cast" else average
    if not isinstance(inner, Ref) or not isinstance(constant, Const) or constant.integer is None:
        raise _unsupported()
    total, count = parts[inner.column]
    scale = total.type.scale
    factor = int(10 ** (constant.type.scale - scale))
    shared = gcd(factor, constant.integer)
    kind = ColumnType(kind="decimal", scale=scale) if total.type.kind == "decimal" else INT
    left: Expr = Ref(column=total.name)
    if factor != shared:
        left = Call(op="multiply", args=(left, Const(type=INT, integer=factor // shared)), type=total.type)
    threshold = Const(type=kind, integer=constant.integer // shared)
    right = Call(op="multiply", args=(Ref(column=count.name), threshold), type=kind)
    return Call.model_validate({"op": op, "args": (left, right), "type": BOOL})


def _unsupported() -> RequestError:
    return RequestError(
        "plans/unsupported",
        "AVG in HAVING beside anything but a constant is not supported",
        place="HAVING",
        remedy="compare AVG(x) with a number, or compare SUM(x) with SUM(y)",
    )
