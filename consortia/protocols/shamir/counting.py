"""What a program costs on the shamir engine: its operators on shapes alone, added up by step path.

The counterpart of ``protocols.counting`` for a group of n computers; the vectors are the same shapes. It needs no
MPyC.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consortia.errors import InternalError
from consortia.protocols.boolean.networks import Network
from consortia.protocols.counting import (
    CountedArithmetic,
    CountedBoolean,
    CountedPermutation,
    CountedWide,
    Counts,
    row_count,
    same_length,
    same_width,
    shape_of,
    shapes_of,
)
from consortia.protocols.engine import ColumnShape
from consortia.protocols.order.compare import COMPARISON_BITS
from consortia.protocols.order.costs import opened_bits
from consortia.protocols.order.partition import POSITIONS
from consortia.protocols.shamir.costs import (
    MASKED_BITS,
    MASKED_NUMBERS,
    Costs,
    Group,
    Traffic,
    message_bytes,
    row_content,
)
from consortia.protocols.shares import Arithmetic, Boolean, Permutation, Rows, Vector, Wide, Words
from consortia.protocols.transcript import Opened


class ShamirCountingEngine:
    """All computers at once, without values. ``counts`` is shared by all narrowed engines of one run."""

    __slots__ = ("_costs", "_path", "counts")

    def __init__(self, group: Group, path: str = "", counts: Counts | None = None) -> None:
        self._costs = Costs(group)
        self._path = path
        self.counts = Counts() if counts is None else counts

    def narrow(self, name: str) -> ShamirCountingEngine:
        return ShamirCountingEngine(self._costs.group, f"{self._path}/{name}" if self._path else name, self.counts)

    def _begin(self) -> None:
        if self._path in self.counts.used:
            raise InternalError("protocol/step-reused", f"the step path `{self._path}` is used twice")
        self.counts.used.add(self._path)

    def _add(self, cost: Traffic) -> None:
        self._begin()
        self.counts.rounds[self._path] += cost.rounds
        for member, size in zip(self._costs.group.computers, cost.sent, strict=True):
            self.counts.sent[self._path, member] += size

    def _open(self, what: str, elements: int) -> None:
        if elements:
            self.counts.opened.append(Opened(self._path, what, elements, self._costs.group.computers))

    # --- in and out -------------------------------------------------------------------------------------

    def input(
        self,
        owner: str,
        length: int,
        shapes: Sequence[ColumnShape],
        values: Sequence[Words] | None,  # noqa: ARG002  there are none
    ) -> list[Vector]:
        computers = self._costs.group.computers
        rank = computers.index(owner) if owner in computers else None
        cost = self._costs.share_input(length, shapes, rank)
        self._add(cost)
        if rank is None:
            self.counts.sent[self._path, owner] += cost.owner
        made: dict[str, Any] = {"arithmetic": CountedArithmetic, "boolean": CountedBoolean, "wide": CountedWide}
        return [made[shape.domain](length, shape.bits if shape.domain == "boolean" else 64) for shape in shapes]

    def part(self, x: Vector) -> Words:  # noqa: ARG002
        raise InternalError("protocol/counting", "shapes hold no values that could be opened")

    def open_to_computer(self, rank: int, x: Vector) -> Words | None:
        numbers, bits = row_content([shape_of(x)])
        self._add(self._costs.opened_to(rank, message_bytes(x.length * numbers, x.length * bits)))
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
        self._add(self._costs.opened(1))
        self._open(what, 1)
        return False

    def invert(self, x: Boolean) -> Boolean:
        return x

    # --- products and conversions -----------------------------------------------------------------------

    def multiply(self, x: Arithmetic, y: Arithmetic) -> Arithmetic:
        self._add(self._costs.multiply(same_length(x, y)))
        return CountedArithmetic(x.length)

    def inner_product(self, x: Arithmetic, y: Arithmetic) -> Arithmetic:
        return self.matrix_product(x, y, 1, same_length(x, y), 1)

    def matrix_product(self, x: Arithmetic, y: Arithmetic, rows: int, inner: int, columns: int) -> Arithmetic:
        if (x.length, y.length) != (rows * inner, inner * columns):
            raise InternalError("protocol/shape", f"{x.length} and {y.length} values are no such matrices")
        self._add(self._costs.multiply(rows * columns if inner else 0))
        return CountedArithmetic(rows * columns)

    def conjunction(self, x: Boolean, y: Boolean) -> Boolean:
        bits = max(x.bits, y.bits)
        if min(x.bits, y.bits) not in (1, bits):
            raise InternalError("protocol/shape", f"values of {x.bits} and {y.bits} bits meet in one operation")
        self._add(self._costs.conjunction(same_length(x, y) * bits))
        return CountedBoolean(x.length, bits)

    def bit_to_arithmetic(self, x: Boolean) -> Arithmetic:
        self._bits_to_numbers(x.length)
        return CountedArithmetic(x.length)

    def bit_to_wide(self, x: Boolean) -> Wide:
        self._bits_to_numbers(x.length)
        return CountedWide(x.length)

    def _bits_to_numbers(self, bits: int) -> None:
        self._add(self._costs.bits_to_numbers(bits))
        self._open(MASKED_BITS, bits)

    def widened(self, x: Arithmetic, bits: int) -> Wide:  # noqa: ARG002  both kinds are of one field
        self._begin()
        return CountedWide(x.length)

    def multiply_wide(self, bit: Wide, x: Wide) -> Wide:
        self._add(self._costs.multiply(same_length(bit, x)))
        return CountedWide(x.length)

    def multiply_truncate(self, x: Arithmetic, y: Arithmetic, fraction: int, *, exact: bool = False) -> Arithmetic:
        return self._truncated(self._costs.multiply(same_length(x, y)), x.length, fraction, exact=exact)

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
        if not inner:
            return self.matrix_product(x, y, rows, inner, columns)
        if (x.length, y.length) != (rows * inner, inner * columns):
            raise InternalError("protocol/shape", f"{x.length} and {y.length} values are no such matrices")
        length = rows * columns
        return self._truncated(self._costs.multiply(length), length, fraction, exact=exact)

    def truncate(self, x: Arithmetic, fraction: int, *, exact: bool = False) -> Arithmetic:
        return self._truncated(self._costs.nothing, x.length, fraction, exact=exact)

    def _truncated(self, before: Traffic, length: int, fraction: int, *, exact: bool) -> Arithmetic:
        self._add(before + self._costs.truncate(length, fraction, exact=exact))
        self._open(MASKED_NUMBERS, length)
        if exact:
            self._open(MASKED_BITS, length)
        return CountedArithmetic(length)

    def decompose(self, x: Arithmetic, bits: int, network: Network | None = None) -> Boolean:  # noqa: ARG002
        self._add(self._costs.decompose(x.length, bits))
        self._open(MASKED_NUMBERS, x.length)
        return CountedBoolean(x.length, bits)

    def compose(self, x: Boolean, network: Network | None = None) -> Arithmetic:  # noqa: ARG002
        self._bits_to_numbers(x.length * x.bits)
        return CountedArithmetic(x.length)

    def filled(self, x: Boolean, network: Network | None = None) -> Boolean:  # noqa: ARG002
        self._add(self._costs.filled(x.length, x.bits))
        return CountedBoolean(x.length, x.bits)

    # --- comparisons ------------------------------------------------------------------------------------

    def negative(self, x: Arithmetic, bits: int) -> Boolean:
        self._add(self._costs.negative(x.length, bits))
        self._open(MASKED_NUMBERS, x.length)
        return CountedBoolean(x.length, 1)

    def zero(self, x: Arithmetic, bits: int) -> Boolean:
        self._add(self._costs.zero(x.length, bits))
        self._open(MASKED_NUMBERS, x.length)
        return CountedBoolean(x.length, 1)

    def less_than(self, x: Boolean, y: Boolean) -> Boolean:
        self._add(self._costs.less_than(same_length(x, y), same_width(x, y)))
        return CountedBoolean(x.length, 1)

    def equal(self, x: Boolean, y: Boolean) -> Boolean:
        self._add(self._costs.equal(same_length(x, y), same_width(x, y)))
        return CountedBoolean(x.length, 1)

    # --- order ------------------------------------------------------------------------------------------

    def shuffle(self, rows: Rows) -> Rows:
        self._add(self._costs.permuted(row_count(rows), shapes_of(rows)))
        return rows

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
        self._add(self._costs.permuted(order.length, shapes_of(rows)))
        return rows

    def put_back(self, order: Permutation, rows: Rows) -> Rows:
        return self.permuted(order, rows)

    def _sort(self, keys: Boolean, rows: Rows, *, keeping: bool) -> Rows:
        self._add(self._costs.sort(keys.length, keys.bits, shapes_of(rows), keeping=keeping))
        if shapes_of(rows) or keeping:
            self._open(COMPARISON_BITS, opened_bits(keys.length))
        return rows

    def _partition(self, bit: Boolean, rows: Rows, *, keeping: bool) -> Rows:
        length = bit.length
        self._add(self._costs.partition(length, shapes_of(rows), keeping=keeping))
        if length > 1 and (shapes_of(rows) or keeping):
            self._open(MASKED_BITS, length)
            self._open(POSITIONS, length)
        return rows
