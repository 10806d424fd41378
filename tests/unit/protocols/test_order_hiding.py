"""What shuffle, sort and partition show does not depend on the data: openings, traffic and single messages."""

import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from consortia.protocols.order import partition as partition_module
from consortia.protocols.order import sort as sort_module
from consortia.protocols.order.partition import partition
from consortia.protocols.order.segments import Segments
from consortia.protocols.order.shuffle import shuffle
from consortia.protocols.order.sort import sort
from consortia.protocols.shares import Rows
from tests.world import World

SEEDS = 1000


def run_sort(world, keys, bits):
    shares, column = world.share_boolean(keys, bits), world.share_arithmetic(keys)
    world.run_contexts(lambda ctx: sort(ctx.narrow("s"), shares[ctx.rank], Rows((column[ctx.rank],))))


def run_partition(world, bits, _=1):
    shares, column = world.share_boolean(bits, 1), world.share_arithmetic(bits)
    world.run_contexts(lambda ctx: partition(ctx.narrow("p"), shares[ctx.rank], Rows((column[ctx.rank],))))


def run_shuffle(world, values, bits):
    columns = world.share_arithmetic(values), world.share_boolean(values, bits), world.share_wide(values)
    rows = [Rows((a,), (b,), (w,)) for a, b, w in zip(*columns, strict=True)]
    world.run_contexts(lambda ctx: shuffle(ctx.narrow("x"), rows[ctx.rank]))


def chi_square(counts, cells, total):
    expected = total / cells
    return sum((count - expected) ** 2 / expected for count in counts) + (cells - len(counts)) * expected


@pytest.mark.parametrize("keys", [(1, 1, 1), (1, 1, 2), (3, 0, 2)])
def test_opened_comparisons_show_a_uniform_order_whatever_the_keys_and_ties(keys, monkeypatch):
    seen = []

    class Recording(Segments):
        def place(self, bits):
            seen.append(int(bits[0]))
            super().place(bits)

    monkeypatch.setattr(sort_module, "Segments", Recording)
    for seed in range(SEEDS):
        run_sort(World(seed), list(keys), 2)
    # all three computers see the same bits; the words' padding opens to zero
    patterns = Counter(seen)
    assert sum(patterns.values()) == 3 * SEEDS
    assert set(patterns) == {0b000, 0b001, 0b011, 0b100, 0b110, 0b111}, "only the six orders of three rows"
    counts = [count // 3 for count in patterns.values()]
    assert chi_square(counts, 6, SEEDS) < 25.7, counts  # 5 degrees of freedom: exceeded once in 10^4


@pytest.mark.parametrize("bits", [(0, 0, 0), (1, 0, 1), (1, 1, 1)])
def test_opened_positions_are_a_uniform_order_whatever_the_bits(bits, monkeypatch):
    seen = []
    inverse = partition_module._inverse

    def recording(places):
        seen.append(tuple(places.tolist()))
        return inverse(places)

    monkeypatch.setattr(partition_module, "_inverse", recording)
    for seed in range(SEEDS):
        run_partition(World(seed), list(bits))
    counts = [count // 3 for count in Counter(seen).values()]
    assert sum(counts) == SEEDS
    assert chi_square(counts, 6, SEEDS) < 25.7, counts


def traces(program, values, bits):
    """What an observer of the wire sees of each pair: steps and sizes in order."""
    sent = defaultdict(list)

    def watch(step, sender, receiver, payload):
        sent[sender, receiver].append((step, len(payload)))
        return payload

    program(World(5, interceptor=watch), values, bits)
    return sent


@pytest.mark.parametrize(("program", "bits"), [(run_sort, 12), (run_partition, 1), (run_shuffle, 12)])
def test_traffic_is_the_same_for_all_data_of_one_size(program, bits):
    n, top = 1500, (1 << bits) - 1
    draw = random.Random(1)
    first = traces(program, [0] * n, bits)
    assert len(first) >= 3
    for values in ([top] * n, [min(i, top) for i in range(n)], [draw.getrandbits(bits) for _ in range(n)]):
        assert traces(program, values, bits) == first


@pytest.mark.parametrize(("program", "bits"), [(run_sort, 33), (run_partition, 1), (run_shuffle, 33)])
def test_every_single_message_is_uniform_for_extreme_data(program, bits):
    n, top = 4, (1 << bits) - 1
    for value in (0, top):
        histograms = defaultdict(lambda: np.zeros(256, np.int64))

        def watch(step, sender, receiver, payload, histograms=histograms):
            histograms[step, sender, receiver] += np.bincount(np.frombuffer(payload, np.uint8), minlength=256)
            return payload

        for seed in range(SEEDS):
            program(World(seed, interceptor=watch), [value] * n, bits)
        assert histograms
        for place, histogram in histograms.items():
            statistic = chi_square(histogram, 256, histogram.sum())
            assert statistic < 255 + 4.5 * 510**0.5, (place, value, statistic)
