"""What the shamir engine opens or sends is uniform whatever the data are: orders, masked numbers and bits, parts."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from consortia.protocols.engine import ColumnShape
from consortia.protocols.shamir import conversion, field
from consortia.protocols.shares import Rows
from tests.shamir_world import ShamirWorld

BIT, NUMBER = ColumnShape("boolean", 1), ColumnShape("arithmetic")
ROWS = 2000


def shared(engine, shape: ColumnShape, values: list[int]):
    words = np.array(values, np.uint64)
    given = words.reshape(-1, 1) if shape.domain == "boolean" else words
    mine = engine.ctx.member == "alpha"
    return engine.narrow("in").input("alpha", len(values), [shape], [given] if mine else None)[0]


@pytest.mark.parametrize("bits", [[0, 0, 0], [1, 0, 1]], ids=str)
def test_the_order_that_a_partition_opens_is_uniform(bits: list[int]) -> None:
    found = Counter()
    for seed in range(180):
        results = ShamirWorld(seed=seed).run(
            lambda engine: engine.narrow("p").partition_keeping(shared(engine, BIT, bits), Rows())[1].places
        )
        found[tuple(results[0].tolist())] += 1
        assert all(np.array_equal(results[0], other) for other in results)
    assert set(found) == set(permutations(range(3)))
    # thirty of each are expected, with a deviation of five
    assert all(8 <= count <= 55 for count in found.values())


def test_a_subset_whose_key_a_coalition_lacks_decides_about_the_order() -> None:
    def order(changed: tuple[int, ...]) -> tuple:
        world = ShamirWorld(5, 2)
        for context in world.contexts:
            if changed in context.keys:
                context.keys[changed] = b"another key of it"[:16]
        found = world.run(
            lambda engine: engine.narrow("p").sort_keeping(shared(engine, BIT, [1] * 12), Rows())[1].places
        )
        return tuple(found[0].tolist())

    subsets = ShamirWorld(5, 2).group.subsets
    assert len({order(subset) for subset in subsets} | {order(())}) == len(subsets) + 1


@pytest.mark.parametrize("value", [0, 1, 127])
def test_a_masked_number_has_uniform_low_bits_and_a_range_far_beyond_the_values(value: int) -> None:
    def program(engine):
        x = shared(engine, NUMBER, [value] * ROWS)
        public, _ = conversion.masked(engine.ctx.narrow("m"), x.share, 8, 8)
        return public

    public = ShamirWorld().run(program)[0]
    assert np.abs(public.mean(axis=1) - 0.5).max() < 0.06


def test_the_high_part_of_a_mask_spreads_over_the_statistical_bits() -> None:
    keys = {(0, 1): b"k" * 16, (0, 2): b"l" * 16}
    shares = {
        rank: field.pseudorandom(
            {subset: key for subset, key in (keys | {(1, 2): b"m" * 16}).items() if rank in subset},
            (rank, 3), 1 << 64, b"label", 500,
        )
        for rank in range(3)
    }  # fmt: skip
    values = field.to_signed(field.combined(shares))
    assert all(0 <= value < 3 << 64 for value in values)
    # three uniform numbers below 2^64: mean 1.5, deviation 0.5
    assert abs(float(np.mean([value / (1 << 64) for value in values])) - 1.5) < 0.12


@pytest.mark.parametrize("value", [0, 1])
def test_each_part_of_a_result_alone_is_uniform(value: int) -> None:
    def program(engine):
        bits = shared(engine, BIT, [value] * ROWS)
        numbers = engine.narrow("n").bit_to_arithmetic(bits)
        return engine.narrow("b").part(bits), engine.narrow("a").part(numbers)

    for bits, numbers in ShamirWorld(5, 2).run(program):
        assert abs(float(bits.mean()) - 0.5) < 0.06
        low = (numbers[:, :2, np.newaxis] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
        assert abs(float(low.mean()) - 0.5) < 0.01


def test_parts_of_one_value_at_two_steps_are_masked_afresh() -> None:
    def program(engine):
        bits = shared(engine, BIT, [1] * ROWS)
        return engine.narrow("first").part(bits), engine.narrow("second").part(bits)

    for first, second in ShamirWorld().run(program):
        assert 0.4 < float((first != second).mean()) < 0.6
