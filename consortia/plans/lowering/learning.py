"""A joint model on shares: what it learns from, as numbers, and the rows with their scores."""

from consortia.errors import RequestError
from consortia.plans.columns import Column
from consortia.plans.learning import parameters
from consortia.plans.lowering.context import Context, check_shareable
from consortia.plans.lowering.convert import fitted
from consortia.plans.lowering.made import Made, shared_column
from consortia.plans.lowering.needs import Needs, add_need
from consortia.plans.meaning import INT
from consortia.plans.query import Relation, Scored
from consortia.plans.steps_of_models import Fit, Score
from consortia.plans.types import WIDE_FROM

MODEL = Column(name="parameter", type=INT, domain="arithmetic", modular=True)
MOST_PARAMETERS = 1 << 24
"""Of one model: what one column of parameters may hold."""


def score(context: Context, node: Scored, needs: Needs) -> Made:
    """The rows that are needed, each with its score: a fit step, and a score step over the same rows."""
    types = context.knowledge.types(node)
    own: Needs = {wanted: found for wanted, found in needs.items() if wanted[0] != node.made}
    kept = list(own)
    for name in (*node.features, node.label, *filter(None, (node.held,))):
        check_example(context, node.source, name, is_bit=name in (node.label, node.held))
        add_need(own, (name, "number"))
    count = parameters(node.method, len(node.features))
    if count > MOST_PARAMETERS:
        raise RequestError(
            "plans/capacity",
            f"the model has {count} parameters, and at most {MOST_PARAMETERS} are carried",
            remedy="take fewer trees, a smaller depth, or fewer cuts",
        )
    rows = context.lower(node.source, own)
    features = tuple(rows.column(name, "number").name for name in node.features)
    fit = {
        **context.builder.place((rows.step,), "shared"),
        "rows": count,
        "columns": (MODEL,),
        "features": features,
        "label": rows.column(node.label, "number").name,
        "held": rows.column(node.held, "number").name if node.held else "",
        "method": node.method,
    }
    model = context.builder.add(Fit.model_validate(fit))
    made = shared_column(node.made, types[node.made], "number", context.knowledge.fact(node, node.made).range)
    columns = (*rows.columns, made)
    step = {
        **context.builder.place((rows.step, model), "shared"),
        "rows": rows.rows,
        "columns": columns,
        "features": features,
        "made": made.name,
        "method": node.method,
    }
    places = {**{wanted: rows.places[wanted] for wanted in kept}, (node.made, "number"): made.name}
    done = Made(context.builder.add(Score.model_validate(step)), rows.rows, columns, places)
    return fitted(context, done, needs, types)


def check_example(context: Context, source: Relation, name: str, *, is_bit: bool) -> None:
    """Refuse a column that no model learns from: it may be NULL, is not bounded, or is no 0 or 1 where it must."""
    check_shareable(name, context.knowledge.types(source)[name])
    found = context.knowledge.fact(source, name).range
    if found.nullable:
        raise RequestError(
            "plans/unsupported",
            f"`{name}` of the examples may be NULL",
            place=f"column `{name}`",
            remedy=f"write COALESCE({name}, 0) AS {name}, or add WHERE {name} IS NOT NULL",
        )
    if found.bounds is None or max(abs(found.bounds.lo), abs(found.bounds.hi)) >= WIDE_FROM // 2:
        raise RequestError(
            "plans/capacity",
            f"`{name}` of the examples can reach 2^61, and a model learns from values below",
            place=f"column `{name}`",
            remedy="declare narrower bounds or fewer max_rows in the catalogue",
        )
    if is_bit and (found.bounds.lo < 0 or found.bounds.hi > 1):
        raise RequestError(
            "plans/spec",
            f"`{name}` of the examples can be from {found.bounds.lo} to {found.bounds.hi}, and must be 0 or 1",
            place=f"column `{name}`",
            remedy=f"write CASE WHEN ... THEN 1 ELSE 0 END AS {name}",
        )
