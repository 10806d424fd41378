"""Every kernel equals a numpy version of a few lines."""

import os
import subprocess
import sys

import numpy as np
import pytest

from consortia.protocols.kernels import bits, carry, gather, planes, products, wide
from consortia.protocols.kernels.__main__ import every_kernel
from consortia.protocols.kernels.compile import Kernel
from tests.world import integers_from_words, words_from_integers

FULL = 1 << 64


def draw(*shape, dtype=np.uint64, seed=1):
    return np.random.default_rng([seed, *shape]).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def bit_matrix(array, rows):
    """Planes (k, W) as a matrix (k, rows) of 0 and 1."""
    matrix = np.unpackbits(array.view(np.uint8), axis=-1, bitorder="little")
    return matrix[:, :rows]


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 511, 512, 513, 1000])
@pytest.mark.parametrize("width", [1, 5, 64, 65, 128, 130])
def test_planes_and_words_are_transposes_of_each_other(rows, width):
    lanes = (width + 63) // 64
    words = draw(rows, lanes)
    if width % 64:
        words[:, -1] &= np.uint64((1 << width % 64) - 1)
    made = planes.planes_from_words(words, width)
    expected = (
        np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")[:, :width].T if rows else np.zeros((width, 0))
    )
    assert made.shape == (width, (rows + 63) // 64)
    assert np.array_equal(bit_matrix(made, rows), expected)
    if rows % 64:
        assert not np.any(made[:, -1] >> np.uint64(rows % 64))
    assert np.array_equal(planes.words_from_planes(made, rows), words)


def test_planes_ignore_bits_above_the_width():
    assert np.array_equal(planes.planes_from_words(np.array([0b1101], np.uint64), 2), [[1], [0]])


@pytest.mark.parametrize(
    ("start", "at", "count"), [(0, 0, 0), (0, 0, 200), (3, 70, 100), (64, 1, 127), (199, 0, 1), (5, 5, 60)]
)
def test_copy_bits_moves_a_run_of_bits(start, at, count):
    source, target = draw(3, 4), np.zeros((3, 4), np.uint64)
    planes.copy_bits(source, start, target, at, count)
    expected = np.zeros((3, 256))
    expected[:, at : at + count] = bit_matrix(source, 256)[:, start : start + count]
    assert np.array_equal(bit_matrix(target, 256), expected)


def test_prefix_xors_accumulate_along_a_plane():
    source, target = draw(3, 5), np.empty((3, 5), np.uint64)
    planes.prefix_xors(source, target)
    assert np.array_equal(bit_matrix(target, 320), np.cumsum(bit_matrix(source, 320), axis=1) % 2)


@pytest.mark.parametrize("dtype", [np.uint64, np.uint32])
def test_multiply_is_the_sum_of_three_products_and_the_zero_share(dtype):
    x0, x1, y0, y1, plus, minus = draw(6, 100, dtype=dtype)
    out = np.empty(100, dtype)
    products.multiply(x0, x1, y0, y1, plus, minus, out)
    assert np.array_equal(out, x0 * y0 + x0 * y1 + x1 * y0 + plus - minus)


@pytest.mark.parametrize("y_planes", [1, 4])
def test_conjunction_is_three_ands_over_the_zero_share(y_planes):
    x0, x1, out = draw(3, 4, 9)
    y0, y1 = draw(2, y_planes, 9)
    expected = out ^ (x0 & y0) ^ (x0 & y1) ^ (x1 & y0)
    products.conjunction(x0, x1, y0, y1, out)
    assert np.array_equal(out, expected)


def local_and(x0, x1, y0, y1):
    return (x0 & y0) ^ (x0 & y1) ^ (x1 & y0)


@pytest.mark.parametrize("leaves", [1, 2, 3, 6, 7])
def test_join_leaves_joins_neighbours_above_a_virtual_zero(leaves):
    v0, v1, x0, x1 = draw(4, leaves, 3)
    pairs = (leaves + 1) // 2
    out = draw(2 * pairs - 1, 3, seed=2)
    expected = out.copy()
    flips = np.uint64(FULL - 1), np.uint64(0)
    p0, p1 = v0 ^ x0 ^ flips[0], v1 ^ x1 ^ flips[1]
    expected[0] ^= v0[0] ^ local_and(p0[0], p1[0], v0[0], v1[0])
    for t in range(1, pairs):
        high, low = 2 * t, 2 * t - 1
        expected[2 * t - 1] ^= v0[high] ^ local_and(p0[high], p1[high], v0[high] ^ v0[low], v1[high] ^ v1[low])
        expected[2 * t] ^= local_and(p0[high], p1[high], p0[low], p1[low])
    carry.join_leaves(v0, v1, x0, x1, *flips, out)
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(("blocks", "with_top"), [(1, True), (2, False), (3, True), (4, False), (5, True), (8, False)])
def test_join_blocks_joins_neighbours_and_the_block_on_top(blocks, with_top):
    s0, s1 = draw(2, 2 * blocks - 1, 3)
    top0, top1 = draw(2, 2, 3, seed=3)
    every0, every1 = ((np.concatenate([s, top]) if with_top else s) for s, top in ((s0, top0), (s1, top1)))
    pairs = (blocks + with_top) // 2
    out = draw(2 * pairs - 1, 3, seed=2)
    expected = out.copy()
    for t in range(pairs):
        high, low, at = 4 * t + 1, max(0, 4 * t - 1), max(0, 2 * t - 1)
        d0, d1 = every0[high] ^ every0[low], every1[high] ^ every1[low]
        expected[at] ^= every0[high] ^ local_and(every0[high + 1], every1[high + 1], d0, d1)
        if t:
            expected[2 * t] ^= local_and(every0[high + 1], every1[high + 1], every0[4 * t], every1[4 * t])
    carry.join_blocks(s0, s1, top0, top1, out)
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.uint64, np.uint32])
@pytest.mark.parametrize("weight", [0, 1])
def test_signed_by_bit_negates_where_the_bit_is_one(dtype, weight):
    value, minus = draw(2, 70, dtype=dtype)
    plane, out = draw(2), np.empty(70, dtype)
    bits.signed_by_bit(value, plane, np.uint64(weight), minus, out)
    flags = np.unpackbits(plane.view(np.uint8), bitorder="little")[:70].astype(dtype)
    assert np.array_equal(out, np.where(flags, dtype(weight) - value, value) - minus)


@pytest.mark.parametrize("weight", [0, 1])
def test_signed_by_bit_wide_negates_where_the_bit_is_one(weight):
    value, minus = draw(2, 70, 2)
    value[:3] = [[0, 0], [0, 5], [FULL - 1, FULL - 1]]
    plane, out = np.array([FULL - 1, 5], np.uint64), np.empty((70, 2), np.uint64)
    bits.signed_by_bit_wide(value, plane, np.uint64(weight), minus, out)
    flags = np.unpackbits(plane.view(np.uint8), bitorder="little")[:70]
    columns = zip(flags, integers_from_words(value), integers_from_words(minus), strict=True)
    assert integers_from_words(out) == [((weight - v if f else v) - m) % (1 << 128) for f, v, m in columns]


def wide_operands():
    edge = words_from_integers([0, 1, FULL - 1, FULL, (1 << 128) - 1, 1 << 127, (1 << 127) - 1], 128)
    return np.concatenate([edge, draw(50, 2)]), np.concatenate([edge[::-1], draw(50, 2, seed=2)])


def test_wide_sums_and_differences_carry():
    x, y = wide_operands()
    a, b = integers_from_words(x), integers_from_words(y)
    out = np.empty_like(x)
    wide.add_wide(x, y, out)
    assert integers_from_words(out) == [(p + q) % (1 << 128) for p, q in zip(a, b, strict=True)]
    wide.subtract_wide(x, y, out)
    assert integers_from_words(out) == [(p - q) % (1 << 128) for p, q in zip(a, b, strict=True)]
    wide.prefix_sums_wide(x, out)
    assert integers_from_words(out) == [sum(a[: i + 1]) % (1 << 128) for i in range(len(a))]


def test_wide_operations_may_write_over_an_operand():
    x, y = wide_operands()
    expected, out = np.empty_like(x), x.copy()
    for operation in (wide.add_wide, wide.subtract_wide):
        operation(out, y, expected)
        operation(out, y, out)
        assert np.array_equal(out, expected)


def test_wide_products_keep_the_low_128_bits():
    x, y = wide_operands()
    operands = [x, y, y[::-1].copy(), x[::-1].copy(), draw(57, 2, seed=5), draw(57, 2, seed=6)]
    out = np.empty_like(x)
    wide.multiply_wide(*operands, out)
    rows = zip(*(integers_from_words(operand) for operand in operands), strict=True)
    assert integers_from_words(out) == [
        (x0 * y0 + x0 * y1 + x1 * y0 + plus - minus) % (1 << 128) for x0, x1, y0, y1, plus, minus in rows
    ]


@pytest.mark.parametrize("dtype", [np.uint64, np.uint32])
def test_gather_rows_takes_rows_by_index(dtype):
    source, index = draw(20, 3, dtype=dtype), np.array([4, 4, 0, 19], np.int64)
    target = np.empty((4, 3), dtype)
    gather.gather_rows(source, index, target)
    assert np.array_equal(target, source[index])


def test_a_kernel_compiles_uncached_where_no_folder_can_be_written(monkeypatch):
    import numba.core.caching

    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    fresh = Kernel(gather.gather_rows.function, gather.gather_rows.signatures)
    target = np.empty((1, 1), np.uint64)
    fresh(np.array([[7]], np.uint64), np.array([0], np.int64), target)
    assert target[0, 0] == 7


def test_every_kernel_is_found_for_compilation_at_set_up():
    names = {name for name, _ in every_kernel()}
    assert {"planes.transpose_blocks", "carry.join_blocks", "products.multiply", "wide.multiply_wide"} <= names


def test_importing_the_engine_does_not_import_the_compiler():
    code = "import sys, consortia.protocols.ring3; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
