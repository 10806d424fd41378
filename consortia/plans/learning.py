"""What a joint model is: how it is learnt from examples, and the score that it gives a row.

A model stays on shares: its parameters are as many as the method and the number of features say, in one column.
"""

from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import Field

from consortia.plans.types import Bounds, ColumnType
from consortia.trust.documents import Frozen, Integer

MILLION = 1_000_000
"""Rates and penalties are carried in millionths: documents hold no floating point."""
SCORE_DIGITS = 6
"""Decimal places of a score, which is a probability."""
CUT_BITS = 10
"""Cuts of standardised features are multiples of 2^-10."""


class RegressionMethod(Frozen):
    """Logistic regression by mini-batches: ``rate`` and ``penalty`` (L2, not on the intercept) in millionths.

    Features are standardised by the mean and deviation of the rows that are learnt from. ``positive_weight``: how many
    times each row of label 1 counts.
    """

    method: Literal["regression"] = "regression"
    epochs: Integer
    batch: Integer
    rate: Integer
    penalty: Integer
    positive_weight: Integer = 1


class TreesMethod(Frozen):
    """Gradient-boosted trees of full ``depth``: ``rate`` in millionths, ``penalty`` L2 on leaves as a whole number.

    ``cuts`` are the thresholds of each standardised feature, at the quantiles of a normal distribution.
    """

    method: Literal["trees"] = "trees"
    trees: Integer
    depth: Integer
    rate: Integer
    penalty: Integer = 1
    minimum_weight: Integer = 1
    positive_weight: Integer = 1
    cuts: Integer

    def thresholds(self) -> tuple[float, ...]:
        """The cuts in units of a deviation, rising; multiples of 2^-10, so that every party has the same."""
        normal = NormalDist()
        places = (normal.inv_cdf(number / (self.cuts + 1)) for number in range(1, self.cuts + 1))
        return tuple(round(place * (1 << CUT_BITS)) / (1 << CUT_BITS) for place in places)


Learning = Annotated[RegressionMethod | TreesMethod, Field(discriminator="method")]


def parameters(method: Learning, features: int) -> int:
    """How many numbers a model is: three that scale each feature, then weights, or choices and leaves of trees."""
    if isinstance(method, RegressionMethod):
        return 4 * features + 1
    choices = ((1 << method.depth) - 1) * features * method.cuts
    return 3 * features + method.trees * (choices + (1 << method.depth))


def score_type() -> ColumnType:
    """The type of a score."""
    return ColumnType(kind="decimal", scale=SCORE_DIGITS)


def score_bounds() -> Bounds:
    """Bounds of a score as carried; rounding may take it one unit above 1."""
    return Bounds(lo=0, hi=10**SCORE_DIGITS + 1)
