"""The promise of the sort's schedule: more batches than scheduled in less than one sort of a million."""

import importlib.util
from pathlib import Path

import pytest

from consortia.protocols.order.schedule import ALL_PAIRS, schedule

_spec = importlib.util.spec_from_file_location("sort_schedule", Path(__file__).with_name("sort_schedule.py"))
assert _spec is not None
assert _spec.loader is not None
simulation = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(simulation)


OCTAVE_ENDS = [end for power in range(9, 21) for end in (2**power - 1, 2**power)]
BETWEEN = [450, 750, 1500, 3000, 6000, 12_000, 24_000, 48_000, 98_000, 200_000, 400_000, 800_000]


@pytest.mark.slow
@pytest.mark.parametrize("rows", sorted([ALL_PAIRS + 1, *OCTAVE_ENDS, *BETWEEN]))
def test_the_last_batch_holds_what_remains_but_once_in_a_million(rows: int) -> None:
    samples = simulation.needs(rows, simulation.runs_for(rows), seed=2)
    assert schedule(rows).batches[-1] >= simulation.required(samples, 1e-6)
