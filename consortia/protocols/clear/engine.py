"""``ClearEngine``: every operator of ``protocols.engine`` on plain values, with its preconditions checked.

It stands for all parties at once, so ``input`` needs the values of every owner and ``part`` gives the value itself
(decode it with two parts of zeros). Where another engine would compute garbage silently (a value outside its
declared width, a step path used twice) this one raises InternalError: wrong planning shows up here first.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.boolean.networks import Network
from consortia.protocols.clear.vectors import (
    WIDE_MODULUS,
    ClearArithmetic,
    ClearBoolean,
    ClearWide,
    Integers,
    integers,
    integers_to_words,
    same_length,
    same_width,
    word_count,
    words_to_integers,
)
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shares import Arithmetic, Boolean, Permutation, Rows, Vector, Wide, Words


@dataclass(frozen=True, slots=True)
class ClearPermutation:
    """``places[i]`` is the row that comes to stand at i."""

    places: tuple[int, ...]

    @property
    def length(self) -> int:
        """Number of rows."""
        return len(self.places)


class ClearEngine:
    """One party that sees everything; ``used`` is shared by all narrowed engines of one run."""

    __slots__ = ("_path", "_used")

    def __init__(self, path: str = "", used: set[str] | None = None) -> None:
        self._path = path
        self._used: set[str] = set() if used is None else used

    def narrow(self, name: str) -> ClearEngine:
        return ClearEngine(f"{self._path}/{name}" if self._path else name, self._used)

    def _begin(self) -> None:
        if self._path in self._used:
            raise InternalError("protocol/step-reused", f"the step path `{self._path}` is used twice")
        self._used.add(self._path)

    # --- in and out -------------------------------------------------------------------------------------

    def input(
        self, owner: str, length: int, shapes: Sequence[ColumnShape], values: Sequence[Words] | None
    ) -> list[Vector]:
        self._begin()
        if values is None:
            raise InternalError("protocol/input", f"the clear engine needs the values of `{owner}`")
        if len(values) != len(shapes):
            raise InternalError("protocol/input", f"{len(shapes)} columns are declared and {len(values)} given")
        return [self._input(length, shape, words) for shape, words in zip(shapes, values, strict=True)]

    @staticmethod
    def _input(length: int, shape: ColumnShape, words: Words) -> Vector:
        expected: dict[str, tuple[int, ...]] = {
            "arithmetic": (length,),
            "boolean": (length, word_count(shape.bits)),
            "wide": (length, 2),
        }
        if words.shape != expected[shape.domain] or words.dtype != np.uint64:
            raise InternalError(
                "protocol/input", f"{shape.domain} values of shape {words.shape} where {expected[shape.domain]} is due"
            )
        match shape.domain:
            case "arithmetic":
                return ClearArithmetic(words)
            case "boolean":
                return _boolean(words, shape.bits)
            case "wide":
                return ClearWide(words_to_integers(words))

    def part(self, x: Vector) -> Words:
        self._begin()
        return value_words(x)

    def open_to_computer(self, rank: int, x: Vector) -> Words | None:  # noqa: ARG002  one party is every rank
        self._begin()
        return value_words(x)

    def constant_arithmetic(self, values: Words) -> Arithmetic:
        return ClearArithmetic(values)

    def constant_boolean(self, values: Words, bits: int) -> Boolean:
        return _boolean(values, bits)

    def constant_wide(self, values: Words) -> Wide:
        return ClearWide(words_to_integers(values))

    def open_flag(self, flag: Boolean, what: str) -> bool:  # noqa: ARG002  nothing is recorded in the clear
        self._begin()
        if flag.length != 1:
            raise InternalError("protocol/shape", f"one bit is opened at a time, here are {flag.length}")
        return bool(_bit(flag).values[0])

    def invert(self, x: Boolean) -> Boolean:
        plain = _bool(x)
        return ClearBoolean(plain.values ^ ((1 << plain.bits) - 1), plain.bits)

    # --- products and conversions -----------------------------------------------------------------------

    def multiply(self, x: Arithmetic, y: Arithmetic) -> Arithmetic:
        self._begin()
        same_length(x, y)
        return ClearArithmetic(_arith(x).values * _arith(y).values)

    def inner_product(self, x: Arithmetic, y: Arithmetic) -> Arithmetic:
        same_length(x, y)
        return self.matrix_product(x, y, 1, x.length, 1)

    def matrix_product(self, x: Arithmetic, y: Arithmetic, rows: int, inner: int, columns: int) -> Arithmetic:
        self._begin()
        left, right = _arith(x).values, _arith(y).values
        if (left.size, right.size) != (rows * inner, inner * columns):
            raise InternalError("protocol/shape", f"{left.size} and {right.size} values are no such matrices")
        product = left.reshape(rows, inner) @ right.reshape(inner, columns)
        return ClearArithmetic(product.reshape(-1))

    def conjunction(self, x: Boolean, y: Boolean) -> Boolean:
        self._begin()
        same_length(x, y)
        left, right = _bool(x), _bool(y)
        if left.bits == 1 and right.bits != 1:
            left, right = right, left
        if right.bits == 1 and left.bits != 1:
            return ClearBoolean(left.values * right.values, left.bits)
        same_width(left, right)
        return ClearBoolean(left.values & right.values, left.bits)

    def bit_to_arithmetic(self, x: Boolean) -> Arithmetic:
        self._begin()
        return ClearArithmetic(_bit(x).values.astype(np.uint64))

    def bit_to_wide(self, x: Boolean) -> Wide:
        self._begin()
        return ClearWide(_bit(x).values)

    def widened(self, x: Arithmetic, bits: int) -> Wide:
        self._begin()
        if bits > 63:
            raise InternalError("protocol/range", f"only values of up to 63 bits can be widened, not {bits}")
        return ClearWide(integers(_signed(x, bits)))

    def multiply_wide(self, bit: Wide, x: Wide) -> Wide:
        self._begin()
        same_length(bit, x)
        return ClearWide(_wide(bit).values * _wide(x).values)

    def multiply_truncate(self, x: Arithmetic, y: Arithmetic, fraction: int, *, exact: bool = False) -> Arithmetic:
        self._begin()
        same_length(x, y)
        return self._truncated(_integers(x) * _integers(y), fraction, exact=exact)

    def matrix_product_truncate(
        self,
        x: Arithmetic,
        y: Arithmetic,
        rows: int,
        inner: int,
        columns: int,
        fraction: int,
        *,
        exact: bool = False,
    ) -> Arithmetic:
        self._begin()
        left, right = _integers(x), _integers(y)
        if (left.size, right.size) != (rows * inner, inner * columns):
            raise InternalError("protocol/shape", f"{left.size} and {right.size} values are no such matrices")
        products = left.reshape(rows, inner, 1) * right.reshape(1, inner, columns)
        return self._truncated(products.sum(axis=1, initial=0).reshape(-1), fraction, exact=exact)

    def truncate(self, x: Arithmetic, fraction: int, *, exact: bool = False) -> Arithmetic:
        self._begin()
        return self._truncated(_integers(x), fraction, exact=exact)

    def _truncated(self, values: Integers, fraction: int, *, exact: bool) -> Arithmetic:
        """floor((value + e) / 2^fraction); e follows from the step path, so that runs can be repeated."""
        if not 1 <= fraction <= 62:
            raise InternalError("protocol/range", f"a division by 2^{fraction} is not defined")
        if any(abs(value) >= 1 << 62 for value in values):
            raise InternalError("protocol/range", "a value to be truncated reaches 2^62", place=self._path)
        if not exact:
            draw = np.random.default_rng(zlib.crc32(self._path.encode()))
            values = values + draw.integers(0, 1 << fraction, len(values), np.uint64).astype(np.object_)
        return ClearArithmetic(integers_to_words((values >> fraction) % (1 << 64), 1)[:, 0])

    def decompose(self, x: Arithmetic, bits: int, network: Network | None = None) -> Boolean:  # noqa: ARG002
        self._begin()
        if not 1 <= bits <= 64:
            raise InternalError("protocol/range", f"{bits} bits are not a range of Z_2^64")
        return ClearBoolean(_integers(x) % (1 << bits), bits)

    def compose(self, x: Boolean, network: Network | None = None) -> Arithmetic:  # noqa: ARG002
        self._begin()
        if not 1 <= x.bits <= 64:
            raise InternalError("protocol/shape", f"{x.bits} planes are no number of Z_2^64")
        return ClearArithmetic(integers_to_words(_bool(x).values, 1)[:, 0])

    def filled(self, x: Boolean, network: Network | None = None) -> Boolean:  # noqa: ARG002
        self._begin()
        return ClearBoolean(integers([(1 << int(value).bit_length()) - 1 for value in _bool(x).values]), x.bits)

    # --- comparisons ------------------------------------------------------------------------------------

    def negative(self, x: Arithmetic, bits: int) -> Boolean:
        self._begin()
        return ClearBoolean(integers([int(value < 0) for value in _signed(x, bits)]), 1)

    def zero(self, x: Arithmetic, bits: int) -> Boolean:
        self._begin()
        return ClearBoolean(integers([int(value == 0) for value in _signed(x, bits)]), 1)

    def less_than(self, x: Boolean, y: Boolean) -> Boolean:
        self._begin()
        same_length(x, y)
        same_width(x, y)
        pairs = zip(_bool(x).values, _bool(y).values, strict=True)
        return ClearBoolean(integers([int(left < right) for left, right in pairs]), 1)

    def equal(self, x: Boolean, y: Boolean) -> Boolean:
        self._begin()
        same_length(x, y)
        same_width(x, y)
        pairs = zip(_bool(x).values, _bool(y).values, strict=True)
        return ClearBoolean(integers([int(left == right) for left, right in pairs]), 1)

    # --- order ------------------------------------------------------------------------------------------

    def shuffle(self, rows: Rows) -> Rows:
        order = self.permutation(_row_count(rows))
        return _taken(rows, order.places)

    def sort(self, keys: Boolean, rows: Rows) -> Rows:
        return self.sort_keeping(keys, rows)[0]

    def partition(self, bit: Boolean, rows: Rows) -> Rows:
        return self.partition_keeping(bit, rows)[0]

    def sort_keeping(self, keys: Boolean, rows: Rows) -> tuple[Rows, ClearPermutation]:
        self._begin()
        values = _bool(keys).values
        _row_count(rows, keys.length)
        order = sorted(range(keys.length), key=lambda place: cast("int", values[place]))
        return _taken(rows, order), ClearPermutation(tuple(order))

    def partition_keeping(self, bit: Boolean, rows: Rows) -> tuple[Rows, ClearPermutation]:
        self._begin()
        values = _bit(bit).values
        _row_count(rows, bit.length)
        order = sorted(range(bit.length), key=lambda place: 1 - cast("int", values[place]))
        return _taken(rows, order), ClearPermutation(tuple(order))

    def permutation(self, length: int) -> ClearPermutation:
        self._begin()
        return ClearPermutation(tuple(int(place) for place in np.random.default_rng(length).permutation(length)))

    def permuted(self, order: Permutation, rows: Rows) -> Rows:
        self._begin()
        _row_count(rows, order.length)
        return _taken(rows, _order(order).places)

    def put_back(self, order: Permutation, rows: Rows) -> Rows:
        self._begin()
        _row_count(rows, order.length)
        places = _order(order).places
        return _taken(rows, sorted(range(len(places)), key=places.__getitem__))


def value_words(x: Vector) -> Words:
    """The value of a clear vector in the shapes of ``protocols.shares``."""
    match x:
        case ClearArithmetic():
            return x.values.copy()
        case ClearBoolean():
            return integers_to_words(x.values, word_count(x.bits))
        case ClearWide():
            return integers_to_words(x.values % WIDE_MODULUS, 2)
        case _:
            raise InternalError("protocol/foreign-share", f"{x!r} is a vector of another engine")


def _boolean(words: Words, bits: int) -> ClearBoolean:
    values = words_to_integers(words)
    if any(int(value) >> bits for value in values):
        raise InternalError("protocol/range", f"a boolean value does not fit its declared {bits} bits")
    return ClearBoolean(values, bits)


def _arith(x: Arithmetic) -> ClearArithmetic:
    if not isinstance(x, ClearArithmetic):
        raise InternalError("protocol/foreign-share", f"{x!r} is not an arithmetic vector of the clear engine")
    return x


def _bool(x: Boolean) -> ClearBoolean:
    if not isinstance(x, ClearBoolean):
        raise InternalError("protocol/foreign-share", f"{x!r} is not a boolean vector of the clear engine")
    return x


def _wide(x: Wide) -> ClearWide:
    if not isinstance(x, ClearWide):
        raise InternalError("protocol/foreign-share", f"{x!r} is not a wide vector of the clear engine")
    return x


def _integers(x: Arithmetic) -> Integers:
    """The signed values, as Python integers."""
    return _arith(x).values.view(np.int64).astype(np.object_)


def _bit(x: Boolean) -> ClearBoolean:
    plain = _bool(x)
    if plain.bits != 1:
        raise InternalError("protocol/shape", f"one bit a row is needed, here are {plain.bits}")
    return plain


def _signed(x: Arithmetic, bits: int) -> list[int]:
    """The signed values, checked to satisfy |x| < 2^(bits-1)."""
    if not 1 <= bits <= 64:
        raise InternalError("protocol/range", f"an arithmetic value can't have {bits} bits")
    values = [int(value) for value in _arith(x).values.view(np.int64)]
    if any(abs(value) >= 1 << (bits - 1) for value in values):
        raise InternalError("protocol/range", f"a value does not fit the declared {bits} bits")
    return values


def _row_count(rows: Rows, length: int | None = None) -> int:
    lengths = {vector.length for vector in (*rows.arithmetic, *rows.boolean, *rows.wide)}
    if length is not None:
        lengths.add(length)
    if len(lengths) > 1:
        raise InternalError("protocol/shape", f"columns of {sorted(lengths)} rows travel together")
    return lengths.pop() if lengths else 0


def _order(order: Permutation) -> ClearPermutation:
    if not isinstance(order, ClearPermutation):
        raise InternalError("protocol/foreign-share", f"{order!r} is not a permutation of the clear engine")
    return order


def _taken(rows: Rows, places: Sequence[int]) -> Rows:
    def take(vector: Any) -> Any:
        return vector.taken(places)

    return Rows(
        tuple(take(vector) for vector in rows.arithmetic),
        tuple(take(vector) for vector in rows.boolean),
        tuple(take(vector) for vector in rows.wide),
    )
