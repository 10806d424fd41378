"""A shared bit as a shared number.

Functionality: fresh random shares of b as 0 or 1 in Z_2^64 (Z_2^32 for counts and positions, Z_2^128).
How (protocol-proofs.md, section 1): b = u xor b2 with u = b0 xor b1, which computer 0 knows, and b2, which computers
1 and 2 know; so b = u (1 - 2 b2) + b2. v, y1 are drawn from the seed of computers 0 and 1, y0 from that of 2 and 0.
Round 1: computer 0 sends w = u - v to 2; computer 1 sends m1 = v (1 - 2 b2) + b2 - y1 to 2.
Round 2: computer 2 sends m2 = w (1 - 2 b2) - y0 to 1. Output: y0, y1 as drawn, y2 = m1 + m2.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: computer 0 receives nothing. Computer 2 receives w, masked by v, and m1 = y2 - m2, masked by y1, neither of which
it knows. Computer 1 receives m2 = y2 - m1, masked by y0. Given its output share each view is determined or uniform.
Rounds 2; bytes 8 a row and computer (4 in Z_2^32, 16 in Z_2^128).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols.context import Context
from consortia.protocols.kernels.bits import signed_by_bit, signed_by_bit_wide
from consortia.protocols.kernels.compile import Kernel
from consortia.protocols.kernels.wide import add_wide
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean, Ring3Wide

Ring = NDArray[Any]


def bit_to_arithmetic(
    ctx: Context, x: Ring3Boolean, ring: type[np.uint64] | type[np.uint32] = np.uint64
) -> Ring3Arithmetic:
    """A one-plane boolean as 0 or 1 in Z_2^64 or, with ``ring=np.uint32``, in Z_2^32."""
    first, second = _converted(ctx, x, (x.length,), ring, signed_by_bit)
    return Ring3Arithmetic(first, second)


def bit_to_wide(ctx: Context, x: Ring3Boolean) -> Ring3Wide:
    """A one-plane boolean as 0 or 1 in Z_2^128."""
    first, second = _converted(ctx, x, (x.length, 2), np.uint64, signed_by_bit_wide)
    return Ring3Wide(first, second)


def _converted(
    ctx: Context, x: Ring3Boolean, shape: tuple[int, ...], ring: type[np.generic], by_bit: Kernel
) -> tuple[Ring, Ring]:
    if x.bits != 1:
        raise InternalError("protocol/shape", f"a bit was expected, not {x.bits} planes", place=ctx.step)
    if x.length == 0:
        return np.zeros(shape, ring), np.zeros(shape, ring)
    one, two = ctx.narrow("round-1"), ctx.narrow("round-2")
    message = np.empty(shape, ring)
    expected = (shape, ring)
    if ctx.rank == 0:
        v = one.stream(1, "v", shape, ring)
        u = (x.first ^ x.second).reshape(-1)
        by_bit(np.zeros(shape, ring), u, np.uint64(1), v, message)
        one.exchange({2: message}, {})
        two.exchange({}, {})
        return one.stream(0, "y0", shape, ring), one.stream(1, "y1", shape, ring)
    if ctx.rank == 1:
        v, y1 = one.stream(1, "v", shape, ring), one.stream(1, "y1", shape, ring)
        by_bit(v, x.second.reshape(-1), np.uint64(1), y1, message)
        one.exchange({2: message}, {})
        return y1, _sum(message, two.exchange({}, {2: expected})[2])
    got = one.exchange({}, {0: expected, 1: expected})
    y0 = one.stream(0, "y0", shape, ring)
    by_bit(got[0], x.first.reshape(-1), np.uint64(0), y0, message)
    two.exchange({1: message}, {})
    return _sum(got[1], message), y0


def _sum(x: Ring, y: Ring) -> Ring:
    if x.ndim == 1:
        return np.asarray(x + y)
    out = np.empty_like(x)
    add_wide(x, y, out)
    return out
