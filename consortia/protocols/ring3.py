"""The engine of three computers: every operation of ``engine.Engine`` over one context.

Replicated sharing over Z_2^64, Z_2^128 and bit planes, secure against one passively corrupted computer. Each method
is one protocol; functionality, argument and cost stand in the module that it calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from consortia.errors import InternalError
from consortia.protocols.arithmetic.matrix import matrix_product
from consortia.protocols.arithmetic.multiply import multiply, multiply_wide
from consortia.protocols.arithmetic.truncate import matrix_product_truncate, multiply_truncate, truncate
from consortia.protocols.boolean.compare import equal, less_than
from consortia.protocols.boolean.conjunction import conjunction
from consortia.protocols.boolean.networks import Circuits, Network, adder, composition
from consortia.protocols.boolean.prefix import filled
from consortia.protocols.context import Context
from consortia.protocols.conversion.bits import bit_to_arithmetic, bit_to_wide
from consortia.protocols.conversion.numbers import compose, decompose
from consortia.protocols.conversion.sign import negative, zero
from consortia.protocols.conversion.widen import widened
from consortia.protocols.engine import ColumnShape
from consortia.protocols.order.kept import KeptOrder, draw_order
from consortia.protocols.order.partition import partition, partition_keeping
from consortia.protocols.order.shuffle import shuffle
from consortia.protocols.order.sort import sort, sort_keeping
from consortia.protocols.shares import Arithmetic, Boolean, Permutation, Rows, Vector, Wide, Words
from consortia.protocols.sharing.input import share_input
from consortia.protocols.sharing.opening import open_flag, open_to_computer, part
from consortia.protocols.sharing.public import constant_arithmetic, constant_boolean, constant_wide, inverted
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean, Ring3Wide

Own = TypeVar("Own", Ring3Arithmetic, Ring3Boolean, Ring3Wide)


@dataclass(frozen=True, slots=True, eq=False)
class Ring3Engine:
    """One computer's engine at one step path. Stateless: all state is in the context."""

    ctx: Context
    circuits: Circuits = "few-rounds"

    def narrow(self, name: str) -> Self:
        return type(self)(self.ctx.narrow(name), self.circuits)

    # --- in and out -------------------------------------------------------------------------------------

    def input(
        self, owner: str, length: int, shapes: Sequence[ColumnShape], values: Sequence[Words] | None
    ) -> list[Vector]:
        return share_input(self.ctx, owner, length, shapes, values)

    def part(self, x: Vector) -> Words:
        return part(self.ctx, x)

    def open_to_computer(self, rank: int, x: Vector) -> Words | None:
        return open_to_computer(self.ctx, rank, x)

    def constant_arithmetic(self, values: Words) -> Ring3Arithmetic:
        return constant_arithmetic(self.ctx, values)

    def constant_boolean(self, values: Words, bits: int) -> Ring3Boolean:
        return constant_boolean(self.ctx, values, bits)

    def constant_wide(self, values: Words) -> Ring3Wide:
        return constant_wide(self.ctx, values)

    def open_flag(self, flag: Boolean, what: str) -> bool:
        return open_flag(self.ctx, own(flag, Ring3Boolean), what)

    def invert(self, x: Boolean) -> Ring3Boolean:
        return inverted(self.ctx, own(x, Ring3Boolean))

    # --- products and conversions -----------------------------------------------------------------------

    def multiply(self, x: Arithmetic, y: Arithmetic) -> Ring3Arithmetic:
        return multiply(self.ctx, own(x, Ring3Arithmetic), own(y, Ring3Arithmetic))

    def inner_product(self, x: Arithmetic, y: Arithmetic) -> Ring3Arithmetic:
        return matrix_product(self.ctx, own(x, Ring3Arithmetic), own(y, Ring3Arithmetic), 1, x.length, 1)

    def matrix_product(self, x: Arithmetic, y: Arithmetic, rows: int, inner: int, columns: int) -> Ring3Arithmetic:
        return matrix_product(self.ctx, own(x, Ring3Arithmetic), own(y, Ring3Arithmetic), rows, inner, columns)

    def conjunction(self, x: Boolean, y: Boolean) -> Ring3Boolean:
        return conjunction(self.ctx, own(x, Ring3Boolean), own(y, Ring3Boolean))

    def bit_to_arithmetic(self, x: Boolean) -> Ring3Arithmetic:
        return bit_to_arithmetic(self.ctx, own(x, Ring3Boolean))

    def bit_to_wide(self, x: Boolean) -> Ring3Wide:
        return bit_to_wide(self.ctx, own(x, Ring3Boolean))

    def widened(self, x: Arithmetic, bits: int) -> Ring3Wide:
        return widened(self.ctx, own(x, Ring3Arithmetic), bits)

    def multiply_wide(self, bit: Wide, x: Wide) -> Ring3Wide:
        return multiply_wide(self.ctx, own(bit, Ring3Wide), own(x, Ring3Wide))

    def multiply_truncate(self, x: Arithmetic, y: Arithmetic, fraction: int, *, exact: bool = False) -> Ring3Arithmetic:
        return multiply_truncate(self.ctx, own(x, Ring3Arithmetic), own(y, Ring3Arithmetic), fraction, exact=exact)

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
    ) -> Ring3Arithmetic:
        left, right = own(x, Ring3Arithmetic), own(y, Ring3Arithmetic)
        return matrix_product_truncate(self.ctx, left, right, (rows, inner, columns), fraction, exact=exact)

    def truncate(self, x: Arithmetic, fraction: int, *, exact: bool = False) -> Ring3Arithmetic:
        return truncate(self.ctx, own(x, Ring3Arithmetic), fraction, exact=exact)

    def decompose(self, x: Arithmetic, bits: int, network: Network | None = None) -> Ring3Boolean:
        return decompose(self.ctx, own(x, Ring3Arithmetic), bits, network or adder(self.circuits))

    def compose(self, x: Boolean, network: Network | None = None) -> Ring3Arithmetic:
        return compose(self.ctx, own(x, Ring3Boolean), network or composition(x.bits, self.circuits))

    def filled(self, x: Boolean, network: Network | None = None) -> Ring3Boolean:
        return filled(self.ctx, own(x, Ring3Boolean), network or adder(self.circuits))

    # --- comparisons ------------------------------------------------------------------------------------

    def negative(self, x: Arithmetic, bits: int) -> Ring3Boolean:
        return negative(self.ctx, own(x, Ring3Arithmetic), bits, self.circuits)

    def zero(self, x: Arithmetic, bits: int) -> Ring3Boolean:
        return zero(self.ctx, own(x, Ring3Arithmetic), bits)

    def less_than(self, x: Boolean, y: Boolean) -> Ring3Boolean:
        return less_than(self.ctx, own(x, Ring3Boolean), own(y, Ring3Boolean), self.circuits)

    def equal(self, x: Boolean, y: Boolean) -> Ring3Boolean:
        return equal(self.ctx, own(x, Ring3Boolean), own(y, Ring3Boolean))

    # --- order ------------------------------------------------------------------------------------------

    def shuffle(self, rows: Rows) -> Rows:
        return shuffle(self.ctx, rows)

    def sort(self, keys: Boolean, rows: Rows) -> Rows:
        return sort(self.ctx, own(keys, Ring3Boolean), rows)

    def partition(self, bit: Boolean, rows: Rows) -> Rows:
        return partition(self.ctx, own(bit, Ring3Boolean), rows)

    def sort_keeping(self, keys: Boolean, rows: Rows) -> tuple[Rows, KeptOrder]:
        return sort_keeping(self.ctx, own(keys, Ring3Boolean), rows)

    def partition_keeping(self, bit: Boolean, rows: Rows) -> tuple[Rows, KeptOrder]:
        return partition_keeping(self.ctx, own(bit, Ring3Boolean), rows)

    def permutation(self, length: int) -> KeptOrder:
        return draw_order(self.ctx, length)

    def permuted(self, order: Permutation, rows: Rows) -> Rows:
        return _own_order(order).apply(self.ctx, rows)

    def put_back(self, order: Permutation, rows: Rows) -> Rows:
        return _own_order(order).invert(self.ctx, rows)


def own(x: Vector, kind: type[Own]) -> Own:
    """``x`` as a share of this engine. Raises InternalError ``protocol/foreign-share`` otherwise."""
    if not isinstance(x, kind):
        raise InternalError("protocol/foreign-share", f"a {type(x).__name__} is not a {kind.__name__}")
    return x


def _own_order(order: Permutation) -> KeptOrder:
    if not isinstance(order, KeptOrder):
        raise InternalError("protocol/foreign-share", f"a {type(order).__name__} is no permutation of this engine")
    return order
