"""One party's part of a product of two shared vectors, zero share included, in one pass over memory."""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]
Ring = NDArray[np.uint64] | NDArray[np.uint32]


@kernel(
    "void(" + ", ".join(["uint64[::1]"] * 7) + ")",
    "void(" + ", ".join(["uint32[::1]"] * 7) + ")",
)
def multiply(x0: Ring, x1: Ring, y0: Ring, y1: Ring, plus: Ring, minus: Ring, out: Ring) -> None:
    """x0 y0 + x0 y1 + x1 y0 + plus - minus, modulo 2^64 or 2^32."""
    for i in range(out.size):
        out[i] = x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i] + plus[i] - minus[i]


@kernel("void(" + ", ".join(["uint64[:, ::1]"] * 4) + ", uint64[:, ::1])")
def conjunction(x0: Words, x1: Words, y0: Words, y1: Words, out: Words) -> None:
    """x0 y0 ^ x0 y1 ^ x1 y0, xor-ed into ``out``, which holds the zero share. One plane of y serves all of x."""
    step = 0 if y0.shape[0] == 1 else 1
    for plane in range(out.shape[0]):
        other = plane * step
        for w in range(out.shape[1]):
            out[plane, w] ^= (x0[plane, w] & (y0[other, w] ^ y1[other, w])) ^ (x1[plane, w] & y0[other, w])
