"""Group the right sides of EXISTS, NOT EXISTS and NOT IN by their keys: they are asked only whether a key is there.

Owners then share each key once, and a group says whose data holds the key.
"""

from consortia.plans.draft import Draft
from consortia.plans.expressions import Ref
from consortia.plans.lowering.nodes import rewritten
from consortia.plans.lowering.unique import is_grouped_by
from consortia.plans.model import Named
from consortia.plans.query import Computed, Grouped, Joined, Relation
from consortia.plans.variants import with_query


def match_once(draft: Draft) -> Draft:
    """The draft with these sides grouped."""
    if draft.query.relation is None:
        return draft
    return with_query(draft, relation=rewritten(draft.query.relation, _grouped))


def _grouped(node: Relation) -> Relation:
    if not isinstance(node, Joined) or node.how in ("inner", "left"):
        return node
    keys = tuple(dict.fromkeys(pair.right for pair in node.on))
    if is_grouped_by(node.right, frozenset(keys)):
        return node
    columns = tuple(Named(name=key, expression=Ref(column=key)) for key in keys)
    right = Grouped(source=Computed(source=node.right, expressions=columns), keys=keys)
    return node.model_copy(update={"right": right})
