"""Which columns of each table occurrence a relation reads, given those of its own that are read."""

from consortia.plans.expressions import columns_of
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

Reads = list[tuple[TableRows, frozenset[str]]]


def columns_read(node: Relation, read: frozenset[str]) -> Reads:  # noqa: C901 - a case for each kind of node
    """Every table occurrence with the columns read of it, left before right."""
    match node:
        case TableRows():
            return [(node, read)]
        case Filtered():
            return columns_read(node.source, read | columns_of(node.predicate))
        case Computed():
            used = [columns_of(named.expression) for named in node.expressions if named.name in read]
            return columns_read(node.source, frozenset().union(*used))
        case Joined():
            left = frozenset(pair.left for pair in node.on)
            right = frozenset(pair.right for pair in node.on)
            return columns_read(node.left, read | left) + columns_read(node.right, read | right)
        case Stacked():
            return [entry for source in node.sources for entry in columns_read(source, read)]
        case Grouped():
            made = [made for made in node.aggregates if made.name in read and made.argument is not None]
            used = [columns_of(made.argument) for made in made if made.argument is not None]
            return columns_read(node.source, frozenset(node.keys).union(*used))
        case Windowed():
            order = {key.column for key in node.order}
            windowed = {made.column for made in node.functions if made.column}
            return columns_read(node.source, read | order | windowed | set(node.partition))
        case Limited():
            return columns_read(node.source, read | {key.column for key in node.order})
        case Scored():
            learnt = frozenset((*node.features, node.label, *filter(None, (node.held,))))
            return columns_read(node.source, (read - {node.made}) | learnt)
        case Propagated():
            own = (read - {node.made}) | {node.key} | ({node.score} if node.score else frozenset())
            paid = _ends(node) | {node.amount}
            periods = [entry for period in (node.payments, *node.later) for entry in columns_read(period, paid)]
            return columns_read(node.accounts, own) + periods
        case Matched():
            paid = _ends(node) | {node.amount, node.time}
            seeds = columns_read(node.seeds, frozenset({node.seed})) if node.seeds is not None else []
            return columns_read(node.accounts, read | {node.key}) + columns_read(node.payments, paid) + seeds


def _ends(node: Propagated | Matched) -> frozenset[str]:
    return frozenset((node.source, node.target))
