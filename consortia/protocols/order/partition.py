"""Partition: rows whose bit is 1 first, order kept on both sides, the number of ones secret.

Functionality: fresh random shares of the rows, those with bit 1 before those with bit 0, otherwise in order.
How (Asharov et al., CCS 2022; protocol-proofs.md, section 4): with s_i the number of ones among rows 0..i and t that
of all, row i belongs at t + i - s_i, or at s_i - 1 if its bit is 1, that is at t + i - s_i + b_i (2 s_i - 1 - t - i).
The bit becomes a number of Z_2^32, the s are local, there is one product. Rows and places are shuffled together,
the places opened to all computers, and each row put at its place.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: besides the messages of conversion, product and shuffle, the opened places: a list of all numbers 0..n-1 in an
order that is uniform, because the shuffle is, whatever the bits are. The simulator draws a uniform list.
Rounds 6; bytes a row in total: 12 conversion, 12 product, 16 + columns shuffle, 12 opening.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError, ProtocolAbort
from consortia.protocols.arithmetic.multiply import multiply
from consortia.protocols.context import Context
from consortia.protocols.conversion.bits import bit_to_arithmetic
from consortia.protocols.order.kept import KeptOrder, draw_order, gathered
from consortia.protocols.order.rows import RowLayout, layout_of, length_of, pack, unpack
from consortia.protocols.order.shuffle import draw_permutation, permuted
from consortia.protocols.shares import Rows
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean

Index = NDArray[np.int32]

POSITIONS = "positions of shuffled rows"


def partition(ctx: Context, bit: Ring3Boolean, rows: Rows) -> Rows:
    """``rows`` with those whose ``bit`` (one plane) is 1 first, stable on both sides."""
    _check(ctx, bit, rows)
    return rows if layout_of(rows).words == 0 else partition_keeping(ctx, bit, rows)[0]


def partition_keeping(ctx: Context, bit: Ring3Boolean, rows: Rows) -> tuple[Rows, KeptOrder]:
    """As ``partition``, with the order of the rows; partitions even if no column is given."""
    length = bit.length
    _check(ctx, bit, rows)
    content = layout_of(rows)
    if length < 2:
        return rows, draw_order(ctx.narrow("draw"), length)
    layout = RowLayout(True, content.arithmetic, content.wide, content.boolean)
    position = positions(ctx, bit)
    packed = pack(layout, rows, length, position)
    permutation = draw_permutation(ctx.narrow("draw"), length)
    shuffled = permuted(ctx.narrow("shuffle"), permutation, layout, packed)
    places = _opened(ctx.narrow("open"), shuffled[0][:, 0].astype(np.uint32), shuffled[1][:, 0].astype(np.uint32))
    source = _inverse(places)
    moved = unpack(layout, (gathered(shuffled[0], source), gathered(shuffled[1], source)))
    return moved, KeptOrder(permutation, source)


def _check(ctx: Context, bit: Ring3Boolean, rows: Rows) -> None:
    length_of(rows, bit.length)
    if bit.bits != 1:
        raise InternalError("protocol/shape", f"a bit was expected, not {bit.bits} planes", place=ctx.step)


def positions(ctx: Context, bit: Ring3Boolean) -> Ring3Arithmetic:
    """Where each row belongs, in Z_2^32; below 2^32 rows."""
    length = bit.length
    ones = bit_to_arithmetic(ctx.narrow("bits"), bit, np.uint32)
    before = ones.prefix_sums()
    total = Ring3Arithmetic(*(np.full(length, part[-1], np.uint32) for part in (before.first, before.second)))
    numbers = _constant(ctx, np.arange(length, dtype=np.uint32))
    if_zero = total + numbers - before
    if_one = before - _constant(ctx, np.ones(length, np.uint32))
    return if_zero + multiply(ctx.narrow("product"), ones, if_one - if_zero)


def _constant(ctx: Context, values: NDArray[np.uint32]) -> Ring3Arithmetic:
    """Public numbers of Z_2^32 as a sharing: they are component 0."""
    none = np.zeros_like(values)
    return Ring3Arithmetic(values if ctx.rank == 0 else none, values if ctx.rank == 2 else none)


def _opened(ctx: Context, first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Places to all three computers: each sends its first component to the next one, which lacks it."""
    ctx.record_opening(POSITIONS, first.size, ctx.computers)
    missing = ctx.exchange({ctx.next: first}, {ctx.previous: (first.shape, first.dtype)})[ctx.previous]
    total: NDArray[np.uint32] = first + second + missing
    return total


def _inverse(places: NDArray[np.uint32]) -> Index:
    """Which row belongs at each place. Raises ProtocolAbort ``order/contradiction`` unless each is there once."""
    source = np.full(places.size, -1, np.int32)
    inside = places < places.size
    source[places[inside]] = np.flatnonzero(inside)
    if not inside.all() or (source < 0).any():
        raise ProtocolAbort(
            "order/contradiction",
            "the opened positions are not those of any order",
            remedy="start the session again; if it persists, a computer deviates from the protocol",
        )
    return source
