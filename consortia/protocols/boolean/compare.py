"""Comparison of unsigned values on bit planes.

``less_than``: functionality, fresh shares of the bit x < y. How: at the highest bit where x and y differ, y has a
one; so the bit is the carry out of the chain with value y_j and propagate not (x_j ^ y_j) (``boolean.carry``).
Rounds ceil(log2(k + 1)); bytes a row and computer: one bit a gate, 90 gates at k = 64.

``equal``: functionality, fresh shares of the bit x = y. How: AND of all bits of not (x ^ y), in a tree.
Rounds ceil(log2 k), none at k = 1; k - 1 gates.

Assumption and view: those of ``boolean.conjunction``.
"""

from consortia.protocols.boolean.carry import Pair, carry_out, flip_words
from consortia.protocols.boolean.networks import Circuits
from consortia.protocols.boolean.ripple import ripple_carry
from consortia.protocols.context import Context
from consortia.protocols.kernels import products
from consortia.protocols.sharing.ring3 import Ring3Boolean, check_equal


def less_than(ctx: Context, x: Ring3Boolean, y: Ring3Boolean, circuits: Circuits = "few-rounds") -> Ring3Boolean:
    """One plane: x < y as unsigned values of equal width."""
    carry = carry_out if circuits == "few-rounds" else ripple_carry
    return carry(ctx, y, x, flip=True)


def equal(ctx: Context, x: Ring3Boolean, y: Ring3Boolean) -> Ring3Boolean:
    """One plane: x == y, of equal width."""
    check_equal("lengths", x.length, y.length)
    check_equal("widths", x.bits, y.bits)
    if x.length == 0:
        return x.planes(0, 1)
    flips = flip_words(ctx.rank)
    first, second = x.first ^ y.first, x.second ^ y.second
    first ^= flips[0]
    second ^= flips[1]
    planes: Pair = (first, second)
    top: Pair | None = None
    level = 0
    while planes[0].shape[0] + (top is not None) > 1:
        level += 1
        planes, top = _halved(ctx.narrow(f"level-{level}"), planes, top)
    return Ring3Boolean(planes[0], planes[1], x.length)


def _halved(ctx: Context, planes: Pair, top: Pair | None) -> tuple[Pair, Pair | None]:
    """One level: ANDs of planes two by two; an unpaired plane is handed on as it is."""
    count, width = planes[0].shape
    if top is None and count % 2 == 1:
        top = (planes[0][-1:], planes[1][-1:])
        count -= 1
    half = count // 2
    pair_with_top = top is not None and count % 2 == 1
    own = ctx.zero_xor((half + pair_with_top, width))
    low, high = slice(0, half), slice(half, 2 * half)
    products.conjunction(planes[0][low], planes[1][low], planes[0][high], planes[1][high], own[low])
    if pair_with_top and top is not None:
        products.conjunction(planes[0][-1:], planes[1][-1:], top[0], top[1], own[half:])
        top = None
    return (own, ctx.reshare(own)), top
