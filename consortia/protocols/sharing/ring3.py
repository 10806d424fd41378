"""Shares of the engine for three computers: replicated secret sharing (Araki et al., CCS 2016).

A value is the sum (arithmetic: modulo 2^64; wide: modulo 2^128) or the exclusive or (boolean) of three components
x0, x1, x2. Computer i holds ``first`` = component i and ``second`` = component i+1 (modulo 3), so each component is
known to two computers and any two computers know the value, no one alone anything. Local operations act on each
component by itself. Component arrays are never written after they are made: vectors share memory freely.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols.kernels import planes as bit_planes
from consortia.protocols.kernels.wide import add_wide, prefix_sums_wide, subtract_wide
from consortia.protocols.shares import Arithmetic, Boolean, Wide, Words

Ring = NDArray[np.uint64] | NDArray[np.uint32]


class Ring3Arithmetic(Arithmetic):
    """n values in Z_2^64; or, inside the engine only, counts and positions in Z_2^32 (components of uint32)."""

    __slots__ = ("first", "second")

    def __init__(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Components (n,) of equal type, uint64 or uint32."""
        self.first, self.second = np.ascontiguousarray(first), np.ascontiguousarray(second)

    @property
    def length(self) -> int:
        return int(self.first.shape[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """``uint64`` or ``uint32``: the ring."""
        return self.first.dtype

    def _each(self, local: Callable[[NDArray[Any]], NDArray[Any]]) -> Self:
        return type(self)(local(self.first), local(self.second))

    def rows(self, start: int, stop: int) -> Self:
        check_rows(self.length, start, stop)
        return self._each(lambda component: component[start:stop])

    def concatenated(self, others: Sequence[Self]) -> Self:
        return type(self)(
            np.concatenate([self.first, *(other.first for other in others)]),
            np.concatenate([self.second, *(other.second for other in others)]),
        )

    def shifted(self, by: int) -> Self:
        return self._each(lambda component: shifted_rows(component, by))

    def __add__(self, other: Self) -> Self:
        check_equal("lengths", self.length, other.length)
        return type(self)(self.first + other.first, self.second + other.second)

    def __sub__(self, other: Self) -> Self:
        check_equal("lengths", self.length, other.length)
        return type(self)(self.first - other.first, self.second - other.second)

    def __neg__(self) -> Self:
        return self._each(lambda component: np.zeros_like(component) - component)

    def scaled(self, factor: int) -> Self:
        ring_factor = self.dtype.type(factor % (1 << (8 * self.dtype.itemsize)))
        return self._each(lambda component: component * ring_factor)

    def masked(self, keep: NDArray[np.bool_]) -> Self:
        check_equal("lengths", self.length, keep.shape[0])
        return self._each(lambda component: component * keep)

    def prefix_sums(self) -> Self:
        return self._each(lambda component: np.cumsum(component, dtype=component.dtype))

    def transposed(self, columns: int) -> Self:
        check_equal("rows and whole rows", self.length % columns, 0)
        return self._each(lambda component: np.ascontiguousarray(component.reshape(-1, columns).T).reshape(-1))


class Ring3Boolean(Boolean):
    """n values of ``bits`` bits as planes (bits, ceil(n/64)) a component.

    Padding (bits beyond row n in the last word) may hold anything; what opens or slices clears it first.
    """

    __slots__ = ("_length", "first", "second")

    def __init__(self, first: Words, second: Words, length: int) -> None:
        """Components (bits, ceil(length/64))."""
        self.first, self.second = np.ascontiguousarray(first), np.ascontiguousarray(second)
        self._length = length

    @property
    def length(self) -> int:
        return self._length

    @property
    def bits(self) -> int:
        return int(self.first.shape[0])

    def _each(self, local: Callable[[Words], Words]) -> Self:
        return type(self)(local(self.first), local(self.second), self._length)

    def _moved(self, moves: Sequence[tuple[Self, int, int, int]], length: int) -> Self:
        """Rows ``start ..`` of each source, ``count`` of them, at row ``at``: (source, start, at, count)."""
        components = []
        for name in ("first", "second"):
            out = np.zeros((self.bits, bit_planes.words_of(length)), np.uint64)
            for source, start, at, count in moves:
                bit_planes.copy_bits(getattr(source, name), start, out, at, count)
            components.append(out)
        return type(self)(components[0], components[1], length)

    def rows(self, start: int, stop: int) -> Self:
        check_rows(self.length, start, stop)
        return self._moved([(self, start, 0, stop - start)], stop - start)

    def concatenated(self, others: Sequence[Self]) -> Self:
        moves, at = [], 0
        for source in (self, *others):
            check_equal("widths", self.bits, source.bits)
            moves.append((source, 0, at, source.length))
            at += source.length
        return self._moved(moves, at)

    def shifted(self, by: int) -> Self:
        kept = max(0, self.length - abs(by))
        return self._moved([(self, max(0, -by), max(0, by), kept)] if kept else [], self.length)

    def __xor__(self, other: Self) -> Self:
        check_equal("lengths", self.length, other.length)
        check_equal("widths", self.bits, other.bits)
        return type(self)(self.first ^ other.first, self.second ^ other.second, self.length)

    def planes(self, start: int, stop: int) -> Self:
        check_rows(self.bits, start, stop)
        return self._each(lambda component: component[start:stop])

    def reversed_planes(self) -> Self:
        return self._each(lambda component: component[::-1])

    def below(self, high: Self) -> Self:
        check_equal("lengths", self.length, high.length)
        return type(self)(
            np.concatenate([self.first, high.first]), np.concatenate([self.second, high.second]), self.length
        )

    def masked(self, keep: NDArray[np.bool_]) -> Self:
        check_equal("lengths", self.length, keep.shape[0])
        plane = bit_planes.packed_bits(keep)
        return self._each(lambda component: component & plane)

    def prefix_xors(self) -> Self:
        return self._each(_prefix_xors)


class Ring3Wide(Wide):
    """n values in Z_2^128: components (n, 2), low word first."""

    __slots__ = ("first", "second")

    def __init__(self, first: Words, second: Words) -> None:
        """Components (n, 2)."""
        self.first, self.second = np.ascontiguousarray(first), np.ascontiguousarray(second)

    @property
    def length(self) -> int:
        return int(self.first.shape[0])

    def rows(self, start: int, stop: int) -> Self:
        check_rows(self.length, start, stop)
        return type(self)(self.first[start:stop], self.second[start:stop])

    def concatenated(self, others: Sequence[Self]) -> Self:
        return type(self)(
            np.concatenate([self.first, *(other.first for other in others)]),
            np.concatenate([self.second, *(other.second for other in others)]),
        )

    def shifted(self, by: int) -> Self:
        return type(self)(shifted_rows(self.first, by), shifted_rows(self.second, by))

    def _with(self, other: Self, combine: Callable[[Words, Words, Words], None]) -> Self:
        check_equal("lengths", self.length, other.length)
        first, second = np.empty_like(self.first), np.empty_like(self.second)
        combine(self.first, other.first, first)
        combine(self.second, other.second, second)
        return type(self)(first, second)

    def __add__(self, other: Self) -> Self:
        return self._with(other, add_wide)

    def __sub__(self, other: Self) -> Self:
        return self._with(other, subtract_wide)

    def prefix_sums(self) -> Self:
        first, second = np.empty_like(self.first), np.empty_like(self.second)
        prefix_sums_wide(self.first, first)
        prefix_sums_wide(self.second, second)
        return type(self)(first, second)


def check_equal(what: str, left: int, right: int) -> None:
    """Raise InternalError ``protocol/shape`` unless both numbers are equal."""
    if left != right:
        raise InternalError("protocol/shape", f"operands have unequal {what}, {left} and {right}")


def check_rows(limit: int, start: int, stop: int) -> None:
    """Raise InternalError ``protocol/shape`` unless 0 <= start <= stop <= limit."""
    if not 0 <= start <= stop <= limit:
        raise InternalError("protocol/shape", f"rows or planes {start} to {stop} of {limit} do not exist")


def shifted_rows(component: NDArray[Any], by: int) -> NDArray[Any]:
    """Row i of the result is row i - by; zero where there is none."""
    out = np.zeros_like(component)
    if by >= 0:
        out[by:] = component[: max(0, component.shape[0] - by)]
    else:
        out[:by] = component[-by:]
    return out


def _prefix_xors(component: Words) -> Words:
    out = np.empty_like(component)
    bit_planes.prefix_xors(component, out)
    return out
