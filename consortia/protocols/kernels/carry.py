"""Joining neighbouring blocks of a carry chain: the inner loop of comparisons and additions on bit planes.

A block of bits acts on the carry that comes in from below: ``carry -> propagate ? carry : value``. The value of a
block does not matter where it propagates, so that of its lowest bit may stand for it there. Hence the value of two
joined blocks, ``vh ^ ph (dh ^ vl)`` with dh the lowest bit of the upper one, is a sum of products, and a computer can
keep its own part of it and add to it level by level; only what will be a lower partner has to be shared again.
Blocks are counted from 0, the lowest:

- odd blocks and the highest one are *held*: this computer's part of the value, block t in slot ``t // 2``;
- even ones below the highest are *sent*, and so are the propagates of all but block 0. Planes of a message: block by
  block, the value before the propagate.

A highest block without partner is handed on: its propagate stands apart in ``top``.

Everything is in chunks of ``width`` words of every plane, the last chunk narrower, so that all planes of a chunk stay
in the processor's cache: plane j of chunk c starts at ``c * planes * width + j * (words of that chunk)``. Values of
leaves may stand in whole planes instead, ``row`` words each.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]

_W = "uint64[::1]"


def sent_planes(blocks: int) -> int:
    """Planes of the message that joins ``blocks`` (two or more) blocks two by two."""
    joined = blocks // 2
    # of an even number the highest is held, unless it is the only one
    lower = joined - 1 if blocks % 2 == 0 and joined > 1 else joined
    return joined - 1 + (lower + 1) // 2


def held_slots(blocks: int) -> int:
    """Planes that the parts of held blocks take once ``blocks`` blocks have been joined two by two."""
    return ((blocks + 1) // 2 + 1) // 2


@kernel(f"void({_W}, {_W}, int64, int64, {_W}, {_W}, int64, int64, {_W}, {_W}, {_W}, {_W}, {_W})")
def join_leaves(  # noqa: PLR0917 - one loop for each kind of plane
    v0: Words, v1: Words, start: int, row: int, p0: Words, p1: Words, bits: int, words: int,
    mask: Words, out: Words, held: Words, top0: Words, top1: Words,
) -> None:  # fmt: skip
    """First level, one chunk of ``words`` words: leaf j is block j + 1, below it a virtual block of value zero.

    Values of leaf j stand at ``start + j * row``, propagates at ``j * words``. ``out`` and ``mask`` hold the zero
    share; ``out`` becomes this party's part of the message.
    """
    blocks = bits + 1
    after = (blocks + 1) // 2
    a, p = start, 0
    for w in range(words):
        out[w] ^= mask[w] ^ v0[a + w] ^ (p0[p + w] & (v0[a + w] ^ v1[a + w])) ^ (p1[p + w] & v0[a + w])
    at = words
    for u in range(1, after):
        keep = (u // 2) * words
        b, q = start + (2 * u - 1) * row, (2 * u - 1) * words
        if 2 * u + 1 == blocks:
            for w in range(words):
                held[keep + w] = v0[b + w]
                top0[w], top1[w] = p0[q + w], p1[q + w]
            continue
        a, p = b + row, q + words
        if u % 2 == 0 and u < after - 1:
            for w in range(words):
                d0, d1 = v0[a + w] ^ v0[b + w], v1[a + w] ^ v1[b + w]
                out[at + w] ^= mask[at + w] ^ v0[a + w] ^ (p0[p + w] & (d0 ^ d1)) ^ (p1[p + w] & d0)
            at += words
        else:
            for w in range(words):
                d0, d1 = v0[a + w] ^ v0[b + w], v1[a + w] ^ v1[b + w]
                held[keep + w] = v0[a + w] ^ (p0[p + w] & (d0 ^ d1)) ^ (p1[p + w] & d0)
        for w in range(words):
            out[at + w] ^= mask[at + w] ^ (p0[p + w] & (p0[q + w] ^ p1[q + w])) ^ (p1[p + w] & p0[q + w])
        at += words


@kernel(
    f"void({_W}, {_W}, {_W}, {_W}, int64, int64, int64, int64, int64, int64, int64, int64,"
    f" {_W}, {_W}, {_W}, int64, {_W}, {_W})"
)
def join_blocks(  # noqa: C901, PLR0917 - one loop for each kind of plane
    s0: Words, s1: Words, v0: Words, v1: Words, start: int, chunk: int, row: int,
    blocks: int, step: int, apart: int, width: int, words: int,
    mask: Words, out: Words, held: Words, slots: int, top0: Words, top1: Words,
) -> None:  # fmt: skip
    """Later levels, chunks of ``words`` words in all: ``s`` is the last message, both components.

    ``blocks`` blocks of ``step`` leaves; the propagate of the highest stands in ``top`` where ``apart`` is 1, and goes
    there if it has no partner. Values of leaf j of chunk c stand at ``start + c * chunk + j * row`` (``row`` 0: the
    chunk's words). ``held`` has ``slots`` planes a chunk and is changed in place.
    """
    after = (blocks + 1) // 2
    s, at = 0, 0
    for first in range(0, words, width):
        size = min(width, words - first)
        leaves, across = start + (first // width) * chunk, size if row == 0 else row
        for u in range(after):
            high = 2 * u + 1
            slot, place = slots * first + u * size, slots * first + (u // 2) * size
            if high == blocks:
                for w in range(size):
                    held[place + w] = held[slot + w]
                if apart == 0:
                    for w in range(size):
                        top0[first + w], top1[first + w] = s0[s + w], s1[s + w]
                    s += size
                continue
            # value and propagate of the lower block (block 0 has no propagate), propagate of the higher one
            b = s
            q = b + size
            p = q + size if u > 0 else q
            s = p + size
            h0, h1 = s0, s1
            if apart == 1 and high == blocks - 1:
                h0, h1, p, s = top0, top1, first, p
            d = leaves + (high * step - 1) * across
            if (u % 2 == 0 and u < after - 1) or after == 1:
                for w in range(size):
                    d0, d1 = v0[d + w] ^ s0[b + w], v1[d + w] ^ s1[b + w]
                    out[at + w] ^= mask[at + w] ^ held[slot + w] ^ (h0[p + w] & (d0 ^ d1)) ^ (h1[p + w] & d0)
                at += size
            else:
                for w in range(size):
                    d0, d1 = v0[d + w] ^ s0[b + w], v1[d + w] ^ s1[b + w]
                    held[place + w] = held[slot + w] ^ (h0[p + w] & (d0 ^ d1)) ^ (h1[p + w] & d0)
            if u > 0:
                for w in range(size):
                    out[at + w] ^= mask[at + w] ^ (h0[p + w] & (s0[q + w] ^ s1[q + w])) ^ (h1[p + w] & s0[q + w])
                at += size
