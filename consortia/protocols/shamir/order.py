"""Shuffle, partition and sort: rows under a permutation that no t colluding computers know.

``permuted``. For each subset of n - t computers: its members permute their shares by an order drawn from the key that
they share, t + 1 of them deal the permuted shares to all (``sharing.redealt``). The t colluding computers miss the
order of at least one subset, and all shares behind it are fresh, so the composed order is uniform to them (Laur,
Willemson and Zhang, ISC 2011). Backwards: the inverse orders from the last subset to the first. Rounds: the number
of subsets, n! / (t! (n-t)!): 3 for three computers, 10 for five of which two may collude.

``partition`` and ``sort`` are those of the ring3 engine (``protocols.order``) with this engine's parts: places, or
comparison bits of distinct keys, are opened for shuffled rows. Opened places are a uniform order; opened comparisons
follow from a uniform order. The simulator draws it. The sort takes the same batches (``order.schedule``).
Assumption: t < n/2 colluding computers that follow the protocol; SHAKE128 of the subsets' keys is pseudorandom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import shake_128

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError, ProtocolAbort
from consortia.protocols.order.compare import COMPARISON_BITS
from consortia.protocols.order.partition import POSITIONS
from consortia.protocols.order.schedule import schedule
from consortia.protocols.order.segments import Segments
from consortia.protocols.shamir import circuits, conversion, field
from consortia.protocols.shamir.binary import Bits
from consortia.protocols.shamir.binary import from_words as planes_from_words
from consortia.protocols.shamir.context import Context, Subset
from consortia.protocols.shamir.field import Numbers, P
from consortia.protocols.shamir.sharing import Batch, opened, redealt, reshared
from consortia.protocols.shamir.vectors import ShamirArithmetic, ShamirBoolean, ShamirWide
from consortia.protocols.shares import Rows, Vector, Words

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class KeptOrder:
    """One computer's part of an order: the orders of the subsets that contain it, and a public index behind them.

    ``places[i]`` is the shuffled row that stands at i (None: as shuffled).
    """

    length: int
    parts: dict[Subset, Index]
    places: Index | None = None

    def __repr__(self) -> str:
        return f"<KeptOrder of {self.length} rows>"


def draw_order(ctx: Context, length: int) -> KeptOrder:
    """A uniform order. Sends nothing."""
    return KeptOrder(length, {subset: _drawn(key, ctx.label("order"), length) for subset, key in ctx.keys.items()})


def _drawn(key: bytes, label: bytes, length: int) -> Index:
    """A uniform order: the ranks of pseudorandom 64-bit words, which are all different but for odds of n^2 / 2^65."""
    words = np.frombuffer(shake_128(key + b"order" + label).digest(8 * length), "<u8")
    return np.argsort(words, kind="stable").astype(np.int64)


def permuted(ctx: Context, order: KeptOrder, rows: Rows) -> Rows:
    """Rows in ``order``, freshly shared."""
    if _length(rows, order.length) < 2 or not _columns(rows):
        return rows
    batch = _gathered(_shuffled(ctx, order, _packed(rows, order.length), backward=False), order.places)
    return _unpacked(rows, batch)


def put_back(ctx: Context, order: KeptOrder, rows: Rows) -> Rows:
    """The inverse of ``permuted``."""
    if _length(rows, order.length) < 2 or not _columns(rows):
        return rows
    back = None if order.places is None else _inverse(order.places)
    return _unpacked(rows, _shuffled(ctx, order, _gathered(_packed(rows, order.length), back), backward=True))


def _shuffled(ctx: Context, order: KeptOrder, batch: Batch, *, backward: bool) -> Batch:
    group = ctx.group
    for subset in reversed(group.subsets) if backward else group.subsets:
        index = order.parts.get(subset)
        if index is not None:
            batch = _gathered(batch, _inverse(index) if backward else index)
        step = ctx.narrow("subset-" + "-".join(map(str, subset)))
        batch = redealt(step, subset[: group.threshold + 1], batch)
    return batch


def _gathered(batch: Batch, index: Index | None) -> Batch:
    """Row i of the result is row ``index[i]``."""
    return batch if index is None else Batch(batch.numbers[:, index], batch.bits[:, index])


def _inverse(index: Index) -> Index:
    back = np.empty_like(index)
    back[index] = np.arange(index.size)
    return back


# --- partition ------------------------------------------------------------------------------------------


def partition_keeping(ctx: Context, bit: Bits, rows: Rows) -> tuple[Rows, KeptOrder]:
    """Rows whose ``bit`` (1, n) is 1 first, stable on both sides, with the order of the rows.

    Rounds: those of bits to numbers, a product, a shuffle and an opening.
    """
    length = _length(rows, bit.shape[-1])
    order = draw_order(ctx.narrow("draw"), length)
    if length < 2:
        return rows, order
    batch = _packed(rows, length)
    position = _positions(ctx, bit).reshape(1, length)
    numbers = np.concatenate([position, batch.numbers])
    shuffled = _shuffled(ctx.narrow("shuffle"), order, Batch(numbers, batch.bits), backward=False)
    public = opened(ctx.narrow("open"), Batch(shuffled.numbers[0]), POSITIONS).numbers
    source = _sources(public)
    moved = _gathered(Batch(shuffled.numbers[1:], shuffled.bits), source)
    return _unpacked(rows, moved), KeptOrder(length, order.parts, source)


def _positions(ctx: Context, bit: Bits) -> Numbers:
    """Where each row belongs (``protocols.order.partition``)."""
    ones = conversion.bits_to_numbers(ctx.narrow("bits"), bit[0])
    before = np.add.accumulate(ones, dtype=np.object_) % P
    if_zero = (before[-1] + field.from_signed(range(ones.size)) - before) % P
    product = reshared(ctx.narrow("product"), Batch(ones * (before - 1 - if_zero) % P)).numbers
    places: Numbers = (if_zero + product) % P
    return places


def _sources(public: Numbers) -> Index:
    """Which row belongs at each place; ProtocolAbort ``order/contradiction`` unless each is there once."""
    places = [int(value) for value in public]
    if sorted(places) != list(range(len(places))):
        raise ProtocolAbort(
            "order/contradiction",
            "the opened positions are not those of any order",
            remedy="start the session again; if it persists, a computer deviates from the protocol",
        )
    return _inverse(np.array(places, np.int64))


# --- sort -----------------------------------------------------------------------------------------------


def sort_keeping(ctx: Context, keys: Bits, rows: Rows) -> tuple[Rows, KeptOrder]:
    """Rows in stable ascending order of the keys (bits, n), with the order.

    Rounds: a shuffle's, and 2 + ceil(log2 of the key's and the row number's bits) a batch.
    """
    length = _length(rows, keys.shape[-1])
    order = draw_order(ctx.narrow("draw"), length)
    if length < 2:
        return rows, order
    numbers = planes_from_words(np.arange(length, dtype=np.uint64).reshape(-1, 1), (length - 1).bit_length())
    distinct = np.concatenate([numbers, keys])
    batch = _packed(rows, length)
    whole = Batch(batch.numbers, np.concatenate([distinct, batch.bits]))
    shuffled = _shuffled(ctx.narrow("shuffle"), order, whole, backward=False)
    places = _sorted(ctx, shuffled.bits[: len(distinct)])
    moved = _gathered(Batch(shuffled.numbers, shuffled.bits[len(distinct) :]), places)
    return _unpacked(rows, moved), KeptOrder(length, order.parts, places)


def _sorted(ctx: Context, keys: Bits) -> Index:
    """The places of shuffled, distinct keys in ascending order, from opened comparisons."""
    length = keys.shape[-1]
    plan = schedule(length)
    segments, batch = Segments(length, plan), 0
    while batch < len(plan.batches) or not segments.sorted:
        batch += 1
        step = ctx.narrow(f"batch-{batch}")
        left, right = segments.comparisons()
        less = circuits.less_than(step, keys[:, left], keys[:, right])
        public = opened(step.narrow("open"), Batch(bits=less[0]), COMPARISON_BITS).bits
        segments.place(_words(public))
    return segments.order().astype(np.int64)


def _words(bits: Bits) -> Words:
    """Bits, the first lowest, packed in words."""
    packed = np.packbits(bits, bitorder="little")
    return np.pad(packed, (0, -packed.size % 8)).view("<u8").astype(np.uint64)


# --- rows and batches -----------------------------------------------------------------------------------


def _columns(rows: Rows) -> list[Vector]:
    return [*rows.arithmetic, *rows.boolean, *rows.wide]


def _length(rows: Rows, length: int) -> int:
    lengths = {length, *(vector.length for vector in _columns(rows))}
    if len(lengths) > 1:
        raise InternalError("protocol/shape", f"columns of {sorted(lengths)} rows travel together")
    return length


def _packed(rows: Rows, length: int) -> Batch:
    """All columns as numbers (columns, n), arithmetic before wide, and planes (bits, n)."""
    numbers = [number_share(vector) for vector in (*rows.arithmetic, *rows.wide)]
    planes = [plane_share(vector) for vector in rows.boolean]
    return Batch(
        np.stack(numbers) if numbers else np.zeros((0, length), np.object_),
        np.concatenate(planes) if planes else np.zeros((0, length), np.uint8),
    )


def _unpacked(rows: Rows, batch: Batch) -> Rows:
    """The columns of a batch, in the kinds and widths of ``rows``."""
    arithmetic = [ShamirArithmetic(share) for share in batch.numbers[: len(rows.arithmetic)]]
    wide = [ShamirWide(share) for share in batch.numbers[len(rows.arithmetic) :]]
    return Rows(tuple(arithmetic), tuple(_split_planes(batch.bits, [b.bits for b in rows.boolean])), tuple(wide))


def _split_planes(planes: Bits, widths: Sequence[int]) -> list[ShamirBoolean]:
    vectors, start = [], 0
    for width in widths:
        vectors.append(ShamirBoolean(planes[start : start + width]))
        start += width
    return vectors


def number_share(x: Vector) -> Numbers:
    """The share of a number of this engine; InternalError ``protocol/foreign-share`` for another engine's."""
    if not isinstance(x, ShamirArithmetic | ShamirWide):
        raise InternalError("protocol/foreign-share", f"a {type(x).__name__} is no number of the shamir engine")
    return x.share


def plane_share(x: Vector) -> Bits:
    """The planes of a boolean vector of this engine; InternalError ``protocol/foreign-share`` for another engine's."""
    if not isinstance(x, ShamirBoolean):
        raise InternalError("protocol/foreign-share", f"a {type(x).__name__} is no boolean of the shamir engine")
    return x.share
