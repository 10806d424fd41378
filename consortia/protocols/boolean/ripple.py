"""The carry out of a chain of bits, bit by bit: as many rounds as bits, and the fewest gates.

Functionality: that of ``boolean.carry``: fresh random shares of the bit c_k, where c_0 = 0 and c_{j+1} = c_j if
v_j xor w_j (xor flip) = 1, else v_j. How: c_{j+1} = v_j ^ p_j (v_j ^ c_j), p_j = v_j ^ w_j (^ flip).
Assumption and view: those of ``boolean.conjunction``: every message is a component of an output share masked by a
zero share that the receiver lacks. Rounds k; gates k, one bit a gate and computer.
"""

import numpy as np

from consortia.protocols.boolean.carry import flip_words
from consortia.protocols.context import Context
from consortia.protocols.kernels import products
from consortia.protocols.sharing.ring3 import Ring3Boolean, check_equal


def ripple_carry(ctx: Context, value: Ring3Boolean, other: Ring3Boolean, *, flip: bool) -> Ring3Boolean:
    """One plane: the carry out of the highest bit; operands of equal length and width, at least one bit."""
    check_equal("lengths", value.length, other.length)
    check_equal("widths", value.bits, other.bits)
    carry = value.planes(0, 1)
    if value.length == 0:
        return carry
    flips = flip_words(ctx.rank) if flip else (np.uint64(0), np.uint64(0))
    first, second = np.zeros_like(carry.first), np.zeros_like(carry.second)
    for bit in range(value.bits):
        level = ctx.narrow(f"bit-{bit}")
        v, w = value.planes(bit, bit + 1), other.planes(bit, bit + 1)
        own = level.zero_xor(v.first.shape)
        propagates = v.first ^ w.first ^ flips[0], v.second ^ w.second ^ flips[1]
        products.conjunction(*propagates, v.first ^ first, v.second ^ second, own)
        own ^= v.first
        first, second = own, level.reshare(own)
    return Ring3Boolean(first, second, value.length)
