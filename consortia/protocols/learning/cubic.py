"""A cubic of numbers that were opened under a mask: no round of its own.

Functionality: shares of a0 + a1 v + a3 v^3 modulo 2^64 with public integers a, v = z / 2^f as ``learning.rounding``
rounds it. How: v = A - q + S b with public A and S, so its cubic is a linear combination, with public factors, of
q, q^2, q^3, b, b q and b q^2 (b is a bit), which are prepared by four products in two rounds.
View: those of ``learning.rounding`` and ``arithmetic.multiply``. Rounds of the preparation 13; bytes a row and computer
32 more than for a rounding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.arithmetic.multiply import multiply
from consortia.protocols.context import Context
from consortia.protocols.kernels.rounding import cubic
from consortia.protocols.learning import rounding
from consortia.protocols.shares import Words
from consortia.protocols.sharing.ring3 import Ring3Arithmetic

Powers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, repr=False)
class Cubic:
    """The polynomial a0 + a1 v + a3 v^3 of v with ``argument`` fraction bits; its values have ``value`` of them."""

    a0: float
    a1: float
    a3: float
    argument: int
    value: int

    def prepare(self, ctx: Context, length: int, fraction: int) -> "PreparedCubic":
        """For ``length`` numbers, at least one, of ``fraction`` fraction bits, more than ``argument``."""
        made = rounding.prepare(ctx.narrow("rounding"), length, fraction - self.argument)
        q, b = made.quotient, made.top
        second = multiply(ctx.narrow("second"), q.concatenated([b]), q.concatenated([q]))
        third = multiply(ctx.narrow("third"), second, q.concatenated([q]))
        n = length
        columns = (q, second.rows(0, n), third.rows(0, n), b, second.rows(n, 2 * n), third.rows(n, 2 * n))
        first = np.stack([column.first for column in columns], axis=1)
        return PreparedCubic(
            self, made.fraction, made.mask, first, np.stack([column.second for column in columns], axis=1)
        )


@dataclass(frozen=True, slots=True, repr=False)
class PreparedCubic:
    """What is prepared for n numbers; powers (n, 6) by component."""

    polynomial: Cubic
    fraction: int
    mask: Ring3Arithmetic
    first: Powers
    second: Powers

    def rows(self, start: int, stop: int) -> "PreparedCubic":
        """What was prepared for some of the numbers."""
        at = slice(start, stop)
        return PreparedCubic(
            self.polynomial, self.fraction, self.mask.rows(start, stop), self.first[at], self.second[at]
        )

    def values(self, ctx: Context, opened: Words) -> Ring3Arithmetic:
        """The polynomial of the numbers, from their opened masked values (n,). Local."""
        p = self.polynomial
        scaled = ((p.a0, p.value), (p.a1, p.value - p.argument), (p.a3, p.value - 3 * p.argument))
        whole = (np.uint64(round(a * (1 << bits)) % (1 << 64)) for a, bits in scaled)
        out0, out1 = np.empty_like(opened), np.empty_like(opened)
        cubic(opened, self.fraction, *whole, self.first, self.second, np.uint64(ctx.rank), out0, out1)
        return Ring3Arithmetic(out0, out1)
