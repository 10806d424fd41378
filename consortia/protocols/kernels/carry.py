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
in the processor's cache: plane j of chunk c starts at ``c * planes * width + j * (words of that chunk)``.
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


@kernel("void(" + ", ".join([_W] * 4) + ", int64, int64, " + ", ".join([_W] * 7) + ")")
def join_leaves(  # noqa: PLR0917 - slices and single targets: what the compiler makes vector operations of
    v0: Words, v1: Words, p0: Words, p1: Words, bits: int, words: int, mask: Words, out: Words, held: Words,
    low0: Words, low1: Words, top0: Words, top1: Words,
) -> None:  # fmt: skip
    """First level, one chunk of ``words`` words: leaf j is block j + 1, below it a virtual block of value zero.

    ``v`` and ``p`` are values and propagates of the leaves. ``out`` and ``mask`` hold the zero share; ``out`` becomes
    this party's part of the message. ``low`` takes the values of every second leaf, 1, 3, ...: these are the lowest
    bits of all upper partners to come.
    """
    blocks = bits + 1
    after = (blocks + 1) // 2
    a0, a1, h0, h1 = v0[:words], v1[:words], p0[:words], p1[:words]
    share, target = mask[:words], out[:words]
    for w in range(words):
        target[w] ^= share[w] ^ a0[w] ^ (h0[w] & (a0[w] ^ a1[w])) ^ (h1[w] & a0[w])
    at = words
    for u in range(1, after):
        keep = held[(u // 2) * words : (u // 2 + 1) * words]
        # leaves of the lower and of the higher block
        low, high = (2 * u - 1) * words, 2 * u * words
        b0, b1, l0, l1 = v0[low:high], v1[low:high], p0[low:high], p1[low:high]
        low0[(u - 1) * words : u * words] = b0
        low1[(u - 1) * words : u * words] = b1
        if 2 * u + 1 == blocks:
            keep[:] = b0
            top0[:words] = l0
            top1[:words] = l1
            continue
        a0, a1 = v0[high : high + words], v1[high : high + words]
        h0, h1 = p0[high : high + words], p1[high : high + words]
        if u % 2 == 0 and u < after - 1:
            share, target = mask[at : at + words], out[at : at + words]
            at += words
            for w in range(words):
                d0, d1 = a0[w] ^ b0[w], a1[w] ^ b1[w]
                target[w] ^= share[w] ^ a0[w] ^ (h0[w] & (d0 ^ d1)) ^ (h1[w] & d0)
        else:
            for w in range(words):
                d0, d1 = a0[w] ^ b0[w], a1[w] ^ b1[w]
                keep[w] = a0[w] ^ (h0[w] & (d0 ^ d1)) ^ (h1[w] & d0)
        share, target = mask[at : at + words], out[at : at + words]
        at += words
        for w in range(words):
            target[w] ^= share[w] ^ (h0[w] & (l0[w] ^ l1[w])) ^ (h1[w] & l0[w])


@kernel(
    "void(" + ", ".join([_W] * 4) + f", int64, int64, int64, int64, int64, {_W}, {_W}, {_W}, int64, int64, {_W}, {_W})"
)
def join_blocks(  # noqa: C901, PLR0917 - slices and single targets: what the compiler makes vector operations of
    s0: Words, s1: Words, low0: Words, low1: Words, blocks: int, step: int, apart: int, width: int, words: int,
    mask: Words, out: Words, held: Words, slots: int, lows: int, top0: Words, top1: Words,
) -> None:  # fmt: skip
    """Later levels, chunks of ``words`` words in all: ``s`` is the last message, both components.

    ``blocks`` blocks of ``step`` leaves; the propagate of the highest stands in ``top`` where ``apart`` is 1, and goes
    there if it has no partner. ``held`` has ``slots`` planes a chunk and is changed in place, ``low`` has ``lows``.
    """
    after = (blocks + 1) // 2
    s, at = 0, 0
    for first in range(0, words, width):
        size = min(width, words - first)
        here0, here1 = top0[first : first + size], top1[first : first + size]
        for u in range(after):
            high = 2 * u + 1
            slot, place = slots * first + u * size, slots * first + (u // 2) * size
            part, keep = held[slot : slot + size], held[place : place + size]
            if high == blocks:
                keep[:] = part
                if apart == 0:
                    here0[:] = s0[s : s + size]
                    here1[:] = s1[s : s + size]
                    s += size
                continue
            # value and propagate of the lower block (block 0 has no propagate), propagate of the higher one
            b0, b1 = s0[s : s + size], s1[s : s + size]
            s += size
            l0, l1 = s0[s : s + size], s1[s : s + size]
            if u > 0:
                s += size
            h0, h1 = s0[s : s + size], s1[s : s + size]
            if apart == 1 and high == blocks - 1:
                h0, h1 = here0, here1
            else:
                s += size
            leaf = lows * first + (high * step // 2 - 1) * size
            a0, a1 = low0[leaf : leaf + size], low1[leaf : leaf + size]
            share, target = mask[at : at + size], out[at : at + size]
            if (u % 2 == 0 and u < after - 1) or after == 1:
                for w in range(size):
                    d0, d1 = a0[w] ^ b0[w], a1[w] ^ b1[w]
                    target[w] ^= share[w] ^ part[w] ^ (h0[w] & (d0 ^ d1)) ^ (h1[w] & d0)
                at += size
            else:
                for w in range(size):
                    d0, d1 = a0[w] ^ b0[w], a1[w] ^ b1[w]
                    keep[w] = part[w] ^ (h0[w] & (d0 ^ d1)) ^ (h1[w] & d0)
            if u > 0:
                share, target = mask[at : at + size], out[at : at + size]
                for w in range(size):
                    target[w] ^= share[w] ^ (h0[w] & (l0[w] ^ l1[w])) ^ (h1[w] & l0[w])
                at += size
