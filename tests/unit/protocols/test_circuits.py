"""Circuits of few rounds and of few bytes: the same results, each at its declared cost, chosen for the link."""

import numpy as np
import pytest

from consortia.plans.cost import LINKS, Estimate, Link, StepCost, microseconds, party_bytes
from consortia.policies.compiling import Compiled, fastest
from consortia.policies.verdicts import Decision
from consortia.protocols.boolean.networks import ADDER_FROM, composition
from consortia.protocols.counting import CountingEngine
from consortia.protocols.fixed import costs as fixed_costs
from consortia.protocols.ring3 import Ring3Engine
from tests.shared_plans import plan_of
from tests.unit.execution.cases import STATISTICS
from tests.world import World, reconstruct

ROWS = 130
WIDTHS = (1, 2, 3, 5, 8, 33, 64)


def values(bits, seed):
    draw = np.random.default_rng(seed)
    top = (1 << bits) - 1
    return [0, top, *(int.from_bytes(draw.bytes(8), "little") & top for _ in range(ROWS - 2))]


def operations(world, bits):
    """Name, program over an engine with its operands' shares by rank, and the clear result."""
    x, y = values(bits, 1), values(bits, 2)
    y[0], x[3] = x[0], y[3]
    planes_x, planes_y = world.share_boolean(x, bits), world.share_boolean(y, bits)
    top = 1 << (bits - 1)
    signed = [value - top if 0 < value < 2 * top else 0 for value in x]
    numbers = world.share_arithmetic(signed)
    filled = [(1 << value.bit_length()) - 1 for value in x]
    return {
        "less": (lambda e, r: e.less_than(planes_x[r], planes_y[r]), [int(a < b) for a, b in zip(x, y, strict=True)]),
        "negative": (lambda e, r: e.negative(numbers[r], bits), [int(value < 0) for value in signed]),
        "decompose": (lambda e, r: e.decompose(numbers[r], bits), [value % (1 << bits) for value in signed]),
        "compose": (lambda e, r: e.compose(planes_x[r]), [value - (value >> 63 << 64) for value in x]),
        "filled": (lambda e, r: e.filled(planes_x[r]), filled),
    }


@pytest.mark.parametrize("circuits", ["few-rounds", "few-bytes"])
@pytest.mark.parametrize("bits", WIDTHS)
def test_both_kinds_of_circuits_are_right_at_their_declared_cost(bits, circuits):
    for name, (_, expected) in operations(World(3), bits).items():
        world = World(3)
        program, _ = operations(world, bits)[name]
        counting = CountingEngine(World.computers, circuits)
        found = world.run_contexts(lambda ctx, run=program: run(Ring3Engine(ctx.narrow("op"), circuits), ctx.rank))
        assert reconstruct(found) == expected, name
        program(counting.narrow("op"), 0)
        assert world.transcripts[0].total_rounds() == counting.counts.rounds["op"], name
        sent = {member: world.sent_bytes(member) for member in world.computers}
        assert sent == {member: counting.counts.sent["op", member] for member in world.computers}, name


def cost(name, bits, circuits):
    program, _ = operations(World(3), bits)[name]
    counting = CountingEngine(World.computers, circuits)
    program(counting.narrow("op"), 0)
    return counting.counts.rounds["op"], sum(counting.counts.sent.values())


@pytest.mark.parametrize("name", ["less", "negative", "decompose", "compose", "filled"])
def test_few_bytes_are_fewer_and_few_rounds_are_fewer(name):
    for bits in (16, 34, 64):
        rounds, size = cost(name, bits, "few-rounds")
        more_rounds, less = cost(name, bits, "few-bytes")
        assert less < size
        assert more_rounds > rounds


def test_a_composition_is_by_an_adder_exactly_where_that_sends_less():
    n = 64_000
    two_rounds = fixed_costs.compose(n, ADDER_FROM, None).total_bytes
    assert fixed_costs.compose(n, ADDER_FROM, composition(ADDER_FROM, "few-bytes")).total_bytes < two_rounds
    assert composition(ADDER_FROM - 1, "few-bytes") is None
    assert composition(64, "few-rounds") is None


SLOW, THIN = LINKS[-1], Link(name="thin", latency_us=10, bytes_per_second=1_000_000)


def compiled(circuits):
    rounds, size = {"few-rounds": (10, 2_000_000), "few-bytes": (60, 1_000_000)}[circuits]
    step = StepCost(step="s0", rounds=rounds, bytes_by_party=party_bytes({"alpha": size}))
    plan = plan_of(STATISTICS).model_copy(update={"circuits": circuits})
    decision = Decision(plan="0" * 64, verdicts=())
    return Compiled("SELECT", plan, decision, Estimate(steps=(step,)))


@pytest.mark.parametrize(("link", "circuits"), [(SLOW, "few-rounds"), (THIN, "few-bytes")])
def test_the_circuits_of_least_predicted_time_over_the_link_are_chosen(link, circuits):
    found = fastest(link, compiled)
    assert found.plan.circuits == circuits
    others = [compiled(each).estimate for each in ("few-rounds", "few-bytes")]
    assert microseconds(found.estimate, link) == min(microseconds(each, link) for each in others)
