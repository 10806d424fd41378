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


class DominanceLimit(Frozen):
    """(n, k): the ``largest`` largest contributors of a cell hold at most ``percent`` of it."""

    largest: int
    percent: int

    def implies(self, other: "DominanceLimit") -> bool:
        """Whether every cell that passes this one passes the other: more contributors hold no more."""
        return self.largest >= other.largest and self.percent <= other.percent


class Obligations(Frozen):
    """``entity`` is the privacy unit's column ("" where no rule counts entities); minimum 0 means no rule.

    ``excluding`` lists, one tuple a recipient, the members whose own rows do not count (the recipient's member);
    the least count over all of them decides. ``pre_aggregate`` is False where a policy needs single rows.

    The rules on what contributors hold: every limit of ``dominance`` holds; ``p_percent`` is the largest percentage
    asked for; ``rounding`` the largest base, in whole units of the number that is opened; None, or () or False, where
    no owner obliges.
    """

    row_scopes: tuple[RowScope, ...] = ()
    entity: str = ""
    minimum_entities: int = 0
    minimum_members: int = 0
    dominance: tuple[DominanceLimit, ...] = ()
    p_percent: int | None = None
    zeros_and_full_cells: bool = False
    rounding: int | None = None
    pre_aggregate: bool = True


NO_OBLIGATIONS = Obligations()
