"""Time, bytes and rounds of a sort, three computers as threads of one process: ``python benchmarks/sort.py [n bits]``.

Prints one line a size: seconds of the second of two runs (the first warms the kernels), payload bytes a row over all
three computers, rounds, and comparisons a row.
"""

import sys
import time

import numpy as np

from consortia.protocols.engine import ColumnShape
from consortia.protocols.kernels.planes import planes_from_words, words_of
from consortia.protocols.order import costs
from consortia.protocols.order.schedule import schedule
from consortia.protocols.order.sort import sort
from consortia.protocols.shares import Rows
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean
from tests.world import World, by_rank

SIZES = ((100, 64), (1_000, 64), (30_000, 113), (100_000, 64), (1_000_000, 64))


def measure(n: int, bits: int) -> str:
    """One line for n rows with keys of ``bits`` bits and one arithmetic column."""
    rng = np.random.default_rng(1)
    draw = lambda shape: rng.integers(0, 1 << 64, shape, np.uint64)  # noqa: E731 - two uses, here
    clear = draw((n, words_of(bits)))
    if bits % 64:
        clear[:, -1] &= np.uint64((1 << bits % 64) - 1)
    planes = planes_from_words(clear, bits)
    a, b = draw(planes.shape), draw(planes.shape)
    keys = by_rank(lambda x, y: Ring3Boolean(x, y, n), (a, b, planes ^ a ^ b))
    rows = np.arange(n, dtype=np.uint64)
    c, d = draw(n), draw(n)
    column = by_rank(Ring3Arithmetic, (c, d, rows - c - d))
    for attempt in range(2):
        world = World(attempt, silence=600.0)
        began = time.perf_counter()
        parts = world.run_contexts(lambda ctx: sort(ctx, keys[ctx.rank], Rows((column[ctx.rank],))).arithmetic[0])
        seconds = time.perf_counter() - began
    order = parts[0].first + parts[1].first + parts[2].first
    assert np.array_equal(order, np.lexsort(clear.T).astype(np.uint64)), "not sorted"
    declared = costs.sort(n, bits, (ColumnShape("arithmetic"),))
    sent = sum(world.sent_bytes(name) for name in world.computers)
    assert sent == declared.total_bytes, "more batches than scheduled"
    return (
        f"n {n:9,}  key {bits:3d} bits  {seconds:7.3f} s  {sent / n:8,.0f} bytes a row  {declared.rounds:4d} rounds  "
        f"{sum(schedule(n).batches) / n:6.2f} comparisons a row in {len(schedule(n).batches)} batches"
    )


if __name__ == "__main__":
    sizes = [(int(sys.argv[1]), int(sys.argv[2]))] if len(sys.argv) > 1 else SIZES
    for size in sizes:
        print(measure(*size), flush=True)
