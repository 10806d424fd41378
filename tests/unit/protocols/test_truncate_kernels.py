"""Kernels of truncation and of prefix networks against Python integers."""

import numpy as np
import pytest

from consortia.protocols.kernels import prefixes, truncate

MASK = (1 << 64) - 1
FRACTIONS = (1, 2, 16, 20, 31, 32, 33, 48, 61, 62)
LENGTHS = (1, 3, 63, 64, 65, 200)


def drawn(seed, *shape):
    return np.random.default_rng(seed).integers(0, 1 << 64, shape, np.uint64)


def fields(packed, f, n):
    """The n fields of f bits that stand in packed words."""
    number = sum(int(word) << (64 * place) for place, word in enumerate(packed))
    return [number >> (f * i) & ((1 << f) - 1) for i in range(n)]


def packed_length(f, n):
    return (f * n + 63) // 64


def test_masked_product_is_the_part_and_the_mask():
    x0, x1, y0, y1, mask = drawn(1, 5, 100)
    out = np.empty(100, np.uint64)
    truncate.masked_product(x0, x1, y0, y1, mask, out)
    assert np.array_equal(out, x0 * y0 + x0 * y1 + x1 * y0 + mask)


@pytest.mark.parametrize("f", FRACTIONS)
@pytest.mark.parametrize("n", LENGTHS)
def test_chosen_fields_follow_the_top_bit(f, n):
    r, (zero, one) = drawn(2, n), drawn(3, 2, packed_length(f, n))
    out = np.empty_like(zero)
    truncate.chosen_fields(r, zero, one, f, out)
    expected = [o if int(v) >> 63 else z for v, z, o in zip(r, fields(zero, f, n), fields(one, f, n), strict=True)]
    assert fields(out, f, n) == expected


@pytest.mark.parametrize("f", FRACTIONS)
@pytest.mark.parametrize("n", LENGTHS)
def test_both_choices_are_masked_quotients_of_which_the_chosen_one_opens(f, n):
    c, y0, y2, r = drawn(4, 4, n)
    w0, w1, v0, v1 = drawn(5, 4, packed_length(f, n))
    to_w, to_v = np.empty((2, n), np.uint64)
    packed_w, packed_v = np.empty((2, packed_length(f, n)), np.uint64)
    truncate.both_choices(c, y0, y2, w0, w1, v0, v1, f, to_w, packed_w, to_v, packed_v)
    for zero, one, words, packed in ((w0, w1, to_w, packed_w), (v0, v1, to_v, packed_v)):
        masks, opened = np.empty_like(zero), np.empty(n, np.uint64)
        truncate.chosen_fields(r, zero, one, f, masks)
        truncate.chosen_value(r, words, packed, masks, f, opened)
        for i in range(n):
            quotient = (int(c[i]) >> f) - int(y0[i]) - int(y2[i])
            choice = quotient + (int(r[i]) >> 63) * (1 - (int(c[i]) >> 63)) * (1 << (64 - f))
            assert int(opened[i]) == (choice - (int(r[i]) >> f) - (1 << (62 - f))) & MASK
        # the words themselves are the quotient under the first mask
        hidden = [int(word) ^ (field << (64 - f)) for word, field in zip(words, fields(zero, f, n), strict=True)]
        assert hidden == [((int(a) >> f) - int(b) - int(d)) & MASK for a, b, d in zip(c, y0, y2, strict=True)]


def test_join_carries_takes_in_the_block_below():
    v0, v1, p0, p1 = drawn(6, 4, 5, 3)
    zero = drawn(7, 3, 3)
    high, low, place = np.array([1, 4]), np.array([0, 2]), np.array([-1, 2])
    out = zero.copy()
    prefixes.join_carries(v0, v1, p0, p1, high, low, place, out)

    def part(x0, x1, y0, y1):
        return (x0 & y0) ^ (x0 & y1) ^ (x1 & y0)

    for t, (h, lo) in enumerate(zip(high, low, strict=True)):
        joined = v0[h] ^ part(p0[h], p1[h], v0[h] ^ v0[lo], v1[h] ^ v1[lo])
        assert np.array_equal(out[t] ^ zero[t], joined)
    assert np.array_equal(out[2] ^ zero[2], part(p0[4], p1[4], p0[2], p1[2]))


def test_join_ors_is_this_partys_part_of_an_or():
    planes, zero = drawn(8, 3, 4, 2), drawn(9, 3, 2, 2)
    zero[2] = zero[0] ^ zero[1]
    high, low = np.array([1, 3]), np.array([0, 2])
    total = np.zeros((2, 2), np.uint64)
    for party in range(3):
        out = zero[party].copy()
        prefixes.join_ors(planes[party], planes[(party + 1) % 3], high, low, out)
        total ^= out
    clear = planes[0] ^ planes[1] ^ planes[2]
    assert np.array_equal(total, clear[high] | clear[low])


@pytest.mark.parametrize("bits", [1, 7, 64])
def test_bits_become_numbers_minus_masks_and_weighted_sums(bits):
    n = 130
    planes, values, minus = drawn(10, bits, 3), drawn(11, bits, n), drawn(12, n)
    ones = np.array([[int(planes[j, i // 64]) >> (i % 64) & 1 for i in range(n)] for j in range(bits)], np.uint64)
    out = np.empty((bits, n), np.uint64)
    prefixes.bits_minus(planes, values, out)
    assert np.array_equal(out, ones - values)
    total = np.empty(n, np.uint64)
    for weight in (np.uint64(0), np.uint64(1)):
        prefixes.weighted_by_bits(values, planes, weight, minus, total)
        signed = np.where(ones == 1, weight - values, values)
        expected = sum(signed[j] << np.uint64(j) for j in range(bits)) - minus
        assert np.array_equal(total, expected)
