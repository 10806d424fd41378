"""Simulation behind the constants of ``protocols/order/schedule.py``: how much the last batch of a sort must hold.

    python tests/simulation/sort_schedule.py          # needs of every octave, in comparisons a row
    python tests/simulation/sort_schedule.py 30000    # one size

The public side of the sort runs on uniform permutations, with comparisons in clear and a last batch without limit.
The need is what that batch then takes. Its tail: P(need > x) falls at least exponentially beyond the 99th
percentile, so a straight line in log P through P = 1e-2 and the smallest P that the number of runs can tell is
continued to 1e-7, a tenth of the promise; where only few runs are possible (large n, narrow distribution) mean + 8
standard deviations serve. Constants are rounded up from that.
"""

import sys
from dataclasses import replace

import numpy as np

from consortia.protocols.kernels.planes import packed_bits
from consortia.protocols.order.schedule import _OCTAVES, ALL_PAIRS, Schedule, schedule
from consortia.protocols.order.segments import UNLIMITED, Segments


def batches_used(ranks: np.ndarray, plan: Schedule) -> list[int]:
    """Comparisons of every batch that sorting a list with these ranks takes; checks the order."""
    segments, used = Segments(ranks.size, plan), []
    while len(used) < len(plan.batches) or not segments.sorted:
        left, right = segments.comparisons()
        segments.place(packed_bits(ranks[left] < ranks[right]))
        used.append(left.size)
    assert np.array_equal(ranks[segments.order()], np.arange(ranks.size))
    return used


def needs(rows: int, runs: int, seed: int = 1) -> np.ndarray:
    """Comparisons that the last batch takes, by run."""
    plan = schedule(rows)
    open_ended = replace(plan, batches=(*plan.batches[:-1], UNLIMITED))
    generator = np.random.default_rng(seed)
    return np.array([batches_used(generator.permutation(rows), open_ended)[-1] for _ in range(runs)], float)


def required(samples: np.ndarray, probability: float = 1e-7) -> float:
    """The size that is exceeded with less than this probability, by extrapolation."""
    # a normal tail, with 1.4 for skew
    normal = samples.mean() + 1.4 * np.sqrt(2 * np.log(1 / probability)) * samples.std()
    if samples.size < 2000:
        return float(normal)
    smallest = 20 / samples.size
    high, low = np.quantile(samples, [1 - smallest, 0.99])
    slope = (high - low) / np.log10(0.01 / smallest)
    return float(high + slope * np.log10(smallest / probability))


def runs_for(rows: int) -> int:
    return 20_000 if rows <= 2**12 else 4_000 if rows <= 2**14 else 300 if rows <= 2**17 else 20


def report(rows: int) -> None:
    samples = needs(rows, runs_for(rows))
    fixed = sum(schedule(rows).batches[:-1])
    print(
        f"n {rows:8d}  batches {len(schedule(rows).batches):2d}  fixed {fixed / rows:6.2f} a row  last: mean "
        f"{samples.mean() / rows:6.3f} deviation {samples.std() / rows:.4f} max {samples.max() / rows:6.3f} "
        f"required {required(samples) / rows:6.3f}",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        report(int(sys.argv[1]))
    else:
        for power in _OCTAVES:
            report(max(2**power, ALL_PAIRS + 1))
            report(2 ** (power + 1) - 1)
