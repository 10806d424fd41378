"""Declared cost of every primitive: pure arithmetic on sizes, exact to the byte as run.

Bytes are payload before frame header and tag, by rank of the sending computer. ``rounds`` is the number of message
rounds that follow each other. Everything is a function of public sizes, so the cost of a plan is known before its
run, and a test asserts for each primitive that what is sent is what is declared. A vector of no rows costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from consortia.protocols.boolean.networks import Circuits
from consortia.protocols.kernels.carry import sent_planes

WORD = 8
"""Bytes of a word of 64 bits, the unit of planes and of Z_2^64."""
SEED = 32
"""Bytes of a seed that an owner outside sends."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Rounds, and payload bytes that each computer sends; ``owner_bytes``: what an outside owner sends to each."""

    rounds: int = 0
    bytes_by_rank: tuple[int, int, int] = (0, 0, 0)
    owner_bytes: tuple[int, int, int] = (0, 0, 0)

    def __add__(self, other: "Cost") -> "Cost":
        """One after the other."""
        return Cost(
            self.rounds + other.rounds,
            _each(self.bytes_by_rank, other.bytes_by_rank),
            _each(self.owner_bytes, other.owner_bytes),
        )

    @property
    def total_bytes(self) -> int:
        """What all parties send together."""
        return sum(self.bytes_by_rank) + sum(self.owner_bytes)


class Shape(Protocol):
    """How a column is shared (``engine.ColumnShape``)."""

    @property
    def domain(self) -> str:
        """``arithmetic``, ``boolean`` or ``wide``."""

    @property
    def bits(self) -> int:
        """Planes of a boolean column."""


NOTHING = Cost()


def plane_words(n: int) -> int:
    """Words of one plane of n rows."""
    return (n + 63) // 64


def levels(leaves: int) -> int:
    """Height of a binary tree over ``leaves``: ceil(log2(leaves))."""
    return (leaves - 1).bit_length()


def vector_bytes(n: int, shape: Shape) -> int:
    """Bytes of one component of a column of n rows."""
    words = {"arithmetic": n, "wide": 2 * n, "boolean": shape.bits * plane_words(n)}
    return WORD * words[shape.domain]


# --- in and out -----------------------------------------------------------------------------------------


def share_input(n: int, shapes: Sequence[Shape], owner: int | None) -> Cost:
    """Columns of the computer of rank ``owner``, or of an owner that does not compute (None)."""
    size = sum(vector_bytes(n, shape) for shape in shapes)
    if size == 0:
        return NOTHING
    if owner is None:
        return Cost(1, owner_bytes=(2 * SEED, SEED + size, SEED + size))
    return Cost(1, _at(owner, size))


def open_to_computer(n: int, shape: Shape, rank: int) -> Cost:
    """One column to the computer ``rank``."""
    size = vector_bytes(n, shape)
    return Cost(1, _at((rank + 2) % 3, size)) if size else NOTHING


def open_flag() -> Cost:
    """One bit to all three."""
    return _same(1, WORD)


def open_to_computers(n: int, shape: Shape) -> Cost:
    """One column to all three."""
    return _same(1, vector_bytes(n, shape))


# --- products and conversions ---------------------------------------------------------------------------


def multiply(n: int, bits: int = 64) -> Cost:
    """Products in Z_2^bits: 32, 64 or 128 (wide)."""
    return _same(1, n * bits // 8)


def matrix_product(rows: int, inner: int, columns: int) -> Cost:
    """Of (rows, inner) and (inner, columns): one reshare an output element; an empty sum is known to be zero."""
    return _same(1, rows * columns * WORD) if inner else NOTHING


def conjunction(n: int, bits: int) -> Cost:
    """ANDs of ``bits`` planes."""
    return _same(1, bits * plane_words(n) * WORD)


def bit_to_arithmetic(n: int, bits: int = 64) -> Cost:
    """A plane as numbers of Z_2^bits: 32, 64 or 128 (wide)."""
    return _same(2, n * bits // 8)


def widened(n: int) -> Cost:
    """Numbers of Z_2^64 as numbers of Z_2^128."""
    return Cost(2, (24 * n, 16 * n, 16 * n)) if n else NOTHING


# --- comparisons ----------------------------------------------------------------------------------------


def carry_out(n: int, bits: int) -> Cost:
    """The carry tree over ``bits`` planes."""
    gates, rounds, blocks = 0, 0, bits + 1
    while blocks > 1:
        gates += sent_planes(blocks)
        rounds += 1
        blocks -= blocks // 2
    return _same(rounds, gates * plane_words(n) * WORD)


def ripple(n: int, bits: int) -> Cost:
    """The carry bit by bit over ``bits`` planes."""
    return _same(bits, bits * plane_words(n) * WORD)


def less_than(n: int, bits: int, circuits: Circuits = "few-rounds") -> Cost:
    """The bit x < y, operands of ``bits`` planes."""
    return carry_out(n, bits) if circuits == "few-rounds" else ripple(n, bits)


def equal(n: int, bits: int) -> Cost:
    """The bit x == y, operands of ``bits`` planes."""
    return _same(levels(bits), (bits - 1) * plane_words(n) * WORD) if bits > 1 else NOTHING


def negative(n: int, bits: int, circuits: Circuits = "few-rounds") -> Cost:
    """The bit x < 0, for |x| < 2^(bits-1)."""
    planes = _first_computer_planes(n, bits)
    return planes + less_than(n, bits - 1, circuits) if bits > 1 else planes


def zero(n: int, bits: int) -> Cost:
    """The bit x == 0, for |x| < 2^(bits-1)."""
    return _first_computer_planes(n, bits) + equal(n, bits)


def _first_computer_planes(n: int, bits: int) -> Cost:
    return Cost(1, (bits * plane_words(n) * WORD, 0, 0)) if n else NOTHING


def _same(rounds: int, size: int) -> Cost:
    """Every computer sends ``size`` bytes; nothing at all when there is nothing to send."""
    return Cost(rounds, (size, size, size)) if size else NOTHING


def _at(rank: int, size: int) -> tuple[int, int, int]:
    return (size if rank == 0 else 0, size if rank == 1 else 0, size if rank == 2 else 0)


def _each(x: tuple[int, int, int], y: tuple[int, int, int]) -> tuple[int, int, int]:
    return (x[0] + y[0], x[1] + y[1], x[2] + y[2])
