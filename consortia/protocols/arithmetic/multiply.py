"""Products of shared numbers.

Functionality: fresh random shares of x y, row by row, modulo 2^64 (2^32, 2^128).
How (Araki et al., CCS 2016): with x = x0+x1+x2 and y = y0+y1+y2, computer i computes the three of the nine products
of which it knows both factors, z_i = x_i y_i + x_i y_{i+1} + x_{i+1} y_i + F(k_i) - F(k_{i+1}), and sends z_i to
computer i-1. The F terms, drawn from the pair seeds for this step, cancel in the sum.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: computer i receives z_{i+1}, which contains F(k_{i+2}), unknown to it and used nowhere else: uniform given its
own output share z_i, hence simulated by the output share itself.
Rounds 1; bytes 8 a row and computer (4 in Z_2^32, 16 in Z_2^128).
"""

import numpy as np

from consortia.protocols.context import Context
from consortia.protocols.kernels import products
from consortia.protocols.kernels import wide as wide_kernels
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Wide, check_equal

PIECE = 1 << 14
"""Rows at a time: masks and products of one piece stay in the processor's cache."""


def multiply(ctx: Context, x: Ring3Arithmetic, y: Ring3Arithmetic) -> Ring3Arithmetic:
    """Row by row, of two vectors over the same ring (uint64 or uint32)."""
    check_equal("lengths", x.length, y.length)
    check_equal("bits", x.dtype.itemsize * 8, y.dtype.itemsize * 8)
    if x.length == 0:
        return x
    plus, minus = ctx.zero_streams()
    own = np.empty_like(x.first)
    for start in range(0, x.length, PIECE):
        at = slice(start, min(start + PIECE, x.length))
        masks = (stream.draw(at.stop - start, x.dtype) for stream in (plus, minus))
        products.multiply(x.first[at], x.second[at], y.first[at], y.second[at], *masks, own[at])
    return Ring3Arithmetic(own, ctx.reshare(own))


def multiply_wide(ctx: Context, x: Ring3Wide, y: Ring3Wide) -> Ring3Wide:
    """Row by row, modulo 2^128."""
    check_equal("lengths", x.length, y.length)
    if x.length == 0:
        return x
    plus, minus = ctx.zero_sum((x.length, 2), np.uint64)
    own = np.empty_like(x.first)
    wide_kernels.multiply_wide(x.first, x.second, y.first, y.second, plus, minus, own)
    return Ring3Wide(own, ctx.reshare(own))
