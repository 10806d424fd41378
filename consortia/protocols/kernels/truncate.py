"""Division by a power of two under a range promise: the local steps, each one pass over memory.

Packed fields are bits of f each, one behind the other in words of 64, the first in the lowest bits of the first word.
The last word's unused bits are zero, or the mask's where a mask lies over them.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.compile import kernel

Words = NDArray[np.uint64]


@kernel("void(" + ", ".join(["uint64[::1]"] * 6) + ")")
def masked_product(x0: Words, x1: Words, y0: Words, y1: Words, mask: Words, out: Words) -> None:
    """One party's part of a product, x0 y0 + x0 y1 + x1 y0, plus ``mask``."""
    for i in range(out.size):
        out[i] = x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i] + mask[i]


@kernel("void(uint64[::1], uint64[::1], uint64[::1], int64, uint64[::1])")
def chosen_fields(r: Words, zero: Words, one: Words, f: int, out: Words) -> None:
    """Packed: field i of ``one`` where the top bit of r[i] is set, of ``zero`` elsewhere."""
    ones = (np.uint64(1) << np.uint64(f)) - np.uint64(1)
    take = np.uint64(0)
    filled = 0
    at = 0
    for i in range(r.size):
        field = ones & (np.uint64(0) - (r[i] >> np.uint64(63)))
        take |= field << np.uint64(filled)
        filled += f
        if filled >= 64:
            out[at] = zero[at] ^ ((zero[at] ^ one[at]) & take)
            at += 1
            filled -= 64
            take = np.uint64(0)
            if filled > 0:
                take = field >> np.uint64(f - filled)
    if filled > 0:
        out[at] = zero[at] ^ ((zero[at] ^ one[at]) & take)


@kernel("void(" + "uint64[::1], " * 7 + "int64, " + ", ".join(["uint64[::1]"] * 4) + ")")
def both_choices(  # noqa: PLR0917 - one pass over memory, masks and messages of two receivers
    c: Words, y0: Words, y2: Words, w0: Words, w1: Words, v0: Words, v1: Words, f: int,
    to_w: Words, packed_w: Words, to_v: Words, packed_v: Words,
) -> None:  # fmt: skip
    """A_0 = (c >> f) - y0 - y2 and A_1 = A_0 + (1 - (c >> 63)) 2^(64-f), under masks for two receivers.

    They have their low 64 - f bits in common: those, and above them the top bits of A_0 under the receiver's packed
    mask ``w0`` (``v0``), make one word; the top bits of A_1 are packed under ``w1`` (``v1``).
    """
    high = np.uint64(64 - f)
    ones = (np.uint64(1) << np.uint64(f)) - np.uint64(1)
    low_mask = (np.uint64(1) << high) - np.uint64(1)
    fields = np.uint64(0)
    filled = 0
    at = 0
    for i in range(c.size):
        a = (c[i] >> np.uint64(f)) - y0[i] - y2[i]
        top = a >> high
        # ``filled`` is also where field i starts in word ``at``
        by = np.uint64(filled)
        mask_w, mask_v = w0[at] >> by, v0[at] >> by
        if filled + f > 64:
            mask_w |= w0[at + 1] << np.uint64(64 - filled)
            mask_v |= v0[at + 1] << np.uint64(64 - filled)
        low = a & low_mask
        to_w[i] = low | ((top ^ mask_w) << high)
        to_v[i] = low | ((top ^ mask_v) << high)
        other = (top + np.uint64(1) - (c[i] >> np.uint64(63))) & ones
        fields |= other << by
        filled += f
        if filled >= 64:
            packed_w[at] = fields ^ w1[at]
            packed_v[at] = fields ^ v1[at]
            at += 1
            filled -= 64
            fields = np.uint64(0)
            if filled > 0:
                fields = other >> np.uint64(f - filled)
    if filled > 0:
        packed_w[at] = fields ^ w1[at]
        packed_v[at] = fields ^ v1[at]


@kernel("void(uint64[::1], uint64[::1], uint64[::1], uint64[::1], int64, uint64[::1])")
def chosen_value(r: Words, words: Words, packed: Words, masks: Words, f: int, out: Words) -> None:
    """What ``both_choices`` made, unmasked at the entry b = r >> 63: A_b - (r >> f) - 2^(62-f)."""
    high = np.uint64(64 - f)
    low_mask = (np.uint64(1) << high) - np.uint64(1)
    offset = np.uint64(1) << np.uint64(62 - f)
    filled = 0
    at = 0
    for i in range(r.size):
        by = np.uint64(filled)
        top, mask = packed[at] >> by, masks[at] >> by
        if filled + f > 64:
            top |= packed[at + 1] << np.uint64(64 - filled)
            mask |= masks[at + 1] << np.uint64(64 - filled)
        if (r[i] >> np.uint64(63)) == np.uint64(0):
            top = words[i] >> high
        # bits above the field leave with the shift
        out[i] = ((words[i] & low_mask) | ((top ^ mask) << high)) - (r[i] >> np.uint64(f)) - offset
        filled += f
        if filled >= 64:
            at += 1
            filled -= 64
