"""The two numbers of a machine are found again from times that they predict, also from uneven ones."""

import pytest

from consortia.parties.bench.primitives import NO_LINK, PRIMITIVES, Primitive, Timed, calibrated, cost_of, machine_of
from consortia.plans.cost import Machine, microseconds
from consortia.protocols.counting import CountingEngine


def timed(rounds: int, size: int, machine: Machine, factor: float = 1.0) -> Timed:
    bare = Timed("sort", 100, 0.0, rounds, size)
    return Timed("sort", 100, factor * microseconds(cost_of(bare), NO_LINK, machine) / 1e6, rounds, size)


@pytest.mark.parametrize("machine", [Machine(round_us=150, byte_ps=7_000), Machine(round_us=20, byte_ps=40_000)])
def test_a_machine_is_found_again(machine: Machine) -> None:
    runs = [timed(1, 8_000_000, machine), timed(150, 100_000, machine), timed(40, 40_000_000, machine)]
    found = machine_of(runs)
    assert found.round_us == pytest.approx(machine.round_us, rel=0.02)
    assert found.byte_ps == pytest.approx(machine.byte_ps, rel=0.02)


def test_neither_number_is_negative() -> None:
    machine = Machine(round_us=0, byte_ps=5_000)
    # the more rounds, the faster: no machine is like this
    runs = [timed(1, 1_000_000, machine, 2.0), timed(400, 1_000_000, machine, 0.5)]
    found = calibrated([cost_of(run) for run in runs], [run.seconds for run in runs])
    assert found.round_us == 0
    assert found.byte_ps > 0


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_is_an_operation_that_sends(name: str) -> None:
    engine = CountingEngine(("alpha", "beta", "gamma"))
    Primitive(name, 100)(engine)
    assert sum(engine.counts.sent.values()) > 0
    assert all(step.startswith(name) for step in engine.counts.rounds)
