"""The logistic function of numbers that were opened under a mask, as a sum of sines: no round of its own.

Functionality: shares of 1/2 + sum_k b_k sin(2 pi k x / 32), x = z / 2^F, from C = z + R opened; all amplitudes b_k are
public. It is 1 / (1 + e^-x) to within 2.0e-4 for |x| <= 13 (not beyond: it comes back with a period of 32); rounding
adds at most 5.6e-4, 1e-4 in the middle. Only the lowest F + 5 bits of C and R matter, so nothing is truncated and no
wrap counts.
How: sin(c - r) = sin c cos r - cos c sin r; sines of the public C are public, those of R are prepared, ``OWN`` bits a
factor. R = a + b with a = R0 + R1 known to computer 0 and b = R2 known to computers 1 and 2, so cos r + i sin r is the
product of what either side knows. Preparation, for each harmonic, as in ``conversion.bits``: v, y1 are drawn from the
seed of computers 0 and 1, y0 from that of 2 and 0, all complex. Round 1: computer 0 sends w = e(a) - v to 2, computer 1
sends m1 = v e(b) - y1 to 2. Round 2: computer 2 sends m2 = w e(b) - y0 to 1. Output: y0, y1, y2 = m1 + m2. Computers 1
and 2 must know e(b) alike to the last bit: it comes from integers (``kernels.waves``).
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: computer 0 receives nothing; computer 2 receives w and m1 = y2 - m2, masked by v and y1, which it does not know;
computer 1 receives m2 = y2 - m1, masked by y0. Given its output share each view is determined or uniform. The rounding
of the result (below 8e-4) follows from x, C, a and b, so that part of it is known to whoever knows a or b.
Rounds of the preparation 2; bytes a row and computer 16 a harmonic.
Source: the sine of a sum, under an additive mask; amplitudes are fit by reweighted least squares to the least maximum
error on [-13, 13].
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.context import Context
from consortia.protocols.kernels.waves import PRECISION, harmonics, sine_sums, tables, turned
from consortia.protocols.learning.opening import random_mask
from consortia.protocols.shares import Words
from consortia.protocols.sharing.ring3 import Ring3Arithmetic

PERIOD_BITS: Final = 5
DOMAIN: Final = 13
AMPLITUDES: Final = (
    0.6101685049447598, -0.020352991714525218, 0.14958243192940687, -0.021336062924397534, 0.05329507715531653,
    -0.012568871598944702, 0.018744709683317623, -0.0048854094452388565, 0.005550268901280322, -0.0010158368136123717,
    0.0011227381371195983, 0.000170601065400664,
)  # fmt: skip
OWN: Final = 13
"""Fraction bits of a factor of the sines of a mask."""
PUBLIC: Final = 14
"""Fraction bits of amplitudes times public sines."""
VALUE: Final = 2 * OWN + PUBLIC
"""Fraction bits of the result."""
_COLUMNS: Final = 2 * len(AMPLITUDES)
_PIECE: Final = 1 << 10


@dataclass(frozen=True, slots=True)
class Waves:
    """The logistic function. Values have ``value`` fraction bits."""

    value: int = VALUE

    def prepare(self, ctx: Context, length: int, fraction: int) -> "PreparedWaves":
        """For ``length`` numbers, at least one, of ``fraction`` fraction bits, at most 59."""
        if not 0 <= fraction <= 64 - PERIOD_BITS:
            raise InternalError("protocol/range", f"numbers of {fraction} fraction bits have no waves", place=ctx.step)
        mask = random_mask(ctx.narrow("mask"), length)
        shift = np.uint64(64 - PERIOD_BITS - fraction)
        one, two = ctx.narrow("round-1"), ctx.narrow("round-2")
        shape = (length, _COLUMNS)
        if ctx.rank == 0:
            message = _known((mask.first + mask.second) << shift, OWN).view(np.uint64)
            message -= one.stream(1, "v", shape, np.uint64)
            one.exchange({2: message}, {})
            two.exchange({}, {})
            first, second = one.stream(0, "y0", shape, np.uint64), one.stream(1, "y1", shape, np.uint64)
        elif ctx.rank == 1:
            first, second = one.stream(1, "y1", shape, np.uint64), np.empty(shape, np.uint64)
            turned(_known(mask.second << shift, OWN), one.stream(1, "v", shape, np.uint64), first, second)
            one.exchange({2: second}, {})
            second += two.exchange({}, {2: (shape, np.uint64)})[2]
        else:
            got = one.exchange({}, {0: (shape, np.uint64), 1: (shape, np.uint64)})
            first, second = np.empty(shape, np.uint64), one.stream(0, "y0", shape, np.uint64)
            turned(_known(mask.first << shift, OWN), got[0], second, first)
            two.exchange({1: first}, {})
            first += got[1]
        return PreparedWaves(mask, first, second, int(shift))


@dataclass(frozen=True, slots=True, repr=False)
class PreparedWaves:
    """What is prepared for n numbers: cosines, then sines, of the multiples of their masks' angles, by component."""

    mask: Ring3Arithmetic
    first: Words
    second: Words
    shift: int

    def rows(self, start: int, stop: int) -> "PreparedWaves":
        """What was prepared for some of the numbers."""
        at = slice(start, stop)
        return PreparedWaves(self.mask.rows(start, stop), self.first[at], self.second[at], self.shift)

    def values(self, ctx: Context, opened: Words) -> Ring3Arithmetic:
        """The logistic function of the numbers, from their opened masked values (n,). Local."""
        public = _known(opened << np.uint64(self.shift), PRECISION)
        amplitudes = np.array([round(a * (1 << PRECISION)) for a in AMPLITUDES], np.int64)
        out = np.empty((2, opened.size), np.uint64)
        sine_sums(public, amplitudes, PUBLIC, self.first, self.second, out[0], out[1])
        if ctx.rank in {0, 2}:
            out[0 if ctx.rank == 0 else 1] += np.uint64(1 << (VALUE - 1))
        return Ring3Arithmetic(out[0], out[1])


def _known(turns: Words, fraction: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Harmonics of public or own angles (n,) in 2^-64 of a turn: (n, columns)."""
    out = np.empty((turns.size, _COLUMNS), np.int64)
    harmonics(turns, *tables(), fraction, out)
    return out
