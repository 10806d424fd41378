"""Bounds and nullability of every column of every step, proved from the catalogue's bounds and ``max_rows``.

An owner's partial sum is bounded by all its raw rows, so any set of its shared rows adds up to within that bound,
and the consortium's sum is bounded by the sum of the owners' bounds.
"""

from dataclasses import replace

from consortia.errors import InternalError, RequestError
from consortia.plans.columns import Column
from consortia.plans.contributors import magnitude_bounds
from consortia.plans.draft import Draft
from consortia.plans.expressions import Ref, columns_of
from consortia.plans.model import Aggregate, AggregateStep, Control, Filter, Project, Scan, Share, Step, Union
from consortia.plans.narrowing import narrowed
from consortia.plans.passes.classify_output import COUNTS
from consortia.plans.ranges import Range, checked, hull, infer, magnitude, nearest, summed
from consortia.plans.types import WIDE_FROM, Bounds
from consortia.plans.variants import with_column, with_columns

Made = dict[str, Step]


def infer_ranges(draft: Draft) -> Draft:
    """The draft with ranges; RequestError ``plans/capacity`` or ``plans/no-bounds``."""
    made: Made = {}
    proved = draft.query.relation is not None  # steps of a relation have their ranges, up to the control step
    for step in draft.steps:
        proved = proved and not isinstance(step, Control)
        made[step.id] = step if proved else with_columns(step, _columns(draft, step, made))
    return replace(draft, steps=tuple(made.values()))


def _columns(draft: Draft, step: Step, made: Made) -> tuple[Column, ...]:
    if isinstance(step, Scan):
        return tuple(draft.row_columns[column.name] for column in step.columns)
    sources = [made[source] for source in step.inputs]
    inputs = {column.name: column for column in sources[0].columns}
    if isinstance(step, Filter):
        infer(step.predicate, inputs)
        if step.origin in ("canonical", "where"):
            # a row scope is one owner's own: narrowing by it would give the owners columns of different widths
            inputs = narrowed(inputs, step.predicate)
    if isinstance(step, Project):
        found = {named.name: infer(named.expression, inputs) for named in step.expressions}
        return tuple(_ranged(column, found[column.name]) for column in step.columns)
    if isinstance(step, AggregateStep):
        aggregates = {aggregate.name: aggregate for aggregate in step.aggregates}
        return tuple(
            _ranged(column, _aggregate(draft, aggregates[column.name], step, made))
            if column.name in aggregates
            else inputs[column.name]
            for column in step.columns
        )
    if isinstance(step, Control):
        bases = {each.column: each.base for each in step.rounding}
        return tuple(_rounded(inputs[column.name], bases.get(column.name)) for column in step.columns)
    return tuple(inputs[column.name] for column in step.columns)


def _rounded(column: Column, base: int | None) -> Column:
    """The column with room for the nearest multiples of ``base``; RequestError ``plans/capacity`` if there is none."""
    if base is None or column.bounds is None:
        return column
    bounds = nearest(column.bounds, base)
    if magnitude(bounds) + 2 * base >= WIDE_FROM // 2:
        raise RequestError(
            "plans/capacity",
            f"`{column.name}` can reach {magnitude(bounds)}, and numbers below 2^61 are rounded on shares",
            place=column.name,
            remedy="narrow the bounds of the column or its max_rows in the catalogue",
        )
    return with_column(column, bounds=bounds)


def _ranged(column: Column, found: Range) -> Column:
    bounds = None if column.type.kind in ("key", "text") else found.bounds
    return with_column(column, bounds=bounds, nullable=found.nullable)


def _aggregate(draft: Draft, aggregate: Aggregate, step: AggregateStep, made: Made) -> Range:
    source = made[step.inputs[0]]
    match aggregate.function:
        case "has-member":
            return Range(Bounds(lo=0, hi=1), nullable=False)
        case "count-members":
            return Range(Bounds(lo=0, hi=len(_shares(step, made))), nullable=False)
        case "sum":
            return _sum(draft, aggregate, step, made)
        case "largest" | "magnitude":
            of = next(each for each in step.aggregates if each.name == aggregate.of)
            column = next(column for column in step.columns if column.name == aggregate.of)
            column = _ranged(column, _aggregate(draft, of, step, made))
            return Range(magnitude_bounds(aggregate, column), nullable=False)
        case _:
            return Range(Bounds(lo=0, hi=source.rows), nullable=False)


def _sum(draft: Draft, aggregate: Aggregate, step: AggregateStep, made: Made) -> Range:
    source = made[step.inputs[0]]
    column = next(column for column in source.columns if column.name == aggregate.column)
    asked = draft.aggregate(aggregate.name)
    argument = None if asked is None else asked.argument
    names = frozenset((aggregate.column,)) if argument is None else columns_of(argument)
    if step.at != "shared":
        bounds = summed(_numbers(column), source.rows)
        return Range(checked(bounds, f"SUM over {source.rows} rows", names), column.nullable)
    parts = [_owner_sum(aggregate.column, share, made) for share in _shares(step, made)]
    total = Bounds(lo=sum(part.lo for part in parts), hi=sum(part.hi for part in parts))
    checked(total, f"SUM over {len(parts)} members", names)
    counted = asked is not None and asked.function in COUNTS
    return Range(total, nullable=not counted and (column.nullable or not step.keys))


def _numbers(column: Column) -> Bounds:
    """Bounds of a column to be summed; refused where the catalogue declares none."""
    bounds = infer(Ref(column=column.name), {column.name: column}).bounds
    if bounds is None:
        raise InternalError("plans/obligations", f"a sum of `{column.name}`, which is no number")
    return bounds


def _shares(step: Step, made: Made) -> list[Share]:
    """The share steps that a shared step's rows come from."""
    while not isinstance(step, Union):
        step = made[step.inputs[0]]
    shares = [made[source] for source in step.inputs]
    return [share for share in shares if isinstance(share, Share)]


def _owner_sum(column: str, share: Share, made: Made) -> Bounds:
    """Bounds of the sum of a column over any of an owner's shared rows."""
    bounds = _numbers(next(entry for entry in share.columns if entry.name == column))
    if isinstance(made[share.inputs[0]], AggregateStep):
        return hull([bounds, Bounds(lo=0, hi=0)])
    return summed(bounds, share.rows)
