"""The carry out of a chain of bits, in as few rounds as a tree allows.

Functionality: fresh random shares of the bit c_k, where c_0 = 0 and c_{j+1} = c_j if v_j xor w_j (xor flip) = 1,
else v_j. With v, w the bits of two numbers it is the carry of their sum; with flip, v = y and w = x, the bit x < y.
How (protocol-proofs.md, section 1): each bit is a leaf (value, propagate) that costs no gate, because the value does
not matter where it propagates. Two neighbouring blocks join by value = vh ^ ph (vh ^ vl), propagate = ph pl. Below
the lowest bit stands a virtual block of value zero; nothing needs the propagate of the lowest block, so its join
costs one gate. All joins of a level are one message of ANDs; the sender adds its share of vh to it.
Assumption and view: those of ``boolean.conjunction``: every message is a component of an output share masked by a
zero share that the receiver lacks.
Rounds ceil(log2(k + 1)); gates: 2 floor(m/2) - 1 a level of m blocks, m starting at k + 1; one bit a gate and computer.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.context import Context
from consortia.protocols.kernels import carry as carry_kernels
from consortia.protocols.sharing.ring3 import Ring3Boolean, check_equal

Words = NDArray[np.uint64]
Pair = tuple[Words, Words]

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)


def carry_out(ctx: Context, value: Ring3Boolean, other: Ring3Boolean, *, flip: bool) -> Ring3Boolean:
    """One plane: the carry out of the highest bit; operands of equal length and width, at least one bit."""
    if value.length == 0:
        return value.planes(0, 1)
    last, own = carry_part(ctx, value, other, flip=flip)
    return Ring3Boolean(own, last.reshare(own), value.length)


def carry_part(ctx: Context, value: Ring3Boolean, other: Ring3Boolean, *, flip: bool) -> tuple[Context, Words]:
    """The tree up to its last message: this computer's masked part (1, W) of the carry, and the level to send it under.

    The three parts xor to the carry and are uniform but for that. At least one row.
    """
    check_equal("lengths", value.length, other.length)
    check_equal("widths", value.bits, other.bits)
    bits, width = value.first.shape
    flips = flip_words(ctx.rank) if flip else (np.uint64(0), np.uint64(0))

    level = ctx.narrow("level-1")
    own = level.zero_xor((2 * ((bits + 1) // 2) - 1, width))
    carry_kernels.join_leaves(value.first, value.second, other.first, other.second, *flips, own)
    top = _top_leaf(value, other, flips) if bits % 2 == 0 else None

    number = 1
    while top is not None or own.shape[0] > 1:
        blocks = (own, level.reshare(own))
        number += 1
        level = ctx.narrow(f"level-{number}")
        own, top = _joined(level, blocks, top)
    return level, own


def flip_words(rank: int) -> tuple[np.uint64, np.uint64]:
    """What a computer xors to its two components to flip every bit: component 0 is complemented."""
    return (ONES if rank == 0 else np.uint64(0)), (ONES if rank == 2 else np.uint64(0))


def _top_leaf(value: Ring3Boolean, other: Ring3Boolean, flips: tuple[np.uint64, np.uint64]) -> Pair:
    """Value and propagate (2, W) of the highest bit, a component each."""
    return (
        np.stack([value.first[-1], value.first[-1] ^ other.first[-1] ^ flips[0]]),
        np.stack([value.second[-1], value.second[-1] ^ other.second[-1] ^ flips[1]]),
    )


def _joined(ctx: Context, blocks: Pair, top: Pair | None) -> tuple[Words, Pair | None]:
    """One level: this computer's part of neighbours joined; an unpaired highest block is handed on as it is."""
    inside = (blocks[0].shape[0] + 1) // 2
    if top is None and inside % 2 == 1:
        top = (blocks[0][-2:], blocks[1][-2:])
        inside -= 1
    pairs = (inside + (top is not None)) // 2
    partner = top if top is not None else (blocks[0][:2], blocks[1][:2])  # not read when every block has its own
    own = ctx.zero_xor((2 * pairs - 1, blocks[0].shape[1]))
    used = 2 * inside - 1
    carry_kernels.join_blocks(blocks[0][:used], blocks[1][:used], *partner, own)
    left = top if (inside + (top is not None)) % 2 == 1 else None
    return own, left
