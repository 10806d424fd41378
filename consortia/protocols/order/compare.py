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


def opened_less_than(ctx: Context, keys: Matrices, bits: int, left: Index, right: Index) -> Words:
    """Bit i of the result (packed in words) is 1 where row ``left[i]`` is less than row ``right[i]``.

    ``keys`` are row-major components whose lowest ``bits`` bits are the keys. At least one comparison.
    """
    count = left.size
    x, y = (_planes_of(keys, bits, index) for index in (left, right))
    last, own = carry_part(ctx, y, x, flip=True)
    last.record_opening(COMPARISON_BITS, count, ctx.computers)
    others = (ctx.previous, ctx.next)
    parts = last.exchange(dict.fromkeys(others, own), dict.fromkeys(others, (own.shape, own.dtype)))
    opened: Words = (own ^ parts[ctx.previous] ^ parts[ctx.next]).reshape(-1)
    return opened


def _planes_of(keys: Matrices, bits: int, index: Index) -> Ring3Boolean:
    """The keys of the indexed rows; a last word that is not full is filled up with row 0."""
    width = words_of(index.size)
    filled = np.zeros(64 * width, np.int64)
    filled[: index.size] = index
    components = []
    for rows in keys:
        planes = np.empty((bits, width), np.uint64)
        gather_planes(rows, filled, bits, planes)
        components.append(planes)
    return Ring3Boolean(components[0], components[1], index.size)
