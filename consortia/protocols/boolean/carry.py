"""The carry out of a chain of bits, in as few rounds as a tree allows.

Functionality: fresh random shares of the bit c_k, where c_0 = 0 and c_{j+1} = c_j if v_j xor w_j (xor flip) = 1,
else v_j. With v, w the bits of two numbers it is the carry of their sum; with flip, v = y and w = x, the bit x < y.
How (protocol-proofs.md, section 1): each bit is a leaf (value, propagate) that costs no gate, because the value does
not matter where it propagates. Two neighbouring blocks join by value = vh ^ ph (dh ^ vl), propagate = ph pl, where dh
is the lowest bit of the upper block: what its value is where it propagates. So the value of a block is an inner product
of shared bits along its upper edge, ph (dh ^ vl) for each join, and costs one gate wherever it is needed as a whole,
not one for each join: only blocks that will be lower partners need it, the others hold their parts of the sum. Below
the lowest bit stands a virtual block of value zero, which needs no propagate. All gates of a level are one message.
Assumption and view: those of ``boolean.conjunction``: every message is a component of an output share masked by a
zero share that the receiver lacks; a part that is held is sent to nobody.
Rounds ceil(log2(k + 1)); gates: about 3k/2 - log2(k), one bit a gate and computer (``kernels.carry.sent_planes``).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.context import Context
from consortia.protocols.kernels.carry import held_slots, join_blocks, join_leaves, sent_planes
from consortia.protocols.sharing.ring3 import Ring3Boolean, check_equal

Words = NDArray[np.uint64]
Pair = tuple[Words, Words]

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
WIDTH = 256
"""Words of each plane in a chunk: all planes of one, and its masks, stay in the processor's cache."""
PIECE = 1 << 15
"""Words of a message that are made at a time, in whole chunks."""


class Chain(Protocol):
    """Where the leaves come from, chunk by chunk."""

    @property
    def bits(self) -> int:
        """Number of planes, at least one."""

    @property
    def words(self) -> int:
        """Words of a plane."""

    def leaves(self, start: int, values: Pair, propagates: Pair) -> None:
        """Write values and propagates of the chunk at word ``start``; components are (bits, words of the chunk)."""


@dataclass(frozen=True, slots=True)
class PlaneChain:
    """A chain over two vectors of planes."""

    value: Ring3Boolean
    other: Ring3Boolean
    flips: tuple[np.uint64, np.uint64]

    @property
    def bits(self) -> int:
        return self.value.bits

    @property
    def words(self) -> int:
        return int(self.value.first.shape[1])

    def leaves(self, start: int, values: Pair, propagates: Pair) -> None:
        at = slice(start, start + WIDTH)
        sides = (self.value.first, self.other.first), (self.value.second, self.other.second)
        for component, (value, other) in enumerate(sides):
            values[component][...] = value[:, at]
            np.bitwise_xor(value[:, at], other[:, at], out=propagates[component])
            if self.flips[component]:
                np.invert(propagates[component], out=propagates[component])


def carry_out(ctx: Context, value: Ring3Boolean, other: Ring3Boolean, *, flip: bool) -> Ring3Boolean:
    """One plane: the carry out of the highest bit; operands of equal length and width, at least one bit."""
    check_equal("lengths", value.length, other.length)
    check_equal("widths", value.bits, other.bits)
    if value.length == 0:
        return value.planes(0, 1)
    flips = flip_words(ctx.rank) if flip else (np.uint64(0), np.uint64(0))
    last, own = carry_part(ctx, PlaneChain(value, other, flips))
    return Ring3Boolean(own, last.reshare(own), value.length)


def carry_part(ctx: Context, chain: Chain) -> tuple[Context, Words]:
    """The tree up to its last message: this computer's masked part (1, W) of the carry, and the level to send it under.

    The three parts xor to the carry and are uniform but for that. At least one row.
    """
    tree = _Tree(chain)
    level = ctx.narrow("level-1")
    own = tree.from_leaves(level)
    number = 1
    while tree.blocks > 1:
        message = own, level.reshare(own)
        number += 1
        level = ctx.narrow(f"level-{number}")
        own = tree.from_blocks(level, message)
    return level, own.reshape(1, -1)


def flip_words(rank: int) -> tuple[np.uint64, np.uint64]:
    """What a computer xors to its two components to flip every bit: component 0 is complemented."""
    return (ONES if rank == 0 else np.uint64(0)), (ONES if rank == 2 else np.uint64(0))


class _Tree:
    """What a computer keeps between the levels of one tree; ``blocks`` are those that the next level joins."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.blocks = chain.bits + 1
        self._step, self._unpaired = 1, False
        self._slots, self._lows = held_slots(self.blocks), chain.bits // 2
        self._held = np.empty(self._slots * chain.words, np.uint64)
        self._low = np.empty((2, self._lows * chain.words), np.uint64)
        self._top = np.empty((2, chain.words), np.uint64)

    def from_leaves(self, ctx: Context) -> Words:
        """This computer's part of the first message."""
        bits, planes, total = self._chain.bits, sent_planes(self.blocks), self._chain.words
        plus, minus = ctx.zero_streams()
        out = np.empty(planes * total, np.uint64)
        width = min(WIDTH, total)
        mask, scratch = np.empty(planes * width, np.uint64), np.empty((4, bits * width), np.uint64)
        for start in range(0, total, WIDTH):
            words = min(WIDTH, total - start)
            parts = scratch[:, : bits * words]
            v0, v1, p0, p1 = (part.reshape(bits, words) for part in parts)
            self._chain.leaves(start, (v0, v1), (p0, p1))
            piece = out[planes * start : planes * (start + words)]
            plus.fill(piece)
            minus.fill(mask[: piece.size])
            low, top = self._low[:, self._lows * start :], self._top[:, start:]
            join_leaves(*parts, bits, words, mask, piece, self._held[self._slots * start :], *low, *top)
        self._joined()
        return out

    def from_blocks(self, ctx: Context, message: Pair) -> Words:
        """This computer's part of the next message, from the last one."""
        blocks, total = self.blocks, self._chain.words
        planes, incoming = sent_planes(blocks), message[0].size // total
        plus, minus = ctx.zero_streams()
        out = np.empty(planes * total, np.uint64)
        most = max(1, PIECE // (planes * WIDTH)) * WIDTH
        mask = np.empty(planes * min(most, total), np.uint64)
        for start in range(0, total, most):
            words = min(most, total - start)
            piece = out[planes * start : planes * (start + words)]
            plus.fill(piece)
            minus.fill(mask[: piece.size])
            sent = (part[incoming * start :] for part in message)
            low, top = self._low[:, self._lows * start :], self._top[:, start:]
            join_blocks(
                *sent, *low, blocks, self._step, int(self._unpaired), WIDTH, words,
                mask, piece, self._held[self._slots * start :], self._slots, self._lows, *top,
            )  # fmt: skip
        self._joined()
        return out

    def _joined(self) -> None:
        self._unpaired = self.blocks % 2 == 1
        self.blocks = (self.blocks + 1) // 2
        self._step *= 2
