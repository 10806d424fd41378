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


def reference_join(values, propagates, lowest):
    """One level on (first, second) components: blocks joined two by two, the highest alone if it has no partner."""
    joined = []
    for t in range(0, len(values) - 1, 2):
        (b0, b1), (d0, d1), (p0, p1) = values[t], lowest[t + 1], propagates[t + 1]
        own = values[t + 1][0] ^ local_and(p0, p1, d0 ^ b0, d1 ^ b1)
        joined.append((own, local_and(p0, p1, *propagates[t])))
    return joined


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16])
def test_blocks_are_joined_level_by_level_and_sent_only_where_they_must_be(bits, width):
    words, none = 7, np.zeros(7, np.uint64)
    chunks = [slice(start, min(start + width, words)) for start in range(0, words, width)]
    v, p = draw(2, bits, words), draw(2, bits, words, seed=2)
    values = [(none, none), *((v[0, j], v[1, j]) for j in range(bits))]
    propagates = [(none, none), *((p[0, j], p[1, j]) for j in range(bits))]
    lowest, step, blocks, apart, seed = list(values), 1, bits + 1, 0, 3
    slots, top = carry.held_slots(blocks), np.zeros((2, words), np.uint64)
    held, lows, low = np.zeros(slots * words, np.uint64), bits // 2, np.zeros((2, bits // 2 * words), np.uint64)
    message = None
    while blocks > 1:
        planes = carry.sent_planes(blocks)
        masks, out = draw(2, planes * words, seed=seed)
        zero, seed = masks ^ out, seed + 1
        if message is None:
            for at in chunks:
                size, start = at.stop - at.start, at.start
                leaves = (x[:, at].copy().reshape(-1) for x in (*v, *p))
                carry.join_leaves(
                    *leaves, bits, size, masks[planes * start :], out[planes * start :], held[slots * start :],
                    *low[:, lows * start :], *top[:, start:],
                )  # fmt: skip
        else:
            carry.join_blocks(*message, *low, blocks, step, apart, width, words, masks, out, held, slots, lows, *top)
        joined = reference_join(values, propagates, lowest)
        handed_on = [(values[-1], propagates[-1])] if blocks % 2 else []
        apart, step, blocks = blocks % 2, 2 * step, (blocks + 1) // 2
        # the other component of what was sent is drawn: any planes do
        message = out, draw(planes * words, seed=seed + 100)

        def plane(number, planes=planes, message=message):
            return tuple(
                np.concatenate([part[planes * at.start :][number * (at.stop - at.start) :][: at.stop - at.start]
                                for at in chunks]) for part in message
            )  # fmt: skip

        def share(number, planes=planes, zero=zero):
            return np.concatenate(
                [zero[planes * at.start :][number * (at.stop - at.start) :][: at.stop - at.start] for at in chunks]
            )

        values, propagates, number = [], [], 0
        for u, (own, both) in enumerate(joined):
            if (u % 2 == 0 and u < blocks - 1) or blocks == 1:
                values.append(plane(number))
                assert np.array_equal(values[-1][0], own ^ share(number))
                number += 1
            else:
                values.append((own, none))
            propagates.append((none, none))
            if u > 0:
                propagates[-1] = plane(number)
                assert np.array_equal(propagates[-1][0], both ^ share(number))
                number += 1
        assert number == planes
        values += [value for value, _ in handed_on]
        propagates += [propagate for _, propagate in handed_on]
        lowest = lowest[::2]


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
    source, index = draw(20, 3, dtype=dtype), np.array([4, 4, 0, 19], np.int32)
    target = np.empty((4, 3), dtype)
    gather.gather_rows(source, index, target)
    assert np.array_equal(target, source[index])


def test_a_kernel_compiles_uncached_where_no_folder_can_be_written(monkeypatch):
    import numba.core.caching

    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    fresh = Kernel(gather.gather_rows.function, gather.gather_rows.signatures)
    target = np.empty((1, 1), np.uint64)
    fresh(np.array([[7]], np.uint64), np.array([0], np.int32), target)
    assert target[0, 0] == 7


def test_every_kernel_is_found_for_compilation_at_set_up():
    names = {name for name, _ in every_kernel()}
    assert {"planes.transpose_blocks", "carry.join_blocks", "products.multiply", "wide.multiply_wide"} <= names


def test_importing_the_engine_does_not_import_the_compiler():
    code = "import sys, consortia.protocols.ring3; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
