"""Refuse sums, comparisons and groups over amounts of several units, unless the query fixes or groups by the unit.

A column whose type names a unit column (``amount_minor`` has ``unit: currency``) means nothing across units.
Comparing with 0 means the same in all of them.
"""

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.meaning import SIGNS, Types, type_of
from consortia.plans.trees import conjuncts, walk


def check_units(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/units`` naming the operator and the unit column."""
    if draft.query.relation is not None:
        return draft
    query = draft.query
    rows, groups = draft.row_types, draft.group_types
    settled = _fixed(query.where) | {key.expression.column for key in query.keys if isinstance(key.expression, Ref)}
    for aggregate in query.aggregates:
        if aggregate.argument is not None:
            _check_comparisons(aggregate.argument, rows, settled)
            if aggregate.function in ("sum", "avg"):
                _check(type_of(aggregate.argument, rows).unit, aggregate.function.upper(), settled)
    for key in query.keys:
        _check(type_of(key.expression, rows).unit, "GROUP BY", settled)
        _check_comparisons(key.expression, rows, settled)
    if query.where is not None:
        _check_comparisons(query.where, rows, settled)
    for expression in (query.having, *(output.expression for output in query.outputs)):
        if expression is not None:
            _check_comparisons(expression, groups, settled)
    return draft


def _fixed(where: Expr | None) -> set[str]:
    """Columns that WHERE holds to one value."""
    fixed = set()
    for part in conjuncts(where):
        match part:
            case (
                Call(op="eq" | "in", args=[Ref(column=column), Const()])
                | Call(op="eq", args=[Const(), Ref(column=column)])
            ):
                fixed.add(column)
    return fixed


def _check_comparisons(expression: Expr, types: Types, settled: set[str]) -> None:
    for node in walk(expression):
        if isinstance(node, Call) and (node.op in SIGNS or node.op == "in") and node.type.kind == "bool":
            if any(isinstance(arg, Const) and arg.integer == 0 for arg in node.args):
                continue
            for arg in node.args:
                _check(type_of(arg, types).unit, f"the comparison `{SIGNS.get(node.op, 'IN')}`", settled)


def _check(unit: str, operator: str, settled: set[str]) -> None:
    if unit and unit not in settled:
        raise RequestError(
            "plans/units",
            f"{operator} over amounts of several units of `{unit}` means nothing",
            place=f"column `{unit}`",
            remedy=f"fix the unit, WHERE {unit} = '...', or group by it, GROUP BY {unit}",
        )
