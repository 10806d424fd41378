"""Which columns of a relation are known to hold each combination once: those that it is grouped by."""

from consortia.plans.lowering.nodes import passed
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


def unique_sets(node: Relation) -> tuple[frozenset[str], ...]:
    """Sets of columns that no two rows share."""
    match node:
        case Grouped():
            return (frozenset(node.keys),)
        case Filtered() | Windowed() | Limited() | Scored():
            return unique_sets(node.source)
        case Computed():
            renamed: dict[str, str] = {}
            for new, old in passed(node.expressions).items():
                renamed.setdefault(old, new)
            return tuple(
                frozenset(renamed[name] for name in names)
                for names in unique_sets(node.source)
                if names <= renamed.keys()
            )
        case Joined():
            return unique_sets(node.left)
        case Propagated() | Matched():
            return unique_sets(node.accounts)
        case TableRows() | Stacked():
            return ()


def is_grouped_by(node: Relation, keys: frozenset[str]) -> bool:
    """Whether no two rows of ``node`` share the columns ``keys``, none of them NULL."""
    return any(names <= keys for names in unique_sets(node))
