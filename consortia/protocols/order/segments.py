"""The public side of a sort: which shuffled rows to compare next, and where the answers put them.

Everything here follows from the schedule and the answers so far, is the same at all computers and sends nothing.
``kernels.order`` says what a segment is and what a batch may do with it.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.errors import ProtocolAbort
from consortia.protocols.kernels.order import choose_tasks, list_comparisons, place_rows
from consortia.protocols.order.schedule import Schedule

Index = NDArray[np.int64]
Words = NDArray[np.uint64]

UNLIMITED = 1 << 62


class Segments:
    """The state of one sort: a mutable object that lives as long as the sort."""

    def __init__(self, rows: int, plan: Schedule) -> None:
        self._plan = plan
        self._order = np.arange(rows, dtype=np.int64)
        whole = [0, 0, rows] if rows > 1 else []
        self._open = tuple(np.array(whole[i : i + 1], np.int64) for i in range(3))  # start, pivots, free
        self._mode = self._count = np.zeros(0, np.int64)
        self._scratch = np.empty(2 * rows + 2, np.int64)
        self._batch = 0

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
        left, right = np.zeros(size, np.int64), np.zeros(size, np.int64)
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

    def order(self) -> Index:
        """Row numbers in ascending order, once ``sorted``.

        Raises ProtocolAbort ``order/contradiction`` when the answers were not those of any order.
        """
        if not np.array_equal(np.bincount(self._order, minlength=self._order.size), np.ones(self._order.size)):
            raise ProtocolAbort(
                "order/contradiction",
                "the opened comparisons contradict each other",
                remedy="start the session again; if it persists, a computer deviates from the protocol",
            )
        return self._order
