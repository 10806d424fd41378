"""The order of a LIMIT on released groups: by columns that are opened, so that the choice tells no more than they."""

from consortia.errors import RequestError
from consortia.plans.expressions import Ref
from consortia.plans.model import SortKey
from consortia.plans.query import Query


def top_order(query: Query) -> tuple[SortKey, ...]:
    """ORDER BY, then all other outputs that are opened as they are, as keys of the groups.

    Raises RequestError ``plans/unsupported`` for an ORDER BY of something that the recipient computes.
    """
    opened = {output.name: output.expression.column for output in query.outputs if isinstance(output.expression, Ref)}
    keys: dict[str, SortKey] = {}
    for key in query.order_by:
        if key.column not in opened:
            raise RequestError(
                "plans/unsupported",
                f"LIMIT in the order of `{key.column}`, which the recipient computes after opening",
                place="ORDER BY",
                remedy="order by group keys, sums, counts or other aggregates themselves, or leave LIMIT out",
            )
        column = opened[key.column]
        keys.setdefault(column, SortKey(column=column, descending=key.descending))
    for column in opened.values():
        keys.setdefault(column, SortKey(column=column))
    return tuple(keys.values())
