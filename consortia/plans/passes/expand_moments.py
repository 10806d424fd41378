"""Replace averages, variances and deviations by sums and counts: these are opened, and the recipient divides exactly.

``AVG(x)`` in the select list becomes ``sum / count``, a decimal with six more places than x, rounded half away
from zero. With n values, s their sum and q the sum of their squares, the variance is (n q - s s) / (n n) over the
population and (n q - s s) / (n (n - 1)) of a sample, whose numerators are exact integers; a deviation is its square
root. A divisor of zero gives NULL: the average of nothing, the sample variance of one value.

In HAVING, ``AVG(x) > c`` becomes ``SUM(x) * 10^k > C * COUNT(x)`` in integers: the exact average is compared, not a
rounded one, and nothing is divided on shares. Groups of nested queries divide on shares, where their sums stay.
"""

from math import gcd

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.expressions import FUNCTION_SCALE, Call, Const, Expr, Ref, columns_of
from consortia.plans.lowering.knowledge import Knowledge
from consortia.plans.lowering.nodes import rewritten
from consortia.plans.meaning import BOOL, INT, MAX_SCALE
from consortia.plans.model import Named
from consortia.plans.names import NamePool
from consortia.plans.narrowing import MIRRORED
from consortia.plans.query import Computed, Grouped, QueryAggregate, Relation
from consortia.plans.ranges import Columns, infer
from consortia.plans.trees import substitute
from consortia.plans.types import ColumnType
from consortia.plans.variants import with_query

MOMENTS = ("avg", "variance", "variance-pop", "deviation", "deviation-pop")
SPARE_DIGITS = 2
"""Places of a variance beyond those that decide the last place of its root."""


def expand_moments(draft: Draft) -> Draft:
    """The draft without moments; RequestError ``plans/unsupported`` for one in HAVING that can't stand there."""
    names = draft.names()
    if draft.query.relation is not None:
        draft = with_query(draft, relation=rewritten(draft.query.relation, lambda node: _nested(node, draft, names)))
    moments = [aggregate for aggregate in draft.query.aggregates if aggregate.function in MOMENTS]
    if not moments:
        return draft
    aggregates = [aggregate for aggregate in draft.query.aggregates if aggregate.function not in MOMENTS]
    made = _Sums(aggregates, names, draft.row_columns)
    values = {moment.name: made.value(moment) for moment in moments}
    averages = {moment.name: (made.total(moment), made.count(moment)) for moment in moments if moment.function == "avg"}
    outputs = tuple(
        Named(name=output.name, expression=substitute(output.expression, values)) for output in draft.query.outputs
    )
    having = draft.query.having
    if having is not None and columns_of(having) & (values.keys() - averages.keys()):
        raise _unsupported("a variance or deviation", "compare sums and counts, or compare after the result is opened")
    return with_query(
        draft,
        aggregates=tuple(aggregates),
        outputs=outputs,
        having=None if having is None else _condition(having, averages),
    )


def _nested(node: Relation, draft: Draft, names: NamePool) -> Relation:
    """A group of a nested query as a computation over a group without moments."""
    if not isinstance(node, Grouped) or all(made.function not in MOMENTS for made in node.aggregates):
        return node
    aggregates = [aggregate for aggregate in node.aggregates if aggregate.function not in MOMENTS]
    columns = Knowledge(draft.catalogue, draft.environment.as_of).columns(node.source)
    sums = _Sums(aggregates, names, columns)
    outputs = [Named(name=key, expression=Ref(column=key)) for key in node.keys]
    outputs += [
        Named(name=made.name, expression=sums.value(made) if made.function in MOMENTS else Ref(column=made.name))
        for made in node.aggregates
    ]
    below = node.model_copy(update={"aggregates": tuple(aggregates)})
    return Computed(source=below, expressions=tuple(outputs))


class _Sums:
    """The sums and counts of which moments are made, added to ``aggregates`` where they are not there yet."""

    def __init__(self, aggregates: list[QueryAggregate], names: NamePool, columns: Columns) -> None:
        self._aggregates = aggregates
        self._names = names
        self._columns = columns

    def value(self, moment: QueryAggregate) -> Expr:
        """The moment as an expression over sums and counts."""
        total, count = Ref(column=self.total(moment).name), Ref(column=self.count(moment).name)
        if moment.function == "avg":
            return Call(op="divide", args=(total, count), type=moment.type)
        scale = self._type(moment).scale
        kind = ColumnType(kind="decimal", scale=2 * scale) if scale else INT
        squares = Ref(column=self._squares(moment).name)
        numerator = Call(
            op="subtract",
            args=(
                Call(op="multiply", args=(count, squares), type=kind),
                Call(op="multiply", args=(total, total), type=kind),
            ),
            type=kind,
        )
        one = Const(type=INT, integer=1)
        others: Expr = count
        if not moment.function.endswith("pop"):
            others = Call(op="subtract", args=(count, one), type=INT)
        divisor = Call(op="multiply", args=(count, others), type=INT)
        if moment.function.startswith("variance"):
            return Call(op="divide", args=(numerator, divisor), type=moment.type)
        places = min(MAX_SCALE, 2 * max(scale, FUNCTION_SCALE) + SPARE_DIGITS)
        variance = Call(op="divide", args=(numerator, divisor), type=ColumnType(kind="decimal", scale=places))
        return Call(op="sqrt", args=(variance,), type=moment.type)

    def total(self, moment: QueryAggregate) -> QueryAggregate:
        """The sum of the values."""
        argument = _argument(moment)
        base = f"sum_{argument.column}" if isinstance(argument, Ref) else "sum"
        return self._kept(QueryAggregate(name=base, function="sum", argument=argument, type=self._type(moment)))

    def count(self, moment: QueryAggregate) -> QueryAggregate:
        """The number of the values."""
        argument = _argument(moment)
        if infer(argument, self._columns).nullable:
            base = f"count_{argument.column}" if isinstance(argument, Ref) else "count"
            return self._kept(QueryAggregate(name=base, function="count", argument=argument, type=INT))
        return self._kept(QueryAggregate(name="rows", function="count-rows", type=INT))

    def _squares(self, moment: QueryAggregate) -> QueryAggregate:
        argument = _argument(moment)
        scale = self._type(moment).scale
        kind = ColumnType(kind="decimal", scale=2 * scale) if scale else INT
        square = Call(op="multiply", args=(argument, argument), type=kind)
        base = f"squares_{argument.column}" if isinstance(argument, Ref) else "squares"
        return self._kept(QueryAggregate(name=base, function="sum", argument=square, type=kind))

    def _type(self, moment: QueryAggregate) -> ColumnType:
        argument = _argument(moment)
        return self._columns[argument.column].type if isinstance(argument, Ref) else argument.type

    def _kept(self, wanted: QueryAggregate) -> QueryAggregate:
        """The aggregate of that function and argument, added under a fresh name if there is none yet."""
        for known in self._aggregates:
            if (known.function, known.argument) == (wanted.function, wanted.argument):
                return known
        made = wanted.model_copy(update={"name": self._names.fresh(wanted.name)})
        self._aggregates.append(made)
        return made


def _argument(moment: QueryAggregate) -> Expr:
    if moment.argument is None:
        raise TypeError(moment.name)
    return moment.argument


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
    raise _unsupported("AVG", AVERAGES_ARE)


def _comparison(
    op: str, average: Expr, constant: Expr, parts: dict[str, tuple[QueryAggregate, QueryAggregate]]
) -> Expr:
    """``average op constant`` without a division, in carried integers: S * 10^(t - s) op C * N."""
    inner = average.args[0] if isinstance(average, Call) and average.op == "cast" else average
    if not isinstance(inner, Ref) or not isinstance(constant, Const) or constant.integer is None:
        raise _unsupported("AVG", AVERAGES_ARE)
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


AVERAGES_ARE = "compare AVG(x) with a number, or compare SUM(x) with SUM(y)"


def _unsupported(what: str, remedy: str) -> RequestError:
    return RequestError(
        "plans/unsupported",
        f"{what} in HAVING beside anything but a constant is not supported",
        place="HAVING",
        remedy=remedy,
    )
