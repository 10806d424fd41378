"""Joining neighbouring blocks of a carry chain: the inner loop of comparisons and additions on bit planes.

A block of bits acts on the carry that comes in from below: ``carry -> propagate ? carry : value``. Blocks are kept in
one array from low to high, interleaved: plane 0 is the value of block 0 (its propagate is never needed), planes
2j - 1 and 2j are value and propagate of block j. A join writes the same form, half as many blocks.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]


@kernel("void(" + ", ".join(["uint64[:, ::1]"] * 4) + ", uint64, uint64, uint64[:, ::1])")
def join_leaves(v0: Words, v1: Words, x0: Words, x1: Words, flip0: int, flip1: int, out: Words) -> None:
    """First level, from the bits themselves: leaf j has value v_j and propagate v_j ^ x_j ^ flip.

    Block 0 is a virtual zero below leaf 0, block j + 1 is leaf j. ``out`` (2h - 1, W) holds the zero share and
    becomes this party's part of the h joined blocks.
    """
    pairs = (out.shape[0] + 1) // 2
    for t in range(pairs):
        high = 2 * t
        for w in range(out.shape[1]):
            a0, a1 = v0[high, w], v1[high, w]
            p0, p1 = a0 ^ x0[high, w] ^ flip0, a1 ^ x1[high, w] ^ flip1
            if t == 0:
                # the block below is zero: value ^ propagate & value
                out[0, w] ^= a0 ^ (p0 & (a0 ^ a1)) ^ (p1 & a0)
            else:
                b0, b1 = v0[high - 1, w], v1[high - 1, w]
                q0, q1 = b0 ^ x0[high - 1, w] ^ flip0, b1 ^ x1[high - 1, w] ^ flip1
                d0, d1 = a0 ^ b0, a1 ^ b1
                out[high - 1, w] ^= a0 ^ (p0 & (d0 ^ d1)) ^ (p1 & d0)
                out[high, w] ^= (p0 & (q0 ^ q1)) ^ (p1 & q0)


@kernel("void(" + ", ".join(["uint64[:, ::1]"] * 5) + ")")
def join_blocks(s0: Words, s1: Words, top0: Words, top1: Words, out: Words) -> None:
    """Later levels, from blocks ``s`` and, where the last block of s has no partner in s, the block ``top`` (2, W).

    ``out`` (2h - 1, W) holds the zero share and becomes this party's part of the h joined blocks.
    """
    pairs = (out.shape[0] + 1) // 2
    for t in range(pairs):
        if 4 * t + 2 < s0.shape[0]:
            a0, a1, p0, p1 = s0[4 * t + 1], s1[4 * t + 1], s0[4 * t + 2], s1[4 * t + 2]
        else:
            a0, a1, p0, p1 = top0[0], top1[0], top0[1], top1[1]
        low = max(0, 4 * t - 1)
        b0, b1 = s0[low], s1[low]
        value = max(0, 2 * t - 1)
        for w in range(out.shape[1]):
            d0, d1 = a0[w] ^ b0[w], a1[w] ^ b1[w]
            out[value, w] ^= a0[w] ^ (p0[w] & (d0 ^ d1)) ^ (p1[w] & d0)
        if t > 0:
            q0, q1 = s0[4 * t], s1[4 * t]
            for w in range(out.shape[1]):
                out[2 * t, w] ^= (p0[w] & (q0[w] ^ q1[w])) ^ (p1[w] & q0[w])
