"""Exchange the sides of an inner join where the left one alone is grouped by its keys, or both and it is the larger.

The right side must hold each key once; a group by the key proves it, and then nothing is opened or checked. The result
has as many rows as the left side.
"""

from consortia.plans.draft import Draft
from consortia.plans.lowering.knowledge import Knowledge
from consortia.plans.lowering.nodes import rewritten
from consortia.plans.lowering.unique import is_grouped_by
from consortia.plans.model import JoinKey
from consortia.plans.query import Joined, Relation
from consortia.plans.variants import with_query


def choose_unique_side(draft: Draft) -> Draft:
    """The draft with these joins turned round."""
    if draft.query.relation is None:
        return draft
    knowledge = Knowledge(draft.catalogue, draft.environment.as_of)

    def turned(node: Relation) -> Relation:
        if not isinstance(node, Joined) or node.how != "inner":
            return node
        if not is_grouped_by(node.left, frozenset(pair.left for pair in node.on)):
            return node
        right_too = is_grouped_by(node.right, frozenset(pair.right for pair in node.on))
        if right_too and knowledge.rows(node.left) <= knowledge.rows(node.right):
            return node
        on = tuple(JoinKey(left=pair.right, right=pair.left) for pair in node.on)
        return Joined(how="inner", left=node.right, right=node.left, on=on)

    return with_query(draft, relation=rewritten(draft.query.relation, turned))
