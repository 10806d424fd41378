"""AND of shared bits, many at a time.

Functionality: fresh random shares of x AND y, bit by bit.
How: multiplication over bits (Araki et al., CCS 2016): computer i sends z_i = x_i y_i ^ x_i y_{i+1} ^ x_{i+1} y_i ^
F(k_i) ^ F(k_{i+1}) to computer i-1. One word operation does 64 gates.
Assumption and view: as for ``arithmetic.multiply``; the received word contains F(k_{i+2}), unknown to the receiver.
Rounds 1; bytes 8 ceil(n/64) a plane and computer, one bit a gate.
"""

from consortia.protocols.context import Context
from consortia.protocols.kernels import products
from consortia.protocols.sharing.ring3 import Ring3Boolean, check_equal


def conjunction(ctx: Context, x: Ring3Boolean, y: Ring3Boolean) -> Ring3Boolean:
    """Plane by plane; an operand of one plane is used with every plane of the other."""
    check_equal("lengths", x.length, y.length)
    if x.bits == 1:
        x, y = y, x
    if y.bits != 1:
        check_equal("widths", x.bits, y.bits)
    if x.first.size == 0:
        return x
    own = ctx.zero_xor(x.first.shape)
    products.conjunction(x.first, x.second, y.first, y.second, own)
    return Ring3Boolean(own, ctx.reshare(own), x.length)
