"""Fixed-point numbers: an integer on shares, how many of its bits are a fraction, and how large it can be.

``limit`` is public and proven by whoever makes a number: every |carried integer| <= limit. Operations compute the limit
of their result from those of their operands and refuse (InternalError ``fixed/range``) what could reach 2^62, before
anything is sent. A unit of a number is 2^-fraction.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.shares import Arithmetic, Boolean

CAPACITY: Final = 1 << 62
"""What every carried integer, product and sum of products stays below."""


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """n numbers carried / 2^fraction with |carried| <= limit."""

    carried: Arithmetic
    fraction: int
    limit: int

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 60:
            raise InternalError("fixed/range", f"a number can't have {self.fraction} fraction bits")
        check_limit(self.limit)

    @property
    def length(self) -> int:
        """Number of rows."""
        return self.carried.length

    @property
    def bits(self) -> int:
        """The least b with |carried| < 2^(b-1)."""
        return self.limit.bit_length() + 1

    def __add__(self, other: "Fixed") -> "Fixed":
        check_fractions(self, other)
        return Fixed(self.carried + other.carried, self.fraction, self.limit + other.limit)

    def __sub__(self, other: "Fixed") -> "Fixed":
        check_fractions(self, other)
        return Fixed(self.carried - other.carried, self.fraction, self.limit + other.limit)

    def __neg__(self) -> "Fixed":
        return Fixed(-self.carried, self.fraction, self.limit)

    def scaled(self, factor: int) -> "Fixed":
        """Times a public integer."""
        return Fixed(self.carried.scaled(factor), self.fraction, self.limit * abs(factor))


def check_limit(limit: int) -> None:
    """Raises InternalError ``fixed/range`` unless 0 <= limit < 2^62."""
    if not 0 <= limit < CAPACITY:
        raise InternalError(
            "fixed/range",
            f"a value could take {abs(limit).bit_length()} bits, the engine carries numbers below 2^62",
            remedy="declare narrower bounds, or fewer fraction bits",
        )


def check_fractions(x: Fixed, y: Fixed) -> None:
    """Raises InternalError ``fixed/fractions`` unless both numbers have equally many fraction bits."""
    if x.fraction != y.fraction:
        raise InternalError("fixed/fractions", f"numbers of {x.fraction} and {y.fraction} fraction bits meet")


def public(engine: Engine, length: int, carried: int, fraction: int) -> Fixed:
    """The public number carried / 2^fraction in every row. Local."""
    words = np.full(length, carried % (1 << 64), dtype=np.uint64)
    return Fixed(engine.constant_arithmetic(words), fraction, abs(carried))


def multiply(engine: Engine, x: Fixed, y: Fixed, fraction: int, *, exact: bool = False) -> Fixed:
    """The product x y with ``fraction`` fraction bits, at most those of both together.

    Error below one unit, either way; ``exact``: rounded down. Cost of ``multiply_truncate``; of ``multiply``, and no
    error, where nothing is cut off.
    """
    limit = x.limit * y.limit
    check_limit(limit)
    cut = x.fraction + y.fraction - fraction
    if cut == 0:
        return Fixed(engine.multiply(x.carried, y.carried), fraction, limit)
    if cut < 0:
        raise InternalError("fixed/fractions", f"a product of {x.fraction + y.fraction} fraction bits has not more")
    return Fixed(engine.multiply_truncate(x.carried, y.carried, cut, exact=exact), fraction, (limit >> cut) + 1)


def with_fraction(engine: Engine, x: Fixed, fraction: int, *, exact: bool = False) -> Fixed:
    """The same number with other fraction bits: more are local and exact, fewer as in ``multiply``."""
    if fraction >= x.fraction:
        return Fixed(x.carried.scaled(1 << fraction - x.fraction), fraction, x.limit << fraction - x.fraction)
    cut = x.fraction - fraction
    return Fixed(engine.truncate(x.carried, cut, exact=exact), fraction, (x.limit >> cut) + 1)


def stacked(vectors: Sequence[Arithmetic]) -> Arithmetic:
    """The rows of all, one vector behind the other: what is done on them shares its rounds."""
    return vectors[0].concatenated(vectors[1:])


def unstacked(vector: Arithmetic, count: int) -> list[Arithmetic]:
    """The reverse, for vectors of equal length."""
    length = vector.length // count
    return [vector.rows(i * length, (i + 1) * length) for i in range(count)]


def bits_as_numbers(engine: Engine, bits: Sequence[Boolean]) -> list[Arithmetic]:
    """One-plane vectors as 0 or 1, all in the same two rounds."""
    return unstacked(engine.bit_to_arithmetic(bits[0].concatenated(bits[1:])), len(bits))


def polynomial(engine: Engine, z: Fixed, coefficients: Sequence[float]) -> Fixed:
    """The sum of coefficients[j] z^j, public coefficients of at most 8 in magnitude, for |z| <= 1; fraction of z.

    Error: j units for the power j, times its coefficient, and two units. Powers are made from powers of half the
    degree: 2 ceil(log2 degree) rounds, and 2 for the sum.
    """
    powers = {1: z}
    degree = len(coefficients) - 1
    while max(powers) < degree:
        known = max(powers)
        new = list(range(known + 1, min(2 * known, degree) + 1))
        left = stacked([powers[known].carried for _ in new])
        right = stacked([powers[j - known].carried for j in new])
        product = engine.narrow(f"powers-{new[-1]}").multiply_truncate(left, right, z.fraction)
        for j, carried in zip(new, unstacked(product, len(new)), strict=True):
            powers[j] = Fixed(carried, z.fraction, (1 << z.fraction) + j)
    precision = 60 - z.fraction - math.ceil(sum(abs(c) for c in coefficients)).bit_length()
    total = public(engine, z.length, round(coefficients[0] * 2 ** (precision + z.fraction)), z.fraction)
    for j in range(1, degree + 1):
        total = total + powers[j].scaled(round(coefficients[j] * 2**precision))
    carried = engine.narrow("sum").truncate(total.carried, precision)
    return Fixed(carried, z.fraction, (total.limit >> precision) + 1)
