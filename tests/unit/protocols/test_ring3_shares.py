"""Shares of the engine for three computers: local operations equal plain ones on every vector."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import InternalError
from tests.world import World, reconstruct, signed

few = settings(derandomize=True, deadline=None, max_examples=25)
lengths = st.sampled_from([0, 1, 2, 63, 64, 65, 130])


@st.composite
def integers(draw, bits):
    n = draw(lengths)
    edge = st.sampled_from([0, 1, (1 << bits) - 1, 1 << (bits - 1)])
    return draw(st.lists(st.one_of(edge, st.integers(0, (1 << bits) - 1)), min_size=n, max_size=n))


def apply(shares, local):
    return reconstruct([local(share) for share in shares])


def signs(values, bits):
    return [signed(value % (1 << bits), bits) for value in values]


@few
@given(integers(64), st.integers(-(1 << 63), (1 << 63)), st.integers(-70, 70), st.sampled_from([32, 64]))
def test_arithmetic_local_operations_equal_integers_modulo_the_ring(values, factor, by, bits):
    x = World(3).share_arithmetic(values, bits)
    assert reconstruct(x) == signs(values, bits)
    assert apply(x, lambda v: v + v) == signs([2 * v for v in values], bits)
    assert apply(x, lambda v: v - v.scaled(3)) == signs([-2 * v for v in values], bits)
    assert apply(x, lambda v: -v) == signs([-v for v in values], bits)
    assert apply(x, lambda v: v.scaled(factor)) == signs([factor * v for v in values], bits)
    sums = [sum(values[: i + 1]) for i in range(len(values))]
    assert apply(x, lambda v: v.prefix_sums()) == signs(sums, bits)
    keep = np.arange(len(values)) % 3 == 1
    assert apply(x, lambda v: v.masked(keep)) == signs([v * bool(k) for v, k in zip(values, keep, strict=True)], bits)
    assert apply(x, lambda v: v.shifted(by)) == signs(shifted(values, by), bits)
    assert apply(x, lambda v: v.concatenated([v, v.rows(0, 0)])) == signs(values + values, bits)
    paired = values[: len(values) // 2 * 2]
    turned = [*paired[::2], *paired[1::2]]
    assert apply(x, lambda v: v.rows(0, len(paired)).transposed(2)) == signs(turned, bits)
    assert apply(x, lambda v: v.rows(len(values) // 2, len(values))) == signs(values[len(values) // 2 :], bits)


@few
@given(st.sampled_from([1, 7, 64, 65, 128]).flatmap(lambda b: st.tuples(st.just(b), integers(b))), st.integers(-70, 70))
def test_boolean_local_operations_equal_integers_bit_by_bit(case, by):
    bits, values = case
    n = len(values)
    x = World(3).share_boolean(values, bits)
    assert reconstruct(x) == values
    assert apply(x, lambda v: v ^ v.shifted(1)) == [v ^ w for v, w in zip(values, shifted(values, 1), strict=True)]
    assert apply(x, lambda v: v.shifted(by)) == shifted(values, by)
    assert apply(x, lambda v: v.rows(n // 3, n)) == values[n // 3 :]
    assert apply(x, lambda v: v.rows(n // 3, n).concatenated([v, v])) == values[n // 3 :] + values + values
    running, total = [], 0
    for v in values:
        total ^= v
        running.append(total)
    assert apply(x, lambda v: v.prefix_xors()) == running
    keep = np.arange(n) % 3 == 1
    assert apply(x, lambda v: v.masked(keep)) == [v * bool(k) for v, k in zip(values, keep, strict=True)]
    assert apply(x, lambda v: v.planes(0, bits // 2).below(v.planes(bits // 2, bits))) == values
    low = apply(x, lambda v: v.planes(0, (bits + 1) // 2))
    assert low == [v & ((1 << (bits + 1) // 2) - 1) for v in values]


@few
@given(integers(128), st.integers(-70, 70))
def test_wide_local_operations_equal_integers_modulo_2_to_128(values, by):
    x = World(3).share_wide(values)
    assert reconstruct(x) == signs(values, 128)
    assert apply(x, lambda v: v + v + v) == signs([3 * v for v in values], 128)
    assert apply(x, lambda v: v - (v + v)) == signs([-v for v in values], 128)
    assert apply(x, lambda v: v.prefix_sums()) == signs([sum(values[: i + 1]) for i in range(len(values))], 128)
    assert apply(x, lambda v: v.shifted(by)) == signs(shifted(values, by), 128)
    assert apply(x, lambda v: v.rows(0, len(values) // 2).concatenated([v])) == signs(
        values[: len(values) // 2] + values, 128
    )


def shifted(values, by):
    return [values[i - by] if 0 <= i - by < len(values) else 0 for i in range(len(values))]


def test_slicing_clears_the_bits_of_rows_left_out():
    x = World(1).share_boolean([1] * 100, 1)
    for share in x:
        cut = share.rows(0, 70)
        assert int(cut.first[0, 1]) >> 6 == 0
        assert int(cut.second[0, 1]) >> 6 == 0


def test_a_share_does_not_print_compare_iterate_or_pickle():
    world = World(1)
    for share in (world.share_arithmetic([5])[0], world.share_boolean([5], 3)[0], world.share_wide([5])[0]):
        assert repr(share).endswith("of 1 rows>")
        assert "5" not in repr(share)
        for forbidden in (bool, iter, pickle.dumps, lambda v: v == 5, hash):
            with pytest.raises(TypeError):
                forbidden(share)


def test_operands_of_unequal_shape_are_refused():
    world = World(1)
    x, y = world.share_boolean([1, 2], 2)[0], world.share_boolean([1, 2], 3)[0]
    for wrong in (
        lambda: x ^ y,
        lambda: x.concatenated([y]),
        lambda: x.rows(0, 3),
        lambda: x.planes(1, 3),
        lambda: world.share_arithmetic([1])[0] + world.share_arithmetic([1, 2])[0],
    ):
        with pytest.raises(InternalError) as caught:
            wrong()
        assert caught.value.code == "protocol/shape"
