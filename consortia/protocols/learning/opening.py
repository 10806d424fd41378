"""Products opened under a mask.

``random_mask``: functionality, shares of numbers uniform modulo 2^64 that nobody knows. How: component i is drawn from
seed i. No message.

``open_product``: functionality, C = X Y + R modulo 2^64 at all three computers, for a mask R that is used here alone.
How: computer i adds up what it knows of X Y as in ``arithmetic.matrix``, its first component of R and a zero share, and
sends this part to both others. Assumption: one passively corrupted computer; AES-CTR under HKDF keys is pseudorandom.
View: computer i lacks one component of R, uniform and used nowhere else, so C is uniform whatever X and Y are; the
parts are uniform but for their sum, as computer i lacks one stream of the zero share: simulated by drawing C and parts
that add up to it. Rounds 1; bytes 16 an output element and computer.
"""

from consortia.protocols.arithmetic.matrix import add_own_products
from consortia.protocols.context import Context
from consortia.protocols.shares import Words
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, check_equal

OPENED = "masked sum of products"
"""In the transcript: uniform whatever the data."""


def random_mask(ctx: Context, length: int) -> Ring3Arithmetic:
    """Shares of ``length`` numbers that nobody knows."""
    return Ring3Arithmetic(ctx.words(ctx.rank, "mask", length), ctx.words(ctx.next, "mask", length))


def open_product(
    ctx: Context, x: Ring3Arithmetic, y: Ring3Arithmetic, shape: tuple[int, int, int], mask: Ring3Arithmetic
) -> Words:
    """X (rows, inner) times Y (inner, columns) plus ``mask``; ``shape`` is rows, inner, columns, none of them zero."""
    rows, inner, columns = shape
    check_equal("lengths", x.length, rows * inner)
    check_equal("lengths", y.length, inner * columns)
    check_equal("lengths", mask.length, rows * columns)
    part = ctx.words(ctx.rank, "zero", mask.length)
    part -= ctx.words(ctx.next, "zero", mask.length)
    part += mask.first
    add_own_products(x, y, part.reshape(rows, columns))
    ctx.record_opening(OPENED, mask.length, ctx.computers)
    others = ctx.previous, ctx.next
    got = ctx.exchange(dict.fromkeys(others, part), dict.fromkeys(others, (part.shape, part.dtype)))
    opened: Words = part + got[ctx.previous]
    opened += got[ctx.next]
    return opened
