"""Whether a column of a relation can hold NULL, conditions and join keys taken into account.

Columns on shares keep their validity bits behind a condition, so this is more than ranges prove.
"""

from consortia.plans.expressions import columns_of
from consortia.plans.lowering.knowledge import Knowledge
from consortia.plans.lowering.nodes import passed
from consortia.plans.narrowing import narrowed
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


def never_null(node: Relation, name: str, knowledge: Knowledge) -> bool:
    """Whether every row of ``node`` has a value in the column ``name``."""
    fact = knowledge.fact(node, name)
    if not fact.range.nullable:
        return True
    match node:
        case TableRows():
            return False
        case Filtered():
            read = columns_of(node.predicate) | {name}
            columns = {each: knowledge.fact(node.source, each).column(each) for each in sorted(read)}
            return not narrowed(columns, node.predicate)[name].nullable or never_null(node.source, name, knowledge)
        case Computed():
            below = passed(node.expressions).get(name, "")
            return bool(below) and never_null(node.source, below, knowledge)
        case Joined():
            return _never_null_joined(node, name, knowledge)
        case Stacked():
            return all(never_null(source, name, knowledge) for source in node.sources)
        case Grouped():
            return name in node.keys and never_null(node.source, name, knowledge)
        case Propagated() | Matched():
            return name in knowledge.types(node.accounts) and never_null(node.accounts, name, knowledge)
        case Windowed() | Limited() | Scored():
            return name in knowledge.types(node.source) and never_null(node.source, name, knowledge)


def _never_null_joined(node: Joined, name: str, knowledge: Knowledge) -> bool:
    """A key that must be equal to another is none of NULL."""
    matched = node.how in ("inner", "semi")
    if name in knowledge.types(node.left):
        return (matched and name in {pair.left for pair in node.on}) or never_null(node.left, name, knowledge)
    if node.how != "inner":
        return False
    return name in {pair.right for pair in node.on} or never_null(node.right, name, knowledge)
