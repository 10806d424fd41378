"""Comparisons of rows by number, opened to all three computers: the one interactive step inside a sort.

Functionality: all computers learn, for each pair of row numbers, the bit key(left) < key(right); nothing else.
How: the keys of both rows are gathered into bit planes and go through the tree of ``boolean.carry``. The last level is
not reshared: each computer sends its masked part of the bit to both others, one round less than share and open.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: messages of all levels but the last as in ``boolean.conjunction``; those of the last are two parts of the bit,
uniform but for their sum, because the zero share contains a seed that the receiver lacks. Hence simulated by the bit.
Rounds ceil(log2(k + 1)) for k-bit keys; bytes: one bit a gate and computer, and one more for the last gate.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.boolean.carry import carry_part
from consortia.protocols.context import Context
from consortia.protocols.kernels.order import gather_planes
from consortia.protocols.kernels.planes import words_of
from consortia.protocols.order.rows import Matrices
from consortia.protocols.shares import Words
from consortia.protocols.sharing.ring3 import Ring3Boolean

Index = NDArray[np.int64]

COMPARISON_BITS = "comparison bits of shuffled rows"


class OpenedComparisons:
    """Opened comparisons of the rows of one shuffled list; keeps its buffers from batch to batch.

    Not for use by several threads at a time.
    """

    def __init__(self, keys: Matrices, bits: int, largest: int) -> None:
        """``keys``: row-major components whose lowest ``bits`` bits are the keys; ``largest``: size of a batch."""
        self._keys, self._bits = keys, bits
        self._allocate(words_of(largest))

    def _allocate(self, width: int) -> None:
        self._index = np.empty(64 * width, np.int64)
        self._buffers = [np.empty(self._bits * width, np.uint64) for _ in range(4)]

    def less_than(self, ctx: Context, left: Index, right: Index) -> Words:
        """Bit i of the result (packed in words) is 1 where row ``left[i]`` is less than row ``right[i]``.

        At least one comparison.
        """
        if 64 * words_of(left.size) > self._index.size:
            self._allocate(words_of(left.size))
        x, y = self._planes(left, self._buffers[:2]), self._planes(right, self._buffers[2:])
        last, own = carry_part(ctx, y, x, flip=True)
        last.record_opening(COMPARISON_BITS, left.size, ctx.computers)
        others = (ctx.previous, ctx.next)
        parts = last.exchange(dict.fromkeys(others, own), dict.fromkeys(others, (own.shape, own.dtype)))
        opened: Words = (own ^ parts[ctx.previous] ^ parts[ctx.next]).reshape(-1)
        return opened

    def _planes(self, index: Index, buffers: list[Words]) -> Ring3Boolean:
        """The keys of the indexed rows; a last word that is not full is filled up with row 0."""
        width = words_of(index.size)
        filled = self._index[: 64 * width]
        filled[: index.size] = index
        filled[index.size :] = 0
        components = []
        for rows, buffer in zip(self._keys, buffers, strict=True):
            planes = buffer[: self._bits * width].reshape(self._bits, width)
            gather_planes(rows, filled, self._bits, planes)
            components.append(planes)
        return Ring3Boolean(components[0], components[1], index.size)
