"""One computer's shares of a vector: numbers over the prime field, bits over GF(16), with what needs no message.

All operations are linear or public, hence the same on shares as on values: ``_Shared`` does them on the last axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols.shamir.binary import Bits
from consortia.protocols.shamir.field import Numbers, P
from consortia.protocols.shares import Arithmetic, Boolean, Vector, Wide


class _Shared:
    """What the three kinds have in common: rows on the last axis of one array ``share``."""

    __slots__ = ("share",)
    share: NDArray[Any]

    @property
    def length(self) -> int:
        return int(self.share.shape[-1])

    def _like(self, share: NDArray[Any]) -> Self:
        return type(self)(share)  # type: ignore[call-arg]  # every kind below takes its share

    def rows(self, start: int, stop: int) -> Self:
        if not 0 <= start <= stop <= self.length:
            raise InternalError("protocol/shape", f"rows {start} to {stop} of a vector of {self.length}")
        return self._like(self.share[..., start:stop])

    def concatenated(self, others: Sequence[Self]) -> Self:
        return self._like(np.concatenate([self.share, *(other.share for other in others)], axis=-1))

    def shifted(self, by: int) -> Self:
        out = np.zeros_like(self.share)
        rest = max(self.length - abs(by), 0)
        if by >= 0:
            out[..., by:] = self.share[..., :rest]
        else:
            out[..., :rest] = self.share[..., self.length - rest :]
        return self._like(out)

    def masked(self, keep: NDArray[np.bool_]) -> Self:
        out = self.share.copy()
        out[..., ~keep] = 0
        return self._like(out)


def same_length(x: Vector, y: Vector) -> None:
    """Raises InternalError ``protocol/shape`` unless both have equally many rows."""
    if x.length != y.length:
        raise InternalError("protocol/shape", f"vectors of {x.length} and {y.length} rows meet in one operation")


class _Number(_Shared):
    """Sums and differences modulo the prime: (n,) integers."""

    __slots__ = ()
    share: Numbers

    def __init__(self, share: Numbers) -> None:
        self.share = share

    def __add__(self, other: Self) -> Self:
        self._check(other)
        return self._like((self.share + other.share) % P)

    def __sub__(self, other: Self) -> Self:
        self._check(other)
        return self._like((self.share - other.share) % P)

    def prefix_sums(self) -> Self:
        return self._like(np.add.accumulate(self.share, dtype=np.object_) % P if self.length else self.share)

    def _check(self, other: Self) -> None:
        if self.length != other.length:
            raise InternalError("protocol/shape", f"{self.length} and {other.length} rows meet in one operation")


class ShamirArithmetic(_Number, Arithmetic):
    """Signed values below 2^62, and running sums of them."""

    __slots__ = ()

    def __neg__(self) -> ShamirArithmetic:
        return ShamirArithmetic(-self.share % P)

    def scaled(self, factor: int) -> ShamirArithmetic:
        return ShamirArithmetic(self.share * factor % P)

    def transposed(self, columns: int) -> ShamirArithmetic:
        return ShamirArithmetic(self.share.reshape(-1, columns).T.reshape(-1).copy())


class ShamirWide(_Number, Wide):
    """Signed values below 2^126, and running sums of them: the same field."""

    __slots__ = ()


class ShamirBoolean(_Shared, Boolean):
    """Planes of bits, (bits, n) elements of GF(16)."""

    __slots__ = ()
    share: Bits

    def __init__(self, share: Bits) -> None:
        self.share = share

    @property
    def bits(self) -> int:
        return int(self.share.shape[0])

    def __xor__(self, other: Self) -> ShamirBoolean:
        same_length(self, other)
        same_width(self, other)
        return ShamirBoolean(self.share ^ other.share)

    def planes(self, start: int, stop: int) -> ShamirBoolean:
        if not 0 <= start <= stop <= self.bits:
            raise InternalError("protocol/shape", f"planes {start} to {stop} of a value of {self.bits} bits")
        return ShamirBoolean(self.share[start:stop])

    def reversed_planes(self) -> ShamirBoolean:
        return ShamirBoolean(self.share[::-1])

    def below(self, high: Self) -> ShamirBoolean:
        same_length(self, high)
        return ShamirBoolean(np.concatenate([self.share, high.share]))

    def prefix_xors(self) -> ShamirBoolean:
        return ShamirBoolean(np.bitwise_xor.accumulate(self.share, axis=1) if self.length else self.share)


def same_width(x: Boolean, y: Boolean) -> None:
    """Raises InternalError ``protocol/shape`` unless both have equally many bits."""
    if x.bits != y.bits:
        raise InternalError("protocol/shape", f"values of {x.bits} and {y.bits} bits meet in one operation")
