"""What is followed along payments from account to account: numbers that travel, and patterns that are looked for."""

from typing import Annotated, Literal

from pydantic import Field

from consortia.plans.types import Bounds, ColumnType
from consortia.trust.documents import Frozen, Integer

LARGEST_SUM = 1 << 60
"""What the sum of all amounts stays below, so that parts of it can be told."""
FRACTION_BITS = 30
"""Fraction bits in which scores travel. In a step rounding adds at most 4 units for each payment and 34 to a score."""
LARGEST_SCALE = 2_000
"""Of risk scores. As the last step a score r below 2 (``made_bounds``), carried as 2^30 r, is multiplied by what the
largest score stands for in units of the column, scale * 10^6, and shares can divide only what is below 2^62.
"""
SCORE_BITS = 28
"""The largest score as carried, scale * 10^places, is at most 2 to it: so scores become numbers from 0 to 1, off by
less than two units of 2^-30.
"""


class RiskMethod(Frozen):
    """Scores carried along payments: r <- (1 - d) r + d (mean of the senders', by amount), d = 1/2 / sqrt(step).

    Scores count from 0 to ``scale`` and are carried with so many decimal ``places``; what is made is of the same scale.
    """

    method: Literal["risk"] = "risk"
    iterations: Integer
    scale: Integer
    places: Integer = 0


class RankMethod(Frozen):
    """PageRank by amounts, d = 0.85, from equal ranks; all ranks add up to at most 1."""

    method: Literal["rank"] = "rank"
    iterations: Integer


class Following(Frozen):
    """A payment follows another within ``window`` (units of the time), and passes on part to whole of it.

    That is 0 < gap <= window and part / whole <= amount / earlier amount <= 1.
    """

    window: Integer
    part: Integer
    whole: Integer


class CycleMethod(Frozen):
    """Closed paths of 2 to ``longest`` payments over different accounts, each following the one before.

    ``paths`` bounds the pairs of an open path of 1, 2, ... payments and a payment that leaves its end within the
    window, ``closed`` for each length those whose payment goes back to the first account: before amounts are compared.
    """

    method: Literal["cycle"] = "cycle"
    longest: Integer
    follows: Following
    paths: tuple[Integer, ...]
    closed: Integer


class ScatterGatherMethod(Frozen):
    """Pairs of accounts with money between them through at least ``middles`` others.

    ``paths`` bounds the pairs of payments of which one leaves within the window where the other arrived: before amounts
    are compared.
    """

    method: Literal["scatter-gather"] = "scatter-gather"
    middles: Integer
    follows: Following
    paths: Integer


class TaintMethod(Frozen):
    """Accounts that money of the seeds reaches over at most ``hops`` payments.

    A seed's payment carries its whole amount. Any other carries what such money came to its source within
    ``follows.window`` before it, at most its amount, and nothing if that is less than ``follows.part`` to
    ``follows.whole`` of the amount. No list of paths is made, so nothing bounds one.
    """

    method: Literal["taint"] = "taint"
    hops: Integer
    follows: Following


Carrying = Annotated[RiskMethod | RankMethod, Field(discriminator="method")]
Pattern = Annotated[CycleMethod | ScatterGatherMethod | TaintMethod, Field(discriminator="method")]

_DIGITS = {"risk": 6, "rank": 9}


def made_type(method: Carrying) -> ColumnType:
    """The type of the number that is made: six decimal places of a score's scale, nine of a rank."""
    return ColumnType(kind="decimal", scale=_DIGITS[method.method])


def made_bounds(method: Carrying) -> Bounds:
    """Bounds of that number as carried: rounding may take it above the largest score, or 1, but not to its double."""
    largest = method.scale if isinstance(method, RiskMethod) else 1
    return Bounds(lo=0, hi=2 * largest * 10 ** _DIGITS[method.method])
