"""Joins on shares: keys of both sides in one range, the columns needed, who checks uniqueness."""

from collections.abc import Mapping
from dataclasses import replace

from consortia.plans.columns import Column
from consortia.plans.lowering.context import Context, check_shareable
from consortia.plans.lowering.convert import fitted_exactly
from consortia.plans.lowering.made import Made
from consortia.plans.lowering.needs import Column as Wanted
from consortia.plans.lowering.needs import Needs, add_need, combined
from consortia.plans.lowering.nodes import owners_of
from consortia.plans.lowering.unique import is_grouped_by
from consortia.plans.model import Join, JoinKey
from consortia.plans.query import Joined
from consortia.plans.ranges import Range, hull
from consortia.plans.variants import with_column


def join(context: Context, node: Joined, needs: Needs) -> Made:
    """The rows of the left side, each with what the right side has for its key."""
    left_types = context.knowledge.types(node.left)
    takes = node.how in ("inner", "left")
    left_needs: Needs = {wanted: found for wanted, found in needs.items() if wanted[0] in left_types}
    right_needs: Needs = {wanted: found for wanted, found in needs.items() if takes and wanted[0] not in left_types}
    right_wanted = list(right_needs)
    for pair in node.on:
        check_shareable(pair.left, left_types[pair.left])
        theirs = context.knowledge.fact(node.right, pair.right).range
        add_need(left_needs, (pair.left, "key"), _meeting(context, node, pair, left_needs, right_needs))
        add_need(right_needs, (pair.right, "key"), theirs)
    left = context.lower(node.left, left_needs)
    for pair in node.on:
        own = left.column(pair.left, "key")
        if own.bounds is not None:
            bounds = Range(own.bounds, nullable=False)
            right_needs[pair.right, "key"] = combined(right_needs[pair.right, "key"], bounds)
    right = context.lower(node.right, right_needs)
    left, right = _aligned(context, node, left, right)
    left = _apart(context, left, right, right_wanted)
    taken = {wanted: _taken(right.column(*wanted), node) for wanted in right_wanted}
    columns = (*left.columns, *dict.fromkeys(taken.values()))
    builder = context.builder
    on = tuple(
        JoinKey(left=left.column(pair.left, "key").name, right=right.column(pair.right, "key").name) for pair in node.on
    )
    step = {
        **builder.place((left.step, right.step), "shared"),
        "rows": left.rows,
        "columns": columns,
        "how": node.how,
        "on": on,
        "uniqueness": uniqueness(context, node),
    }
    places: Mapping[Wanted, str] = {**left.places, **{wanted: column.name for wanted, column in taken.items()}}
    made = Made(builder.add(Join.model_validate(step)), left.rows, columns, places)
    return replace(made, places={wanted: made.places[wanted] for wanted in needs})


def uniqueness(context: Context, node: Joined) -> str:
    """Who has seen to it that the right side holds each key once."""
    keys = frozenset(pair.right for pair in node.on)
    if node.how not in ("inner", "left") or is_grouped_by(node.right, keys):
        return "grouped"
    flat = context.knowledge.flat(node.right)
    return "owner" if flat is not None and len(owners_of(flat.rows, context.catalogue)) == 1 else "opened"


def _meeting(context: Context, node: Joined, pair: JoinKey, left: Needs, right: Needs) -> Range:
    """A range in which both keys and what is demanded of them lie; NULL as on the left."""
    ours = context.knowledge.fact(node.left, pair.left).range
    theirs = context.knowledge.fact(node.right, pair.right).range
    demands = [left.get((pair.left, "key")), right.get((pair.right, "key"))]
    bounds = [part.bounds for part in (ours, theirs, *demands) if part is not None and part.bounds is not None]
    return Range(hull(bounds) if bounds else None, ours.nullable)


def _aligned(context: Context, node: Joined, left: Made, right: Made) -> tuple[Made, Made]:
    """Both sides with keys that count from one lower bound, also where one column is a key of several pairs."""
    ours: dict[Wanted, Range] = {wanted: _range(left, wanted) for wanted in left.places}
    theirs: dict[Wanted, Range] = {wanted: _range(right, wanted) for wanted in right.places}
    before_left, before_right = dict(ours), dict(theirs)
    aligned = False
    while not aligned:
        aligned = True
        for pair in node.on:
            one, two = ours[pair.left, "key"], theirs[pair.right, "key"]
            if one.bounds is None or two.bounds is None or one.bounds.lo == two.bounds.lo:
                continue
            bounds = hull([one.bounds, two.bounds])
            ours[pair.left, "key"] = Range(bounds, one.nullable)
            theirs[pair.right, "key"] = Range(bounds, two.nullable)
            aligned = False
    if _lowered(before_left, ours):
        left = fitted_exactly(context, left, ours, context.knowledge.types(node.left))
    if _lowered(before_right, theirs):
        right = fitted_exactly(context, right, theirs, context.knowledge.types(node.right))
    return left, right


def _lowered(before: Mapping[Wanted, Range], after: Mapping[Wanted, Range]) -> bool:
    """Whether a column counts from another lower bound than before."""
    return any(
        found.bounds is not None and (known := before[wanted].bounds) is not None and found.bounds.lo != known.lo
        for wanted, found in after.items()
    )


def _range(made: Made, wanted: Wanted) -> Range:
    column = made.column(*wanted)
    return Range(column.bounds, column.nullable)


def _apart(context: Context, left: Made, right: Made, taken: list[Wanted]) -> Made:
    """The left side without columns that nobody needs, if one of them has the name of a column taken."""
    names = {right.column(*wanted).name for wanted in taken}
    if names.isdisjoint(column.name for column in left.columns):
        return left
    kinds = {name: left.any_column(name).type for name, _ in left.places}
    return fitted_exactly(context, left, {wanted: _range(left, wanted) for wanted in left.places}, kinds)


def _taken(column: Column, node: Joined) -> Column:
    return with_column(column, nullable=True) if node.how == "left" else column
