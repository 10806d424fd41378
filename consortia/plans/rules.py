"""The rules of the output control: what a cell must satisfy before it is opened, each as one line of integers.

Every rule reads columns that the last aggregation makes on shares, and the cell passes if a sum of public multiples
of them reaches a public minimum (``margin``). Rows of the recipient's own member count in none of these columns, so
nothing that a recipient puts into its rows opens or closes a cell.

Sources: Hundepool et al., Statistical Disclosure Control (2012), section 4.2: (n, k) dominance, p% rule, zero and full
cells; with negative contributions both rules take absolute values.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from consortia.trust.documents import Frozen

By = Literal["entity", "member"]
"""Who counts as one contributor: the privacy unit over all members, or the member that holds the rows."""
WHOLE = 100
"""Percent."""
PAIR = 2
"""Members of which either can subtract its own part: enough only where no more hold the rows, and all accept it."""


@dataclass(frozen=True, slots=True)
class Margin:
    """The cell passes if the sum of column times factor over ``terms`` is at least ``minimum``."""

    terms: tuple[tuple[str, int], ...]
    minimum: int = 0

    def columns(self) -> frozenset[str]:
        """The columns that are read."""
        return frozenset(column for column, _ in self.terms)


class MinimumContributors(Frozen):
    """The cell passes if ``column`` (a contributor count on shares) is at least ``minimum``."""

    rule: Literal["minimum-contributors"] = "minimum-contributors"
    by: By
    column: str
    minimum: int

    def margin(self) -> Margin:
        """``column`` >= ``minimum``."""
        return Margin(((self.column, 1),), self.minimum)


class Dominance(Frozen):
    """Of the magnitudes that contribute to the aggregate ``of``, the largest hold at most ``percent`` of all.

    ``largest`` is what the n largest contributors hold together, ``total`` what all hold.
    """

    rule: Literal["dominance"] = "dominance"
    by: By
    of: str
    largest: str
    total: str
    percent: int

    def margin(self) -> Margin:
        """``percent`` total - 100 largest >= 0."""
        return Margin(((self.total, self.percent), (self.largest, -WHOLE)))


class PPercent(Frozen):
    """Nobody who contributes to the aggregate ``of`` can estimate the largest contribution within ``percent`` of it.

    Who knows the cell and its own part knows the largest contribution up to what the others hold: ``total`` less
    ``known``, which is the largest contribution and that of the one who estimates. ``largest`` is the largest alone.
    """

    rule: Literal["p-percent"] = "p-percent"
    by: By
    of: str
    largest: str
    known: str
    total: str
    percent: int

    def margin(self) -> Margin:
        """100 (total - known) - ``percent`` largest >= 0."""
        if self.known == self.largest:
            return Margin(((self.total, WHOLE), (self.largest, -WHOLE - self.percent)))
        return Margin(((self.total, WHOLE), (self.known, -WHOLE), (self.largest, -self.percent)))


class ZeroCell(Frozen):
    """The cell passes if not every contribution to the aggregate ``of`` is zero: a zero tells them all."""

    rule: Literal["zero-cell"] = "zero-cell"
    of: str
    total: str

    def margin(self) -> Margin:
        """``total`` >= 1."""
        return Margin(((self.total, 1),), 1)


class FullCell(Frozen):
    """The cell passes if other cells that differ from it in ``key`` alone hold contributors (``beside``) as well.

    Otherwise all contributors of that line are known to be in the one cell.
    """

    rule: Literal["full-cell"] = "full-cell"
    key: str
    beside: str

    def margin(self) -> Margin:
        """``beside`` >= 1."""
        return Margin(((self.beside, 1),), 1)


Rule = Annotated[MinimumContributors | Dominance | PPercent | ZeroCell | FullCell, Field(discriminator="rule")]


def margin_text(margin: Margin) -> str:
    """``90 all - 100 two >= 0``, as plans show it."""
    text = ""
    for column, factor in margin.terms:
        sign = ("-" if factor < 0 else "") if not text else (" - " if factor < 0 else " + ")
        text += f"{sign}{column}" if abs(factor) == 1 else f"{sign}{abs(factor)} {column}"
    return f"{text} >= {margin.minimum}"
