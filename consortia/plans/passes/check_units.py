"""Refuse sums, comparisons and groups over amounts of several units, unless the query fixes or groups by the unit.

A column whose type names a unit column (``amount_minor`` has ``unit: currency``) means nothing across units.
Comparing with 0 means the same in all of them.
"""

from consortia.errors import RequestError
from consortia.plans.catalogue import Catalogue
from consortia.plans.draft import Draft
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.lowering.nodes import walk as nodes_of
from consortia.plans.meaning import SIGNS, Types, type_of
from consortia.plans.query import Computed, Filtered, Grouped, Limited, QueryAggregate, Relation, Scored, Windowed
from consortia.plans.relations import fixed_by, fixed_columns, relation_types
from consortia.plans.trees import walk


def check_units(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/units`` naming the operator and the unit column."""
    query = draft.query
    rows, groups = draft.row_types, draft.group_types
    if query.relation is None:
        fixed = fixed_by(query.where)
    else:
        fixed = fixed_columns(query.relation)
        for node in nodes_of(query.relation):
            _check_node(node, draft.catalogue)
    settled = fixed | {key.expression.column for key in query.keys if isinstance(key.expression, Ref)}
    _check_aggregates(query.aggregates, rows, settled)
    for key in query.keys:
        _check(type_of(key.expression, rows).unit, "GROUP BY", settled)
        _check_comparisons(key.expression, rows, settled)
    if query.where is not None:
        _check_comparisons(query.where, rows, settled)
    for expression in (query.having, *(output.expression for output in query.outputs)):
        if expression is not None:
            _check_comparisons(expression, groups, settled)
    return draft


def _check_node(node: Relation, catalogue: Catalogue) -> None:  # noqa: C901 - a case for each kind of node
    """The same rules at one node of a relation; amounts that are join keys are checked where they are bound."""
    match node:
        case Filtered(source=source, predicate=predicate):
            _check_comparisons(predicate, relation_types(source, catalogue), fixed_columns(node))
        case Computed(source=source, expressions=expressions):
            for named in expressions:
                _check_comparisons(named.expression, relation_types(source, catalogue), fixed_columns(source))
        case Grouped(source=source, keys=keys, aggregates=aggregates):
            types, settled = relation_types(source, catalogue), fixed_columns(source) | frozenset(keys)
            _check_aggregates(aggregates, types, settled)
            for key in keys:
                _check(types[key].unit, "GROUP BY", settled)
        case Windowed(source=source, partition=partition, order=order):
            types, settled = relation_types(source, catalogue), fixed_columns(source) | frozenset(partition)
            for name in (*partition, *(key.column for key in order)):
                _check(types[name].unit, "a window", settled)
        case Scored(source=source, features=features):
            types = relation_types(source, catalogue)
            for name in features:
                _check(types[name].unit, "a model", fixed_columns(source))
        case Limited(source=source, order=order):
            types = relation_types(source, catalogue)
            for ordering in order:
                _check(types[ordering.column].unit, "LIMIT", fixed_columns(source))


def _check_aggregates(aggregates: tuple[QueryAggregate, ...], rows: Types, settled: frozenset[str]) -> None:
    """Counts of rows and values mean the same in all units; whatever adds or compares values does not."""
    for aggregate in aggregates:
        if aggregate.argument is not None:
            _check_comparisons(aggregate.argument, rows, settled)
            if aggregate.function not in ("count", "count-entities"):
                _check(type_of(aggregate.argument, rows).unit, aggregate.function.upper(), settled)


def _check_comparisons(expression: Expr, types: Types, settled: frozenset[str]) -> None:
    for node in walk(expression):
        if isinstance(node, Call) and (node.op in SIGNS or node.op == "in") and node.type.kind == "bool":
            if any(isinstance(arg, Const) and arg.integer == 0 for arg in node.args):
                continue
            for arg in node.args:
                _check(type_of(arg, types).unit, f"the comparison `{SIGNS.get(node.op, 'IN')}`", settled)


def _check(unit: str, operator: str, settled: frozenset[str]) -> None:
    if unit and unit not in settled:
        raise RequestError(
            "plans/units",
            f"{operator} over amounts of several units of `{unit}` means nothing",
            place=f"column `{unit}`",
            remedy=f"fix the unit, WHERE {unit} = '...', or group by it, GROUP BY {unit}",
        )
