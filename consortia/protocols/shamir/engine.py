"""``ShamirEngine``: every operation of ``engine.Engine`` for three to nine computers, over one context.

There is one circuit for each function here: a ``network`` that is asked for changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from consortia.errors import InternalError
from consortia.protocols.boolean.networks import Network
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shamir import circuits, conversion, field, order, sharing
from consortia.protocols.shamir.binary import Bits
from consortia.protocols.shamir.binary import from_words as planes_from_words
from consortia.protocols.shamir.binary import to_words as words_from_planes
from consortia.protocols.shamir.context import Context
from consortia.protocols.shamir.costs import TRUNCATED_BITS
from consortia.protocols.shamir.field import Numbers, P
from consortia.protocols.shamir.order import KeptOrder, number_share, plane_share
from consortia.protocols.shamir.sharing import Batch, part
from consortia.protocols.shamir.vectors import ShamirArithmetic, ShamirBoolean, ShamirWide, same_length, same_width
from consortia.protocols.shares import Arithmetic, Boolean, Permutation, Rows, Vector, Wide, Words


@dataclass(frozen=True, slots=True, eq=False)
class ShamirEngine:
    """One computer's engine at one step path. Stateless: all state is in the context."""

    ctx: Context

    def narrow(self, name: str) -> Self:
        return type(self)(self.ctx.narrow(name))

    # --- in and out -------------------------------------------------------------------------------------

    def input(
        self, owner: str, length: int, shapes: Sequence[ColumnShape], values: Sequence[Words] | None
    ) -> list[Vector]:
        self.ctx.begin()
        return sharing.share_input(self.ctx, owner, length, shapes, values)

    def part(self, x: Vector) -> Words:
        self.ctx.begin()
        return part(self.ctx, x)

    def open_to_computer(self, rank: int, x: Vector) -> Words | None:
        self.ctx.begin()
        own = Batch(bits=plane_share(x)) if isinstance(x, Boolean) else Batch(number_share(x))
        self.ctx.record_opening(_kind(x), x.length, (self.ctx.group.computers[rank],))
        value = sharing.opened_to(self.ctx, rank, own)
        if value is None:
            return None
        if isinstance(x, Boolean):
            return words_from_planes(value.bits)
        return field.to_words(value.numbers, 2 if isinstance(x, Wide) else 1)

    def constant_arithmetic(self, values: Words) -> ShamirArithmetic:
        return ShamirArithmetic(field.from_words(values))

    def constant_boolean(self, values: Words, bits: int) -> ShamirBoolean:
        return ShamirBoolean(planes_from_words(values, bits))

    def constant_wide(self, values: Words) -> ShamirWide:
        return ShamirWide(field.from_words(values))

    def invert(self, x: Boolean) -> ShamirBoolean:
        return ShamirBoolean(plane_share(x) ^ circuits.ONE)

    def open_flag(self, flag: Boolean, what: str) -> bool:
        self.ctx.begin()
        if (flag.length, flag.bits) != (1, 1):
            raise InternalError("protocol/shape", f"one bit was expected, not {flag.length} of {flag.bits} planes")
        return bool(sharing.opened(self.ctx, Batch(bits=plane_share(flag)), what).bits[0, 0])

    # --- products and conversions -----------------------------------------------------------------------

    def multiply(self, x: Arithmetic, y: Arithmetic) -> ShamirArithmetic:
        return ShamirArithmetic(self._product(x, y))

    def multiply_wide(self, bit: Wide, x: Wide) -> ShamirWide:
        return ShamirWide(self._product(bit, x))

    def _product(self, x: Arithmetic | Wide, y: Arithmetic | Wide) -> Numbers:
        self.ctx.begin()
        same_length(x, y)
        return sharing.reshared(self.ctx, Batch(number_share(x) * number_share(y) % P)).numbers

    def inner_product(self, x: Arithmetic, y: Arithmetic) -> ShamirArithmetic:
        same_length(x, y)
        return self.matrix_product(x, y, 1, x.length, 1)

    def matrix_product(self, x: Arithmetic, y: Arithmetic, rows: int, inner: int, columns: int) -> ShamirArithmetic:
        self.ctx.begin()
        if (x.length, y.length) != (rows * inner, inner * columns):
            raise InternalError("protocol/shape", f"{x.length} and {y.length} values are no such matrices")
        if not inner:
            return ShamirArithmetic(field.from_signed([0] * (rows * columns)))
        left, right = number_share(x).reshape(rows, inner), number_share(y).reshape(inner, columns)
        return ShamirArithmetic(sharing.reshared(self.ctx, Batch((left @ right % P).reshape(-1))).numbers)

    def conjunction(self, x: Boolean, y: Boolean) -> ShamirBoolean:
        self.ctx.begin()
        same_length(x, y)
        if x.bits != 1 and y.bits != 1:
            same_width(x, y)
        return ShamirBoolean(circuits.conjunction(self.ctx, plane_share(x), plane_share(y)))

    def bit_to_arithmetic(self, x: Boolean) -> ShamirArithmetic:
        return ShamirArithmetic(self._bit_numbers(x))

    def bit_to_wide(self, x: Boolean) -> ShamirWide:
        return ShamirWide(self._bit_numbers(x))

    def _bit_numbers(self, x: Boolean) -> Numbers:
        self.ctx.begin()
        return conversion.bits_to_numbers(self.ctx, _one_plane(x)[0])

    def widened(self, x: Arithmetic, bits: int) -> ShamirWide:
        self.ctx.begin()
        if not 1 <= bits <= 63:
            raise InternalError("protocol/range", f"only values of up to 63 bits can be widened, not {bits}")
        return ShamirWide(number_share(x))

    def multiply_truncate(
        self, x: Arithmetic, y: Arithmetic, fraction: int, *, exact: bool = False
    ) -> ShamirArithmetic:
        same_length(x, y)
        return self._truncated(self.narrow("product").multiply(x, y), fraction, exact=exact)

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
    ) -> ShamirArithmetic:
        product = self.narrow("product").matrix_product(x, y, rows, inner, columns)
        return self._truncated(product, fraction, exact=exact) if inner else product

    def truncate(self, x: Arithmetic, fraction: int, *, exact: bool = False) -> ShamirArithmetic:
        return self._truncated(x, fraction, exact=exact)

    def _truncated(self, x: Arithmetic, fraction: int, *, exact: bool) -> ShamirArithmetic:
        self.ctx.begin()
        if not 1 <= fraction <= TRUNCATED_BITS:
            raise InternalError("protocol/range", f"a division by 2^{fraction} is not defined")
        return ShamirArithmetic(conversion.truncated(self.ctx, number_share(x), fraction, exact=exact))

    def decompose(self, x: Arithmetic, bits: int, network: Network | None = None) -> ShamirBoolean:  # noqa: ARG002
        self.ctx.begin()
        return ShamirBoolean(conversion.decompose(self.ctx, number_share(x), _width(bits)))

    def compose(self, x: Boolean, network: Network | None = None) -> ShamirArithmetic:  # noqa: ARG002
        self.ctx.begin()
        _width(x.bits)
        return ShamirArithmetic(conversion.compose(self.ctx, plane_share(x)))

    def filled(self, x: Boolean, network: Network | None = None) -> ShamirBoolean:  # noqa: ARG002
        self.ctx.begin()
        return ShamirBoolean(circuits.filled(self.ctx, plane_share(x)))

    # --- comparisons ------------------------------------------------------------------------------------

    def negative(self, x: Arithmetic, bits: int) -> ShamirBoolean:
        self.ctx.begin()
        return ShamirBoolean(conversion.negative(self.ctx, number_share(x), _width(bits)))

    def zero(self, x: Arithmetic, bits: int) -> ShamirBoolean:
        self.ctx.begin()
        return ShamirBoolean(conversion.zero(self.ctx, number_share(x), _width(bits)))

    def less_than(self, x: Boolean, y: Boolean) -> ShamirBoolean:
        self._compare(x, y)
        return ShamirBoolean(circuits.less_than(self.ctx, plane_share(x), plane_share(y)))

    def equal(self, x: Boolean, y: Boolean) -> ShamirBoolean:
        self._compare(x, y)
        return ShamirBoolean(circuits.all_of(self.ctx, plane_share(x) ^ plane_share(y) ^ circuits.ONE))

    def _compare(self, x: Boolean, y: Boolean) -> None:
        self.ctx.begin()
        same_length(x, y)
        same_width(x, y)

    # --- order ------------------------------------------------------------------------------------------

    def shuffle(self, rows: Rows) -> Rows:
        columns = [*rows.arithmetic, *rows.boolean, *rows.wide]
        return self.permuted(order.draw_order(self.ctx.narrow("draw"), columns[0].length), rows) if columns else rows

    def sort(self, keys: Boolean, rows: Rows) -> Rows:
        return self.sort_keeping(keys, rows)[0] if rows.arithmetic or rows.boolean or rows.wide else rows

    def partition(self, bit: Boolean, rows: Rows) -> Rows:
        return self.partition_keeping(bit, rows)[0] if rows.arithmetic or rows.boolean or rows.wide else rows

    def sort_keeping(self, keys: Boolean, rows: Rows) -> tuple[Rows, KeptOrder]:
        self.ctx.begin()
        return order.sort_keeping(self.ctx, plane_share(keys), rows)

    def partition_keeping(self, bit: Boolean, rows: Rows) -> tuple[Rows, KeptOrder]:
        self.ctx.begin()
        return order.partition_keeping(self.ctx, _one_plane(bit), rows)

    def permutation(self, length: int) -> KeptOrder:
        self.ctx.begin()
        return order.draw_order(self.ctx, length)

    def permuted(self, order_: Permutation, rows: Rows) -> Rows:
        self.ctx.begin()
        return order.permuted(self.ctx, _own_order(order_), rows)

    def put_back(self, order_: Permutation, rows: Rows) -> Rows:
        self.ctx.begin()
        return order.put_back(self.ctx, _own_order(order_), rows)


def _one_plane(x: Boolean) -> Bits:
    if x.bits != 1:
        raise InternalError("protocol/shape", f"one bit a row is needed, here are {x.bits}")
    return plane_share(x)


def _width(bits: int) -> int:
    if not 1 <= bits <= 64:
        raise InternalError("protocol/range", f"{bits} bits are no width of an arithmetic value")
    return bits


def _kind(x: Vector) -> str:
    """How the transcript names the kind of a value."""
    if isinstance(x, Boolean):
        return f"boolean of {x.bits} bits"
    return "wide" if isinstance(x, Wide) else "arithmetic"


def _own_order(order_: Permutation) -> KeptOrder:
    if not isinstance(order_, KeptOrder):
        raise InternalError("protocol/foreign-share", f"a {type(order_).__name__} is no permutation of this engine")
    return order_
