"""Aggregate functions of SQL as aggregates of a query: function, argument, type, and the name it gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from sqlglot import exp

from consortia.errors import RequestError
from consortia.plans import meaning
from consortia.plans.binding.scope import Scope
from consortia.plans.expressions import FUNCTION_SCALE, Const, Expr, Ref
from consortia.plans.query import QueryFunction
from consortia.plans.refuse import Node, function_name, only, place_of, unsupported
from consortia.plans.scalar import bind
from consortia.plans.types import ColumnType

SUMS: dict[type[Node], QueryFunction] = {exp.Sum: "sum", exp.Avg: "avg"}
EXTREMES: dict[type[Node], QueryFunction] = {exp.Min: "min", exp.Max: "max"}
MOMENTS: dict[type[Node], QueryFunction] = {
    exp.Variance: "variance", exp.VariancePop: "variance-pop",
    exp.Stddev: "deviation", exp.StddevSamp: "deviation", exp.StddevPop: "deviation-pop",
}  # fmt: skip
AGGREGATES: tuple[type[Node], ...] = (exp.Count, *SUMS, *EXTREMES, *MOMENTS, exp.Median, exp.WithinGroup)
"""Nodes that ``read_aggregate`` reads; WITHIN GROUP holds its function."""
NUMBERS_REMEDY = "aggregate int or decimal columns; for a condition write SUM(CASE WHEN x THEN 1 ELSE 0 END)"


@dataclass(frozen=True)
class Reading:
    """An aggregate as read; ``base`` begins its name. ``share`` is that of a quantile."""

    function: QueryFunction
    argument: Expr | None
    type: ColumnType
    base: str
    share: Fraction = Fraction(0)


def read_aggregate(node: Node, rows: Scope) -> Reading:
    """The aggregate that ``node`` calls over ``rows``; RequestError with its place if it can't be one."""
    if isinstance(node, exp.WithinGroup):
        return _quantile(node, rows)
    check_argument(node, rows.text)
    if isinstance(node, exp.Count):
        only(node, rows.text, "this", "big_int")
        return _count(node, rows)
    only(node, rows.text, "this")
    name = function_name(node)
    if isinstance(node.this, exp.Distinct):
        raise unsupported(node, rows.text, f"{name}(DISTINCT ...)", "group by the column and aggregate the groups")
    argument = bind(node.this, rows)
    kind = meaning.type_of(argument, rows.columns)
    if type(node) in EXTREMES:
        _check(node, kind, argument, rows, ("int", "decimal", "date", "timestamp"))
        return Reading(EXTREMES[type(node)], argument, kind, name.lower())
    _check(node, kind, argument, rows, ("int", "decimal"))
    if type(node) in SUMS:
        function = SUMS[type(node)]
        if function == "sum":
            return Reading(function, argument, kind, "sum")
        return Reading(function, argument, meaning.decimal(kind.scale + meaning.QUOTIENT_DIGITS, kind.unit), "avg")
    if isinstance(node, exp.Median):
        return Reading("median", argument, meaning.decimal(kind.scale + 1, kind.unit), "median")
    function = MOMENTS[type(node)]
    if function in ("variance", "variance-pop"):
        # the square of an amount has no unit that a column could name
        return Reading(function, argument, meaning.decimal(2 * kind.scale + meaning.QUOTIENT_DIGITS), "variance")
    return Reading(function, argument, meaning.decimal(FUNCTION_SCALE, kind.unit), "deviation")


def check_argument(node: Node, text: str) -> None:
    """Refuse an aggregate of nothing, which the parser lets pass."""
    empty = isinstance(node.this, exp.Distinct) and not node.this.expressions
    if node.this is None or empty:
        name = function_name(node)
        raise unsupported(node, text, f"{name} of nothing", f"write {name}(x)" + (" or COUNT(*)" * (name == "COUNT")))


def _check(node: Node, kind: ColumnType, argument: Expr, rows: Scope, kinds: tuple[str, ...]) -> None:
    if kind.kind not in kinds or meaning.is_null_constant(argument):
        raise RequestError(
            "plans/type", f"{function_name(node)} of {meaning.type_words(kind)}", place=place_of(node, rows.text),
            remedy=NUMBERS_REMEDY,
        )  # fmt: skip


def _count(node: Node, rows: Scope) -> Reading:
    if isinstance(node.this, exp.Star):
        only(node.this, rows.text)
        return Reading("count-rows", None, meaning.INT, "rows")
    if not isinstance(node.this, exp.Distinct):
        return Reading("count", bind(node.this, rows), meaning.INT, "count")
    distinct = node.this
    only(distinct, rows.text, "expressions")
    if all(isinstance(part, exp.Anonymous) and part.name.lower() == "member" for part in distinct.expressions):
        # whose data a row holds is known of joined rows too, in which `member()` itself means nothing
        rows = replace(rows, one_table=True)
    inner = [bind(part, rows) for part in distinct.expressions]
    if len(inner) > 1 or isinstance(inner[0], Const):
        raise unsupported(
            distinct, rows.text, "COUNT(DISTINCT ...) of several columns or of a constant",
            "count one column, or group a nested SELECT DISTINCT",
        )  # fmt: skip
    if meaning.is_member(inner[0]):
        return Reading("count-members", None, meaning.INT, "members")
    if meaning.type_of(inner[0], rows.columns).kind == "text":
        raise RequestError(
            "plans/text-shared", "text never leaves its owner, so its values can't be counted over members",
            place=place_of(distinct, rows.text), remedy="count a key or enum column",
        )  # fmt: skip
    # the planner counts entities where the column is the privacy unit, and distinct values where it is not
    return Reading("count-entities" if isinstance(inner[0], Ref) else "count-distinct", inner[0], meaning.INT,
                   "entities" if isinstance(inner[0], Ref) else "distinct")  # fmt: skip


def _quantile(node: Node, rows: Scope) -> Reading:
    """``PERCENTILE_DISC(f) WITHIN GROUP (ORDER BY x)``; PERCENTILE_CONT is the median or refused."""
    only(node, rows.text, "this", "expression")
    function, order = node.this, node.expression
    if not isinstance(function, exp.PercentileDisc | exp.PercentileCont) or not isinstance(order, exp.Order):
        raise unsupported(node, rows.text, "WITHIN GROUP here", "PERCENTILE_DISC(0.25) WITHIN GROUP (ORDER BY x)")
    only(function, rows.text, "this")
    only(order, rows.text, "expressions")
    share = _share(function, rows)
    if len(order.expressions) != 1 or order.expressions[0].args.get("desc"):
        raise unsupported(
            order, rows.text, "more than one column, or DESC, in WITHIN GROUP", "order by one column, ascending"
        )
    ordered = order.expressions[0]
    only(ordered, rows.text, "this", "desc")
    argument = bind(ordered.this, rows)
    kind = meaning.type_of(argument, rows.columns)
    if isinstance(function, exp.PercentileDisc):
        _check(function, kind, argument, rows, ("int", "decimal", "date", "timestamp"))
        return Reading("quantile", argument, kind, "quantile", share)
    if share != Fraction(1, 2):
        raise unsupported(
            function, rows.text, "PERCENTILE_CONT of another share than 0.5",
            "PERCENTILE_DISC gives the value itself; PERCENTILE_CONT(0.5) is the median",
        )  # fmt: skip
    _check(function, kind, argument, rows, ("int", "decimal"))
    return Reading("median", argument, meaning.decimal(kind.scale + 1, kind.unit), "median")


def _share(function: Node, rows: Scope) -> Fraction:
    bound = bind(function.this, rows)
    if isinstance(bound, Const) and bound.integer is not None and bound.type.kind in ("int", "decimal"):
        share = Fraction(bound.integer, 10**bound.type.scale)
        if 0 <= share <= 1:
            return share
    raise RequestError(
        "plans/type", "the share of a quantile is no number from 0 to 1", place=place_of(function, rows.text),
        remedy="write it out: PERCENTILE_DISC(0.25)",
    )  # fmt: skip
