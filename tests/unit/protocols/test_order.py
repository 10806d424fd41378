"""Shuffle, sort and partition equal the plain computation and send exactly what is declared."""

import random
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import InternalError, ProtocolAbort
from consortia.protocols.engine import ColumnShape
from consortia.protocols.order import costs
from consortia.protocols.order import sort as sort_module
from consortia.protocols.order.partition import partition
from consortia.protocols.order.schedule import ALL_PAIRS, Schedule, schedule
from consortia.protocols.order.shuffle import draw_permutation, shuffle
from consortia.protocols.order.sort import sort
from consortia.protocols.shares import Rows
from tests.world import World, reconstruct

SIZES = (0, 1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 128, 129, ALL_PAIRS, ALL_PAIRS + 1, 700)
WIDTHS = (1, 2, 8, 34, 63, 64, 65, 96, 113)
few = settings(derandomize=True, deadline=None, max_examples=25)
ONES = (1 << 64) - 1


class Table:
    """Clear columns of every kind and their shares: row numbers, wide, a 70-bit column and the given boolean one."""

    def __init__(self, world, n, bits=8, boolean=None):
        draw = random.Random(n)
        self.numbers = list(range(n))
        self.wide = [draw.randrange(-(2**126), 2**126) for _ in range(n)]
        self.long = [draw.getrandbits(70) for _ in range(n)]
        self.boolean = boolean if boolean is not None else [draw.getrandbits(bits) for _ in range(n)]
        shares = (
            world.share_arithmetic(self.numbers),
            world.share_boolean(self.boolean, bits),
            world.share_boolean(self.long, 70),
            world.share_wide(self.wide),
        )
        self.by_rank = [Rows((a,), (b, c), (w,)) for a, b, c, w in zip(*shares, strict=True)]
        self.shapes = (
            ColumnShape("arithmetic"),
            ColumnShape("boolean", bits),
            ColumnShape("boolean", 70),
            ColumnShape("wide", 128),
        )

    def check(self, outputs):
        """All columns moved alike; returns the order."""
        order = reconstruct([out.arithmetic[0] for out in outputs])
        assert reconstruct([out.boolean[0] for out in outputs]) == [self.boolean[i] for i in order]
        assert reconstruct([out.boolean[1] for out in outputs]) == [self.long[i] for i in order]
        assert reconstruct([out.wide[0] for out in outputs]) == [self.wide[i] for i in order]
        return order


def check_cost(world, cost):
    assert tuple(world.sent_bytes(name) for name in world.computers) == cost.bytes_by_rank
    assert world.rounds() == cost.rounds
    for rank, transcript in enumerate(world.transcripts):
        assert transcript.total_rounds() == cost.rounds
        assert transcript.total_sent() == cost.bytes_by_rank[rank]


def sorted_order(keys, bits, seed=1):
    """The order that a sort of these keys makes, with its world; the cost is checked."""
    world = World(seed)
    table = Table(world, len(keys), bits, keys)
    shares = world.share_boolean(keys, bits)
    out = world.run_contexts(lambda ctx: sort(ctx.narrow("s"), shares[ctx.rank], table.by_rank[ctx.rank]))
    check_cost(world, costs.sort(len(keys), bits, table.shapes))
    return table.check(out), world


def stable_order(keys):
    return sorted(range(len(keys)), key=keys.__getitem__)


# --- sort -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
def test_a_sort_is_stable_at_every_size(n):
    keys = [random.Random(n).getrandbits(4) for _ in range(n)]
    order, _ = sorted_order(keys, 4)
    assert order == np.argsort(np.array(keys, np.int64), kind="stable").tolist()


@pytest.mark.parametrize("bits", WIDTHS)
def test_a_sort_reads_keys_of_every_width_to_the_last_bit(bits):
    draw = random.Random(bits)
    few_words = [draw.getrandbits(bits) for _ in range(5)]
    neighbours = [word ^ 1 for word in few_words] + [word ^ (1 << (bits - 1)) for word in few_words]
    keys = [0, (1 << bits) - 1, *few_words, *neighbours, *few_words, 0]
    assert sorted_order(keys, bits)[0] == stable_order(keys)


@pytest.mark.parametrize(
    "values",
    [
        [8_015_085, -3_374_791, -2_790_670, 3_513_380, 4_925_254],
        [*range(10, 0, -1), *range(1, 11), 99],
        [-(2**33), 2**33 - 1, -1, 0, 1, -1, 0],
        [7] * 40,
        [-5] * 3,
    ],
)
def test_negative_and_equal_values_sort_like_the_oracle(values):
    biased = [value + 2**33 for value in values]
    assert sorted_order(biased, 34)[0] == np.argsort(np.array(values), kind="stable").tolist()


def test_every_arrangement_of_four_keys_with_ties_is_sorted():
    for keys in sorted(set(permutations([0, 1, 1, 2]))):
        assert sorted_order(list(keys), 2)[0] == stable_order(keys)


@given(keys=st.lists(st.integers(0, 7), max_size=40), seed=st.integers(0, 1000))
@few
def test_short_lists_sort_like_the_oracle(keys, seed):
    assert sorted_order(keys, 3, seed)[0] == stable_order(keys)


@pytest.mark.parametrize("n", [2000, 6000])
def test_longer_sorts_take_several_batches_and_no_more_than_scheduled(n):
    draw = random.Random(n)
    for keys in ([draw.getrandbits(10) for _ in range(n)], list(range(n)), [5] * n):
        order, world = sorted_order(keys, 13)
        assert order == stable_order(keys)
        opened = world.transcripts[0].opened
        assert [entry.elements for entry in opened] == list(schedule(n).batches)


def test_a_batch_that_was_too_small_is_followed_by_more_and_the_rows_come_out_right(monkeypatch):
    monkeypatch.setattr(sort_module, "schedule", lambda _: Schedule(7, 1, (21, 93, 93, 10)))
    draw = random.Random(4)
    keys = [draw.getrandbits(6) for _ in range(100)]
    world = World(2)
    table, shares = Table(world, 100, 6, keys), world.share_boolean(keys, 6)
    out = world.run_contexts(lambda ctx: sort(ctx, shares[ctx.rank], table.by_rank[ctx.rank]))
    assert table.check(out) == stable_order(keys)
    # the record shows what was opened beyond the schedule
    opened = world.transcripts[0].opened
    assert [entry.elements for entry in opened[:4]] == [21, 93, 93, 10]
    assert len(opened) > 4


def test_everything_a_sort_opens_is_recorded_at_all_computers():
    _, world = sorted_order([3, 1, 2, 1, 0], 2)
    for transcript in world.transcripts:
        (entry,) = transcript.opened
        assert (entry.what, entry.elements, entry.to) == ("comparison bits of shuffled rows", 10, world.computers)
        assert entry.step.startswith("s/batch-1/")
    assert costs.opened_bits(5) == 10


def test_a_sort_of_no_columns_sends_nothing():
    world = World(1)
    shares = world.share_boolean([2, 1, 0], 2)
    out = world.run_contexts(lambda ctx: sort(ctx, shares[ctx.rank], Rows()))
    assert out[0] == Rows() or out[0].boolean == ()
    check_cost(world, costs.sort(3, 2, ()))


def test_keys_that_are_wanted_back_come_in_order_and_move_once():
    keys = [random.Random(4).getrandbits(66) for _ in range(70)]
    world = World(2)
    shares, column, flags = world.share_boolean(keys, 66), world.share_arithmetic(keys), world.share_boolean(keys, 66)
    out = world.run_contexts(
        lambda ctx: sort(
            ctx.narrow("s"),
            shares[ctx.rank],
            Rows((column[ctx.rank],), (flags[ctx.rank], shares[ctx.rank], flags[ctx.rank])),
        )
    )
    for place in range(3):
        assert reconstruct([rows.boolean[place] for rows in out]) == sorted(keys)
    beside = [ColumnShape("arithmetic"), ColumnShape("boolean", 66), ColumnShape("boolean", 66)]
    check_cost(world, costs.sort(70, 66, beside))


def test_keys_alone_are_sorted_at_the_cost_of_their_order():
    world = World(2)
    shares = world.share_boolean([5, 1, 3, 1], 3)
    out = world.run_contexts(lambda ctx: sort(ctx.narrow("s"), shares[ctx.rank], Rows((), (shares[ctx.rank],))))
    assert reconstruct([rows.boolean[0] for rows in out]) == [1, 1, 3, 5]
    check_cost(world, costs.sort(4, 3, (), keeping=True))


def test_columns_of_another_length_are_refused():
    world = World(1, silence=2)
    keys, column = world.share_boolean([2, 1, 0], 2), world.share_arithmetic([1, 2])
    with pytest.raises(InternalError, match="protocol/shape"):
        world.run_contexts(lambda ctx: sort(ctx, keys[ctx.rank], Rows((column[ctx.rank],))))


# --- shuffle ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 63, 64, 65, 500])
def test_a_shuffle_moves_all_columns_alike_and_comes_back(n):
    world = World(n)
    table = Table(world, n)

    def program(ctx):
        permutation = draw_permutation(ctx.narrow("draw"), n)
        there = permutation.apply(ctx.narrow("there"), table.by_rank[ctx.rank])
        back = permutation.invert(ctx.narrow("back"), there)
        before = permutation.invert(ctx.narrow("before"), table.by_rank[ctx.rank])
        return there, back, permutation.apply(ctx.narrow("after"), before), before

    there, back, again, before = zip(*world.run_contexts(program), strict=True)
    order = table.check(there)
    assert sorted(order) == table.numbers
    assert table.check(back) == table.check(again) == table.numbers
    inverse = table.check(before)
    assert [order[i] for i in inverse] == table.numbers
    if n >= 63:
        assert order != table.numbers
    once = costs.shuffle(n, table.shapes)
    check_cost(world, once + once + once + once)


def test_shuffles_of_different_steps_and_seeds_differ():
    orders = set()
    for seed in range(3):
        world = World(seed)
        table = Table(world, 50)
        for name in ("a", "b"):
            rows = table.by_rank
            out = world.run_contexts(lambda ctx, name=name, rows=rows: shuffle(ctx.narrow(name), rows[ctx.rank]))
            orders.add(tuple(table.check(out)))
    assert len(orders) == 6


@pytest.mark.parametrize(
    "shapes",
    [("arithmetic",), ("wide",), ("boolean", 1), ("boolean", 64), ("boolean", 70), ("wide", "boolean", 3)],
)
def test_a_column_costs_what_its_kind_declares(shapes):
    world = World(3)
    kinds = [
        ColumnShape(kind, shapes[i + 1] if kind == "boolean" else 64) for i, kind in enumerate(shapes) if kind in KINDS
    ]
    parts = {"arithmetic": [], "boolean": [], "wide": []}
    for kind in kinds:
        values = [0, 1, 1, 0, 1]
        make = {"arithmetic": world.share_arithmetic, "wide": world.share_wide}
        made = world.share_boolean(values, kind.bits) if kind.domain == "boolean" else make[kind.domain](values)
        parts[kind.domain].append(made)
    by_rank = [Rows(*(tuple(x[rank] for x in parts[name]) for name in KINDS)) for rank in range(3)]
    out = world.run_contexts(lambda ctx: shuffle(ctx, by_rank[ctx.rank]))
    for name in KINDS:
        for i in range(len(parts[name])):
            assert sorted(reconstruct([getattr(rows, name)[i] for rows in out])) == [0, 0, 1, 1, 1]
    check_cost(world, costs.shuffle(5, kinds))
    # 32 bytes of traffic a 64-bit column, half a byte a bit
    assert costs.shuffle(1, [ColumnShape("arithmetic")]).total_bytes == 32
    assert costs.shuffle(1, [ColumnShape("boolean", 64)]).total_bytes == 32


KINDS = ("arithmetic", "boolean", "wide")


# --- partition --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 63, 64, 65, 1000])
@pytest.mark.parametrize("kind", ["none", "all", "some", "first", "last"])
def test_a_partition_puts_ones_first_and_keeps_the_order(n, kind):
    draw = random.Random(n)
    bits = {
        "none": [0] * n,
        "all": [1] * n,
        "some": [draw.getrandbits(1) for _ in range(n)],
        "first": [1] * (n > 0) + [0] * (n - 1),
        "last": [0] * (n - 1) + [1] * (n > 0),
    }[kind]
    world = World(7)
    table, shares = Table(world, n), world.share_boolean(bits, 1)
    out = world.run_contexts(lambda ctx: partition(ctx.narrow("p"), shares[ctx.rank], table.by_rank[ctx.rank]))
    assert table.check(out) == sorted(range(n), key=lambda i: -bits[i])
    check_cost(world, costs.partition(n, table.shapes))
    if n > 1:
        (entry,) = world.transcripts[2].opened
        assert (entry.step, entry.what, entry.elements) == ("p/open", "positions of shuffled rows", n)


def test_a_partition_takes_one_bit():
    world = World(1, silence=2)
    shares, column = world.share_boolean([2, 1, 0], 2), world.share_arithmetic([1, 2, 3])
    with pytest.raises(InternalError, match="protocol/shape"):
        world.run_contexts(lambda ctx: partition(ctx, shares[ctx.rank], Rows((column[ctx.rank],))))


def test_positions_that_are_no_order_stop_the_run():
    def lie(step, sender, receiver, payload):
        if step == "p/open" and (sender, receiver) == ("alpha", "beta"):
            return bytes([payload[0] ^ 1]) + payload[1:]
        return payload

    world = World(1, interceptor=lie, silence=5)
    shares, column = world.share_boolean([1, 0, 0, 1], 1), world.share_arithmetic([1, 2, 3, 4])
    with pytest.raises(ProtocolAbort, match="order/contradiction"):
        world.run_contexts(lambda ctx: partition(ctx.narrow("p"), shares[ctx.rank], Rows((column[ctx.rank],))))
