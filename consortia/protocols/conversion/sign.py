"""Sign and zero test of a number of Z_2^64 whose range is known.

Functionality: fresh random shares of the bit x < 0, or x = 0, for |x| < 2^(k-1).
How (protocol-proofs.md, section 1): it suffices to know x modulo 2^k. Computer 0 knows a = x0 + x1; it draws a1 from
the seed it shares with computer 1 and sends the planes a0 = a ^ a1 to computer 2, which makes (a0, a1, 0) a sharing
of a. x2 is known to computers 1 and 2, so (0, 0, x2) is a sharing of it without a message. Then x < 0 is the top bit
of a + x2: its two top bits xor the carry out of the k - 1 bits below (``boolean.carry``); and x = 0 is a = -x2.
Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: computer 2 receives a0, masked by a1, which it does not know: uniform. The rest is carry tree or equality. That
components are known to be zero does no harm: every AND masks its output with a fresh zero share.
Rounds: sign 1 + ceil(log2 k); zero 1 + ceil(log2 k). Bytes a row: k bits from computer 0, and a bit a gate and
computer: at k = 64, 89 gates for the sign and 63 for the zero test.
"""

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.boolean.carry import carry_out
from consortia.protocols.boolean.compare import equal
from consortia.protocols.boolean.networks import Circuits
from consortia.protocols.boolean.ripple import ripple_carry
from consortia.protocols.context import Context
from consortia.protocols.kernels.planes import planes_from_words, words_of
from consortia.protocols.shares import Words
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean


def negative(ctx: Context, x: Ring3Arithmetic, bits: int, circuits: Circuits = "few-rounds") -> Ring3Boolean:
    """One plane: x < 0, for |x| < 2^(bits-1), 1 <= bits <= 64."""
    a, c = as_planes(ctx, x, bits, negated=False)
    top = a.planes(bits - 1, bits) ^ c.planes(bits - 1, bits)
    if bits == 1 or x.length == 0:
        return top
    carry = carry_out if circuits == "few-rounds" else ripple_carry
    return top ^ carry(ctx, a.planes(0, bits - 1), c.planes(0, bits - 1), flip=False)


def zero(ctx: Context, x: Ring3Arithmetic, bits: int) -> Ring3Boolean:
    """One plane: x == 0, for |x| < 2^(bits-1), 1 <= bits <= 64."""
    a, c = as_planes(ctx, x, bits, negated=True)
    return equal(ctx, a, c)


def as_planes(ctx: Context, x: Ring3Arithmetic, bits: int, *, negated: bool) -> tuple[Ring3Boolean, Ring3Boolean]:
    """The low ``bits`` planes of x0 + x1, and of x2 (or of -x2), as sharings."""
    if not 1 <= bits <= 64:
        raise InternalError("protocol/range", f"{bits} bits are not a range of Z_2^64", place=ctx.step)
    none = np.zeros((bits, words_of(x.length)), np.uint64)
    if x.length == 0:
        return Ring3Boolean(none, none, 0), Ring3Boolean(none, none, 0)
    a = shared_by_first(ctx.narrow("planes"), x.first + x.second if ctx.rank == 0 else None, x.length, bits)
    if ctx.rank == 0:
        return a, Ring3Boolean(none, none, x.length)
    own = x.second if ctx.rank == 1 else x.first
    c = planes_from_words(np.zeros_like(own) - own if negated else own, bits)
    return a, Ring3Boolean(none, c, x.length) if ctx.rank == 1 else Ring3Boolean(c, none, x.length)


def shared_by_first(ctx: Context, values: Words | None, length: int, bits: int) -> Ring3Boolean:
    """The low ``bits`` planes of what computer 0 alone knows (None elsewhere), as a sharing (a0, a1, 0)."""
    shape = (bits, words_of(length))
    none = np.zeros(shape, np.uint64)
    if values is not None:
        a1 = ctx.stream(1, "a1", shape, np.uint64)
        a0 = planes_from_words(values, bits) ^ a1
        ctx.exchange({2: a0}, {})
        return Ring3Boolean(a0, a1, length)
    if ctx.rank == 1:
        a1 = ctx.stream(1, "a1", shape, np.uint64)
        ctx.exchange({}, {})
        return Ring3Boolean(a1, none, length)
    a0 = ctx.exchange({}, {0: (shape, np.uint64)})[0]
    return Ring3Boolean(none, a0, length)
