"""Local steps from a number opened under a mask to shares of its quotient and of a cubic of it."""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]


@kernel("void(uint64[::1], int64, uint64[::1], uint64[::1])")
def public_parts(opened: Words, f: int, public: Words, signed: Words) -> None:
    """Of c' = opened + 2^62: c' / 2^f to the nearest, less 2^(63-f); and 2^(63-f), negative where c' >= 2^63."""
    by, half = np.uint64(f), np.uint64(f - 1)
    m = np.uint64(1) << np.uint64(63 - f)
    for i in range(opened.size):
        c = opened[i] + (np.uint64(1) << np.uint64(62))
        public[i] = (c >> by) + ((c >> half) & np.uint64(1)) - m
        signed[i] = m if c >> np.uint64(63) == np.uint64(0) else np.uint64(0) - m


@kernel(
    "void(uint64[::1], int64, uint64, uint64, uint64, uint64[:, ::1], uint64[:, ::1], uint64, uint64[::1], uint64[::1])"
)
def cubic(
    opened: Words, f: int, a0: int, a1: int, a3: int, first: Words, second: Words, own: int, out0: Words, out1: Words
) -> None:  # fmt: skip
    """Both components of a0 + a1 v + a3 v^3, v = A - q + S b with the public A and S of ``public_parts``.

    Rows of ``first`` and ``second`` are (q, q^2, q^3, b, b q, b q^2) of a number. The public part goes to component 0:
    to the first where ``own`` is 0, to the second where it is 2.
    """
    by, half = np.uint64(f), np.uint64(f - 1)
    m = np.uint64(1) << np.uint64(63 - f)
    two, three = np.uint64(2), np.uint64(3)
    for i in range(opened.size):
        c = opened[i] + (np.uint64(1) << np.uint64(62))
        a = (c >> by) + ((c >> half) & np.uint64(1)) - m
        s = m if c >> np.uint64(63) == np.uint64(0) else np.uint64(0) - m
        # (A - q)^3 and, as b^2 = b, the rest of (A - q + S b)^3 is b (3 S (A - q)^2 + 3 S^2 (A - q) + S^3)
        w1 = np.uint64(0) - a1 - three * a3 * a * a
        w2 = three * a3 * a
        w3 = np.uint64(0) - a3
        w4 = s * (a1 + a3 * (three * a * a + three * s * a + s * s))
        w5 = np.uint64(0) - three * a3 * s * (two * a + s)
        w6 = three * a3 * s
        x, y = first[i], second[i]
        out0[i] = w1 * x[0] + w2 * x[1] + w3 * x[2] + w4 * x[3] + w5 * x[4] + w6 * x[5]
        out1[i] = w1 * y[0] + w2 * y[1] + w3 * y[2] + w4 * y[3] + w5 * y[4] + w6 * y[5]
        constant = a0 + a1 * a + a3 * a * a * a
        if own == np.uint64(0):
            out0[i] += constant
        elif own == np.uint64(2):
            out1[i] += constant
