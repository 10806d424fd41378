"""Truncation, bit decomposition and its reverse: right at the edges, unbiased, and at the declared cost."""

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.arithmetic.truncate import multiply_truncate, truncate
from consortia.protocols.boolean.networks import prefix_network
from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.counting import CountingEngine
from consortia.protocols.fixed import costs as fixed_costs
from consortia.protocols.ring3 import Ring3Engine
from consortia.protocols.sharing.ring3 import Ring3Arithmetic
from tests.world import World, by_rank, reconstruct, signed

LENGTHS = (0, 1, 63, 64, 65, 200, 1000)
FRACTIONS = (1, 2, 16, 20, 31, 32, 33, 61, 62)
NETWORKS = ("sklansky", "brent-kung", "ripple")
EDGE = (1 << 62) - 1
INT64 = np.iinfo(np.int64)


def values(n, limit, seed=0):
    """Signed values with |v| <= limit, edges first."""
    draw = np.random.default_rng(seed + n)
    drawn = [int(v) for v in draw.integers(-limit, limit + 1, n, dtype=np.int64)]
    return [0, limit, -limit, 1, -1, limit - 1, 1 - limit, *drawn][:n]


def run(world, method, operands, *arguments, **options):
    return world.run_contexts(
        lambda ctx: getattr(Ring3Engine(ctx.narrow("op")), method)(
            *(operand[ctx.rank] for operand in operands), *arguments, **options
        )
    )


def check_cost(world, cost, idle_last=False):
    """``idle_last``: one computer has no part in the last round; if it is last to know, the chain ends before it."""
    assert world.rounds() in {cost.rounds, cost.rounds - idle_last}
    assert tuple(world.sent_bytes(name) for name in world.computers) == cost.bytes_by_rank
    for rank, transcript in enumerate(world.transcripts):
        assert transcript.total_rounds("op") == cost.rounds
        assert transcript.total_sent() == cost.bytes_by_rank[rank]


# --- truncation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("n", LENGTHS)
def test_products_and_numbers_are_divided_to_within_a_unit_and_exactly_on_request(n, fraction, exact):
    x, y, z = values(n, (1 << 31) - 1), values(n, (1 << 31) - 1, seed=7)[::-1], values(n, EDGE, seed=8)
    allowed = {0} if exact else {0, 1}

    world = World(n + fraction)
    operands = (world.share_arithmetic(x), world.share_arithmetic(y))
    out = reconstruct(run(world, "multiply_truncate", operands, fraction, exact=exact))
    assert {o - (a * b >> fraction) for o, a, b in zip(out, x, y, strict=True)} <= allowed
    check_cost(world, fixed_costs.multiply_truncate(n, fraction, exact=exact))

    world = World(n + fraction)
    out = reconstruct(run(world, "truncate", (world.share_arithmetic(z),), fraction, exact=exact))
    assert {o - (v >> fraction) for o, v in zip(out, z, strict=True)} <= allowed
    check_cost(world, fixed_costs.truncate(n, fraction, exact=exact))


@pytest.mark.parametrize("shape", [(0, 3, 2), (3, 0, 2), (1, 200, 1), (3, 5, 7), (64, 9, 40)])
@pytest.mark.parametrize("exact", [False, True])
def test_a_matrix_product_is_divided_once_per_sum(shape, exact):
    rows, inner, columns = shape
    x, y = values(rows * inner, 1 << 20), values(inner * columns, 1 << 20, seed=3)
    world = World(5)
    operands = (world.share_arithmetic(x), world.share_arithmetic(y))
    out = reconstruct(run(world, "matrix_product_truncate", operands, *shape, 20, exact=exact))
    truth = np.array(x, object).reshape(rows, inner) @ np.array(y, object).reshape(inner, columns)
    expected = [int(v) >> 20 for v in truth.reshape(-1)] if inner else [0] * (rows * columns)
    assert {o - e for o, e in zip(out, expected, strict=True)} <= ({0} if exact else {0, 1})
    check_cost(world, fixed_costs.multiply_truncate(rows * columns if inner else 0, 20, exact=exact))


@pytest.mark.parametrize("by", range(1, 41))
def test_shifts_right_are_exact_floors(by):
    clear = [320134517, -320134517]
    world = World(by)
    assert reconstruct(run(world, "truncate", (world.share_arithmetic(clear),), by, exact=True)) == [
        v >> by for v in clear
    ]
    engine = ClearEngine()
    words = engine.truncate(engine.constant_arithmetic(np.array(clear, np.int64).view(np.uint64)), by, exact=True)
    assert value_words(words).view(np.int64).tolist() == [v >> by for v in clear]


@pytest.mark.parametrize("fraction", [16, 20, 24, 30, 40])
def test_ten_million_truncations_near_two_to_forty_are_off_by_less_than_a_unit_and_unbiased(fraction):
    n = 2_000_000  # times five precisions
    draw = np.random.default_rng(fraction)
    z = draw.integers(-1000, 1000, n) + np.where(draw.integers(0, 2, n) == 1, 1 << 40, -(1 << 40))
    a, b = draw.integers(0, 1 << 64, (2, n), dtype=np.uint64)
    shares = by_rank(Ring3Arithmetic, (a, b, z.view(np.uint64) - a - b))
    out = World(fraction).run_contexts(lambda ctx: truncate(ctx.narrow("op"), shares[ctx.rank], fraction))
    result = (out[0].first + out[1].first + out[2].first).view(np.int64)
    floor = z >> fraction
    assert set(np.unique(result - floor)) <= {0, 1}
    error = (result - floor) - (z - (floor << fraction)) / (1 << fraction)
    # a Bernoulli error has a deviation of at most 1/2; six standard errors
    assert abs(error.mean()) < 6 * 0.5 / np.sqrt(n)


@pytest.mark.parametrize("rotated", [0, 1 << 14])
def test_the_rounding_is_the_one_stated_a_draw_that_two_computers_know(monkeypatch, rotated):
    monkeypatch.setattr(fixed_costs, "ROTATED", rotated)
    n, fraction = 200, 20
    x, y = values(n, (1 << 31) - 1), values(n, (1 << 31) - 1, seed=4)
    world = World(9)
    operands = (world.share_arithmetic(x), world.share_arithmetic(y))
    out = reconstruct(run(world, "multiply_truncate", operands, fraction))
    again = World(9).contexts
    expected = []
    for chunk, (start, stop) in enumerate(fixed_costs.chunks(n)):
        holder = again[chunk].narrow("op")  # role 0 of the chunk
        parts = [holder.stream((chunk + 1) % 3, f"{part}-{chunk}", (stop - start,), np.uint64) for part in "st"]
        low = (parts[0] + parts[1]) & np.uint64((1 << fraction) - 1)
        expected += [x[i] * y[i] + int(low[i - start]) >> fraction for i in range(start, stop)]
    assert out == expected


def test_costs_of_truncation_are_those_of_the_published_protocol():
    n = 3 * 64 * 100
    assert fixed_costs.multiply_truncate(n, 20).rounds == 2
    assert fixed_costs.multiply_truncate(n, 20).total_bytes == 42 * n
    assert fixed_costs.multiply_truncate(n, 16).total_bytes == 40 * n
    assert fixed_costs.truncate(n, 20).total_bytes == 34 * n
    assert len(set(fixed_costs.multiply_truncate(n, 20).bytes_by_rank)) == 1
    exact = fixed_costs.multiply_truncate(n, 20, exact=True)
    assert exact.rounds == 9
    assert exact.total_bytes < (42 + 41) * n


# --- planes and numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("bits", [1, 2, 3, 20, 63, 64])
@pytest.mark.parametrize("n", [0, 1, 65, 300])
def test_numbers_become_planes_and_planes_numbers(n, bits, network):
    clear = [*values(n, INT64.max), INT64.min][-n:] if n else []
    world = World(3)
    planes = run(world, "decompose", (world.share_arithmetic(clear),), bits, network)
    assert reconstruct(planes) == [v % (1 << bits) for v in clear]
    check_cost(world, fixed_costs.decompose(n, bits, network))

    unsigned = [v % (1 << bits) for v in clear]
    for form in (network, None):
        world = World(4)
        numbers = run(world, "compose", (world.share_boolean(unsigned, bits),), form)
        assert reconstruct(numbers) == [signed(v, 64) for v in unsigned]
        check_cost(world, fixed_costs.compose(n, bits, form), idle_last=n > 0 and form is not None)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("bits", [1, 2, 5, 7, 64, 100])
def test_filled_sets_every_bit_below_the_highest(bits, network):
    clear = [0, 1, (1 << bits) - 1, 1 << (bits - 1), *(1 << i for i in range(bits))]
    world = World(2)
    assert reconstruct(run(world, "filled", (world.share_boolean(clear, bits),), network)) == [
        (1 << v.bit_length()) - 1 for v in clear
    ]
    check_cost(world, fixed_costs.filled(len(clear), bits, network))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("positions", [1, 2, 3, 6, 7, 8, 9, 31, 64, 100])
def test_a_network_joins_neighbours_until_all_blocks_reach_the_lowest(positions, network):
    starts = list(range(positions))
    for level in prefix_network(positions, network):
        before = list(starts)
        assert not set(level.high) & set(level.low) or network == "ripple"
        for high, low, still_open in zip(level.high, level.low, level.open_below, strict=True):
            assert before[high] == low + 1, "not the block below"
            starts[high] = before[low]
            assert still_open == (starts[high] > 0)
    assert starts == [0] * positions


def test_networks_trade_rounds_for_gates():
    depth = {network: len(prefix_network(64, network)) for network in NETWORKS}
    joins = {network: sum(level.joins for level in prefix_network(64, network)) for network in NETWORKS}
    assert depth == {"sklansky": 6, "brent-kung": 11, "ripple": 63}
    assert joins == {"sklansky": 192, "brent-kung": 120, "ripple": 63}


# --- all engines ------------------------------------------------------------------------------------------

NUMBERS = np.array([5, -9, 1 << 20, -(1 << 40)], np.int64).view(np.uint64)
PROGRAMS = {
    "multiply_truncate": lambda e, x, b: e.multiply_truncate(x.scaled(3), x, 20),
    "matrix_product_truncate": lambda e, x, b: e.matrix_product_truncate(x, x, 2, 2, 2, 20),
    "truncate": lambda e, x, b: e.truncate(x, 20),
    "truncate exactly": lambda e, x, b: e.truncate(x, 20, exact=True),
    "decompose": lambda e, x, b: e.decompose(x, 12),
    "compose": lambda e, x, b: e.compose(b),
    "compose by an adder": lambda e, x, b: e.compose(b, "brent-kung"),
    "filled": lambda e, x, b: e.filled(b),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_clear_and_counting_engines_agree_with_a_run(name):
    small = np.array([5, -9, 1 << 20, -(1 << 20)], np.int64).view(np.uint64)

    def program(engine):
        x = engine.constant_arithmetic(small)
        return PROGRAMS[name](engine.narrow("op"), x, engine.constant_boolean(small[:2, None] & np.uint64(255), 8))

    world = World(6)
    result = reconstruct(world.run(program))
    clear = value_words(program(ClearEngine()))
    plain = clear.view(np.int64).tolist() if clear.ndim == 1 else clear[:, 0].tolist()
    slack = 1 if name in {"multiply_truncate", "matrix_product_truncate", "truncate"} else 0
    assert all(abs(a - b) <= slack for a, b in zip(result, plain, strict=True))

    counting = CountingEngine(World.computers)
    program(counting)
    assert counting.counts.rounds.total() == world.transcripts[0].total_rounds()
    for member in World.computers:
        assert counting.counts.sent["op", member] == world.sent_bytes(member)


def test_what_would_be_wrong_silently_is_an_error():
    def refused(program, code):
        with pytest.raises(InternalError) as caught:
            program()
        assert caught.value.code == code

    engine = ClearEngine()
    big = engine.constant_arithmetic(np.array([1 << 62], np.uint64))
    refused(lambda: engine.narrow("a").truncate(big, 20), "protocol/range")
    refused(lambda: engine.narrow("b").multiply_truncate(big, big, 20), "protocol/range")
    refused(lambda: engine.narrow("c").matrix_product_truncate(big, big, 1, 1, 1, 20), "protocol/range")
    for fraction in (0, 63):
        refused(lambda fraction=fraction: engine.narrow(f"f{fraction}").truncate(big, fraction), "protocol/range")
        world = World(1)
        x = world.share_arithmetic([1])
        refused(
            lambda world=world, x=x, fraction=fraction: world.run_contexts(
                lambda ctx: multiply_truncate(ctx, x[ctx.rank], x[ctx.rank], fraction)
            ),
            "protocol/range",
        )
    refused(lambda: engine.narrow("d").decompose(big, 65), "protocol/range")
    refused(lambda: prefix_network(4, "kogge"), "protocol/network")
    world = World(1)
    wide = world.share_boolean([1], 65)
    refused(
        lambda: world.run_contexts(lambda ctx: Ring3Engine(ctx).compose(wide[ctx.rank])),
        "protocol/shape",
    )
