"""Joins of a level of a prefix network over planes, as one party's part of the ANDs."""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]
Index = NDArray[np.int64]


@kernel("void(" + "uint64[:, ::1], " * 4 + "int64[::1], int64[::1], int64[::1], uint64[:, ::1])")
def join_carries(v0: Words, v1: Words, p0: Words, p1: Words, high: Index, low: Index, place: Index, out: Words) -> None:
    """Row t of ``out``: value of block high[t] with block low[t] below it, vh ^ ph (vh ^ vl).

    Row place[t], where that is not negative: its propagate, ph pl. ``out`` holds the zero share.
    """
    for t in range(high.size):
        h, lo, at = high[t], low[t], place[t]
        for w in range(out.shape[1]):
            d0 = v0[h, w] ^ v0[lo, w]
            d1 = v1[h, w] ^ v1[lo, w]
            out[t, w] ^= v0[h, w] ^ (p0[h, w] & (d0 ^ d1)) ^ (p1[h, w] & d0)
        if at >= 0:
            for w in range(out.shape[1]):
                out[at, w] ^= (p0[h, w] & (p0[lo, w] ^ p1[lo, w])) ^ (p1[h, w] & p0[lo, w])


@kernel("void(uint64[:, ::1], uint64[:, ::1], int64[::1], int64[::1], uint64[:, ::1])")
def join_ors(x0: Words, x1: Words, high: Index, low: Index, out: Words) -> None:
    """Row t of ``out``: plane high[t] or plane low[t]. ``out`` holds the zero share."""
    for t in range(high.size):
        h, lo = high[t], low[t]
        for w in range(out.shape[1]):
            both = (x0[h, w] & (x0[lo, w] ^ x1[lo, w])) ^ (x1[h, w] & x0[lo, w])
            out[t, w] ^= x0[h, w] ^ x0[lo, w] ^ both


@kernel("void(uint64[:, ::1], uint64[:, ::1], uint64, uint64[::1], uint64[::1])")
def weighted_by_bits(values: Words, planes: Words, weight: int, minus: Words, out: Words) -> None:
    """Sum over j of 2^j ((-1)^b_j values[j] + weight b_j), minus ``minus``; b_j are the bits of plane j."""
    for i in range(out.size):
        out[i] = np.uint64(0) - minus[i]
    for j in range(values.shape[0]):
        by = np.uint64(j)
        for i in range(out.size):
            bit = (planes[j, i >> 6] >> np.uint64(i & 63)) & np.uint64(1)
            value = values[j, i]
            if bit:
                value = weight - value
            out[i] += value << by


@kernel("void(uint64[:, ::1], uint64[:, ::1], uint64[:, ::1])")
def bits_minus(planes: Words, masks: Words, out: Words) -> None:
    """Row j of ``out``: the bits of plane j as numbers, minus row j of ``masks``."""
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            out[j, i] = ((planes[j, i >> 6] >> np.uint64(i & 63)) & np.uint64(1)) - masks[j, i]
