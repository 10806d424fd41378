"""Shuffle: all columns of the rows under one permutation that no computer knows.

Functionality: draws a uniform permutation, outputs fresh random shares of the permuted rows. A ``SecretPermutation``
may be applied again, or backwards, each time with fresh masks: nothing about it is ever opened by itself.
How (Araki et al., CCS 2021, "Secure Graph Analysis at Scale"; protocol-proofs.md, section 3): the permutation is
piC after piB after piA, where piA is known to computers 0 and 1, piB to 2 and 0, piC to 1 and 2. Masks ZA and output
y1 are drawn from the seed of 0 and 1, ZB and y0 from that of 2 and 0.
Round 1: computer 0 sends X2 = piB(piA(x0 + x1 + ZA)) + ZB to 1; computer 1 sends Y1 = piA(x2 - ZA) to 2.
Round 2: computer 1 sends C1 = piC(X2) - y1 to 2; computer 2 sends C2 = piC(piB(Y1) - ZB) - y0 to 1. y2 = C1 + C2.
Backwards the same with the inverse permutations: piC first, so that computer 2 takes the part of 0 and 0 that of 2.
Boolean columns use exclusive or, wide ones addition modulo 2^128; all columns move in one gather.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: each message is masked by a value its receiver lacks (ZB, ZA, y1, y0) and uses nowhere else; computer 0 receives
nothing. So given its output shares a view is uniform. Each computer lacks one of three permutations, hence the
composition is uniform to it. The permutations themselves are exactly uniform (``kernels.order.shuffle_index``).
Rounds 2; bytes: computer 0 one row's bytes (``RowLayout.row_bytes``) for each row, 1 two, 2 one: 32 for each 64-bit
column in total, k/2 for a boolean one of k bits.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.context import Context
from consortia.protocols.kernels.gather import gather_rows
from consortia.protocols.kernels.order import combine_rows, shuffle_index
from consortia.protocols.order.rows import Matrices, RowLayout, layout_of, length_of, pack, unpack
from consortia.protocols.shares import Rows, Words

Index = NDArray[np.int32]
Direction = Literal["forward", "backward"]

SPARE_DRAWS = 16
FORWARD = (0, 1, 2)
"""Ranks that take the parts of computers 0, 1, 2 above."""
BACKWARD = (2, 1, 0)


def shuffle(ctx: Context, rows: Rows) -> Rows:
    """All columns under one fresh secret permutation."""
    return draw_permutation(ctx.narrow("draw"), length_of(rows)).apply(ctx.narrow("apply"), rows)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SecretPermutation:
    """One computer's two of three parts of a permutation: index arrays (n,) by the component whose seed drew them."""

    length: int
    parts: dict[int, Index]

    def apply(self, ctx: Context, rows: Rows) -> Rows:
        """Rows in permuted order."""
        return self._moved(ctx, rows, "forward")

    def invert(self, ctx: Context, rows: Rows) -> Rows:
        """Rows put back: the inverse of ``apply``."""
        return self._moved(ctx, rows, "backward")

    def _moved(self, ctx: Context, rows: Rows, direction: Direction) -> Rows:
        layout = layout_of(rows)
        if length_of(rows, self.length) == 0 or layout.words == 0:
            return rows
        return unpack(layout, permuted(ctx, self, layout, pack(layout, rows, self.length), direction))

    def __repr__(self) -> str:
        return f"<SecretPermutation of {self.length} rows>"


def draw_permutation(ctx: Context, length: int) -> SecretPermutation:
    """A uniform permutation of ``length`` rows, in three parts of which each computer knows two. Sends nothing."""
    parts = {}
    for component in (ctx.rank, ctx.next):
        index = np.empty(length, np.int32)
        shuffle_index(ctx.words(component, "permutation", length + SPARE_DRAWS), index)
        parts[component] = index
    return SecretPermutation(length, parts)


def permuted(
    ctx: Context, secret: SecretPermutation, layout: RowLayout, rows: Matrices, direction: Direction = "forward"
) -> Matrices:
    """The shuffle on matrices; at least one row and one column."""
    roles = FORWARD if direction == "forward" else BACKWARD
    role = roles.index(ctx.rank)
    own = {ctx.rank: rows[0], ctx.next: rows[1]}
    # seeds of (0, 1), (2, 0) and (1, 2), in terms of roles
    near, far, rest = (_component(roles[i], roles[j]) for i, j in ((0, 1), (2, 0), (1, 2)))
    shape = rows[0].shape
    one, two = ctx.narrow("round-1"), ctx.narrow("round-2")
    form = ((shape[0] * layout.row_bytes,), np.uint8)

    def part(component: int) -> Index:
        index = secret.parts[component]
        return index if direction == "forward" else inverse_index(index)

    def mask(component: int, name: str) -> Words:
        return ctx.stream(component, name, shape, np.uint64)

    def combined(x: Words, y: Words, sign: int) -> Words:
        combine_rows(x, y, layout.adding, layout.wide, sign, x)
        return x

    def gathered(x: Words, index: Index) -> Words:
        out = np.empty_like(x)
        gather_rows(x, index, out)
        return out

    if role == 0:
        known = combined(own[near].copy(), own[far], 1)
        composed = part(near)[part(far)]
        message = combined(gathered(combined(known, mask(near, "first"), 1), composed), mask(far, "second"), 1)
        one.exchange({roles[1]: layout.message(message)}, {})
        two.exchange({}, {})
        made = {near: mask(near, "out"), far: mask(far, "out")}
    elif role == 1:
        start = gathered(combined(own[rest].copy(), mask(near, "first"), -1), part(near))
        got = one.exchange({roles[2]: layout.message(start)}, {roles[0]: form})[roles[0]]
        kept = mask(near, "out")
        mine = combined(gathered(layout.matrix(got), part(rest)), kept, -1)
        theirs = two.exchange({roles[2]: layout.message(mine)}, {roles[2]: form})[roles[2]]
        made = {near: kept, rest: combined(mine, layout.matrix(theirs), 1)}
    else:
        got = one.exchange({}, {roles[1]: form})[roles[1]]
        kept = mask(far, "out")
        inner = combined(gathered(layout.matrix(got), part(far)), mask(far, "second"), -1)
        mine = combined(gathered(inner, part(rest)), kept, -1)
        theirs = two.exchange({roles[1]: layout.message(mine)}, {roles[1]: form})[roles[1]]
        made = {far: kept, rest: combined(mine, layout.matrix(theirs), 1)}
    return made[ctx.rank], made[ctx.next]


def inverse_index(index: Index) -> Index:
    """The permutation that undoes ``index``."""
    out = np.empty_like(index)
    out[index] = np.arange(index.size, dtype=np.int32)
    return out


def _component(first: int, second: int) -> int:
    """The component (and seed) that two computers share: component c is held by computers c and c - 1."""
    return second if (first + 1) % 3 == second else first
