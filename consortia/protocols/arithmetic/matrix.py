"""Products of shared matrices, and so inner products.

Functionality: fresh random shares of X Y, modulo 2^64.
How: as in ``arithmetic.multiply`` computer i knows both factors of three of the nine products of components; it adds
them up over the inner dimension first, z_i = X_i (Y_i + Y_{i+1}) + X_{i+1} Y_i + F(k_i) - F(k_{i+1}), and sends z_i to
computer i-1: traffic is that of the result, not that of the products.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: computer i receives z_{i+1}, which contains F(k_{i+2}), unknown to it and used nowhere else: uniform given its
own output share z_i, hence simulated by the output share itself.
Rounds 1; bytes 8 an output element and computer. An empty sum is zero, which needs no message.
"""

import numpy as np

from consortia.protocols.context import Context
from consortia.protocols.kernels.matrices import add_dots, add_products
from consortia.protocols.shares import Words
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, check_equal

NARROW = 32
"""Columns below which dot products along the inner dimension are faster than sums along rows."""


def matrix_product(
    ctx: Context, x: Ring3Arithmetic, y: Ring3Arithmetic, rows: int, inner: int, columns: int
) -> Ring3Arithmetic:
    """X (rows, inner) times Y (inner, columns), both row by row in one vector over Z_2^64; so is the result."""
    check_equal("lengths", x.length, rows * inner)
    check_equal("lengths", y.length, inner * columns)
    if rows * columns == 0 or inner == 0:
        return Ring3Arithmetic(np.zeros(rows * columns, np.uint64), np.zeros(rows * columns, np.uint64))
    plus, minus = ctx.zero_sum((rows * columns,), np.uint64)
    flat = plus - minus
    add_own_products(x, y, flat.reshape(rows, columns))
    return Ring3Arithmetic(flat, ctx.reshare(flat))


def add_own_products(x: Ring3Arithmetic, y: Ring3Arithmetic, out: Words) -> None:
    """Add this computer's part of X Y, without a mask, to ``out`` (rows, columns)."""
    rows, columns = out.shape
    _add(x.first.reshape(rows, -1), (y.first + y.second).reshape(-1, columns), out)
    _add(x.second.reshape(rows, -1), y.first.reshape(-1, columns), out)


def _add(x: Words, y: Words, out: Words) -> None:
    """Add x times y to ``out``, all contiguous."""
    if y.shape[1] < NARROW:
        add_dots(x, np.ascontiguousarray(y.T), out)
    else:
        add_products(x, y, out)
