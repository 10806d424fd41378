"""The public side of a sort: batches of public size, and where answers put rows."""

import numpy as np
import pytest

from consortia.errors import ProtocolAbort
from consortia.protocols.kernels.order import compare_planes, shuffle_index
from consortia.protocols.kernels.planes import packed_bits, planes_from_words
from consortia.protocols.order.schedule import ALL_PAIRS, Schedule, schedule
from consortia.protocols.order.segments import Segments

SIZES = [0, 1, 2, 3, 4, 5, 31, 32, 33, ALL_PAIRS, ALL_PAIRS + 1, 511, 512, 1000, 1024, 2049, 5000, 8191]
LARGE = pytest.param(20_000, marks=pytest.mark.slow)


def batches_used(ranks: np.ndarray, plan: Schedule) -> list[int]:
    segments, used = Segments(ranks.size, plan), []
    while len(used) < len(plan.batches) or not segments.sorted:
        left, right = segments.comparisons()
        segments.place(packed_bits(ranks[left] < ranks[right]))
        used.append(left.size)
    assert np.array_equal(ranks[segments.order()], np.arange(ranks.size))
    return used


@pytest.mark.parametrize("rows", [*SIZES, LARGE])
def test_every_order_is_sorted_in_the_scheduled_batches(rows: int) -> None:
    generator = np.random.default_rng(rows)
    ascending = np.arange(rows)
    for ranks in [ascending, ascending[::-1].copy(), *(generator.permutation(rows) for _ in range(5))]:
        used = batches_used(ranks, schedule(rows))
        # a shuffled list needs no more than scheduled; the two sorted lists may, as pivots come from the front
        assert tuple(used[: len(schedule(rows).batches)]) == schedule(rows).batches
    assert tuple(used) == schedule(rows).batches


def test_all_orders_of_four_rows_come_out_right_in_one_batch() -> None:
    orders = np.stack(np.meshgrid(*[np.arange(4)] * 4)).reshape(4, -1).T
    orders = [order for order in orders if len(set(order.tolist())) == 4]
    assert len(orders) == 24
    for ranks in orders:
        assert batches_used(ranks, schedule(4)) == [6]


@pytest.mark.parametrize(
    ("plan", "rows"),
    [
        (Schedule(7, 1, (21, 93, 93, 10)), 100),  # the last batch is too small
        (Schedule(7, 3, (21, 279, 5)), 100),
        (Schedule(15, 7, (105, 1)), 100),  # nothing fits the second batch
        (Schedule(0, 1, (99,) * 4), 100),  # no first sample
    ],
)
def test_what_does_not_fit_is_sorted_in_further_batches(plan: Schedule, rows: int) -> None:
    for seed in range(20):
        used = batches_used(np.random.default_rng(seed).permutation(rows), plan)
        assert tuple(used[: len(plan.batches)]) == plan.batches
        assert len(used) > len(plan.batches)


def test_missing_comparisons_are_filled_up_with_row_zero_and_itself() -> None:
    rows = 500
    plan = Schedule(31, 31, (31 * 30 // 2, 31 * 469, 40_000))
    ranks = np.random.default_rng(3).permutation(rows)
    segments = Segments(rows, plan)
    for size in plan.batches:
        left, right = segments.comparisons()
        assert left.size == right.size == size
        segments.place(packed_bits(ranks[left] < ranks[right]))
    dummies = left == right
    assert dummies.sum() > 20_000
    assert not left[dummies].any()
    assert segments.sorted


def test_no_pair_is_compared_twice() -> None:
    ranks = np.random.default_rng(5).permutation(3000)
    segments, pairs = Segments(3000, schedule(3000)), set()
    while not segments.sorted:
        left, right = segments.comparisons()
        segments.place(packed_bits(ranks[left] < ranks[right]))
        own = {(min(a, b), max(a, b)) for a, b in zip(left.tolist(), right.tolist(), strict=True) if a != b}
        assert len(own) == int((left != right).sum())
        assert not own & pairs
        pairs |= own


@pytest.mark.parametrize(
    ("rows", "comparisons", "batches"), [(10_000, 40, 9), (30_000, 20, 18), (100_000, 22, 20), (1_000_000, 25, 26)]
)
def test_the_schedule_stays_near_the_least_possible(rows: int, comparisons: float, batches: int) -> None:
    plan = schedule(rows)
    assert sum(plan.batches) <= comparisons * rows
    assert len(plan.batches) <= batches


def test_one_more_row_never_makes_a_sort_much_cheaper() -> None:
    # between octaves the batches change; the total, a batch counted as 25,000 comparisons, must not jump
    def weight(rows: int) -> int:
        return sum(schedule(rows).batches) + 25_000 * len(schedule(rows).batches)

    for rows in [ALL_PAIRS, *(2**power - 1 for power in range(9, 23))]:
        assert 0.6 < weight(rows + 1) / weight(rows) < 1.4, rows


def test_contradicting_answers_are_detected_and_stay_inside_the_list() -> None:
    segments = Segments(3, schedule(3))
    segments.comparisons()
    # 0 < 1, 1 < 2 and 2 < 0, in the order (0,1), (0,2), (1,2)
    segments.place(np.array([0b101], np.uint64))
    with pytest.raises(ProtocolAbort, match="order/contradiction"):
        segments.order()


def test_random_answers_never_lead_outside_the_list() -> None:
    for seed in range(30):
        generator = np.random.default_rng(seed)
        rows = int(generator.integers(2, 2000))
        segments = Segments(rows, schedule(rows))
        for _ in range(len(schedule(rows).batches) + 5):
            if segments.sorted:
                break
            left, right = segments.comparisons()
            assert left.min(initial=0) >= 0
            assert max(left.max(initial=0), right.max(initial=0)) < rows
            segments.place(generator.integers(0, 1 << 64, left.size // 64 + 1, np.uint64))


def test_drawn_permutations_of_four_are_uniform() -> None:
    counts: dict[tuple[int, ...], int] = {}
    generator = np.random.default_rng(11)
    for _ in range(24_000):
        index = np.empty(4, np.int32)
        shuffle_index(generator.integers(0, 1 << 64, 20, np.uint64), index)
        counts[tuple(index)] = counts.get(tuple(index), 0) + 1
    assert len(counts) == 24
    chi = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert chi < 58, chi  # 23 degrees of freedom: exceeded once in 10^4


def test_a_draw_that_would_favour_a_place_is_skipped() -> None:
    # bound 3: 2^64 mod 3 = 1, so of all draws only 0 is refused
    for spare in (0, 1, 1 << 63, (1 << 64) - 1):
        index, expected = np.empty(3, np.int32), np.empty(3, np.int32)
        shuffle_index(np.array([0, spare, 5, 1, 1, 1], np.uint64), index)
        shuffle_index(np.array([spare or 5, 5 if spare else 1, 1, 1, 1], np.uint64), expected)
        assert np.array_equal(index, expected)


@pytest.mark.parametrize("bits", [1, 7, 63, 64, 65, 84, 128, 190])
@pytest.mark.parametrize("count", [64 * 29, 64 * 29 - 7])
def test_leaves_of_a_comparison_are_the_right_rows_and_their_difference_from_the_left(bits: int, count: int) -> None:
    generator = np.random.default_rng(bits)
    lanes = (bits + 63) // 64
    rows = generator.integers(0, 1 << 64, (300, 2 * lanes), np.uint64)
    left, right = generator.integers(0, 300, (2, count), np.int32)
    left[64 * 8 : 64 * 16] = 17  # a whole block has one left row
    left[64 * 24 :] = 5
    flips = np.uint64(0), np.uint64((1 << 64) - 1)
    made = np.empty((4, bits, 29), np.uint64)
    compare_planes(rows, left, right, bits, *flips, *made)
    left, right = (np.concatenate([index, np.zeros(64 * 29 - count, np.int32)]) for index in (left, right))
    for part, flip in enumerate(flips):
        component = rows[:, part * lanes : (part + 1) * lanes]
        value, other = (planes_from_words(component[index], bits) for index in (right, left))
        assert np.array_equal(made[part], value)
        assert np.array_equal(made[2 + part], value ^ other ^ flip)
