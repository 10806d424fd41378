"""``CountingEngine``: the operators on shapes alone; what they would send and open is added up by step path.

Running a program on it gives the declared cost of that program: rounds, bytes by member and openings, from
``protocols.costs`` and ``protocols.order.costs``. It holds no values, so it also proves that a program's traffic
can't depend on any. Openings by ``part`` are those of the release and are not counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols import costs
from consortia.protocols.boolean.networks import Circuits, Network, adder, composition
from consortia.protocols.costs import Cost
from consortia.protocols.engine import ColumnShape
from consortia.protocols.fixed import costs as costs_of_fixed
from consortia.protocols.order import costs as costs_of_order
from consortia.protocols.order.compare import COMPARISON_BITS
from consortia.protocols.order.partition import POSITIONS
from consortia.protocols.shares import Arithmetic, Boolean, Permutation, Rows, Vector, Wide, Words
from consortia.protocols.transcript import Opened


@dataclass(slots=True)
class Counts:
    """What a run would do: rounds by step path, bytes by (step path, member), openings in order."""

    rounds: Counter[str] = field(default_factory=Counter)
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    opened: list[Opened] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


class _Shape:
    """What the three kinds have in common: a length and a width. Every operation makes a new vector, as elsewhere."""

    __slots__ = ("_bits", "_length")

    def __init__(self, length: int, bits: int = 64) -> None:
        self._length = length
        self._bits = bits

    @property
    def length(self) -> int:
        return self._length

    @property
    def bits(self) -> int:
        return self._bits

    def _of(self, length: int, bits: int | None = None) -> Self:
        return type(self)(length, self._bits if bits is None else bits)

    def _like(self, other: Self) -> Self:
        if (self._length, self._bits) != (other.length, other.bits):
            raise InternalError(
                "protocol/shape", f"{self._length} values of {self._bits} bits meet {other.length} of {other.bits}"
            )
        return self._of(self._length)

    def rows(self, start: int, stop: int) -> Self:
        if not 0 <= start <= stop <= self._length:
            raise InternalError("protocol/shape", f"rows {start} to {stop} of a vector of {self._length}")
        return self._of(stop - start)

    def concatenated(self, others: Sequence[Self]) -> Self:
        return self._of(self._length + sum(other.length for other in others))

    def shifted(self, by: int) -> Self:  # noqa: ARG002  no values, nothing moves
        return self._of(self._length)

    def masked(self, keep: NDArray[np.bool_]) -> Self:  # noqa: ARG002
        return self._of(self._length)

    def prefix_sums(self) -> Self:
        return self._of(self._length)

    def prefix_xors(self) -> Self:
        return self._of(self._length)

    def transposed(self, columns: int) -> Self:  # noqa: ARG002
        return self._of(self._length)

    def scaled(self, factor: int) -> Self:  # noqa: ARG002
        return self._of(self._length)

    def __add__(self, other: Self) -> Self:
        return self._like(other)

    def __sub__(self, other: Self) -> Self:
        return self._like(other)

    def __xor__(self, other: Self) -> Self:
        return self._like(other)

    def __neg__(self) -> Self:
        return self._of(self._length)

    def planes(self, start: int, stop: int) -> Self:
        if not 0 <= start <= stop <= self._bits:
            raise InternalError("protocol/shape", f"planes {start} to {stop} of a value of {self._bits} bits")
        return self._of(self._length, stop - start)

    def reversed_planes(self) -> Self:
        return self._of(self._length)

    def below(self, high: Self) -> Self:
        return self._of(self._length, self._bits + high.bits)


class CountedArithmetic(_Shape, Arithmetic):
    """The shape of an arithmetic vector."""

    __slots__ = ()


class CountedBoolean(_Shape, Boolean):
    """The shape of a boolean vector."""

    __slots__ = ()


class CountedWide(_Shape, Wide):
    """The shape of a wide vector."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CountedPermutation:
    """A permutation's length."""

    length: int


class CountingEngine:
    """All three computers at once, without values. ``counts`` is shared by all narrowed engines of one run."""

    __slots__ = ("_circuits", "_computers", "_path", "counts")

    def __init__(
        self,
        computers: tuple[str, str, str],
        circuits: Circuits = "few-rounds",
        path: str = "",
        counts: Counts | None = None,
    ) -> None:
        self._computers = computers
        self._circuits = circuits
        self._path = path
        self.counts = Counts() if counts is None else counts

    def narrow(self, name: str) -> CountingEngine:
        path = f"{self._path}/{name}" if self._path else name
        return CountingEngine(self._computers, self._circuits, path, self.counts)

    def _begin(self) -> None:
        if self._path in self.counts.used:
            raise InternalError("protocol/step-reused", f"the step path `{self._path}` is used twice")
        self.counts.used.add(self._path)

    def _add(self, cost: Cost) -> None:
        self._begin()
        self.counts.rounds[self._path] += cost.rounds
        for member, size in zip(self._computers, cost.bytes_by_rank, strict=True):
            self.counts.sent[self._path, member] += size

    def _open(self, what: str, elements: int, to: tuple[str, ...]) -> None:
        if elements:
            self.counts.opened.append(Opened(self._path, what, elements, to))

    # --- in and out -------------------------------------------------------------------------------------

    def input(
        self,
        owner: str,
        length: int,
        shapes: Sequence[ColumnShape],
        values: Sequence[Words] | None,  # noqa: ARG002  there are none
    ) -> list[Vector]:
        rank = self._computers.index(owner) if owner in self._computers else None
        cost = costs.share_input(length, shapes, rank)
        self._add(cost)
        if rank is None:
            self.counts.sent[self._path, owner] += sum(cost.owner_bytes)
        made: dict[str, Any] = {"arithmetic": CountedArithmetic, "boolean": CountedBoolean, "wide": CountedWide}
        return [made[shape.domain](length, shape.bits if shape.domain == "boolean" else 64) for shape in shapes]

    def part(self, x: Vector) -> Words:  # noqa: ARG002
        raise InternalError("protocol/counting", "shapes hold no values that could be opened")

    def open_to_computer(self, rank: int, x: Vector) -> Words | None:
        self._add(costs.open_to_computer(x.length, shape_of(x), rank))
        raise InternalError("protocol/counting", "shapes hold no values that could be opened")

    def constant_arithmetic(self, values: Words) -> Arithmetic:
        return CountedArithmetic(values.shape[0])

    def constant_boolean(self, values: Words, bits: int) -> Boolean:
        return CountedBoolean(values.shape[0], bits)

    def constant_wide(self, values: Words) -> Wide:
        return CountedWide(values.shape[0])

    def open_flag(self, flag: Boolean, what: str) -> bool:
        if (flag.length, flag.bits) != (1, 1):
            raise InternalError("protocol/shape", f"one bit was expected, not {flag.length} of {flag.bits} planes")
        self._add(costs.open_flag())
        self._open(what, 1, self._computers)
        return False

    def invert(self, x: Boolean) -> Boolean:
        return CountedBoolean(x.length, x.bits)

    # --- products and conversions -----------------------------------------------------------------------

    def multiply(self, x: Arithmetic, y: Arithmetic) -> Arithmetic:
        self._add(costs.multiply(same_length(x, y)))
        return CountedArithmetic(x.length)

    def inner_product(self, x: Arithmetic, y: Arithmetic) -> Arithmetic:
        return self.matrix_product(x, y, 1, same_length(x, y), 1)

    def matrix_product(self, x: Arithmetic, y: Arithmetic, rows: int, inner: int, columns: int) -> Arithmetic:
        if (x.length, y.length) != (rows * inner, inner * columns):
            raise InternalError("protocol/shape", f"{x.length} and {y.length} values are no such matrices")
        self._add(costs.matrix_product(rows, inner, columns))
        return CountedArithmetic(rows * columns)

    def conjunction(self, x: Boolean, y: Boolean) -> Boolean:
        bits = max(x.bits, y.bits)
        if min(x.bits, y.bits) not in (1, bits):
            raise InternalError("protocol/shape", f"values of {x.bits} and {y.bits} bits meet in one operation")
        self._add(costs.conjunction(same_length(x, y), bits))
        return CountedBoolean(x.length, bits)

    def bit_to_arithmetic(self, x: Boolean) -> Arithmetic:
        self._add(costs.bit_to_arithmetic(x.length))
        return CountedArithmetic(x.length)

    def bit_to_wide(self, x: Boolean) -> Wide:
        self._add(costs.bit_to_arithmetic(x.length, 128))
        return CountedWide(x.length)

    def widened(self, x: Arithmetic, bits: int) -> Wide:  # noqa: ARG002  the cost is that of any width
        self._add(costs.widened(x.length))
        return CountedWide(x.length)

    def multiply_wide(self, bit: Wide, x: Wide) -> Wide:
        self._add(costs.multiply(same_length(bit, x), 128))
        return CountedWide(x.length)

    def multiply_truncate(self, x: Arithmetic, y: Arithmetic, fraction: int, *, exact: bool = False) -> Arithmetic:
        self._add(costs_of_fixed.multiply_truncate(same_length(x, y), fraction, exact=exact))
        return CountedArithmetic(x.length)

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
        if (x.length, y.length) != (rows * inner, inner * columns):
            raise InternalError("protocol/shape", f"{x.length} and {y.length} values are no such matrices")
        length = rows * columns
        self._add(costs_of_fixed.multiply_truncate(length if inner else 0, fraction, exact=exact))
        return CountedArithmetic(length)

    def truncate(self, x: Arithmetic, fraction: int, *, exact: bool = False) -> Arithmetic:
        self._add(costs_of_fixed.truncate(x.length, fraction, exact=exact))
        return CountedArithmetic(x.length)

    def decompose(self, x: Arithmetic, bits: int, network: Network | None = None) -> Boolean:
        self._add(costs_of_fixed.decompose(x.length, bits, network or adder(self._circuits)))
        return CountedBoolean(x.length, bits)

    def compose(self, x: Boolean, network: Network | None = None) -> Arithmetic:
        self._add(costs_of_fixed.compose(x.length, x.bits, network or composition(x.bits, self._circuits)))
        return CountedArithmetic(x.length)

    def filled(self, x: Boolean, network: Network | None = None) -> Boolean:
        self._add(costs_of_fixed.filled(x.length, x.bits, network or adder(self._circuits)))
        return CountedBoolean(x.length, x.bits)

    # --- comparisons ------------------------------------------------------------------------------------

    def negative(self, x: Arithmetic, bits: int) -> Boolean:
        self._add(costs.negative(x.length, bits, self._circuits))
        return CountedBoolean(x.length, 1)

    def zero(self, x: Arithmetic, bits: int) -> Boolean:
        self._add(costs.zero(x.length, bits))
        return CountedBoolean(x.length, 1)

    def less_than(self, x: Boolean, y: Boolean) -> Boolean:
        self._add(costs.less_than(same_length(x, y), same_width(x, y), self._circuits))
        return CountedBoolean(x.length, 1)

    def equal(self, x: Boolean, y: Boolean) -> Boolean:
        self._add(costs.equal(same_length(x, y), same_width(x, y)))
        return CountedBoolean(x.length, 1)

    # --- order ------------------------------------------------------------------------------------------

    def shuffle(self, rows: Rows) -> Rows:
        shapes = shapes_of(rows)
        self._add(costs_of_order.shuffle(row_count(rows), shapes))
        return _moved(rows)

    def sort(self, keys: Boolean, rows: Rows) -> Rows:
        return self._sort(keys, rows, keeping=False)

    def partition(self, bit: Boolean, rows: Rows) -> Rows:
        return self._partition(bit, rows, keeping=False)

    def sort_keeping(self, keys: Boolean, rows: Rows) -> tuple[Rows, Permutation]:
        return self._sort(keys, rows, keeping=True), CountedPermutation(keys.length)

    def partition_keeping(self, bit: Boolean, rows: Rows) -> tuple[Rows, Permutation]:
        return self._partition(bit, rows, keeping=True), CountedPermutation(bit.length)

    def permutation(self, length: int) -> Permutation:
        self._begin()
        return CountedPermutation(length)

    def permuted(self, order: Permutation, rows: Rows) -> Rows:
        self._add(costs_of_order.permuted(order.length, shapes_of(rows)))
        return _moved(rows)

    def put_back(self, order: Permutation, rows: Rows) -> Rows:
        return self.permuted(order, rows)

    def _sort(self, keys: Boolean, rows: Rows, *, keeping: bool) -> Rows:
        others = Rows(rows.arithmetic, tuple(column for column in rows.boolean if column is not keys), rows.wide)
        keeping = keeping or bool(shapes_of(rows))
        self._add(costs_of_order.sort(keys.length, keys.bits, shapes_of(others), keeping=keeping))
        if keeping:
            self._open(COMPARISON_BITS, costs_of_order.opened_bits(keys.length), self._computers)
        return _moved(rows)

    def _partition(self, bit: Boolean, rows: Rows, *, keeping: bool) -> Rows:
        self._add(costs_of_order.partition(bit.length, shapes_of(rows), keeping=keeping))
        if bit.length > 1 and (shapes_of(rows) or keeping):
            self._open(POSITIONS, bit.length, self._computers)
        return _moved(rows)


def _moved(rows: Rows) -> Rows:
    """The same shapes as new vectors: a moved column is not the column that it was."""
    return Rows(
        tuple(CountedArithmetic(column.length) for column in rows.arithmetic),
        tuple(CountedBoolean(column.length, column.bits) for column in rows.boolean),
        tuple(CountedWide(column.length) for column in rows.wide),
    )


def shape_of(x: Vector) -> ColumnShape:
    """The shape of a vector of any engine."""
    match x:
        case Boolean():
            return ColumnShape("boolean", x.bits)
        case Wide():
            return ColumnShape("wide")
        case _:
            return ColumnShape("arithmetic")


def shapes_of(rows: Rows) -> list[ColumnShape]:
    """The shapes of all columns."""
    return [shape_of(vector) for vector in (*rows.arithmetic, *rows.boolean, *rows.wide)]


def row_count(rows: Rows) -> int:
    """Rows of the columns, 0 where there are none."""
    vectors: list[Vector] = [*rows.arithmetic, *rows.boolean, *rows.wide]
    return vectors[0].length if vectors else 0


def same_length(x: Vector, y: Vector) -> int:
    """The common length; InternalError ``protocol/shape`` where there is none."""
    if x.length != y.length:
        raise InternalError("protocol/shape", f"vectors of {x.length} and {y.length} rows meet in one operation")
    return x.length


def same_width(x: Boolean, y: Boolean) -> int:
    """The common number of planes; InternalError ``protocol/shape`` where there is none."""
    if x.bits != y.bits:
        raise InternalError("protocol/shape", f"values of {x.bits} and {y.bits} bits meet in one operation")
    return x.bits
