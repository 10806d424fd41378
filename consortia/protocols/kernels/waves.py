"""Sines and cosines in integers, so that computers of any make find the same bits, and products with them."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]
Whole = NDArray[np.int64]

PRECISION: Final = 30
"""Fraction bits of tables and of public sines."""
_PLACES: Final = 1 << 12


@lru_cache(maxsize=1)
def tables() -> tuple[Whole, Whole]:
    """Cosine and sine of every 2^-12 of a turn, with ``PRECISION`` fraction bits.

    No entry is closer than 10^-4 to the middle of two integers, so every library that is right to 40 bits rounds alike.
    """
    angles = 2 * np.pi * np.arange(_PLACES) / _PLACES
    cosines, sines = (np.rint(np.ldexp(f(angles), PRECISION)).astype(np.int64) for f in (np.cos, np.sin))
    return cosines, sines


@kernel("void(uint64[::1], int64[::1], int64[::1], int64, int64[:, ::1])")
def harmonics(turns: Words, cosines: Whole, sines: Whole, fraction: int, out: Whole) -> None:
    """Row i: cosines of 1, 2, .. times the angle, then sines; ``turns`` are 2^-64 of a full turn.

    Error below 2^-(fraction+1) + 4e-7: the nearest place of the table and the tangent there.
    """
    count = out.shape[1] // 2
    drop = PRECISION - fraction
    half = (np.int64(1) << np.int64(drop)) >> np.int64(1)
    two_pi = np.int64(1686629713)  # 28 fraction bits
    for i in range(turns.size):
        turn = np.uint64(0)
        for k in range(count):
            turn += turns[i]
            place = (turn + (np.uint64(1) << np.uint64(51))) >> np.uint64(52)
            rest = np.int64(turn - (place << np.uint64(52))) >> np.int64(20)
            x = (rest * two_pi) >> np.int64(32)  # 40 fraction bits
            at = np.int64(place & np.uint64(_PLACES - 1))
            cosine = cosines[at] - ((sines[at] * x) >> np.int64(40))
            sine = sines[at] + ((cosines[at] * x) >> np.int64(40))
            out[i, k] = (cosine + half) >> np.int64(drop)
            out[i, count + k] = (sine + half) >> np.int64(drop)


@kernel("void(int64[:, ::1], uint64[:, ::1], uint64[:, ::1], uint64[:, ::1])")
def turned(known: Whole, part: Words, minus: Words, out: Words) -> None:
    """Row by row and harmonic by harmonic the complex product of ``known`` and ``part``, less ``minus``."""
    count = out.shape[1] // 2
    for i in range(out.shape[0]):
        for k in range(count):
            c, s = np.uint64(known[i, k]), np.uint64(known[i, count + k])
            x, y = part[i, k], part[i, count + k]
            out[i, k] = c * x - s * y - minus[i, k]
            out[i, count + k] = s * x + c * y - minus[i, count + k]


@kernel("void(int64[:, ::1], int64[::1], int64, uint64[:, ::1], uint64[:, ::1], uint64[::1], uint64[::1])")
def sine_sums(
    public: Whole, amplitudes: Whole, fraction: int, first: Words, second: Words, out0: Words, out1: Words
) -> None:
    """Sums over k of amplitude k times sin(k (a - b)): a public, of b cosines and sines are shared.

    ``public`` and ``amplitudes`` have ``PRECISION`` fraction bits, their products are rounded to ``fraction``.
    """
    count = amplitudes.size
    drop = np.int64(2 * PRECISION - fraction)
    half = np.int64(1) << (drop - np.int64(1))
    for i in range(out0.size):
        total0, total1 = np.uint64(0), np.uint64(0)
        for k in range(count):
            u = np.uint64((amplitudes[k] * public[i, count + k] + half) >> drop)
            w = np.uint64((amplitudes[k] * public[i, k] + half) >> drop)
            total0 += u * first[i, k] - w * first[i, count + k]
            total1 += u * second[i, k] - w * second[i, count + k]
        out0[i], out1[i] = total0, total1
