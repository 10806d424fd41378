"""Comparisons of rows by number, opened to all three computers: the one interactive step inside a sort.

Functionality: all computers learn, for each pair of row numbers, the bit key(left) < key(right); nothing else.
How: the keys of both rows are gathered into bit planes and go through the tree of ``boolean.carry``. The last level is
not reshared: each computer sends its masked part of the bit to both others, one round less than share and open.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: messages of all levels but the last as in ``boolean.conjunction``; those of the last are two parts of the bit,
uniform but for their sum, because the zero share contains a seed that the receiver lacks. Hence simulated by the bit.
Rounds ceil(log2(k + 1)) for k-bit keys; bytes: one bit a gate and computer, and one more for the last gate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.boolean.carry import WIDTH, Pair, carry_part, flip_words
from consortia.protocols.context import Context
from consortia.protocols.kernels.order import compare_planes
from consortia.protocols.kernels.planes import words_of
from consortia.protocols.order.kept import gathered
from consortia.protocols.order.rows import Matrices
from consortia.protocols.shares import Words

Index = NDArray[np.int32]

COMPARISON_BITS = "comparison bits of shuffled rows"


class OpenedComparisons:
    """Opened comparisons of the rows of one shuffled list."""

    def __init__(self, keys: Matrices, bits: int) -> None:
        """``keys``: row-major components whose lowest ``bits`` bits are the keys."""
        # both components of a row side by side: a comparison reads each of its rows at one place
        self._rows = np.concatenate(keys, axis=1)
        self._bits = bits

    def arrange(self, order: Index) -> None:
        """Row ``order[i]`` becomes row i: rows that will be compared with each other shall stand close together."""
        self._rows = gathered(self._rows, order)

    def less_than(self, ctx: Context, left: Index, right: Index) -> Words:
        """Bit i of the result (packed in words) is 1 where row ``left[i]`` is less than row ``right[i]``.

        At least one comparison.
        """
        last, own = carry_part(ctx, _RowChain(self._rows, left, right, self._bits, flip_words(ctx.rank)))
        last.record_opening(COMPARISON_BITS, left.size, ctx.computers)
        others = (ctx.previous, ctx.next)
        parts = last.exchange(dict.fromkeys(others, own), dict.fromkeys(others, (own.shape, own.dtype)))
        opened: Words = (own ^ parts[ctx.previous] ^ parts[ctx.next]).reshape(-1)
        return opened


@dataclass(frozen=True, slots=True)
class _RowChain:
    """The chain (``boolean.carry.Chain``) of a batch: leaves are gathered from rows when their chunk is asked for.

    What is missing in the last word is filled up with row 0, compared with itself.
    """

    rows: Words
    left: Index
    right: Index
    bits: int
    flips: tuple[np.uint64, np.uint64]

    @property
    def words(self) -> int:
        return words_of(self.left.size)

    def leaves(self, start: int, values: Pair, propagates: Pair) -> None:
        at = slice(64 * start, 64 * (start + WIDTH))
        compare_planes(self.rows, self.left[at], self.right[at], self.bits, *self.flips, *values, *propagates)
