"""Vectors in the clear: the three kinds of ``protocols.shares`` over plain values, written to be obviously right.

Arithmetic values are ``uint64`` (n,); boolean and wide values are Python integers in object arrays (n,), reduced
modulo 2^bits and 2^128. Nothing here is secret: tests, examples and the oracle use it, no node does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import add, xor
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols.shares import Arithmetic, Boolean, Vector, Wide, Words

Integers = NDArray[np.object_]
"""(n,) Python integers."""

WIDE_MODULUS = 1 << 128


def integers(values: Sequence[int]) -> Integers:
    """Python integers as an object array, whatever their size."""
    out = np.empty(len(values), dtype=np.object_)
    out[:] = values
    return out


def words_to_integers(words: Words) -> Integers:
    """(n, k) words, low first, as n unsigned integers."""
    total = integers([0] * words.shape[0])
    for place in range(words.shape[1]):
        total = total + (words[:, place].astype(np.object_) << (64 * place))
    return total


def integers_to_words(values: Integers, count: int) -> Words:
    """N unsigned integers below 2^(64 count) as (n, count) words, low first."""
    out = np.zeros((len(values), count), dtype=np.uint64)
    for place in range(count):
        out[:, place] = np.array([(int(value) >> (64 * place)) & 0xFFFFFFFFFFFFFFFF for value in values], np.uint64)
    return out


def word_count(bits: int) -> int:
    """Words that hold ``bits`` bits."""
    return -(-bits // 64)


def _shift(values: NDArray[Any], by: int) -> NDArray[Any]:
    out = np.zeros_like(values)
    if by >= 0:
        out[by:] = values[: max(len(values) - by, 0)]
    else:
        out[:by] = values[-by:]
    return out


class _Clear:
    """What the three kinds have in common: rows of one numpy array ``values``."""

    __slots__ = ("values",)
    values: NDArray[Any]

    @property
    def length(self) -> int:
        return len(self.values)

    def _like(self, values: NDArray[Any]) -> Self:
        raise NotImplementedError

    def rows(self, start: int, stop: int) -> Self:
        if not 0 <= start <= stop <= self.length:
            raise InternalError("protocol/shape", f"rows {start} to {stop} of a vector of {self.length}")
        return self._like(self.values[start:stop])

    def concatenated(self, others: Sequence[Self]) -> Self:
        return self._like(np.concatenate([self.values, *(other.values for other in others)]))

    def shifted(self, by: int) -> Self:
        return self._like(_shift(self.values, by))

    def taken(self, places: Sequence[int]) -> Self:
        """Row i of the result is row ``places[i]``."""
        return self._like(self.values[np.asarray(places, dtype=np.int64)])

    def masked(self, keep: NDArray[np.bool_]) -> Self:
        out = self.values.copy()
        out[~keep] = 0
        return self._like(out)


def same_length(x: Vector, y: Vector) -> None:
    """Raises InternalError ``protocol/shape`` unless both have equally many rows."""
    if x.length != y.length:
        raise InternalError("protocol/shape", f"vectors of {x.length} and {y.length} rows meet in one operation")


class ClearArithmetic(_Clear, Arithmetic):
    """Values modulo 2^64."""

    __slots__ = ()
    values: Words

    def __init__(self, values: Words) -> None:
        self.values = np.ascontiguousarray(values, dtype=np.uint64)

    def _like(self, values: NDArray[Any]) -> ClearArithmetic:
        return ClearArithmetic(values)

    def __add__(self, other: Self) -> ClearArithmetic:
        same_length(self, other)
        return ClearArithmetic(self.values + other.values)

    def __sub__(self, other: Self) -> ClearArithmetic:
        same_length(self, other)
        return ClearArithmetic(self.values - other.values)

    def __neg__(self) -> ClearArithmetic:
        return ClearArithmetic(np.zeros_like(self.values) - self.values)

    def scaled(self, factor: int) -> ClearArithmetic:
        return ClearArithmetic(self.values * np.uint64(factor % (1 << 64)))

    def prefix_sums(self) -> ClearArithmetic:
        return ClearArithmetic(np.cumsum(self.values, dtype=np.uint64))

    def transposed(self, columns: int) -> ClearArithmetic:
        return ClearArithmetic(self.values.reshape(-1, columns).T.reshape(-1).copy())


class ClearBoolean(_Clear, Boolean):
    """Unsigned values of ``bits`` bits."""

    __slots__ = ("_bits",)
    values: Integers

    def __init__(self, values: Integers, bits: int) -> None:
        self.values = values
        self._bits = bits

    @property
    def bits(self) -> int:
        return self._bits

    def _like(self, values: NDArray[Any]) -> ClearBoolean:
        return ClearBoolean(values, self._bits)

    def concatenated(self, others: Sequence[Self]) -> ClearBoolean:
        for other in others:
            same_width(self, other)
        return ClearBoolean(np.concatenate([self.values, *(other.values for other in others)]), self._bits)

    def __xor__(self, other: Self) -> ClearBoolean:
        same_length(self, other)
        same_width(self, other)
        return ClearBoolean(self.values ^ other.values, self._bits)

    def planes(self, start: int, stop: int) -> ClearBoolean:
        if not 0 <= start <= stop <= self._bits:
            raise InternalError("protocol/shape", f"planes {start} to {stop} of a value of {self._bits} bits")
        return ClearBoolean((self.values >> start) & ((1 << (stop - start)) - 1), stop - start)

    def reversed_planes(self) -> ClearBoolean:
        texts = [f"{int(value):0{self._bits}b}" for value in self.values]
        return ClearBoolean(integers([int(text[::-1], 2) for text in texts]), self._bits)

    def below(self, high: Self) -> ClearBoolean:
        same_length(self, high)
        return ClearBoolean(self.values | (high.values << self._bits), self._bits + high.bits)

    def prefix_xors(self) -> ClearBoolean:
        return ClearBoolean(integers(list(accumulate(self.values, xor))), self._bits)


class ClearWide(_Clear, Wide):
    """Values modulo 2^128."""

    __slots__ = ()
    values: Integers

    def __init__(self, values: Integers) -> None:
        self.values = values % WIDE_MODULUS

    def _like(self, values: NDArray[Any]) -> ClearWide:
        return ClearWide(values)

    def __add__(self, other: Self) -> ClearWide:
        same_length(self, other)
        return ClearWide(self.values + other.values)

    def __sub__(self, other: Self) -> ClearWide:
        same_length(self, other)
        return ClearWide(self.values - other.values)

    def prefix_sums(self) -> ClearWide:
        return ClearWide(integers(list(accumulate(self.values, add))))


def same_width(x: Boolean, y: Boolean) -> None:
    """Raises InternalError ``protocol/shape`` unless both have equally many bits."""
    if x.bits != y.bits:
        raise InternalError("protocol/shape", f"values of {x.bits} and {y.bits} bits meet in one operation")
