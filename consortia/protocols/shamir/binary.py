"""The field GF(16) of bits, as tables: sharing, recombination, products; half a byte a bit and share on the wire.

Addition is the exclusive or, so a shared bit is 0 or 1 among 16 elements and its negation, masking and running
exclusive ors are local. Every function is element by element on arrays of ``uint8``. MPyC's own binary fields compute
on Python objects, a thousand times slower. Points of the computers are 1 to m; polynomial x^4 + x + 1.
"""

import math
import secrets
from collections.abc import Mapping
from functools import cache, reduce
from hashlib import shake_128

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.shares import Words

Bits = NDArray[np.uint8]
"""Shares of bits, rows last: (planes, n) for a boolean vector."""
Subset = tuple[int, ...]


def _times(x: int, y: int) -> int:
    total = 0
    while y:
        if y & 1:
            total ^= x
        x = (x << 1) ^ (0x13 if x & 0x8 else 0)
        y >>= 1
    return total


PRODUCTS: Bits = np.array([[_times(x, y) for y in range(16)] for x in range(16)], dtype=np.uint8)
"""(16, 16): every product."""
_INVERSE = [0, *(int(np.flatnonzero(PRODUCTS[x] == 1)[0]) for x in range(1, 16))]
_LOW = np.uint8(15)


def product(x: Bits, y: Bits) -> Bits:
    """Element by element; shapes broadcast."""
    out: Bits = PRODUCTS[x, y]
    return out


def scaled(x: Bits, factor: int) -> Bits:
    """Every element times ``factor``."""
    if factor == 1:
        return x
    out: Bits = PRODUCTS[factor][x]
    return out


def split(values: Bits, threshold: int, computers: int) -> Bits:
    """Fresh shares of degree ``threshold``: (computers, ...)."""
    drawn = np.frombuffer(secrets.token_bytes(threshold * values.size), np.uint8) & _LOW
    coefficients = drawn.reshape(threshold, *values.shape)
    shares = np.empty((computers, *values.shape), np.uint8)
    for rank in range(computers):
        total = np.zeros_like(values)
        for coefficient in coefficients:
            total = scaled(total ^ coefficient, rank + 1)
        shares[rank] = total ^ values
    return shares


def combined(shares: Mapping[int, Bits]) -> Bits:
    """The value of the polynomial through ``shares`` (by rank) at zero; more points than its degree."""
    ranks = tuple(shares)
    return reduce(np.bitwise_xor, (scaled(share, weight(ranks, rank)) for rank, share in shares.items()))


@cache
def weight(ranks: Subset, rank: int, at: int = 0) -> int:
    """What the share of ``rank`` counts for in the sum over ``ranks`` that gives the value at the point ``at``."""
    total, own = 1, rank + 1
    for other in ranks:
        if other != rank:
            total = _times(total, _times(at ^ (other + 1), _INVERSE[own ^ (other + 1)]))
    return total


@cache
def subset_weight(subset: Subset, place: tuple[int, int]) -> int:
    """At ``place`` (rank, computers), the polynomial that is 1 at zero and 0 at all computers outside ``subset``."""
    rank, computers = place
    total = 1
    for other in range(computers):
        if other not in subset:
            total = _times(total, _times((rank + 1) ^ (other + 1), _INVERSE[other + 1]))
    return total


def pseudorandom_zero(
    keys: Mapping[Subset, bytes], place: tuple[int, int], label: bytes, shape: tuple[int, ...]
) -> Bits:
    """Shares of zero of degree 2t, otherwise uniform; ``label`` must be used once with these keys."""
    rank, computers = place
    total = np.zeros(shape, np.uint8)
    for subset, key in keys.items():
        degree = computers - len(subset)
        drawn = np.frombuffer(shake_128(key + b"bits" + label).digest(degree * total.size), np.uint8) & _LOW
        part = np.zeros(shape, np.uint8)
        for coefficient in drawn.reshape(degree, *shape):
            part = scaled(part ^ coefficient, rank + 1)
        total = total ^ scaled(part, subset_weight(subset, place))
    return total


def to_bytes(bits: Bits) -> bytes:
    """Elements in row order, two a byte, the first lower."""
    flat = np.pad(bits.reshape(-1), (0, bits.size % 2))
    return (flat[::2] | flat[1::2] << np.uint8(4)).tobytes()


def from_bytes(payload: memoryview, shape: tuple[int, ...]) -> Bits:
    """The inverse of ``to_bytes``."""
    packed = np.frombuffer(payload, np.uint8)
    flat = np.stack([packed & _LOW, packed >> np.uint8(4)], axis=1).reshape(-1)
    return flat[: math.prod(shape)].reshape(shape)


def from_words(words: Words, bits: int) -> Bits:
    """Clear values (n, lanes) as planes (bits, n), the lowest first."""
    planes = np.empty((bits, words.shape[0]), np.uint8)
    for plane in range(bits):
        planes[plane] = (words[:, plane // 64] >> np.uint64(plane % 64)) & np.uint64(1)
    return planes


def to_words(planes: Bits) -> Words:
    """The lowest bit of every element of planes (bits, n) as words (n, lanes)."""
    bits, rows = planes.shape
    words = np.zeros((rows, -(-bits // 64)), np.uint64)
    for plane in range(bits):
        words[:, plane // 64] |= (planes[plane] & np.uint8(1)).astype(np.uint64) << np.uint64(plane % 64)
    return words
