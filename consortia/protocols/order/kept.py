"""The permutation of a shuffle, sort or partition as an object: applied to other rows, or undone, later.

Functionality: fresh random shares of the rows in the order (or put back from it); the order stays secret.
How: a secret permutation (``order.shuffle``), then a public index over shuffled rows, which a sort or a partition
found from what it opened. Applied again: the same permutation under fresh masks, the same index. Backwards: index, then
permutation, inverted. The index is public but tells nothing of the data: it is a function of openings that are uniform
under the unknown permutation (``order.sort``, ``order.partition``), and no further value is opened under it here.
Assumption and view: those of a shuffle; each use draws the masks of its own step.
Rounds 2, bytes those of a shuffle; fewer than two rows have one order, and send nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.context import Context
from consortia.protocols.kernels.gather import gather_rows
from consortia.protocols.order.rows import layout_of, length_of, pack, unpack
from consortia.protocols.order.shuffle import SecretPermutation, draw_permutation, inverse_index, permuted
from consortia.protocols.shares import Rows, Words

Index = NDArray[np.int32]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class KeptOrder:
    """One computer's part of an order: ``places[i]`` is the shuffled row that stands at i (None: as shuffled)."""

    secret: SecretPermutation
    places: Index | None = None

    @property
    def length(self) -> int:
        """Number of rows."""
        return self.secret.length

    def apply(self, ctx: Context, rows: Rows) -> Rows:
        """Rows in this order."""
        layout = layout_of(rows)
        if length_of(rows, self.length) < 2 or layout.words == 0:
            return rows
        first, second = permuted(ctx, self.secret, layout, pack(layout, rows, self.length))
        return unpack(layout, (gathered(first, self.places), gathered(second, self.places)))

    def invert(self, ctx: Context, rows: Rows) -> Rows:
        """Rows put back from this order."""
        layout = layout_of(rows)
        if length_of(rows, self.length) < 2 or layout.words == 0:
            return rows
        back = None if self.places is None else inverse_index(self.places)
        first, second = pack(layout, rows, self.length)
        shuffled = gathered(first, back), gathered(second, back)
        return unpack(layout, permuted(ctx, self.secret, layout, shuffled, "backward"))

    def __repr__(self) -> str:
        return f"<KeptOrder of {self.length} rows>"


def draw_order(ctx: Context, length: int) -> KeptOrder:
    """A uniform order. Sends nothing."""
    return KeptOrder(draw_permutation(ctx, length))


def gathered(matrix: Words, index: Index | None) -> Words:
    """Row i of the result is row ``index[i]``; the matrix itself without an index."""
    if index is None:
        return matrix
    out = np.empty_like(matrix)
    gather_rows(matrix, index, out)
    return out
