"""One node of a relation tree as steps, whichever it is."""

from consortia.errors import InternalError
from consortia.plans.lowering.context import Context
from consortia.plans.lowering.groups import group
from consortia.plans.lowering.joins import join
from consortia.plans.lowering.learning import score
from consortia.plans.lowering.made import Made
from consortia.plans.lowering.needs import Needs
from consortia.plans.lowering.networks import match_pattern, propagate
from consortia.plans.lowering.ordered import limit, window
from consortia.plans.lowering.owners import share_rows
from consortia.plans.lowering.rowwise import compute, keep
from consortia.plans.lowering.stacks import stack
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


def lower(context: Context, node: Relation, needs: Needs) -> Made:  # noqa: C901 - a case for each kind of node
    """The table of ``node`` on shares, with at least the columns in ``needs``."""
    flat = context.knowledge.flat(node)
    if flat is not None:
        return share_rows(context, node, flat, needs)
    match node:
        case Filtered():
            return keep(context, node, needs)
        case Computed():
            return compute(context, node, needs)
        case Joined():
            return join(context, node, needs)
        case Stacked():
            return stack(context, node, needs)
        case Grouped():
            return group(context, node, needs)
        case Windowed():
            return window(context, node, needs)
        case Limited():
            return limit(context, node, needs)
        case Propagated():
            return propagate(context, node, needs)
        case Scored():
            return score(context, node, needs)
        case Matched():
            return match_pattern(context, node, needs)
        case TableRows():
            raise InternalError("plans/relation", "a table is local work of its owners")
