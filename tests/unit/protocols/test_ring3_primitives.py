"""Every primitive of the ring3 engine equals the plain computation and sends exactly what its cost declares."""

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import InternalError
from consortia.protocols import costs
from consortia.protocols.arithmetic.multiply import multiply
from consortia.protocols.boolean.carry import WIDTH
from consortia.protocols.conversion.bits import bit_to_arithmetic
from consortia.protocols.engine import ColumnShape
from consortia.protocols.sharing.opening import open_to_computers
from tests.world import World, integers_from_words, recombined, reconstruct, signed, words_from_integers

LENGTHS = (0, 1, 63, 64, 65, 1000)
WIDTHS = (1, 2, 3, 5, 8, 33, 34, 64, 65, 96, 128)
few = settings(derandomize=True, deadline=None, max_examples=20)


def unsigned(bits, n, seed=0):
    """Values of ``bits`` bits, edges first."""
    draw = np.random.default_rng(seed + n + bits)
    top = (1 << bits) - 1
    edges = [0, top, 1, 1 << (bits - 1), top - 1 if bits > 1 else 0]
    values = [int.from_bytes(draw.bytes(16), "little") & top for _ in range(n)]
    return (edges + values)[:n]


def ranged(bits, n, seed=0):
    """Signed values with |x| < 2^(bits-1), edges first."""
    top = (1 << (bits - 1)) - 1
    draw = np.random.default_rng(seed + n + bits)
    edges = [0, top, -top, min(1, top), -min(1, top)]
    values = [int.from_bytes(draw.bytes(16), "little") % (2 * top + 1) - top for _ in range(n)]
    return (edges + values)[:n]


@dataclass
class Run:
    """One program in a world of its own, with what it sent."""

    program: Any
    operands: tuple = ()
    owners: dict = field(default_factory=dict)
    seed: int = 5

    def __post_init__(self):
        self.world = World(self.seed, owners=tuple(self.owners))

    def __call__(self):
        return self.world.run_contexts(
            lambda ctx: self.program(ctx.narrow("op"), *(operand[ctx.rank] for operand in self.operands)), self.owners
        )


def check_cost(world, cost):
    """The longest chain of messages, each computer's rounds and the bytes at the channels are the declared ones."""
    assert world.rounds() == cost.rounds
    assert tuple(world.sent_bytes(name) for name in world.computers) == cost.bytes_by_rank
    for transcript in world.transcripts:
        assert transcript.total_rounds("op") == cost.rounds
    for rank, transcript in enumerate(world.transcripts):
        assert transcript.total_sent() == cost.bytes_by_rank[rank]


def engine_program(name, *arguments):
    from consortia.protocols.ring3 import Ring3Engine

    return lambda ctx, *operands: getattr(Ring3Engine(ctx), name)(*operands, *arguments)


# --- products ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("bits", [32, 64])
def test_multiply_is_the_product_modulo_the_ring(n, bits):
    x, y = unsigned(bits, n), unsigned(bits, n, seed=9)[::-1]
    run = Run(multiply)
    run.operands = (run.world.share_arithmetic(x, bits), run.world.share_arithmetic(y, bits))
    assert reconstruct(run()) == [signed(a * b % (1 << bits), bits) for a, b in zip(x, y, strict=True)]
    check_cost(run.world, costs.multiply(n, bits))


@pytest.mark.parametrize("n", LENGTHS)
def test_multiply_wide_is_the_product_modulo_2_to_128(n):
    x, y = unsigned(128, n), unsigned(128, n, seed=9)[::-1]
    run = Run(engine_program("multiply_wide"))
    run.operands = (run.world.share_wide(x), run.world.share_wide(y))
    assert reconstruct(run()) == [signed(a * b % (1 << 128), 128) for a, b in zip(x, y, strict=True)]
    check_cost(run.world, costs.multiply(n, 128))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("widths", [(1, 1), (64, 64), (128, 128), (1, 70), (70, 1)])
def test_conjunction_is_the_and_of_planes_and_one_plane_serves_many(n, widths):
    x, y = unsigned(widths[0], n), unsigned(widths[1], n, seed=9)
    run = Run(engine_program("conjunction"))
    run.operands = (run.world.share_boolean(x, widths[0]), run.world.share_boolean(y, widths[1]))
    wide = max(widths)
    spread = [
        [v * ((1 << wide) - 1) if b == 1 and wide > 1 else v for v in z] for z, b in zip((x, y), widths, strict=True)
    ]
    assert reconstruct(run()) == [a & b for a, b in zip(*spread, strict=True)]
    check_cost(run.world, costs.conjunction(n, wide))


# --- comparisons ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("bits", WIDTHS)
def test_less_than_and_equal_compare_unsigned_values(n, bits):
    x, y = unsigned(bits, n), unsigned(bits, n, seed=9)
    y = [a if i % 3 == 0 else (a ^ 1 if i % 3 == 1 else b) for i, (a, b) in enumerate(zip(x, y, strict=True))]
    for name, truth in (("less_than", int.__lt__), ("equal", int.__eq__)):
        run = Run(engine_program(name))
        run.operands = (run.world.share_boolean(x, bits), run.world.share_boolean(y, bits))
        assert reconstruct(run()) == [int(truth(a, b)) for a, b in zip(x, y, strict=True)]
        check_cost(run.world, getattr(costs, name)(n, bits))


@pytest.mark.parametrize("bits", range(1, 9))
def test_less_than_is_right_on_all_pairs_of_narrow_values(bits):
    values = range(min(1 << bits, 40))
    pairs = [(a, b) for a in values for b in values]
    run = Run(engine_program("less_than"))
    run.operands = tuple(run.world.share_boolean(column, bits) for column in zip(*pairs, strict=True))
    assert reconstruct(run()) == [int(a < b) for a, b in pairs]


@pytest.mark.parametrize("bits", [*range(9, 18), 33, 127, 128, 129])
def test_less_than_is_right_where_one_bit_differs_or_none(bits):
    draw = random.Random(bits)
    y = [draw.getrandbits(bits) for _ in range(bits + 1)]
    x = [v ^ (1 << j) for j, v in enumerate(y[:-1])] + y[-1:]
    run = Run(engine_program("less_than"))
    run.operands = run.world.share_boolean(x, bits), run.world.share_boolean(y, bits)
    assert reconstruct(run()) == [int(a < b) for a, b in zip(x, y, strict=True)]
    check_cost(run.world, costs.less_than(bits + 1, bits))


def test_less_than_is_right_over_several_chunks():
    n = 64 * (2 * WIDTH + 5) - 3
    generator = np.random.default_rng(6)
    x, y = generator.integers(0, 1 << 20, (2, n))
    y[::7] = x[::7]
    run = Run(engine_program("less_than"))
    run.operands = run.world.share_boolean(x.tolist(), 20), run.world.share_boolean(y.tolist(), 20)
    assert np.array_equal(reconstruct(run()), x < y)
    check_cost(run.world, costs.less_than(n, 20))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 34, 35, 63, 64])
def test_negative_and_zero_hold_over_the_declared_range(n, bits):
    x = ranged(bits, n)
    for name, truth in (("negative", lambda v: v < 0), ("zero", lambda v: v == 0)):
        run = Run(engine_program(name, bits))
        run.operands = (run.world.share_arithmetic(x),)
        assert reconstruct(run()) == [int(truth(v)) for v in x]
        check_cost(run.world, getattr(costs, name)(n, bits))


def test_costs_of_comparisons_are_those_of_the_circuits():
    # published trees take 121, 62, 120 and 62 gates: one for the value of every join
    assert costs.less_than(64, 64) == costs.Cost(7, (90 * 8,) * 3)
    assert costs.less_than(64, 34) == costs.Cost(6, (46 * 8,) * 3)
    assert costs.equal(64, 64) == costs.Cost(6, (63 * 8,) * 3)
    assert costs.negative(64, 64).rounds == 7
    assert costs.negative(64, 64).total_bytes == (64 + 3 * 89) * 8
    assert costs.negative(64, 35).total_bytes == (35 + 3 * 46) * 8


# --- conversions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("bits", [32, 64, 128])
def test_a_bit_becomes_the_number_0_or_1(n, bits):
    values = unsigned(1, n)
    ring = {32: np.uint32, 64: np.uint64}.get(bits)
    program = engine_program("bit_to_wide") if ring is None else lambda ctx, x: bit_to_arithmetic(ctx, x, ring)
    run = Run(program)
    run.operands = (run.world.share_boolean(values, 1),)
    assert reconstruct(run()) == values
    check_cost(run.world, costs.bit_to_arithmetic(n, bits))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("bits", [1, 2, 40, 63])
def test_widened_keeps_the_signed_value(n, bits):
    values = ranged(bits, n)
    run = Run(engine_program("widened", bits))
    run.operands = (run.world.share_arithmetic(values),)
    assert reconstruct(run()) == values
    check_cost(run.world, costs.widened(n))


@few
@given(st.integers(0, 1 << 30), st.lists(st.integers(-(1 << 62) + 1, (1 << 62) - 1), min_size=1, max_size=70))
def test_widened_and_signs_are_right_for_any_split_into_components(seed, values):
    """Wraps of the components depend on the seed, not on the value."""
    for name, truth in (("widened", int), ("negative", lambda v: int(v < 0)), ("zero", lambda v: int(v == 0))):
        run = Run(engine_program(name, 63), seed=seed)
        run.operands = (run.world.share_arithmetic(values),)
        assert reconstruct(run()) == [truth(v) for v in values]


# --- in and out -------------------------------------------------------------------------------------------

SHAPES = [ColumnShape("boolean", 1), ColumnShape("arithmetic"), ColumnShape("wide"), ColumnShape("boolean", 96)]


def columns(n):
    clear = [unsigned(1, n), ranged(64, n), ranged(127, n), unsigned(96, n)]
    words = [
        words_from_integers(clear[0], 1),
        words_from_integers(clear[1], 64)[:, 0].copy(),
        words_from_integers(clear[2], 128),
        words_from_integers(clear[3], 96),
    ]
    return clear, words


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("owner", [0, 1, 2])
def test_a_computer_shares_its_columns_in_one_message(n, owner):
    clear, words = columns(n)
    run = Run(
        lambda ctx: engine_program("input")(
            ctx, World.computers[owner], n, SHAPES, words if ctx.rank == owner else None
        )
    )
    vectors = run()
    assert [reconstruct([v[i] for v in vectors]) for i in range(len(SHAPES))] == clear
    check_cost(run.world, costs.share_input(n, SHAPES, owner))


@pytest.mark.parametrize("n", LENGTHS)
def test_an_owner_that_does_not_compute_shares_its_columns(n):
    from consortia.protocols.sharing.external import send_input

    clear, words = columns(n)
    run = Run(
        engine_program("input", "outside", n, SHAPES, None),
        owners={"outside": lambda channels: send_input(channels, World.computers, "op", n, SHAPES, words)},
    )
    vectors = run()
    assert [reconstruct([v[i] for v in vectors]) for i in range(len(SHAPES))] == clear
    cost = costs.share_input(n, SHAPES, None)
    check_cost(run.world, cost)
    sent = run.world.network.channels["outside"]
    assert tuple(sum(sent[name].sent.values()) for name in World.computers) == cost.owner_bytes


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(("kind", "bits"), [("arithmetic", 64), ("wide", 128), ("boolean", 1), ("boolean", 96)])
def test_openings_give_the_value_to_those_named_and_are_recorded(n, kind, bits):
    values = unsigned(bits, n) if kind == "boolean" else ranged(bits, n)
    shape = ColumnShape(kind, bits)

    def shared(world):
        return {
            "arithmetic": lambda: world.share_arithmetic(values),
            "wide": lambda: world.share_wide(values),
            "boolean": lambda: world.share_boolean(values, bits),
        }[kind]()

    def read(words):
        return [v if kind == "boolean" else signed(v, bits) for v in integers_from_words(words)]

    for rank in range(3):
        run = Run(lambda ctx, x, rank=rank: engine_program("open_to_computer")(ctx, rank, x))
        run.operands = (shared(run.world),)
        opened = run()
        assert read(opened[rank]) == values
        assert [opened[r] is None for r in range(3)] == [r != rank for r in range(3)]
        check_cost(run.world, costs.open_to_computer(n, shape, rank))
        assert [(o.step, o.elements, o.to) for o in run.world.transcripts[0].opened] == [
            ("op", n, (World.computers[rank],))
        ]

    run = Run(open_to_computers)
    run.operands = (shared(run.world),)
    assert [read(words) for words in run()] == [values] * 3
    check_cost(run.world, costs.open_to_computers(n, shape))

    run = Run(engine_program("part"))
    run.operands = (shared(run.world),)
    assert recombined(run(), kind) == values
    check_cost(run.world, costs.NOTHING)
    assert run.world.transcripts[2].opened[0].to == ("recipient",)


@pytest.mark.parametrize("n", LENGTHS)
def test_public_values_and_complements_need_no_message(n):
    signed_values, bits = ranged(64, n), unsigned(70, n)

    def program(engine):
        x = engine.constant_arithmetic(words_from_integers(signed_values, 64)[:, 0].copy())
        y = engine.constant_boolean(words_from_integers(bits, 70), 70)
        return x, y, engine.invert(y), engine.invert(engine.invert(y))

    world = World(2)
    x, y, inverted, twice = (list(column) for column in zip(*world.run(program), strict=True))
    assert reconstruct(x) == signed_values
    assert reconstruct(y) == bits
    assert reconstruct(inverted) == [v ^ ((1 << 70) - 1) for v in bits]
    assert reconstruct(twice) == bits
    assert world.rounds() == 0


# --- misuse -----------------------------------------------------------------------------------------------


def refused(program, code, **world):
    with pytest.raises(InternalError) as caught:
        World(1, **world).run(program)
    assert caught.value.code == code


def test_misuse_of_an_engine_is_an_error_of_ours_with_its_own_code():
    one = words_from_integers([1], 1)[:, 0].copy()

    def twice(engine):
        x = engine.constant_arithmetic(one)
        engine.multiply(x, x)
        engine.multiply(x, x)

    refused(twice, "protocol/step-reused")
    refused(lambda e: e.bit_to_arithmetic(e.constant_boolean(one[:, None], 2)), "protocol/shape")
    refused(lambda e: e.widened(e.constant_arithmetic(one), 64), "protocol/range")
    refused(lambda e: e.negative(e.constant_arithmetic(one), 65), "protocol/range")
    refused(
        lambda e: e.multiply(e.constant_boolean(one[:, None], 1), e.constant_arithmetic(one)), "protocol/foreign-share"
    )
    refused(lambda e: e.constant_boolean(words_from_integers([4], 2), 2), "protocol/range")
    refused(lambda e: e.constant_arithmetic(one[:, None]), "protocol/shape")
    refused(lambda e: e.input("alpha", 1, [ColumnShape("arithmetic")], None), "protocol/input")
    refused(lambda e: e.input("nobody", 1, [ColumnShape("arithmetic")], None), "protocol/owner")
    refused(lambda e: e.ctx.words((e.ctx.rank + 2) % 3, "x", 1), "protocol/foreign-seed")
