"""The permutation of a sort or partition moves other rows too and puts rows back, on every engine, at declared cost."""

import random

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.counting import CountingEngine
from consortia.protocols.engine import ColumnShape
from consortia.protocols.order import costs
from consortia.protocols.shares import Rows
from tests.world import World, reconstruct

SIZES = (0, 1, 2, 3, 64, 65, 300)
SHAPES = [ColumnShape("boolean", 9), ColumnShape("arithmetic"), ColumnShape("wide"), ColumnShape("boolean", 70)]


def program(engine, keys, bit, rows):
    """Every operation that keeps, follows or undoes an order; returns the vectors to look at."""
    by_key, order = engine.narrow("sort").sort_keeping(keys, rows)
    again = engine.narrow("again").permuted(order, rows)
    back = engine.narrow("back").put_back(order, by_key)
    by_bit, places = engine.narrow("partition").partition_keeping(bit, rows)
    there = engine.narrow("there").permuted(places, rows)
    home = engine.narrow("home").put_back(places, by_bit)
    only, alone = engine.narrow("alone").sort_keeping(keys, Rows())
    followed = engine.narrow("followed").permuted(alone, rows)
    _, alone_bit = engine.narrow("alone-bit").partition_keeping(bit, only)
    followed_bit = engine.narrow("followed-bit").permuted(alone_bit, rows)
    secret = engine.narrow("draw").permutation(keys.length)
    mixed = engine.narrow("mixed").permuted(secret, rows)
    unmixed = engine.narrow("unmixed").put_back(secret, mixed)
    return [by_key, again, back, by_bit, there, home, followed, followed_bit, mixed, unmixed]


def columns(n):
    draw = random.Random(n)
    keys = [draw.randrange(5) for _ in range(n)]
    bits = [draw.getrandbits(1) for _ in range(n)]
    wide = [draw.randrange(-(2**100), 2**100) for _ in range(n)]
    long = [draw.getrandbits(70) for _ in range(n)]
    return keys, bits, wide, long


def expected_orders(keys, bits):
    n = len(keys)
    by_key = sorted(range(n), key=keys.__getitem__)
    by_bit = sorted(range(n), key=lambda i: -bits[i])
    same = list(range(n))
    return [by_key, by_key, same, by_bit, by_bit, same, by_key, by_bit, None, same]


@pytest.mark.parametrize("n", SIZES)
def test_an_order_is_kept_followed_and_undone_and_costs_what_is_declared(n):
    keys, bits, wide, long = columns(n)
    world = World(n)
    shared = [world.share_boolean(keys, 9), world.share_boolean(bits, 1)]
    parts = (world.share_arithmetic(range(n)), world.share_boolean(long, 70), world.share_wide(wide))

    def run(engine):
        rank = engine.ctx.rank
        rows = Rows((parts[0][rank],), (shared[0][rank], parts[1][rank]), (parts[2][rank],))
        return program(engine, shared[0][rank], shared[1][rank], rows)

    outputs = list(zip(*world.run(run), strict=True))
    for moved, expected in zip(outputs, expected_orders(keys, bits), strict=True):
        order = reconstruct([rows.arithmetic[0] for rows in moved])
        if expected is None:
            assert sorted(order) == list(range(n))
        else:
            assert order == expected
        assert reconstruct([rows.boolean[0] for rows in moved]) == [keys[i] for i in order]
        assert reconstruct([rows.boolean[1] for rows in moved]) == [long[i] for i in order]
        assert reconstruct([rows.wide[0] for rows in moved]) == [wide[i] for i in order]

    counting = CountingEngine(World.computers)
    k, a, w, b = counting.narrow("in").input("alpha", n, SHAPES, None)
    free = sum(counting.counts.sent.values())
    rounds = sum(counting.counts.rounds.values())
    program(counting, k, k.planes(0, 1), Rows((a,), (k, b), (w,)))
    sent = {
        name: sum(size for (step, by), size in counting.counts.sent.items() if by == name and step != "in")
        for name in World.computers
    }
    assert {name: world.sent_bytes(name) for name in World.computers} == sent
    assert {transcript.total_rounds() for transcript in world.transcripts} == {
        sum(counting.counts.rounds.values()) - rounds
    }
    assert sum(sent.values()) == sum(counting.counts.sent.values()) - free
    declared = [(o.what, o.elements) for o in counting.counts.opened]
    found: dict = {}
    for entry in world.transcripts[0].opened:
        root = entry.step.split("/")[0]
        found[root] = (entry.what, found.get(root, ("", 0))[1] + entry.elements)
    assert list(found.values()) == declared


@pytest.mark.parametrize("n", SIZES)
def test_the_clear_engine_keeps_orders_alike(n):
    keys, bits, wide, _ = columns(n)
    engine = ClearEngine()
    key = engine.constant_boolean(np.array(keys, np.uint64).reshape(-1, 1), 9)
    bit = engine.constant_boolean(np.array(bits, np.uint64).reshape(-1, 1), 1)
    number = engine.constant_arithmetic(np.arange(n, dtype=np.uint64))
    broad = engine.constant_wide(np.array([[w % 2**64, (w >> 64) % 2**64] for w in wide], np.uint64).reshape(-1, 2))
    outputs = program(engine, key, bit, Rows((number,), (key,), (broad,)))
    for moved, expected in zip(outputs, expected_orders(keys, bits), strict=True):
        order = [int(word) for word in value_words(moved.arithmetic[0])]
        assert order == (expected if expected is not None else order)
        assert sorted(order) == list(range(n))
        words = value_words(moved.wide[0])
        assert [int(low) + (int(high) << 64) for low, high in words] == [wide[i] % 2**128 for i in order]


def test_following_an_order_costs_one_shuffle_and_opens_nothing():
    assert costs.permuted(5, SHAPES) == costs.shuffle(5, SHAPES)
    assert costs.permuted(1, SHAPES).total_bytes == 0
    world = World(1)
    column = world.share_arithmetic([1, 2, 3])

    def run(engine):
        order = engine.narrow("draw").permutation(3)
        return engine.narrow("go").put_back(order, Rows((column[engine.ctx.rank],)))

    world.run(run)
    assert world.transcripts[0].opened == []


def test_rows_of_another_length_do_not_follow_an_order():
    def follow(engine, column):
        engine.narrow("go").permuted(engine.narrow("draw").permutation(3), Rows((column,)))

    world, clear = World(1, silence=2), ClearEngine()
    column = world.share_arithmetic([1, 2])
    with pytest.raises(InternalError, match="protocol/shape"):
        world.run(lambda e: follow(e, column[e.ctx.rank]))
    with pytest.raises(InternalError, match="protocol/shape"):
        follow(clear, clear.constant_arithmetic(np.zeros(2, np.uint64)))


def test_an_order_of_another_engine_is_refused():
    foreign = ClearEngine().permutation(1)
    with pytest.raises(InternalError, match="protocol/foreign-share"):
        World(1).run(lambda e: e.permuted(foreign, Rows()))


@pytest.mark.parametrize("bit", [0, 1])
def test_a_flag_is_opened_to_all_computers_and_recorded_by_its_name(bit):
    world = World(2)
    flag = world.share_boolean([bit], 1)
    assert world.run(lambda e: e.narrow("f").open_flag(flag[e.ctx.rank], "a check")) == (bool(bit),) * 3
    (entry,) = world.transcripts[1].opened
    assert (entry.step, entry.what, entry.elements, entry.to) == ("f", "a check", 1, World.computers)
    counting = CountingEngine(World.computers)
    shape = counting.constant_boolean(np.zeros((1, 1), np.uint64), 1)
    assert counting.narrow("f").open_flag(shape, "a check") is False
    assert counting.counts.opened == [entry]
    assert [counting.counts.sent["f", name] for name in World.computers] == [world.sent_bytes("alpha")] * 3
    clear = ClearEngine()
    assert clear.open_flag(clear.constant_boolean(np.array([[bit]], np.uint64), 1), "a check") == bool(bit)


@pytest.mark.parametrize("kind", [ClearEngine, lambda: CountingEngine(World.computers)])
def test_more_than_one_bit_is_no_flag(kind):
    engine = kind()
    with pytest.raises(InternalError, match="protocol/shape"):
        engine.open_flag(engine.constant_boolean(np.zeros((2, 1), np.uint64), 1), "a check")
    with pytest.raises(InternalError, match="protocol/shape"):
        World(1, silence=2).run(lambda e: e.open_flag(e.constant_boolean(np.zeros((2, 1), np.uint64), 1), "a check"))


def test_a_wide_column_is_one_shape_however_its_bits_are_declared():
    counting = CountingEngine(World.computers)
    (given,) = counting.narrow("in").input("alpha", 2, [ColumnShape("wide", 128)], None)
    assert (given - counting.constant_wide(np.zeros((2, 2), np.uint64))).length == 2
