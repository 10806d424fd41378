"""Numbers from one plane of bits: the local steps of bit-to-arithmetic conversions."""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]
Ring = NDArray[np.uint64] | NDArray[np.uint32]


@kernel(
    "void(uint64[::1], uint64[::1], uint64, uint64[::1], uint64[::1])",
    "void(uint32[::1], uint64[::1], uint64, uint32[::1], uint32[::1])",
)
def signed_by_bit(value: Ring, plane: Words, weight: int, minus: Ring, out: Ring) -> None:
    """(-1)^bit value + weight bit - minus, row by row; ``plane`` holds the bits."""
    for i in range(out.size):
        if (plane[i >> 6] >> np.uint64(i & 63)) & np.uint64(1):
            out[i] = weight - value[i] - minus[i]
        else:
            out[i] = value[i] - minus[i]


@kernel("void(uint64[:, ::1], uint64[::1], uint64, uint64[:, ::1], uint64[:, ::1])")
def signed_by_bit_wide(value: Words, plane: Words, weight: int, minus: Words, out: Words) -> None:
    """The same modulo 2^128, on rows of two words; ``weight`` is below 2^64."""
    for i in range(out.shape[0]):
        low, high = value[i, 0], value[i, 1]
        if (plane[i >> 6] >> np.uint64(i & 63)) & np.uint64(1):
            borrow = np.uint64(weight < low)
            low = weight - low
            high = np.uint64(0) - high - borrow
        borrow = np.uint64(low < minus[i, 0])
        out[i, 0] = low - minus[i, 0]
        out[i, 1] = high - minus[i, 1] - borrow
