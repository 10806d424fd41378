"""What later steps need of a relation: columns in a use each, keys with the range that their partner has.

A need's range is what the column should at least hold, so that keys which meet (joins, unions) count from one lower
bound; None: as it comes.
"""

from collections.abc import Iterable, Mapping

from consortia.plans.expressions import Expr, Ref
from consortia.plans.lowering.uses import Types, Use, placed
from consortia.plans.ranges import Range, hull

Column = tuple[str, Use]
Needs = dict[Column, Range | None]


def combined(one: Range | None, other: Range | None) -> Range | None:
    """What satisfies both."""
    if one is None or other is None:
        return one or other
    bounds = one.bounds
    if bounds is not None and other.bounds is not None:
        bounds = hull([bounds, other.bounds])
    return Range(bounds, one.nullable or other.nullable)


def add_need(needs: Needs, column: Column, wanted: Range | None = None) -> None:
    """Add a need of one column."""
    needs[column] = combined(needs.get(column), wanted)


def merged(needs: Iterable[Needs]) -> Needs:
    """Everything that one of ``needs`` asks for."""
    result: Needs = {}
    for part in needs:
        for column, wanted in part.items():
            add_need(result, column, wanted)
    return result


def add_reads(
    needs: Needs, expressions: Iterable[tuple[Expr, Use | None]], types: Types, native: Mapping[str, Use]
) -> None:
    """Add what computing ``expressions`` on shares reads.

    A column of which any use will do is read as it is needed anyway, else in the use in which it exists (``native``),
    else as a key.
    """
    loose: list[str] = []

    def visit(name: str, use: Use | None) -> Expr:
        if use is None:
            loose.append(name)
        else:
            add_need(needs, (name, use))
        return Ref(column=name)

    for expression, use in expressions:
        placed(expression, types, use, visit)
    for name in loose:
        if (name, "key") not in needs and (name, "number") not in needs:
            add_need(needs, (name, native.get(name, "key")))
