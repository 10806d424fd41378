"""In which use a column of a relation exists without a conversion."""

from collections.abc import Mapping

from consortia.plans.expressions import Const, Ref
from consortia.plans.lowering.knowledge import Knowledge
from consortia.plans.lowering.uses import Use, natural_use
from consortia.plans.query import (
    Computed,
    Filtered,
    Grouped,
    Joined,
    Limited,
    Matched,
    Propagated,
    Relation,
    Scored,
    Stacked,
    TableRows,
    Windowed,
)

NUMBERS = ("sum", "count", "count-rows", "count-members", "count-entities", "count-distinct", "median")
"""Aggregates whose values are numbers; the others are values of a column, as keys."""


def native_uses(knowledge: Knowledge, node: Relation) -> Mapping[str, Use]:  # noqa: C901 - a case for each kind of node
    """The use by name of a column; those that owners share in either are left out."""
    if knowledge.flat(node) is not None:
        return {}
    match node:
        case TableRows():
            return {}
        case Filtered() | Limited():
            return native_uses(knowledge, node.source)
        case Computed():
            return _computed(knowledge, node)
        case Joined(how="inner" | "left"):
            return {**native_uses(knowledge, node.left), **native_uses(knowledge, node.right)}
        case Joined():
            return native_uses(knowledge, node.left)
        case Scored(made=made_name):
            learnt: dict[str, Use] = dict.fromkeys((node.label, *filter(None, (node.held,)), made_name), "number")
            return {**native_uses(knowledge, node.source), **learnt}
        case Propagated(made=made_name):
            return {**native_uses(knowledge, node.accounts), made_name: "number"}
        case Matched():
            return native_uses(knowledge, node.accounts)
        case Stacked():
            found = [native_uses(knowledge, source) for source in node.sources]
            numbers = {name for part in found for name, use in part.items() if use == "number"}
            return {name: "number" if name in numbers else "key" for part in found for name in part}
        case Grouped():
            keys: dict[str, Use] = dict.fromkeys(node.keys, "key")
            return keys | {made.name: "number" if made.function in NUMBERS else "key" for made in node.aggregates}
        case Windowed():
            numbers_made: dict[str, Use] = {made.name: "number" for made in node.functions}
            return {**native_uses(knowledge, node.source), **numbers_made}


def _computed(knowledge: Knowledge, node: Computed) -> dict[str, Use]:
    below = native_uses(knowledge, node.source)
    found: dict[str, Use] = {}
    for named in node.expressions:
        match named.expression:
            case Ref(column=column):
                if column in below:
                    found[named.name] = below[column]
            case Const():
                pass
            case call:
                found[named.name] = natural_use(call.type)
    return found
