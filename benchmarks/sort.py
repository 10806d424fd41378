"""Time, bytes and rounds of a sort of rows with one arithmetic column: ``python -m benchmarks.sort [n bits]``.

Three computers, first as threads of one process with channels in memory, then as three processes joined by sealed
links. Prints a line for each: seconds of the second of two runs (the first warms the kernels), payload bytes a row over
all three computers, rounds, comparisons a row. Sizes and results are checked.
"""

import multiprocessing
import sys
import tempfile
import threading
import time
from multiprocessing.synchronize import Barrier

import numpy as np

from benchmarks.engines.ours import meet, sent_bytes
from consortia.protocols.context import Context
from consortia.protocols.engine import ColumnShape
from consortia.protocols.kernels.planes import planes_from_words, words_of
from consortia.protocols.order import costs
from consortia.protocols.order.schedule import schedule
from consortia.protocols.order.sort import sort
from consortia.protocols.shares import Rows
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean
from tests.world import World, by_rank

SIZES = ((100, 64), (1_000, 64), (30_000, 113), (100_000, 64), (1_000_000, 64))
NAMES = World.computers


class Table:
    """Random keys and row numbers, and their shares by rank."""

    def __init__(self, n: int, bits: int) -> None:
        rng = np.random.default_rng(1)

        def draw(shape: tuple[int, ...]) -> np.ndarray:
            return rng.integers(0, 1 << 64, shape, np.uint64)

        self.n, self.bits = n, bits
        self.clear = draw((n, words_of(bits)))
        if bits % 64:
            self.clear[:, -1] &= np.uint64((1 << bits % 64) - 1)
        planes = planes_from_words(self.clear, bits)
        a, b = draw(planes.shape), draw(planes.shape)
        self.keys = by_rank(lambda x, y: Ring3Boolean(x, y, n), (a, b, planes ^ a ^ b))
        c, d = draw((n,)), draw((n,))
        self.column = by_rank(Ring3Arithmetic, (c, d, np.arange(n, dtype=np.uint64) - c - d))

    def sorted_by(self, ctx: Context) -> Ring3Arithmetic:
        return sort(ctx, self.keys[ctx.rank], Rows((self.column[ctx.rank],))).arithmetic[0]

    def line(self, how: str, seconds: float, parts: list[np.ndarray], sent: int) -> str:
        assert np.array_equal(sum(parts), np.lexsort(self.clear.T).astype(np.uint64)), "not sorted"
        declared = costs.sort(self.n, self.bits, (ColumnShape("arithmetic"),))
        assert sent == declared.total_bytes, "more batches than scheduled"
        batches = schedule(self.n).batches
        return (
            f"{how:9s} n {self.n:9,}  key {self.bits:3d} bits  {seconds:7.3f} s  {sent / self.n:8,.0f} bytes a row  "
            f"{declared.rounds:4d} rounds  {sum(batches) / self.n:6.2f} comparisons a row in {len(batches)} batches"
        )


def by_threads(table: Table) -> str:
    """Three threads, channels in memory."""
    for attempt in range(2):
        world = World(attempt, silence=600.0)
        began = time.perf_counter()
        outputs = world.run_contexts(table.sorted_by)
        seconds = time.perf_counter() - began
    sent = sum(world.sent_bytes(name) for name in NAMES)
    return table.line("threads", seconds, [out.first for out in outputs], sent)


def by_processes(table: Table) -> str:
    """Three processes, sealed links over TCP."""
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Barrier(3), fork.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        arguments = [(rank, table, folder, start, answers) for rank in range(3)]
        processes = [fork.Process(target=_computer, args=own) for own in arguments]
        for process in processes:
            process.start()
        got = sorted((answers.get() for _ in processes), key=lambda answer: answer[0])
        for process in processes:
            process.join()
    return table.line("processes", max(a[1] for a in got), [a[2] for a in got], sum(a[3] for a in got))


def _computer(rank: int, table: Table, folder: str, start: Barrier, answers: multiprocessing.SimpleQueue) -> None:
    ctx = meet(rank, folder)
    for attempt in ("first", "second"):
        before = sent_bytes(ctx)
        start.wait()
        began = time.perf_counter()
        out = table.sorted_by(ctx.narrow(attempt))
        seconds = time.perf_counter() - began
    answers.put((rank, seconds, out.first, sent_bytes(ctx) - before))
    start.wait()


if __name__ == "__main__":
    sizes = [(int(sys.argv[1]), int(sys.argv[2]))] if len(sys.argv) > 1 else SIZES
    for size in sizes:
        made = Table(*size)
        # processes first: a fork is taken while this process has one thread
        assert threading.active_count() == 1
        print(by_processes(made), flush=True)
        print(by_threads(made), flush=True)
