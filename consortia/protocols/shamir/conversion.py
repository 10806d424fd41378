"""From bits to numbers and back: random bits in both fields, masked openings, signs.

``random_bits``. Functionality: n uniform bits that no t computers know, as shares over both fields. How: t + 1
computers each deal a random bit, as 0 or 1 over GF(16) and as 1 or -1 over the prime field; exclusive or and product
join them (Damgård and others, "daBits"; MPyC's ``random_bits`` does the second half). One dealer does not collude.
Rounds 1 + ceil(log2(t + 1)).

``bits_to_numbers``. The bit plus a random one is opened, uniform whatever the bit is. Rounds: those of random bits, 1.

``masked``. The value, made positive, plus a random number is opened. The random number has its low bits shared over
GF(16), and above them numbers below 2^64 times the value's range, one from each subset of n - t computers: t
colluding computers miss one, so what they see is within 2^-64 of the same for any value. It needs the value to be in
its declared range, which the planner proves. Rounds: those of random bits, 1. What follows is a circuit with public
operand: the sign (``negative``), equality with zero (``zero``), or all bits (``decompose``).

``truncated``. With f low bits shared: what was opened, modulo 2^f, is (x + r) mod 2^f for the uniform low part r of
the mask, so (x + r - it) / 2^f = floor((x + r) / 2^f) is linear in shares. ``exact`` takes away the borrow of the low
bits, which says whether r made a difference. Rounds those of ``masked``; exact, a comparison of f bits and a bit to
number more.
Assumption: t < n/2 colluding computers that follow the protocol; SHAKE128 of the subsets' keys is pseudorandom.
Source: Damgård, Fitzi, Kiltz, Nielsen and Toft, TCC 2006; Nishide and Ohta, PKC 2007; MPyC 0.11.
"""

import secrets
from dataclasses import dataclass

import numpy as np

from consortia.protocols.shamir import circuits, field
from consortia.protocols.shamir.binary import Bits
from consortia.protocols.shamir.context import Context
from consortia.protocols.shamir.costs import (
    MASKED_BITS,
    MASKED_NUMBERS,
    STATISTICAL_BITS,
    TRUNCATED_BITS,
    VALUE_BITS,
)
from consortia.protocols.shamir.field import Numbers, P
from consortia.protocols.shamir.sharing import Batch, dealt, opened, reshared
from consortia.protocols.shares import Words

HALF = (P + 1) // 2
"""One half in the prime field."""


def random_bits(ctx: Context, count: int) -> tuple[Numbers, Bits]:
    """The same ``count`` bits as numbers (count,) and as bits (count,)."""
    drawn = np.frombuffer(secrets.token_bytes(count), np.uint8) & circuits.ONE
    own = Batch((1 - 2 * drawn.astype(np.object_)) % P, drawn)
    contributions = list(dealt(ctx.narrow("deal"), ctx.group.dealers, own).values())
    signs = [each.numbers for each in contributions]
    level = 0
    while len(signs) > 1:
        level += 1
        pairs, odd = len(signs) // 2, len(signs) % 2
        products = np.concatenate(signs[odd::2]) * np.concatenate(signs[odd + 1 :: 2]) % P
        fresh = reshared(ctx.narrow(f"join-{level}"), Batch(products)).numbers.reshape(pairs, count)
        signs = [*signs[:odd], *fresh]
    bits = contributions[0].bits
    for each in contributions[1:]:
        bits = bits ^ each.bits
    return (1 - signs[0]) * HALF % P, bits


def bits_to_numbers(ctx: Context, bits: Bits) -> Numbers:
    """Bits of any shape as 0 or 1 of the prime field, in the same shape."""
    numbers, masks = random_bits(ctx.narrow("random"), bits.size)
    public = opened(ctx.narrow("open"), Batch(bits=bits.reshape(-1) ^ masks), MASKED_BITS).bits.astype(np.object_)
    total: Numbers = (public + numbers - 2 * public * numbers) % P
    return total.reshape(bits.shape)


def masked(ctx: Context, value: Numbers, bits: int, range_bits: int) -> tuple[Bits, Bits]:
    """The low ``bits`` planes of value + mask, public, and of the mask, shared; 0 <= value < 2^range_bits."""
    public, mask = opened_under_mask(ctx, value, bits, range_bits)
    return _planes(public, bits), mask.planes


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Mask:
    """The low part of masks: planes (bits, n), and the same as numbers (n,)."""

    planes: Bits
    low: Numbers


def opened_under_mask(ctx: Context, value: Numbers, bits: int, range_bits: int) -> tuple[Numbers, Mask]:
    """Value + mask, public, and the ``bits`` low bits of the mask, shared; 0 <= value < 2^range_bits."""
    count = value.size
    numbers, planes = random_bits(ctx.narrow("random"), count * bits)
    weights = np.array([1 << place for place in range(bits)], dtype=np.object_)
    low = weights @ numbers.reshape(bits, count)
    bound = 1 << (range_bits + STATISTICAL_BITS - bits)
    high = field.pseudorandom(ctx.keys, ctx.place, bound, ctx.label("mask"), count)
    total = (value + low + (high << bits)) % P
    public = opened(ctx.narrow("open"), Batch(total), MASKED_NUMBERS).numbers
    return public, Mask(planes.reshape(bits, count), low)


def _planes(public: Numbers, bits: int) -> Bits:
    """The low ``bits`` (at most 64) planes of public numbers."""
    words: Words = np.array([int(value) & 0xFFFFFFFFFFFFFFFF for value in public], dtype=np.uint64)
    places = np.arange(bits, dtype=np.uint64).reshape(bits, 1)
    return ((words >> places) & np.uint64(1)).astype(np.uint8)


def negative(ctx: Context, x: Numbers, bits: int) -> Bits:
    """One plane: x < 0, for |x| < 2^(bits-1). The top bit of x + 2^(bits-1) says that it is not."""
    public, mask = masked(ctx.narrow("mask"), (x + (1 << (bits - 1))) % P, bits, bits)
    borrow = circuits.less_than_public(ctx.narrow("less"), public[:-1], mask[:-1])
    return public[-1:] ^ mask[-1:] ^ borrow ^ circuits.ONE


def zero(ctx: Context, x: Numbers, bits: int) -> Bits:
    """One plane: x == 0, for |x| < 2^(bits-1). What was opened equals the mask in its low bits."""
    public, mask = masked(ctx.narrow("mask"), (x + (1 << bits)) % P, bits, bits + 1)
    return circuits.all_of(ctx.narrow("equal"), public ^ mask ^ circuits.ONE)


def decompose(ctx: Context, x: Numbers, bits: int) -> Bits:
    """The low ``bits`` planes of x in two's complement, for |x| < 2^63."""
    public, mask = masked(ctx.narrow("mask"), (x + (1 << (VALUE_BITS - 1))) % P, bits, VALUE_BITS)
    difference = public ^ mask
    difference[1:] ^= circuits.borrows(ctx.narrow("borrow"), public[:-1], mask[:-1])
    if bits == VALUE_BITS:
        difference[-1:] ^= circuits.ONE
    return difference


def truncated(ctx: Context, x: Numbers, fraction: int, *, exact: bool) -> Numbers:
    """floor((x + e) / 2^fraction), e uniform in [0, 2^fraction), or 0 if ``exact``; for |x| < 2^62."""
    moved = (x + (1 << TRUNCATED_BITS)) % P
    public, mask = opened_under_mask(ctx.narrow("mask"), moved, fraction, TRUNCATED_BITS + 1)
    rest = public % (1 << fraction)
    quotient = (moved + mask.low - rest) * pow(1 << fraction, -1, P) - (1 << (TRUNCATED_BITS - fraction))
    if exact:
        borrow = circuits.less_than_public(ctx.narrow("borrow"), _planes(public, fraction), mask.planes)
        quotient = quotient - bits_to_numbers(ctx.narrow("number"), borrow[0])
    result: Numbers = quotient % P
    return result


def compose(ctx: Context, planes: Bits) -> Numbers:
    """The unsigned value of the planes (bits, n)."""
    numbers = bits_to_numbers(ctx, planes)
    weights = np.array([1 << place for place in range(planes.shape[0])], dtype=np.object_)
    total: Numbers = weights @ numbers % P
    return total
