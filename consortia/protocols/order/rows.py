"""Columns side by side: what a shuffle moves.

A matrix holds one component of all columns, row by row, in words of 64 bits: a position (its low half, Z_2^32; only
inside a partition), arithmetic columns, wide columns (two words), then the bits of all boolean columns packed without
gaps. A message takes the bytes that mean something: 4 a position, 8, 16, and one for each 8 bits or part of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.kernels.planes import transpose_blocks, words_of
from consortia.protocols.shares import Rows, Vector, Words
from consortia.protocols.sharing.opening import as_ring3
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean, Ring3Wide, check_equal

Bytes = NDArray[np.uint8]
Column = TypeVar("Column", Ring3Arithmetic, Ring3Boolean, Ring3Wide)
Matrices = tuple[Words, Words]
"""The two components that a computer holds, each (n, words)."""


@dataclass(frozen=True, slots=True)
class RowLayout:
    """Which columns a row has: a position or none, how many arithmetic and wide ones, the widths of boolean ones."""

    position: bool
    arithmetic: int
    wide: int
    boolean: tuple[int, ...]

    @property
    def bits(self) -> int:
        """Bits of all boolean columns."""
        return sum(self.boolean)

    @property
    def adding(self) -> int:
        """Words that add modulo 2^64 (of a position the low half is used)."""
        return self.position + self.arithmetic

    @property
    def numbers(self) -> int:
        """Words before the bits."""
        return self.adding + 2 * self.wide

    @property
    def words(self) -> int:
        """Words of a row."""
        return self.numbers + words_of(self.bits)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in a message."""
        return 8 * self.numbers - 4 * self.position + (self.bits + 7) // 8

    def message(self, matrix: Words) -> Bytes:
        """The bytes (n * row_bytes,) of a matrix: as it is if all its bytes mean something, else part by part."""
        if self.row_bytes == 8 * self.words:
            return matrix.reshape(-1).view(np.uint8)
        out = np.empty(matrix.shape[0] * self.row_bytes, np.uint8)
        for source, target in self._parts(matrix, out):
            target[...] = source
        return out

    def matrix(self, message: Bytes) -> Words:
        """The matrix of a message's bytes."""
        if self.row_bytes == 8 * self.words:
            return message.view(np.uint64).reshape(-1, self.words)
        # what no part covers is the unused half of a position and the unused bytes of the last word
        out = np.zeros((message.size // self.row_bytes, self.words), np.uint64)
        for target, source in self._parts(out, message):
            target[...] = source
        return out

    def _parts(self, matrix: Words, message: Bytes) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Columns of the matrix in pieces of 8, 4, 2 and 1 bytes, and where each stands in the message."""
        raw, rows, at = matrix.view(np.uint8), matrix.shape[0], 0
        for word in range(self.words):
            place = 8 * word
            left = 4 if self.position and word == 0 else min(8, self.row_bytes + 4 * self.position - place)
            for size in (8, 4, 2, 1):
                if left >= size:
                    kind = np.dtype(f"u{size}")
                    # a piece of a message stands at any byte: NumPy copies such arrays too
                    target = message[at : at + rows * size].view(kind)
                    yield raw[:, place : place + size].view(kind)[:, 0], target
                    at, place, left = at + rows * size, place + size, left - size


def layout_of(rows: Rows) -> RowLayout:
    """The layout of these columns."""
    return RowLayout(False, len(rows.arithmetic), len(rows.wide), tuple(column.bits for column in rows.boolean))


def length_of(rows: Rows, expected: int | None = None) -> int:
    """The common length of all columns; ``expected`` (or 0) when there is none. Raises ``protocol/shape``."""
    columns: list[Vector] = [*rows.arithmetic, *rows.boolean, *rows.wide]
    length = columns[0].length if columns and expected is None else expected or 0
    for column in columns:
        check_equal("lengths", column.length, length)
    return length


def pack(layout: RowLayout, rows: Rows, length: int, position: Ring3Arithmetic | None = None) -> Matrices:
    """Columns as matrices; ``position`` where the layout has one."""
    numbers = [*([position] if position is not None else []), *_own(rows.arithmetic, Ring3Arithmetic)]
    wide, boolean = _own(rows.wide, Ring3Wide), _own(rows.boolean, Ring3Boolean)
    return (
        _packed(layout, length, [x.first for x in numbers], [x.first for x in wide], [x.first for x in boolean]),
        _packed(layout, length, [x.second for x in numbers], [x.second for x in wide], [x.second for x in boolean]),
    )


def unpack(layout: RowLayout, matrices: Matrices) -> Rows:
    """Matrices as columns, without the position."""
    first, second = matrices
    length = first.shape[0]
    start = layout.numbers - 2 * layout.wide
    arithmetic = [
        Ring3Arithmetic(*(np.ascontiguousarray(part[:, c]) for part in matrices)) for c in range(layout.position, start)
    ]
    wide = [
        Ring3Wide(*(np.ascontiguousarray(part[:, c : c + 2]) for part in matrices))
        for c in range(start, layout.numbers, 2)
    ]
    boolean = []
    planes = _planes(layout, first), _planes(layout, second)
    at = 0
    for bits in layout.boolean:
        boolean.append(Ring3Boolean(planes[0][at : at + bits], planes[1][at : at + bits], length))
        at += bits
    return Rows(tuple(arithmetic), tuple(boolean), tuple(wide))


def _own(columns: Sequence[Vector], kind: type[Column]) -> list[Column]:
    return [column for column in map(as_ring3, columns) if isinstance(column, kind)]


def _packed(layout: RowLayout, length: int, numbers: list[Words], wide: list[Words], planes: list[Words]) -> Words:
    out = np.empty((length, layout.words), np.uint64)
    for c, number in enumerate(numbers):
        out[:, c] = number
    for i, pair in enumerate(wide):
        out[:, layout.adding + 2 * i : layout.adding + 2 * i + 2] = pair
    if layout.bits == 0 or length == 0:
        return out
    stacked, width = np.concatenate(planes).reshape(-1), words_of(length)
    target, across = out.reshape(-1), layout.words
    for lane in range(words_of(layout.bits)):
        transpose_blocks(
            stacked, lane * 64 * width, width, 1, 0, min(64, layout.bits - 64 * lane),
            target, layout.numbers + lane, across, 64 * across, 64, length,
            width,
        )  # fmt: skip
    return out


def _planes(layout: RowLayout, matrix: Words) -> Words:
    length, across = matrix.shape
    width = words_of(length)
    out = np.empty((layout.bits, width), np.uint64)
    if out.size == 0:
        return out
    source, target = np.ascontiguousarray(matrix).reshape(-1), out.reshape(-1)
    for lane in range(words_of(layout.bits)):
        transpose_blocks(
            source, layout.numbers + lane, across, 64 * across, 64, length,
            target, lane * 64 * width, width, 1, 0, min(64, layout.bits - 64 * lane),
            width,
        )  # fmt: skip
    return out
