"""The prime field of numbers, by MPyC: sharing, recombination, pseudorandom shares, bytes on the wire.

One field serves all numbers. Nothing wraps: an arithmetic value stays below 2^62, a wide one below 2^126, running sums
over n rows below n times that, a masked opening below 2^136; the field has 2^160 - 47 elements, so every number that
the relations prove to fit is itself, with its sign. Modulo 2^64 or 2^128 it is taken when it leaves.

Numbers are object arrays of Python integers in [0, P). MPyC is an optional dependency: this module alone imports it,
together with ``runtime``.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.shamir.costs import NUMBER_BYTES, PRIME
from consortia.protocols.shamir.mpyc_modules import mpyc_module
from consortia.protocols.shares import Words

Numbers = NDArray[np.object_]
"""Field elements as Python integers, of any shape."""
Subset = tuple[int, ...]
"""Ranks of the computers that hold one key, ascending."""

P = PRIME
KEY_BYTES = 16
"""Bytes of a key that all computers of a subset hold, as MPyC draws them."""
_MASK = (1 << 64) - 1


_finfields = mpyc_module("finfields")
_thresha = mpyc_module("thresha")
_FIELD: Any = _finfields.GF(P)


def from_signed(values: Sequence[int] | Numbers) -> Numbers:
    """Python integers as field elements."""
    out = np.empty(len(values), dtype=np.object_)
    out[:] = [int(value) % P for value in values]
    return out


def to_signed(numbers: Numbers) -> list[int]:
    """Field elements as integers of least magnitude."""
    return [int(value) - P if value > P >> 1 else int(value) for value in numbers]


def from_words(words: Words) -> Numbers:
    """Clear values (n,) or (n, 2), two's complement, as field elements."""
    if words.ndim == 1:
        return from_signed([int(value) for value in words.view(np.int64)])
    signed = [int(low) | int(high) << 64 for low, high in words]
    return from_signed([value - (1 << 128) if value >> 127 else value for value in signed])


def to_words(numbers: Numbers, lanes: int) -> Words:
    """Signed values modulo 2^(64 lanes): (n,) for one lane, else (n, lanes), low word first."""
    values = to_signed(numbers)
    rows = [[(value >> (64 * lane)) & _MASK for lane in range(lanes)] for value in values]
    words = np.array(rows, dtype=np.uint64).reshape(len(values), lanes)
    return words[:, 0].copy() if lanes == 1 else words


def to_bytes(numbers: Numbers) -> bytes:
    """``NUMBER_BYTES`` each, little-endian, in row order."""
    return b"".join(int(value).to_bytes(NUMBER_BYTES, "little") for value in numbers.reshape(-1))


def from_bytes(payload: memoryview, shape: tuple[int, ...]) -> Numbers:
    """The inverse of ``to_bytes``, reduced into the field."""
    count = len(payload) // NUMBER_BYTES
    values = (int.from_bytes(payload[i : i + NUMBER_BYTES], "little") % P for i in range(0, len(payload), NUMBER_BYTES))
    return np.fromiter(values, dtype=np.object_, count=count).reshape(shape)


def split(values: Numbers, threshold: int, computers: int) -> Numbers:
    """Fresh shares of degree ``threshold``, one row of the result (computers, ...) for each computer."""
    if values.size == 0:
        return np.zeros((computers, *values.shape), dtype=np.object_)
    shares: Numbers = _thresha.np_random_split(_FIELD, values.reshape(-1), threshold, computers)
    return shares.reshape(computers, *values.shape)


def combined(shares: Mapping[int, Numbers]) -> Numbers:
    """The value of the polynomial through ``shares`` (by rank) at zero; more points than its degree."""
    first = next(iter(shares.values()))
    if first.size == 0:
        return first
    points = [(rank + 1, share.reshape(-1)) for rank, share in shares.items()]
    value: Numbers = _thresha.np_recombine(_FIELD, points).value
    return value.reshape(first.shape)


def weight(ranks: Subset, rank: int) -> int:
    """What the share of ``rank`` counts for in a sum over ``ranks`` that gives the value."""
    return int(_weights(ranks)[ranks.index(rank)])


def _weights(ranks: Subset) -> Numbers:
    unit = {rank: from_signed([int(rank == other) for other in ranks]) for rank in ranks}
    return combined(unit)


def pseudorandom(keys: Mapping[Subset, bytes], place: tuple[int, int], bound: int, label: bytes, count: int) -> Numbers:
    """Shares of ``count`` numbers that nobody knows: sums over all subsets of numbers below ``bound``.

    ``place`` is (rank, computers); ``label`` must be used once with these keys.
    """
    rank, computers = place
    functions = {subset: _thresha.PRF(key, bound) for subset, key in keys.items()}
    value: Numbers = _thresha.np_pseudorandom_share(_FIELD, computers, rank, functions, label, count).value
    return value


def pseudorandom_zero(keys: Mapping[Subset, bytes], place: tuple[int, int], label: bytes, count: int) -> Numbers:
    """Shares of zero of degree 2t that are otherwise uniform; as ``pseudorandom``."""
    rank, computers = place
    if count == 0:
        return from_signed([])
    functions = {subset: _thresha.PRF(key, P) for subset, key in keys.items()}
    value: Numbers = _thresha.np_pseudorandom_share_0(_FIELD, computers, rank, functions, label, count).value
    return value


def fresh_key() -> bytes:
    """A key for a subset."""
    return secrets.token_bytes(KEY_BYTES)


def to_lanes(numbers: Numbers, lanes: int) -> Words:
    """Field elements as they are, (n, lanes) words, low word first."""
    rows = [[(int(value) >> (64 * lane)) & _MASK for lane in range(lanes)] for value in numbers]
    return np.array(rows, dtype=np.uint64).reshape(len(rows), lanes)
