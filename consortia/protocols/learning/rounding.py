"""Truncation prepared before the number is known: one round, that of the opening, where a fused one takes two.

Functionality: from C = z + R opened, for |z| < 2^62, shares of z / 2^f, off by less than 1.5 units, right in the mean.
How it is rounded follows from z, from the low f bits of C, which all know, and from a draw r_l that two computers know:
whoever sees results of one z under many draws narrows z below the unit, as for ``arithmetic.truncate``.
Preparation (``prepare``): R uniform, its top bit b as a number, and q = (R - 2^63 b - 2^62) / 2^f by
``arithmetic.truncate``, whose precondition |R - 2^63 b - 2^62| <= 2^62 holds for every R.
How: c' = C + 2^62 = (z + 2^62) + R wraps modulo 2^64 exactly if b = 1 and c' < 2^63, as z + 2^62 lies in [0, 2^63).
With M = 2^(63-f), A = c' / 2^f rounded to the nearest less M, and s = 1 where c' < 2^63, else -1, all three public,
z / 2^f is A - q + s M b: local. The error is half a unit from A and less than one from q, both zero in the mean.
View: that of the opening (``learning.opening``), and those of sign, bit and truncation of R, each simulated by its own
output shares, which are fresh; what the truncation tells of R beyond them is r_l.
Rounds of the preparation 11; bytes a row those of ``conversion.sign`` at 64 bits, of a bit and of a truncation.
"""

from dataclasses import dataclass

import numpy as np

from consortia.protocols.arithmetic.truncate import truncate
from consortia.protocols.context import Context
from consortia.protocols.conversion.bits import bit_to_arithmetic
from consortia.protocols.conversion.sign import negative
from consortia.protocols.kernels.rounding import public_parts
from consortia.protocols.learning.opening import random_mask
from consortia.protocols.shares import Words
from consortia.protocols.sharing.public import constant_arithmetic
from consortia.protocols.sharing.ring3 import Ring3Arithmetic


@dataclass(frozen=True, slots=True, repr=False)
class Rounding:
    """What is prepared for n numbers to be divided by 2^``fraction`` once they are opened under ``mask``."""

    fraction: int
    mask: Ring3Arithmetic
    quotient: Ring3Arithmetic
    top: Ring3Arithmetic

    def rows(self, start: int, stop: int) -> "Rounding":
        """What was prepared for some of the numbers."""
        parts = (part.rows(start, stop) for part in (self.mask, self.quotient, self.top))
        return Rounding(self.fraction, *parts)

    def rounded(self, ctx: Context, opened: Words) -> Ring3Arithmetic:
        """The numbers divided, from their opened masked values (n,). Local."""
        public, signed = np.empty_like(opened), np.empty_like(opened)
        public_parts(opened, self.fraction, public, signed)
        masked = Ring3Arithmetic(self.top.first * signed, self.top.second * signed) - self.quotient
        return constant_arithmetic(ctx, public) + masked


def prepare(ctx: Context, length: int, fraction: int) -> Rounding:
    """For ``length`` numbers, at least one, and 1 <= fraction <= 62."""
    mask = random_mask(ctx.narrow("mask"), length)
    top = bit_to_arithmetic(ctx.narrow("bit"), negative(ctx.narrow("top"), mask, 64))
    centre = constant_arithmetic(ctx, np.full(length, 1 << 62, np.uint64))
    centred = mask - top.scaled(1 << 63) - centre
    return Rounding(fraction, mask, truncate(ctx.narrow("quotient"), centred, fraction), top)
