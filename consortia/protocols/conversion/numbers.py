"""Numbers of Z_2^64 as bit planes, and bit planes as numbers.

``decompose``: functionality, fresh random shares of the low k bits of x in two's complement (any x).
How: as for the sign (``conversion.sign``) computer 0 shares the planes of x0 + x1 and x2 is a sharing of itself; they
are added with all carries (``boolean.prefix``).
Rounds 1 and those of the network; bytes a row: k bits from computer 0, and the network's gates.

``compose`` in two rounds: functionality, fresh random shares of the unsigned number of k planes. How: each bit as in
``conversion.bits``, b = u (1 - 2 b2) + b2, weighted by 2^j and summed before sending where only the sum is needed:
computer 0 sends w_j = u_j - v_j for every bit to 2; computer 1 sends m1 = sum 2^j (v_j (1 - 2 b2_j) + b2_j) - y1 to 2;
computer 2 sends m2 = sum 2^j w_j (1 - 2 b2_j) - y0 to 1. Views are those of that module: w_j under v_j, m1 under y1, m2
under y0. Rounds 2; bytes a row: 8 k from computer 0, 8 from each of the others.

``compose`` by a network: computer 0 knows y0 and y1, drawn from its seeds, so it shares the planes of -(y0 + y1); they
are added to x modulo 2^64, and computers 1 and 2 open the sum to each other: it is their y2. View of an opening: the
component that is missing follows from the sum, which is the receiver's own output share; it is uniform, as computer 1
does not know y0 and computer 2 does not know y1.
Rounds 2 and those of the network; bytes a row: 8 from each computer, and the network's gates at 64 planes.

Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
Source: ABY3 (Mohassel, Rindal, CCS 2018), section 5, for the second form.
"""

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.boolean.networks import Network
from consortia.protocols.boolean.prefix import carries
from consortia.protocols.context import Context
from consortia.protocols.conversion.sign import as_planes, shared_by_first
from consortia.protocols.kernels.planes import words_from_planes, words_of
from consortia.protocols.kernels.prefixes import bits_minus, weighted_by_bits
from consortia.protocols.shares import Words
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean


def decompose(ctx: Context, x: Ring3Arithmetic, bits: int, network: Network) -> Ring3Boolean:
    """The low ``bits`` planes of x in two's complement, 1 <= bits <= 64."""
    a, c = as_planes(ctx, x, bits, negated=False)
    return a ^ c ^ carries(ctx, a, c, network)


def compose(ctx: Context, x: Ring3Boolean, network: Network | None) -> Ring3Arithmetic:
    """The unsigned value of up to 64 planes; in two rounds where ``network`` is None."""
    if not 1 <= x.bits <= 64:
        raise InternalError("protocol/shape", f"{x.bits} planes are no number of Z_2^64", place=ctx.step)
    if x.length == 0:
        return Ring3Arithmetic(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
    return _in_two_rounds(ctx, x) if network is None else _by_adder(ctx, x, network)


def _in_two_rounds(ctx: Context, x: Ring3Boolean) -> Ring3Arithmetic:
    one, two = ctx.narrow("round-1"), ctx.narrow("round-2")
    n, bits = x.length, x.bits
    message = np.empty(n, np.uint64)
    if ctx.rank == 0:
        differences = np.empty((bits, n), np.uint64)
        bits_minus(x.first ^ x.second, one.stream(1, "v", (bits, n), np.uint64), differences)
        one.exchange({2: differences}, {})
        two.exchange({}, {})
        return Ring3Arithmetic(one.words(0, "y0", n), one.words(1, "y1", n))
    if ctx.rank == 1:
        y1 = one.words(1, "y1", n)
        weighted_by_bits(one.stream(1, "v", (bits, n), np.uint64), x.second, np.uint64(1), y1, message)
        one.exchange({2: message}, {})
        return Ring3Arithmetic(y1, message + two.exchange({}, {2: ((n,), np.uint64)})[2])
    got = one.exchange({}, {0: ((bits, n), np.uint64), 1: ((n,), np.uint64)})
    y0 = one.words(0, "y0", n)
    weighted_by_bits(got[0], x.first, np.uint64(0), y0, message)
    two.exchange({1: message}, {})
    return Ring3Arithmetic(got[1] + message, y0)


def _by_adder(ctx: Context, x: Ring3Boolean, network: Network) -> Ring3Arithmetic:
    n, step, last = x.length, ctx.narrow("mask"), ctx.narrow("open")
    y0 = step.words(0, "y0", n) if ctx.rank in {0, 2} else np.zeros(0, np.uint64)
    y1 = step.words(1, "y1", n) if ctx.rank in {0, 1} else np.zeros(0, np.uint64)
    minus = shared_by_first(step, np.zeros(n, np.uint64) - y0 - y1 if ctx.rank == 0 else None, n, 64)
    wide = _with_zeros(x, 64)
    total = minus ^ wide ^ carries(ctx, minus, wide, network)
    shape = (64, words_of(n))
    if ctx.rank == 0:
        last.exchange({}, {})
        return Ring3Arithmetic(y0, y1)
    peer = 3 - ctx.rank
    # computer 1 lacks component 0, which is the second of 2; computer 2 lacks component 1, the first of 1
    missing = last.exchange({peer: total.first if ctx.rank == 1 else total.second}, {peer: (shape, np.uint64)})[peer]
    y2: Words = words_from_planes(total.first ^ total.second ^ missing, n)[:, 0]
    return Ring3Arithmetic(y1, y2) if ctx.rank == 1 else Ring3Arithmetic(y2, y0)


def _with_zeros(x: Ring3Boolean, bits: int) -> Ring3Boolean:
    none = np.zeros((bits - x.bits, words_of(x.length)), np.uint64)
    return x if x.bits == bits else x.below(Ring3Boolean(none, none, x.length))
