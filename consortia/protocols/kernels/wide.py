"""Arithmetic modulo 2^128 on arrays (n, 2) of uint64, low word first."""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]


@kernel("void(uint64[:, ::1], uint64[:, ::1], uint64[:, ::1])")
def add_wide(x: Words, y: Words, out: Words) -> None:
    """Sum: x + y."""
    for i in range(out.shape[0]):
        low = x[i, 0] + y[i, 0]
        out[i, 1] = x[i, 1] + y[i, 1] + np.uint64(low < x[i, 0])
        out[i, 0] = low


@kernel("void(uint64[:, ::1], uint64[:, ::1], uint64[:, ::1])")
def subtract_wide(x: Words, y: Words, out: Words) -> None:
    """Difference: x - y."""
    for i in range(out.shape[0]):
        borrow = np.uint64(x[i, 0] < y[i, 0])
        high = x[i, 1] - y[i, 1] - borrow
        out[i, 0] = x[i, 0] - y[i, 0]
        out[i, 1] = high


@kernel("void(uint64[:, ::1], uint64[:, ::1])")
def prefix_sums_wide(x: Words, out: Words) -> None:
    """Row i is the sum of rows 0..i."""
    low = np.uint64(0)
    high = np.uint64(0)
    for i in range(out.shape[0]):
        low += x[i, 0]
        high += x[i, 1] + np.uint64(low < x[i, 0])
        out[i, 0] = low
        out[i, 1] = high


@kernel("void(" + ", ".join(["uint64[:, ::1]"] * 7) + ")")
def multiply_wide(x0: Words, x1: Words, y0: Words, y1: Words, plus: Words, minus: Words, out: Words) -> None:
    """One party's part of a product: x0 y0 + x0 y1 + x1 y0 + plus - minus."""
    mask = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    for i in range(out.shape[0]):
        # x0 (y0 + y1) + x1 y0, each a product of two 128-bit numbers of which the low 128 bits are kept
        low = plus[i, 0]
        high = plus[i, 1]
        for term in range(2):
            if term == 0:
                a, a_high = x0[i, 0], x0[i, 1]
                b = y0[i, 0] + y1[i, 0]
                b_high = y0[i, 1] + y1[i, 1] + np.uint64(b < y0[i, 0])
            else:
                a, a_high, b, b_high = x1[i, 0], x1[i, 1], y0[i, 0], y0[i, 1]
            a_l, a_h, b_l, b_h = a & mask, a >> half, b & mask, b >> half
            middle = a_h * b_l + ((a_l * b_l) >> half)
            cross = a_l * b_h + (middle & mask)
            top = a_h * b_h + (middle >> half) + (cross >> half)
            product = a * b
            low += product
            high += top + a * b_high + a_high * b + np.uint64(low < product)
        borrow = np.uint64(low < minus[i, 0])
        out[i, 0] = low - minus[i, 0]
        out[i, 1] = high - minus[i, 1] - borrow
