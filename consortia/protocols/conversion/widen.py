"""A number of Z_2^64 as the same signed number in Z_2^128.

Functionality: fresh random shares modulo 2^128 of x, for |x| < 2^62.
How: X = x + 2^62 lies in (0, 2^63). Computer 0 knows a = x0 + x1 + 2^62 modulo 2^64, computers 1 and 2 know c = x2,
and X = a + c or a + c - 2^64. As the top bit of X is zero, the sum wraps exactly when a or c has its top bit set.
Read a and c as signed numbers A and C: then x = A + C - 2^62 + 2^64 (a63 c63), and only that product needs a message:
with a63 = v + w it is 2^64 (v c63 + w c63), v drawn from the seed of computers 0 and 1.
Round 1: computer 0 sends B = A - alpha (mod 2^128) and w = a63 - v (mod 2^64) to 2; computer 1 needs no message.
It sends m1 = alpha + 2^64 v c63 + C - 2^62 - y1 to 2. Round 2: computer 2 sends m2 = B + 2^64 w c63 - y0 to 1.
alpha, v, y1 are drawn from the seed of computers 0 and 1, y0 from that of 2 and 0. Output: y0, y1, y2 = m1 + m2.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: computer 0 receives nothing; computer 2 receives B, w and m1 masked by alpha, v and y1, which it does not know;
computer 1 receives m2 = y2 - m1, masked by y0. Given its output share each view is determined or uniform.
Rounds 2; bytes 24 a row from computer 0, 16 from each of the others.
Source: the top-bit argument is the one of truncation under a range promise (protocol-proofs.md, section 2).
"""

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols.context import Context
from consortia.protocols.kernels.wide import add_wide, subtract_wide
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Wide

Words = NDArray[np.uint64]

_OFFSET = np.uint64(1 << 62)
_TOP = np.uint64(63)


def widened(ctx: Context, x: Ring3Arithmetic, bits: int) -> Ring3Wide:
    """The same signed values in Z_2^128, for |x| < 2^(bits-1), 1 <= bits <= 63."""
    if not 1 <= bits <= 63:
        raise InternalError("protocol/range", f"values of {bits} bits can't be widened, only up to 63", place=ctx.step)
    n = x.length
    if n == 0:
        return Ring3Wide(np.zeros((0, 2), np.uint64), np.zeros((0, 2), np.uint64))
    one, two = ctx.narrow("round-1"), ctx.narrow("round-2")
    message = np.empty((n, 2), np.uint64)
    if ctx.rank == 0:
        a = x.first + x.second + _OFFSET
        # B in the first 2n words, w in the last n
        out = np.empty(3 * n, np.uint64)
        subtract_wide(_extended(a), one.stream(1, "alpha", (n, 2), np.uint64), out[: 2 * n].reshape(n, 2))
        out[2 * n :] = (a >> _TOP) - one.words(1, "v", n)
        one.exchange({2: out}, {})
        two.exchange({}, {})
        return Ring3Wide(one.stream(0, "y0", (n, 2), np.uint64), one.stream(1, "y1", (n, 2), np.uint64))
    if ctx.rank == 1:
        c, v = x.second, one.words(1, "v", n)
        message = _sum(one.stream(1, "alpha", (n, 2), np.uint64), _extended(c))
        subtract_wide(message, _constant(n), message)
        message[:, 1] += v & _spread(c)
        y1 = one.stream(1, "y1", (n, 2), np.uint64)
        subtract_wide(message, y1, message)
        one.exchange({2: message}, {})
        return Ring3Wide(y1, _sum(message, two.exchange({}, {2: ((n, 2), np.uint64)})[2]))
    got = one.exchange({}, {0: ((3 * n,), np.uint64), 1: ((n, 2), np.uint64)})
    y0 = one.stream(0, "y0", (n, 2), np.uint64)
    subtract_wide(got[0][: 2 * n].reshape(n, 2), y0, message)
    message[:, 1] += got[0][2 * n :] & _spread(x.first)
    two.exchange({1: message}, {})
    return Ring3Wide(_sum(got[1], message), y0)


def _spread(values: Words) -> Words:
    """All ones where the top bit is set, else zero."""
    return np.zeros_like(values) - (values >> _TOP)


def _extended(values: Words) -> Words:
    """Two's complement values (n,) as (n, 2)."""
    return np.stack([values, _spread(values)], axis=1)


def _constant(n: int) -> Words:
    out = np.zeros((n, 2), np.uint64)
    out[:, 0] = _OFFSET
    return out


def _sum(x: Words, y: Words) -> Words:
    out = np.empty_like(x)
    add_wide(x, y, out)
    return out
