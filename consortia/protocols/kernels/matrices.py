"""Products of matrices over Z_2^64, added to what is there: for wide and for narrow right operands."""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]

INNER_BLOCK = 64
COLUMN_BLOCK = 512
"""A block of the right operand, 64 x 512 words, stays in the second-level cache for all rows of the left one."""


@kernel("void(uint64[:, ::1], uint64[:, ::1], uint64[:, ::1])")
def add_products(x: Words, y: Words, out: Words) -> None:
    """Add x (n, k) times y (k, m) to ``out`` (n, m); four terms a pass over a row of ``out``. For many columns."""
    inner, columns = x.shape[1], y.shape[1]
    for start in range(0, inner, INNER_BLOCK):
        stop = min(start + INNER_BLOCK, inner)
        for left in range(0, columns, COLUMN_BLOCK):
            width = min(COLUMN_BLOCK, columns - left)
            for i in range(x.shape[0]):
                row = out[i, left : left + width]
                k = start
                while k + 4 <= stop:
                    a, b, c, d = x[i, k], x[i, k + 1], x[i, k + 2], x[i, k + 3]
                    p, q = y[k, left : left + width], y[k + 1, left : left + width]
                    r, s = y[k + 2, left : left + width], y[k + 3, left : left + width]
                    for j in range(width):
                        row[j] += a * p[j] + b * q[j] + c * r[j] + d * s[j]
                    k += 4
                while k < stop:
                    a, p = x[i, k], y[k, left : left + width]
                    for j in range(width):
                        row[j] += a * p[j]
                    k += 1


@kernel("void(uint64[:, ::1], uint64[:, ::1], uint64[:, ::1])")
def add_dots(x: Words, y: Words, out: Words) -> None:
    """Add x (n, k) times the transpose of y (m, k) to ``out`` (n, m). For few columns, and inner products."""
    for i in range(x.shape[0]):
        row = x[i]
        for j in range(y.shape[0]):
            column = y[j]
            total = np.uint64(0)
            for k in range(x.shape[1]):
                total += row[k] * column[k]
            out[i, j] += total
