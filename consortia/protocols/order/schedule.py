"""How many comparisons each batch of a sort makes: a public function of the number of rows and nothing else.

A quicksort of shuffled rows makes a random number of comparisons at each level. The number says nothing about the
data, but traffic that differs from run to run can't be declared before a run. So the batches have fixed sizes: what
does not fit waits for the next one, what is missing is filled up with comparisons of row 0 with itself.

Shape, for n rows: the first batch ranks a sample of s rows among themselves. Then come b equal batches of w (n - s)
comparisons, in which segments are cut at w of their ranked rows, or, if they hold none, rank a sample of their own
(``kernels.order`` has the modes). The last batch finishes all that is left by comparing every two rows of a segment;
it has room for what remains but once in a million sorts. Then further batches run, as large as needed: their number
is again a function of the shuffled order alone, so it reveals nothing; only the declared cost is exceeded.
Up to ``ALL_PAIRS`` rows, one batch compares every two rows, which is always enough.

The constants were chosen by simulation (tests/simulation/sort_schedule.py, which also tests them): s, w and b so that
comparisons plus 25,000 for each batch (a batch is about eight messages that follow each other) are fewest; the room
of the last batch so that P(more batches) < 1e-6. Numbers in docs/decisions/0002-fixed-sort-schedule.md.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

ALL_PAIRS: Final = 384
"""Up to this many rows every two are compared, in one batch."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The batches of one sort: ``sample`` rows ranked first, segments cut in ``ways`` + 1, sizes of the batches."""

    sample: int
    ways: int
    batches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Octave:
    """Constants for 2^k <= n < 2^(k+1); comparisons a row that the last batch has room for, at both ends."""

    sample: int
    ways: int
    middle: int
    low: float
    high: float


_OCTAVES: Final = {
    #            s   w   b   room of the last batch
    8: _Octave(31, 31, 1, 21.0, 52.0),
    9: _Octave(63, 7, 2, 18.5, 40.5),
    10: _Octave(127, 15, 2, 13.3, 31.0),
    11: _Octave(255, 15, 2, 10.8, 24.8),
    12: _Octave(63, 3, 6, 11.6, 21.5),
    13: _Octave(63, 3, 7, 12.5, 17.4),
    14: _Octave(127, 1, 16, 2.05, 3.75),
    15: _Octave(255, 1, 17, 1.4, 3.25),
    16: _Octave(255, 1, 18, 1.65, 3.8),
    17: _Octave(511, 1, 19, 1.5, 3.65),
    18: _Octave(511, 1, 20, 1.9, 3.9),
    19: _Octave(511, 1, 22, 1.1, 2.65),
    20: _Octave(1023, 1, 23, 1.0, 2.45),
}


@lru_cache(maxsize=1024)
def schedule(rows: int) -> Schedule:
    """The batches of a sort of ``rows`` rows; none for fewer than two."""
    if rows < 2:
        return Schedule(0, 1, ())
    if rows <= ALL_PAIRS:
        return Schedule(0, 1, (pairs(rows),))
    octave = octave_of(rows)
    start = 1 << (rows.bit_length() - 1)
    # the need grows faster than linearly within an octave: the straight line between its ends lies above it
    room = octave.low + (octave.high - octave.low) * (rows - start) / start
    middle = octave.ways * (rows - octave.sample)
    return Schedule(octave.sample, octave.ways, (pairs(octave.sample), *[middle] * octave.middle, int(room * rows) + 1))


def octave_of(rows: int) -> _Octave:
    """The constants for ``rows``; beyond the simulated sizes each doubling adds a batch and some room to the last."""
    power = rows.bit_length() - 1
    last = max(_OCTAVES)
    if power <= last:
        return _OCTAVES[power]
    beyond = _OCTAVES[last]
    more = power - last
    return _Octave(beyond.sample, 1, beyond.middle + more, beyond.low + 0.45 * more, beyond.high + 0.45 * more)


def pairs(rows: int) -> int:
    """Comparisons of every two of ``rows`` rows."""
    return rows * (rows - 1) // 2
