"""Three computers as processes: what they measure is counted where frames are sealed; a computer that ends is told."""

import os

import pytest

from benchmarks.links import RunSort
from consortia.errors import OperatorError
from consortia.parties.bench.trio import Trio
from consortia.protocols.order import costs


def end_one(engine: object) -> None:
    if engine.ctx.rank == 1:  # type: ignore[attr-defined]  # a ring3 engine
        os._exit(3)


def test_a_run_of_three_processes_takes_the_declared_rounds_and_bytes_and_an_ended_one_is_told() -> None:
    with Trio() as trio:
        for _ in range(2):
            measured = trio.run(RunSort(500))
            declared = costs.sort(500, 64, (), keeping=True)
            assert (measured.rounds, measured.sent) == (declared.rounds, declared.bytes_by_rank)
            assert 0 < measured.seconds < 30
        with pytest.raises(OperatorError) as caught:
            trio.run(end_one)
        assert caught.value.code == "parties/trio"
