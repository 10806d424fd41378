"""A regression that is opened with noise: what it learns from, as numbers in public ranges, and its weights."""

from consortia.errors import RequestError
from consortia.plans import bounded
from consortia.plans.columns import Column
from consortia.plans.expressions import Ref
from consortia.plans.lowering.context import Context
from consortia.plans.lowering.learning import check_example
from consortia.plans.lowering.needs import Needs, add_need
from consortia.plans.lowering.nodes import passed
from consortia.plans.model import Step
from consortia.plans.obligations import ClipBounds
from consortia.plans.query import Computed, Filtered, Grouped, Joined, Modelled, Relation, Stacked, TableRows
from consortia.plans.steps_of_models import Weights
from consortia.plans.types import Bounds, ColumnType

LARGEST = 1 << 59
"""The largest value of a feature: twice its distance from the middle of a range stays below 2^62."""

OF_A_COLUMN = ("sum", "min", "max")
"""Aggregates of which a column's clip bounds speak."""


def weights(context: Context, relation: Relation, model: Modelled) -> tuple[Step, ...]:
    """All steps up to the weights, whose rows are the features in their order and, last, the intercept."""
    needs: Needs = {}
    add_need(needs, (model.subject, "key"))
    held = (model.held,) if model.held else ()
    for name in (*model.features, model.label, *held):
        check_example(context, relation, name, is_bit=name in (model.label, *held))
        add_need(needs, (name, "number"))
    ranges = tuple(_range(context, relation, name) for name in model.features)
    rows = context.lower(relation, needs)
    bounded.schedule(model.method, len(model.features), rows.rows)
    step = {
        **context.builder.place((rows.step,), "shared"),
        "rows": len(model.features) + 1,
        "columns": columns_of(model.features),
        "unit": rows.column(model.subject, "key").name,
        "features": tuple(rows.column(name, "number").name for name in model.features),
        "ranges": ranges,
        "label": rows.column(model.label, "number").name,
        "held": rows.column(model.held, "number").name if model.held else "",
        "method": model.method,
    }
    context.builder.add(Weights.model_validate(step))
    steps, _ = context.builder.numbered()
    return steps


def columns_of(features: tuple[str, ...]) -> tuple[Column, ...]:
    """The columns of a model with these features."""
    words = (*features, bounded.INTERCEPT)
    parameter = Column(
        name="parameter", type=ColumnType(kind="enum", domain="parameter", values=words), domain="boolean",
        bounds=Bounds(lo=0, hi=len(features)),
    )  # fmt: skip
    kind = ColumnType(kind="decimal", scale=bounded.DIGITS)
    return parameter, Column(name="weight", type=kind, domain="arithmetic", bounds=bounded.weight_bounds())


def _range(context: Context, relation: Relation, name: str) -> Bounds:
    """The public range of a feature: what is proven of it, within the clip bounds of the column that it is made of."""
    found = context.knowledge.fact(relation, name).range.bounds
    if found is None or max(abs(found.lo), abs(found.hi)) >= LARGEST:
        raise RequestError(
            "plans/capacity",
            f"`{name}` of the examples can reach 2^59, and a model that is opened learns from values below",
            place=f"column `{name}`",
            remedy=f"write LEAST(GREATEST({name}, lowest), highest) AS {name}",
        )
    if found.lo == found.hi:
        raise RequestError(
            "plans/spec", f"`{name}` of the examples is {found.lo} in every row, and teaches nothing",
            place=f"column `{name}`", remedy="leave it out: the intercept stands for it",
        )  # fmt: skip
    clip = _clip(context, relation, name)
    if clip is None:
        return found
    within = Bounds(lo=max(found.lo, clip.lo), hi=min(found.hi, clip.hi))
    if within.lo >= within.hi:
        raise RequestError(
            "plans/spec", f"`{name}` of the examples has no two values within the policies' clip bounds",
            place=f"column `{name}`", remedy="leave it out, or ask the owners for other bounds",
        )  # fmt: skip
    return within


def _clip(context: Context, relation: Relation, name: str) -> ClipBounds | None:
    """The bounds that all owners' policies agree on for what one contributor has of the column."""
    terms, column = context.obligations.noise, _column_of(context, relation, name)
    return terms.clip(*column) if terms is not None and column is not None else None


def _column_of(context: Context, node: Relation, name: str) -> tuple[str, str] | None:
    """The table and column whose value, sum, least or greatest value of a contributor ``name`` is; None otherwise."""
    match node:
        case TableRows():
            return node.table, name
        case Filtered():
            return _column_of(context, node.source, name)
        case Computed():
            below = passed(node.expressions).get(name)
            return None if below is None else _column_of(context, node.source, below)
        case Grouped():
            made = next((each for each in node.aggregates if each.name == name), None)
            if made is None or made.function not in OF_A_COLUMN or not isinstance(made.argument, Ref):
                return None
            return _column_of(context, node.source, made.argument.column)
        case Joined():
            side = node.left if name in context.knowledge.types(node.left) else node.right
            return _column_of(context, side, name)
        case Stacked():
            found = {_column_of(context, source, name) for source in node.sources}
            return found.pop() if len(found) == 1 else None
        case _:
            return None
