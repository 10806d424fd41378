"""What the policies of all owners together oblige a plan to contain: the strictest of each.

``policies`` derives it from the verdicts on a draft plan; the planner builds the final plan with it, so that what
was approved is what runs. A draft is built with ``NO_OBLIGATIONS``.
"""

from consortia.plans.expressions import Expr
from consortia.trust.documents import Frozen, Integer, Name


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


class ClipBounds(Frozen):
    """The bounds, in carried units, to which one entity's sum of a column in one cell is clipped."""

    table: Name
    column: str
    lo: Integer
    hi: Integer


class NoiseTerms(Frozen):
    """Noise on every number of cells: ``rho`` and ``delta`` (in parts, ``plans.zcdp``) are the most that it may cost.

    Without any ``delta`` all values of the keys must be known beforehand. ``at_owners``: each owner adds the noise.
    An entity counts in at most ``cells`` cells, with at most ``rows`` rows in each; ``clips`` bound its sums.
    """

    rho: Integer
    delta: Integer = 0
    cells: int
    rows: int
    at_owners: bool = False
    clips: tuple[ClipBounds, ...] = ()

    def clip(self, table: str, column: str) -> ClipBounds | None:
        """The bounds of a column, None if the policies give none."""
        return next((clip for clip in self.clips if (clip.table, clip.column) == (table, column)), None)


class Obligations(Frozen):
    """``entity`` is the privacy unit's column ("" where no rule counts entities); minimum 0 means no rule.

    ``excluding`` lists, one tuple a recipient, the members whose own rows do not count (the recipient's member);
    the least count over all of them decides. ``pre_aggregate`` is False where a policy needs single rows.

    ``complementary``: where cells can be listed, further ones are hidden, so that none follows from totals.

    The rules on what contributors hold: every limit of ``dominance`` holds; ``p_percent`` is the largest percentage
    asked for; ``rounding`` the largest base, in whole units of the number that is opened; None, or () or False, where
    no owner obliges. ``lower_bound``: all owners accept that entities are counted by each of them alone.

    With ``noise``, a plan has none of these rules: which cells are released must not depend on exact counts. ``entity``
    is set then too.
    """

    row_scopes: tuple[RowScope, ...] = ()
    entity: str = ""
    minimum_entities: int = 0
    minimum_members: int = 0
    dominance: tuple[DominanceLimit, ...] = ()
    p_percent: int | None = None
    zeros_and_full_cells: bool = False
    lower_bound: bool = False
    complementary: bool = False
    rounding: int | None = None
    noise: NoiseTerms | None = None
    pre_aggregate: bool = True

    @property
    def about_magnitudes(self) -> bool:
        """Whether a rule is about what entities contribute, not about how many they are."""
        return bool(self.dominance) or self.p_percent is not None or self.zeros_and_full_cells

    @property
    def counts_entities(self) -> bool:
        """Whether rows must keep the privacy unit, so that a rule can tell entities apart."""
        return bool(self.minimum_entities) or self.about_magnitudes


NO_OBLIGATIONS = Obligations()
