"""Circuits over shared bits: AND, comparison, equality, borrows. Planes are (bits, n), the lowest first.

Functionality and assumption as in ``sharing.redealt``: all that is sent are reshared products, so the view of t
computers is uniform and simulated without any input. Rounds: one a level of the tree; bytes: one a gate, row, dealer
and receiver.
"""

import numpy as np

from consortia.protocols.shamir.binary import Bits, product
from consortia.protocols.shamir.context import Context
from consortia.protocols.shamir.costs import prefix_pairs
from consortia.protocols.shamir.sharing import Batch, reshared

ONE = np.uint8(1)


def conjunction(ctx: Context, x: Bits, y: Bits) -> Bits:
    """AND, bit by bit; a single plane goes with every plane of the other. Rounds 1."""
    return reshared(ctx, Batch(bits=product(x, y))).bits


def less_than(ctx: Context, x: Bits, y: Bits) -> Bits:
    """One plane (1, n): x < y as unsigned values. Rounds 1 + ceil(log2 bits)."""
    less = conjunction(ctx.narrow("bits"), x ^ ONE, y)
    return merged(ctx, less, x ^ y ^ ONE)


def less_than_public(ctx: Context, x: Bits, y: Bits) -> Bits:
    """As ``less_than`` for public bits x: the first products are local. Rounds ceil(log2 bits)."""
    return merged(ctx, (x ^ ONE) * y, x ^ y ^ ONE)


def merged(ctx: Context, less: Bits, same: Bits) -> Bits:
    """Blocks of bits, each with "less" and "same", joined in pairs until one says whether x < y; 0 without bits."""
    if less.shape[0] == 0:
        return np.zeros((1, *less.shape[1:]), np.uint8)
    level = 0
    while less.shape[0] > 1:
        level += 1
        odd, pairs = less.shape[0] % 2, less.shape[0] // 2
        low_less, high_less = less[odd::2], less[odd + 1 :: 2]
        low_same, high_same = same[odd::2], same[odd + 1 :: 2]
        # the lowest block of all needs no "same": nothing stands below it
        skip = 1 - odd
        left = np.concatenate([high_same, high_same[skip:]])
        right = np.concatenate([low_less, low_same[skip:]])
        both = conjunction(ctx.narrow(f"level-{level}"), left, right)
        joined_less = high_less ^ both[:pairs]
        joined_same = np.concatenate([np.zeros_like(same[:skip]), both[pairs:]])
        less = np.concatenate([less[:odd], joined_less])
        same = np.concatenate([same[:odd], joined_same])
    return less


def all_of(ctx: Context, bits: Bits) -> Bits:
    """One plane (1, n): all bits of a row are 1. Rounds ceil(log2 bits)."""
    level = 0
    while bits.shape[0] > 1:
        level += 1
        odd = bits.shape[0] % 2
        both = conjunction(ctx.narrow(f"level-{level}"), bits[odd::2], bits[odd + 1 :: 2])
        bits = np.concatenate([bits[:odd], both])
    return bits


def filled(ctx: Context, bits: Bits) -> Bits:
    """Plane j: the OR of the planes j and above. A Sklansky network. Rounds ceil(log2 bits)."""
    some = bits[::-1].copy()
    for level, pairs in enumerate(prefix_pairs(bits.shape[0])):
        places = [place for place, _, _ in pairs]
        above = some[[source for _, source, _ in pairs]]
        some[places] ^= above ^ conjunction(ctx.narrow(f"level-{level}"), some[places], above)
    return some[::-1]


def borrows(ctx: Context, x: Bits, y: Bits) -> Bits:
    """Plane j: x mod 2^(j+1) < y mod 2^(j+1), for public x. A Sklansky network. Rounds ceil(log2 bits)."""
    less, same = (x ^ ONE) * y, x ^ y ^ ONE
    for level, pairs in enumerate(prefix_pairs(x.shape[0])):
        places = [place for place, _, _ in pairs]
        taken = [source for _, source, _ in pairs]
        on = [place for place, _, goes_on in pairs if goes_on]
        below = [source for _, source, goes_on in pairs if goes_on]
        left = np.concatenate([same[places], same[on]])
        right = np.concatenate([less[taken], same[below]])
        both = conjunction(ctx.narrow(f"level-{level}"), left, right)
        less, same = less.copy(), same.copy()
        less[places] ^= both[: len(places)]
        same[on] = both[len(places) :]
    return less
