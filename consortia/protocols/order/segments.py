"""The public side of a sort: which shuffled rows to compare next, and where the answers put them.

Everything here follows from the schedule and the answers so far, is the same at all computers and sends nothing.
``kernels.order`` says what a segment is and what a batch may do with it.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.errors import ProtocolAbort
from consortia.protocols.kernels.order import choose_tasks, list_comparisons, place_rows
from consortia.protocols.order.schedule import Schedule

Index = NDArray[np.int32]
Words = NDArray[np.uint64]

UNLIMITED = 1 << 62
BATCHES_APART = 3
"""After so many batches the rows of a segment are about an eighth of those among which they stand."""
ROWS_CLOSE = 1 << 14
"""Rows of a segment that stay in the processor's cache wherever they stand in it."""


class Segments:
    """The state of one sort: a mutable object that lives as long as the sort."""

    def __init__(self, rows: int, plan: Schedule) -> None:
        self._plan = plan
        self._order = np.arange(rows, dtype=np.int32)
        whole = [0, 0, rows] if rows > 1 else []
        self._open = tuple(np.array(whole[i : i + 1], np.int64) for i in range(3))  # start, pivots, free
        self._mode = self._count = np.zeros(0, np.int64)
        self._scratch = np.empty(2 * rows + 2, np.int32)
        self._batch, self._collected = 0, 1  # the first batch moves a sample only
        self._longest = rows
        self._names = self._order.copy()

    @property
    def sorted(self) -> bool:
        """No segment is left."""
        return self._open[0].size == 0

    def comparisons(self) -> tuple[Index, Index]:
        """Rows to compare in the next batch, left with right; filled up with row 0 to the batch's size.

        Beyond the scheduled batches: as many as finish the sort.
        """
        batches = self._plan.batches
        last = self._batch >= len(batches) - 1
        capacity = batches[self._batch] if self._batch < len(batches) else UNLIMITED
        start, pivots, free = self._open
        self._mode, self._count = np.empty_like(start), np.empty_like(start)
        by_size = np.argsort(-free, kind="stable")
        sample = self._plan.sample if self._batch == 0 else 0
        used = np.zeros(1, np.int64)
        choose_tasks(pivots, free, by_size, self._plan.ways, int(last), sample, capacity, self._mode, self._count, used)
        size = int(used[0]) if capacity == UNLIMITED else capacity
        left, right = np.zeros(size, np.int32), np.zeros(size, np.int32)
        list_comparisons(self._order, start, pivots, free, self._mode, self._count, left, right)
        self._batch += 1
        return left, right

    def place(self, bits: Words) -> None:
        """Take the answers, one bit for each comparison: 1 where the left row is less than the right one."""
        start, pivots, free = self._open
        # a segment that is cut leaves no more segments than it has free rows
        room = int(free.sum())
        made = np.zeros(1, np.int64)
        following = tuple(np.empty(room, np.int64) for _ in range(3))
        place_rows(self._order, start, pivots, free, self._mode, self._count, bits, self._scratch, *following, made)
        count = int(made[0])
        self._open = tuple(np.ascontiguousarray(part[:count]) for part in following)

    @property
    def scattered(self) -> bool:
        """Rows that will be compared with each other stand so far apart that it pays to bring them together."""
        return self._batch - self._collected >= BATCHES_APART and self._longest > ROWS_CLOSE

    def collect(self) -> Index:
        """Number the rows anew by their place in the order found so far: row i from now on is row ``result[i]``."""
        order, self._order = self._order, np.arange(self._order.size, dtype=np.int32)
        self._names = self._names[order]
        self._collected, self._longest = self._batch, int(self._open[2].max(initial=0))
        return order

    def order(self) -> Index:
        """Row numbers in ascending order, once ``sorted``.

        Raises ProtocolAbort ``order/contradiction`` when the answers were not those of any order.
        """
        order = self._names[self._order]
        if not np.array_equal(np.bincount(order, minlength=order.size), np.ones(order.size)):
            raise ProtocolAbort(
                "order/contradiction",
                "the opened comparisons contradict each other",
                remedy="start the session again; if it persists, a computer deviates from the protocol",
            )
        return order
