"""Columns of a table brought to the domain, and where it must be to the range, that a later step needs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from consortia.errors import RequestError
from consortia.plans.columns import Column
from consortia.plans.expressions import Expr, Ref
from consortia.plans.lowering.context import Context, in_order
from consortia.plans.lowering.made import Made, shared_column
from consortia.plans.lowering.needs import Column as Wanted
from consortia.plans.lowering.needs import Needs, combined
from consortia.plans.lowering.uses import Types
from consortia.plans.model import Named, Project
from consortia.plans.ranges import Range, magnitude
from consortia.plans.trees import substitute
from consortia.plans.types import WIDE_FROM
from consortia.plans.variants import with_column

Computation = tuple[Wanted, Expr, Column]
"""What a column stands for, how it is computed, and the column."""


def project(context: Context, source: Made, computed: Sequence[Computation]) -> Made:
    """A step that computes exactly these columns of the table ``source``; one that only renames is put into it."""
    builder = context.builder
    before = builder.replaceable(source.step)
    if before is not None and _only_renames(computed, source.physical):
        inner = {named.name: named.expression for named in before.expressions}
        computed = [(wanted, substitute(expression, inner), column) for wanted, expression, column in computed]
        source = replace(source, step=before.inputs[0])
        builder.drop(before)
    columns = tuple(column for _, _, column in computed)
    step = {
        **builder.place((source.step,), "shared"),
        "rows": source.rows,
        "columns": columns,
        "expressions": tuple(Named(name=column.name, expression=expression) for _, expression, column in computed),
    }
    places = {wanted: column.name for wanted, _, column in computed}
    return Made(builder.add(Project.model_validate(step)), source.rows, columns, places)


def _only_renames(computed: Sequence[Computation], columns: Mapping[str, Column]) -> bool:
    """Whether every column is one of ``columns`` under a new name at most."""
    return all(
        isinstance(expression, Ref) and with_column(columns[expression.column], name=column.name) == column
        for _, expression, column in computed
    )


def fitted(context: Context, source: Made, needs: Needs, types: Types) -> Made:
    """The table with every column needed; what stands in the other domain only is converted."""
    if all(wanted in source.places for wanted in needs):
        return replace(source, places={wanted: source.places[wanted] for wanted in needs})
    return _projected(context, source, {wanted: _range(source, wanted) for wanted in needs}, types)


def fitted_exactly(context: Context, source: Made, ranges: dict[Wanted, Range], types: Types) -> Made:
    """The table with these columns alone, in the order of the relation, each with exactly that range.

    A key that must count from another lower bound becomes a number in between.
    """
    source = fitted(context, source, dict.fromkeys(ranges), types)
    moved = [
        wanted
        for wanted, found in ranges.items()
        if wanted[1] == "key" and _low(source.column(*wanted)) != (found.bounds.lo if found.bounds else None)
    ]
    if moved:
        between = {
            wanted: _range(source, wanted)
            for wanted in dict.fromkeys(
                [*(each for each in ranges if each not in moved), *((name, "number") for name, _ in moved)]
            )
        }
        source = _projected(context, source, between, types)
    return _projected(context, source, ranges, types)


def _low(column: Column) -> int | None:
    return None if column.bounds is None else column.bounds.lo


def _range(source: Made, wanted: Wanted) -> Range:
    name, use = wanted
    column = source.physical[source.places[wanted]] if wanted in source.places else source.any_column(name)
    if use == "key" and wanted not in source.places:
        check_convertible(column)
    return Range(column.bounds, column.nullable)


def _projected(context: Context, source: Made, ranges: dict[Wanted, Range], types: Types) -> Made:
    """The table with exactly these columns; itself where it has them already."""
    wanted = in_order(dict.fromkeys(ranges), types)
    names = context.builder.names_of(wanted)
    columns = [shared_column(names[each], types[each[0]], each[1], ranges[each]) for each in wanted]
    if columns == list(source.columns) and all(source.places.get(each) == names[each] for each in wanted):
        return source
    sources = [source.reference(name, use if (name, use) in source.places else None) for name, use in wanted]
    return project(context, source, list(zip(wanted, sources, columns, strict=True)))


def check_convertible(column: Column) -> None:
    """RequestError ``plans/wide-comparison`` unless the value can become a key: below 2^62."""
    if column.bounds is not None and magnitude(column.bounds) >= WIDE_FROM:
        raise RequestError(
            "plans/wide-comparison",
            f"`{column.name}` can reach {magnitude(column.bounds)}, and shares sort, group and compare below 2^62 only",
            place=f"column `{column.name}`",
            remedy="narrow the bounds or max_rows in the catalogue, or compare after the result is opened",
        )


def widened(source: Made, wanted: Wanted, demanded: Range | None) -> Range:
    """The range that the column has and that ``demanded`` adds."""
    column = source.column(*wanted)
    own = Range(column.bounds, column.nullable)
    return combined(own, demanded) or own
