"""What a shared vector is, on whatever engine: three kinds, with the operations that send nothing.

``Arithmetic`` holds n signed values in Z_2^64, ``Boolean`` n unsigned values of ``bits`` bits (bit-sliced planes),
``Wide`` n signed values in Z_2^128. Vectors are immutable. They never print, compare, iterate or pickle:
each of these would be a way to look at a share. Local operations are methods or operators because they cost no
traffic; whatever sends is a named operation of the engine (``engine.Engine``).

Clear values cross the border in one shape each, always ``uint64``: arithmetic ``(n,)`` in two's complement,
boolean ``(n, ceil(bits/64))`` with the low word first, wide ``(n, 2)`` with the low word first.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


class Vector(ABC):
    """A secret vector of ``length`` rows."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # a share has no identity that may be compared

    @property
    @abstractmethod
    def length(self) -> int:
        """Number of rows, public."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> Self:
        """Rows start (included) to stop (excluded)."""

    @abstractmethod
    def concatenated(self, others: Sequence[Self]) -> Self:
        """This vector's rows, then those of ``others`` in order."""

    @abstractmethod
    def shifted(self, by: int) -> Self:
        """Row i of the result is row i - by of this one; zero where there is none. ``by`` may be negative."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.length} rows>"

    def __bool__(self) -> NoReturn:
        raise TypeError("a share has no truth value; compare with an engine's operations")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("shares can't be compared here; use the engine's `equal`")

    def __iter__(self) -> NoReturn:
        raise TypeError("a share can't be iterated; use `rows`")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a share can't be pickled; it leaves a party in sealed frames only")


class Arithmetic(Vector):
    """Signed values in Z_2^64."""

    __slots__ = ()

    @abstractmethod
    def __add__(self, other: Self) -> Self: ...

    @abstractmethod
    def __sub__(self, other: Self) -> Self: ...

    @abstractmethod
    def __neg__(self) -> Self: ...

    @abstractmethod
    def scaled(self, factor: int) -> Self:
        """Every value times a public integer."""

    @abstractmethod
    def masked(self, keep: NDArray[np.bool_]) -> Self:
        """Zero where the public mask (n,) is False."""

    @abstractmethod
    def prefix_sums(self) -> Self:
        """Row i is the sum of rows 0..i, modulo 2^64 (a *modular* value: it has no range)."""

    @abstractmethod
    def transposed(self, columns: int) -> Self:
        """A matrix of so many columns, row by row, as its transpose, row by row."""


class Boolean(Vector):
    """Unsigned values of ``bits`` bits, as planes."""

    __slots__ = ()

    @property
    @abstractmethod
    def bits(self) -> int:
        """Number of planes, public."""

    @abstractmethod
    def __xor__(self, other: Self) -> Self: ...

    @abstractmethod
    def planes(self, start: int, stop: int) -> Self:
        """Bits start (included, 0 is the lowest) to stop (excluded) of every value."""

    @abstractmethod
    def reversed_planes(self) -> Self:
        """The lowest bit as the highest, and so on."""

    @abstractmethod
    def below(self, high: Self) -> Self:
        """The value with ``high``'s bits above its own: bits add up."""

    @abstractmethod
    def masked(self, keep: NDArray[np.bool_]) -> Self:
        """Zero where the public mask (n,) is False."""

    @abstractmethod
    def prefix_xors(self) -> Self:
        """Row i is the exclusive or of rows 0..i, plane by plane."""


class Wide(Vector):
    """Signed values in Z_2^128: for sums whose bound reaches 2^62. Input, add, sum, multiply by a bit, open."""

    __slots__ = ()

    @abstractmethod
    def __add__(self, other: Self) -> Self: ...

    @abstractmethod
    def __sub__(self, other: Self) -> Self: ...

    @abstractmethod
    def prefix_sums(self) -> Self:
        """Row i is the sum of rows 0..i, modulo 2^128."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Columns that travel together through a shuffle, sort or partition; all of equal length."""

    arithmetic: tuple[Arithmetic, ...] = ()
    boolean: tuple[Boolean, ...] = ()
    wide: tuple[Wide, ...] = ()


class Permutation(Protocol):
    """An order of rows that no party knows, to be applied and undone any number of times. Nothing in it is opened."""

    @property
    def length(self) -> int:
        """Number of rows, public."""
        ...
