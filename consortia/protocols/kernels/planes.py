"""Bit planes: plane j of a vector holds bit j of all n values, 64 values a word, the first in the lowest bit.

Planes are arrays (bits, ceil(n/64)) of uint64. Row-major words are arrays (n, ceil(bits/64)), low word first.
Bits beyond row n in the last word of a plane are called padding.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]

_T = "int64, int64, int64, int64, int64"


def words_of(rows: int) -> int:
    """Words that one plane of ``rows`` bits takes."""
    return (rows + 63) // 64


@kernel(f"void(uint64[::1], {_T}, uint64[::1], {_T}, int64)")
def transpose_blocks(  # noqa: C901, PLR0917 - one pass over memory, two places given by strides
    source: Words, s_from: int, s_row: int, s_block: int, s_tilt: int, s_limit: int,
    target: Words, t_from: int, t_row: int, t_block: int, t_tilt: int, t_limit: int,
    blocks: int,
) -> None:  # fmt: skip
    """Transpose ``blocks`` squares of 64x64 bits, eight at a time so that the exchanges are vector operations.

    Row r of square w is the word at ``from + r*row + w*block``; it exists where ``r + w*tilt < limit``, is read as
    zero and not written elsewhere. With (row, block, tilt) = (1, 64, 64) squares follow each other in row-major
    words; with (W, 1, 0) they stand side by side in planes of W words.
    """
    square = np.empty((64, 8), np.uint64)
    for first in range(0, blocks, 8):
        count = min(8, blocks - first)
        for r in range(64):
            for c in range(8):
                w = first + c
                if c < count and r + w * s_tilt < s_limit:
                    square[r, c] = source[s_from + r * s_row + w * s_block]
                else:
                    square[r, c] = np.uint64(0)
        j = 32
        mask = np.uint64(0x00000000FFFFFFFF)
        while j > 0:
            by = np.uint64(j)
            k = 0
            while k < 64:
                for c in range(8):
                    v = ((square[k, c] >> by) ^ square[k + j, c]) & mask
                    square[k, c] ^= v << by
                    square[k + j, c] ^= v
                k = (k + j + 1) & ~j
            j >>= 1
            if j > 0:
                mask ^= mask << np.uint64(j)
        for r in range(64):
            for c in range(count):
                w = first + c
                if r + w * t_tilt < t_limit:
                    target[t_from + r * t_row + w * t_block] = square[r, c]


def planes_from_words(words: Words, bits: int) -> Words:
    """Planes (bits, ceil(n/64)) of row-major words (n, ceil(bits/64)), or of (n,) when bits <= 64; padding is zero."""
    rows = words.shape[0]
    lanes = words.shape[1] if words.ndim > 1 else 1
    width = words_of(rows)
    planes = np.empty((bits, width), np.uint64)
    source, target = np.ascontiguousarray(words, dtype=np.uint64).reshape(-1), planes.reshape(-1)
    for lane in range((bits + 63) // 64):
        transpose_blocks(
            source, lane, lanes, 64 * lanes, 64, rows,
            target, lane * 64 * width, width, 1, 0, min(64, bits - 64 * lane),
            width,
        )  # fmt: skip
    return planes


def words_from_planes(planes: Words, rows: int) -> Words:
    """Row-major words (n, ceil(bits/64)) of planes (bits, ceil(n/64)); padding is dropped."""
    bits, width = planes.shape
    lanes = (bits + 63) // 64
    words = np.empty((rows, lanes), np.uint64)
    source, target = np.ascontiguousarray(planes).reshape(-1), words.reshape(-1)
    for lane in range(lanes):
        transpose_blocks(
            source, lane * 64 * width, width, 1, 0, min(64, bits - 64 * lane),
            target, lane, lanes, 64 * lanes, 64, rows,
            width,
        )  # fmt: skip
    return words


@kernel("void(uint64[:, ::1], int64, uint64[:, ::1], int64, int64)")
def copy_bits(source: Words, s_from: int, target: Words, t_from: int, count: int) -> None:
    """Bits ``s_from ..`` of every plane of ``source``, or-ed into bits ``t_from ..`` of ``target``, which are zero."""
    for plane in range(source.shape[0]):
        done = 0
        while done < count:
            s, t = s_from + done, t_from + done
            s_bit, t_bit = s & 63, t & 63
            take = min(64 - t_bit, 64 - s_bit, count - done)
            word = source[plane, s >> 6] >> np.uint64(s_bit)
            if take < 64:
                word &= (np.uint64(1) << np.uint64(take)) - np.uint64(1)
            target[plane, t >> 6] |= word << np.uint64(t_bit)
            done += take


@kernel("void(uint64[:, ::1], uint64[:, ::1])")
def prefix_xors(source: Words, target: Words) -> None:
    """Bit i of a plane of ``target`` is the exclusive or of bits 0..i of that plane of ``source``."""
    for plane in range(source.shape[0]):
        carry = np.uint64(0)
        for w in range(source.shape[1]):
            v = source[plane, w]
            v ^= v << np.uint64(1)
            v ^= v << np.uint64(2)
            v ^= v << np.uint64(4)
            v ^= v << np.uint64(8)
            v ^= v << np.uint64(16)
            v ^= v << np.uint64(32)
            v ^= carry
            target[plane, w] = v
            # the top bit of the word, spread over all 64: all ones or all zeros
            carry = np.uint64(0) - (v >> np.uint64(63))


def packed_bits(flags: NDArray[np.bool_]) -> Words:
    """A public mask (n,) as one plane (ceil(n/64),), padding zero."""
    out = np.zeros(words_of(flags.size), np.uint64)
    packed = np.packbits(flags, bitorder="little")
    out.view(np.uint8)[: packed.size] = packed
    return out


def without_padding(planes: Words, rows: int) -> Words:
    """The same planes with zero padding; the same array where there is no padding."""
    left = rows % 64
    if left == 0 or planes.size == 0:
        return planes
    out = planes.copy()
    out[:, -1] &= np.uint64((1 << left) - 1)
    return out
