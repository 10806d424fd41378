"""Move conditions of HAVING that read group keys alone to WHERE, where each owner decides them in clear.

``GROUP BY country HAVING country = 'DE' AND SUM(x) > 5`` is ``WHERE country = 'DE' ... HAVING SUM(x) > 5``:
a condition on the key holds for all rows of a group or for none.
"""

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.expressions import Expr, columns_of
from consortia.plans.query import Filtered
from consortia.plans.trees import conjunction, conjuncts, substitute
from consortia.plans.variants import with_query


def move_key_conditions(draft: Draft) -> Draft:
    """The draft with those conditions moved; RequestError for a HAVING without any key or aggregate."""
    query = draft.query
    keys = {key.name: key.expression for key in query.keys}
    moved: list[Expr] = []
    kept: list[Expr] = []
    for part in conjuncts(query.having):
        read = columns_of(part)
        if not read:
            raise RequestError(
                "plans/unsupported",
                "a constant condition in HAVING is not supported",
                place="HAVING",
                remedy="compare an aggregate, or leave it out",
            )
        (moved if read <= keys.keys() else kept).append(part)
    below = tuple(substitute(part, keys) for part in moved)
    if query.relation is not None:
        condition = conjunction(below)
        relation = query.relation if condition is None else Filtered(source=query.relation, predicate=condition)
        return with_query(draft, relation=relation, having=conjunction(kept))
    return with_query(draft, where=conjunction((*conjuncts(query.where), *below)), having=conjunction(kept))
