"""Dealing, resharing, opening: the three kinds of round of which every protocol of this engine is made.

``dealt``: computers give fresh shares of degree t of values of their own to all. View of any t computers: t points of
a uniform polynomial of degree t, hence uniform. Rounds 1; a dealer sends its values' bytes to each other computer.

``redealt``: shares held by enough computers, of whatever degree, become fresh shares of degree t: each deals its
share, and all add the dealt shares up with the weights of interpolation (Gennaro, Rabin and Rabin, PODC 1998). At
least t + 1 deal, so the sum contains the polynomial of one that does not collude. Rounds 1.

``opened``: every computer sends its share to the next t ones, which then know t + 1 points. View: the shares of all
follow from the value and those of the colluding ones, hence simulated by the value. Rounds 1.

``part``: a computer's share times its weight over all computers, plus its share of a zero of degree 2t. The parts
add up to the value; all of them together are uniform but for that. Sends nothing.
Assumption: at most t < n/2 computers collude and follow the protocol; channels are secret and authenticated.
Source: Ben-Or, Goldwasser and Wigderson, STOC 1988; Cramer, Damgård and Ishai, TCC 2005, for shares without messages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.channel import Channel
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shamir import binary, field
from consortia.protocols.shamir.binary import Bits
from consortia.protocols.shamir.context import Context, Subset
from consortia.protocols.shamir.costs import NUMBER_BYTES, Group, message_bytes
from consortia.protocols.shamir.field import Numbers, P
from consortia.protocols.shamir.vectors import ShamirArithmetic, ShamirBoolean, ShamirWide
from consortia.protocols.shares import Vector, Words

PART_LANES = 3
"""Words of a number in a part: an element of the prime field."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Batch:
    """Numbers and bits of any shape that travel in one message."""

    numbers: Numbers = dataclass_field(default_factory=lambda: np.zeros(0, dtype=np.object_))
    bits: Bits = dataclass_field(default_factory=lambda: np.zeros(0, dtype=np.uint8))

    @property
    def size(self) -> int:
        """Bytes of the message."""
        return message_bytes(self.numbers.size, self.bits.size)

    def to_bytes(self) -> bytes:
        """Numbers, then bits, each in row order."""
        return field.to_bytes(self.numbers) + binary.to_bytes(self.bits)

    def read(self, payload: memoryview) -> "Batch":
        """A message of the shapes of this batch."""
        edge = NUMBER_BYTES * self.numbers.size
        numbers = field.from_bytes(payload[:edge], self.numbers.shape)
        return Batch(numbers, binary.from_bytes(payload[edge:], self.bits.shape))

    def split(self, group: Group) -> list["Batch"]:
        """Fresh shares by rank."""
        numbers = field.split(self.numbers, group.threshold, group.size)
        bits = binary.split(self.bits, group.threshold, group.size)
        return [Batch(n, b) for n, b in zip(numbers, bits, strict=True)]


def combined(batches: Mapping[int, Batch]) -> Batch:
    """The values of shares by rank."""
    return Batch(
        field.combined({rank: batch.numbers for rank, batch in batches.items()}),
        binary.combined({rank: batch.bits for rank, batch in batches.items()}),
    )


def dealt(ctx: Context, dealers: Subset, own: Batch) -> dict[int, Batch]:
    """Shares of what each dealer gave, by rank; ``own`` has the shapes of all, and the values of a dealer."""
    if own.size == 0:
        return dict.fromkeys(dealers, own)
    send: dict[int, bytes] = {}
    kept = own
    if ctx.rank in dealers:
        shares = own.split(ctx.group)
        kept = shares[ctx.rank]
        send = {rank: share.to_bytes() for rank, share in enumerate(shares) if rank != ctx.rank}
    received = ctx.exchange(send, {rank: own.size for rank in dealers if rank != ctx.rank})
    return {rank: kept if rank == ctx.rank else own.read(received[rank]) for rank in dealers}


def redealt(ctx: Context, dealers: Subset, own: Batch) -> Batch:
    """Fresh shares of degree t of what the shares of ``dealers`` determine."""
    return combined(dealt(ctx, dealers, own))


def reshared(ctx: Context, own: Batch) -> Batch:
    """Products of shares back at degree t."""
    return redealt(ctx, ctx.group.multipliers, own)


def opened(ctx: Context, own: Batch, what: str) -> Batch:
    """The values at all computers, recorded as ``what``."""
    if own.size == 0:
        return own
    group = ctx.group
    ctx.record_opening(what, own.numbers.size + own.bits.size, group.computers)
    before = group.openers(ctx.rank)
    payload = own.to_bytes()
    received = ctx.exchange(dict.fromkeys(group.successors(ctx.rank), payload), dict.fromkeys(before, own.size))
    return combined({ctx.rank: own, **{rank: own.read(received[rank]) for rank in before}})


def opened_to(ctx: Context, rank: int, own: Batch) -> Batch | None:
    """The values at one computer, None at the others."""
    if own.size == 0:
        return own if ctx.rank == rank else None
    before = ctx.group.openers(rank)
    if ctx.rank == rank:
        received = ctx.exchange({}, dict.fromkeys(before, own.size))
        return combined({rank: own, **{other: own.read(received[other]) for other in before}})
    ctx.exchange({rank: own.to_bytes()} if ctx.rank in before else {}, {})
    return None


# --- columns ----------------------------------------------------------------------------------------------


def batch_of(shapes: Sequence[ColumnShape], length: int, values: Sequence[Words]) -> Batch:
    """Clear columns as one batch: numbers (columns, n), planes (all bits, n).

    Raises InternalError ``protocol/input`` unless the values have the shapes of ``protocols.shares``.
    """
    for shape, words in zip(shapes, values, strict=True):
        lanes = {"arithmetic": (), "wide": (2,), "boolean": (-(-shape.bits // 64),)}[shape.domain]
        if words.shape != (length, *lanes) or words.dtype != np.uint64:
            raise InternalError("protocol/input", f"{shape.domain} values of shape {words.shape} and {length} rows")
    numbers = [
        field.from_words(words) for shape, words in zip(shapes, values, strict=True) if shape.domain != "boolean"
    ]
    planes = [
        binary.from_words(words, shape.bits)
        for shape, words in zip(shapes, values, strict=True)
        if shape.domain == "boolean"
    ]
    empty = empty_batch(shapes, length)
    return Batch(
        np.stack(numbers) if numbers else empty.numbers,
        np.concatenate(planes) if planes else empty.bits,
    )


def empty_batch(shapes: Sequence[ColumnShape], length: int) -> Batch:
    """Zeros in the shape of ``batch_of``."""
    bits = sum(shape.bits for shape in shapes if shape.domain == "boolean")
    numbers = sum(shape.domain != "boolean" for shape in shapes)
    return Batch(np.zeros((numbers, length), np.object_), np.zeros((bits, length), np.uint8))


def vectors_of(shapes: Sequence[ColumnShape], batch: Batch) -> list[Vector]:
    """The columns of a batch of shares."""
    number, plane = 0, 0
    vectors: list[Vector] = []
    for shape in shapes:
        match shape.domain:
            case "arithmetic":
                vectors.append(ShamirArithmetic(batch.numbers[number]))
                number += 1
            case "wide":
                vectors.append(ShamirWide(batch.numbers[number]))
                number += 1
            case "boolean":
                vectors.append(ShamirBoolean(batch.bits[plane : plane + shape.bits]))
                plane += shape.bits
    return vectors


def share_input(
    ctx: Context, owner: str, length: int, shapes: Sequence[ColumnShape], values: Sequence[Words] | None
) -> list[Vector]:
    """Columns of the member ``owner``: dealt by it. An owner outside calls ``send_input``; 1 round."""
    if (values is not None) != (owner == ctx.member):
        raise InternalError("protocol/input", "values must be given at the owner and nowhere else", place=ctx.step)
    computers = ctx.group.computers
    own = empty_batch(shapes, length) if values is None else batch_of(shapes, length, values)
    if owner in computers:
        rank = computers.index(owner)
        return vectors_of(shapes, dealt(ctx, (rank,), own)[rank])
    return vectors_of(shapes, own.read(ctx.receive_from_owner(owner, own.size)) if own.size else own)


def send_input(
    channels: Mapping[str, Channel],
    group: Group,
    step: str,
    length: int,
    shapes: Sequence[ColumnShape],
    values: Sequence[Words],
) -> None:
    """At an owner outside: a share of its columns to each computer, under the step path of ``engine.input``."""
    batch = batch_of(shapes, length, values)
    if batch.size == 0:
        return
    for name, share in zip(group.computers, batch.split(group), strict=True):
        channels[name].send(step, share.to_bytes())


def part(ctx: Context, x: Vector) -> Words:
    """This computer's part for a recipient: (n, ceil(bits/64)) words of bits, (n, 3) of a number in the prime field.

    Bits combine by exclusive or, numbers by addition modulo the prime (``combined_numbers``).
    """
    ranks = tuple(range(ctx.group.size))
    match x:
        case ShamirBoolean():
            none = binary.pseudorandom_zero(ctx.keys, ctx.place, ctx.label("part"), x.share.shape)
            return binary.to_words(binary.scaled(x.share ^ none, binary.weight(ranks, ctx.rank)))
        case ShamirArithmetic() | ShamirWide():
            zero = field.pseudorandom_zero(ctx.keys, ctx.place, ctx.label("part"), x.length)
            own = (x.share + zero) * field.weight(ranks, ctx.rank) % P
            return field.to_lanes(own, PART_LANES)
    raise InternalError("protocol/foreign-share", f"a {type(x).__name__} is not a share of the shamir engine")
