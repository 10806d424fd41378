"""What the policies of all owners together oblige a plan to contain: the strictest of each.

``policies`` derives it from the verdicts on a draft plan; the planner builds the final plan with it, so that what
was approved is what runs. A draft is built with ``NO_OBLIGATIONS``.
"""

from consortia.plans.expressions import Expr
from consortia.trust.documents import Frozen, Name


class RowScope(Frozen):
    """One owner's own predicate on the rows of one table, applied before anything else sees them."""

    owner: Name
    table: Name
    predicate: Expr


class Obligations(Frozen):
    """``entity`` is the privacy unit's column ("" where no rule counts entities); minimum 0 means no rule.

    ``excluding`` lists, one tuple a recipient, the members whose own rows do not count (the recipient's member);
    the least count over all of them decides. ``pre_aggregate`` is False where a policy needs single rows.
    """

    row_scopes: tuple[RowScope, ...] = ()
    entity: str = ""
    minimum_entities: int = 0
    minimum_members: int = 0
    pre_aggregate: bool = True


NO_OBLIGATIONS = Obligations()
