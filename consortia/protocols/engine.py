"""The operators that everything above an engine uses: relations, the executor, later learning and graphs.

Engines: ``ring3`` (three computers, replicated sharing, semi-honest), ``clear`` (plain values, the oracle of
semantics) and ``counting`` (shapes only; adds up declared costs). The conformance suite runs one program on all.

Every interactive operation must be called on an engine whose step path it alone uses:
``engine.narrow("mask").multiply(x, y)``. The step path names the messages, selects the randomness (using it twice
raises InternalError ``protocol/step-reused``) and labels the traffic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from consortia.protocols.boolean.networks import Network
from consortia.protocols.shares import Arithmetic, Boolean, Permutation, Rows, Vector, Wide, Words


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """How one column is shared: its domain, and the number of bits of a boolean one."""

    domain: Literal["arithmetic", "boolean", "wide"]
    bits: int = 64


class Engine(Protocol):
    """One party's view of the joint computation; all parties call the same operations in the same order."""

    def narrow(self, name: str) -> Self:
        """The same engine with ``/name`` appended to its step path."""
        ...

    # --- in and out -------------------------------------------------------------------------------------

    def input(
        self, owner: str, length: int, shapes: Sequence[ColumnShape], values: Sequence[Words] | None
    ) -> list[Vector]:
        """Columns of ``owner`` (a member id), one round. ``values`` are given at the owner, None elsewhere.

        An owner that does not compute calls ``sharing.external.send_input`` with the same shapes instead.
        """
        ...

    def part(self, x: Vector) -> Words:
        """This computer's freshly masked part of ``x`` for a recipient who is no computer (or a member's node).

        The three parts add up (arithmetic, wide: modulo 2^64, 2^128) or xor (boolean) to the value. Shapes of
        ``shares``. Sends nothing itself; each part alone, and any two, are uniform.
        """
        ...

    def open_to_computer(self, rank: int, x: Vector) -> Words | None:
        """The value at computer ``rank``, None at the others. One round."""
        ...

    def constant_arithmetic(self, values: Words) -> Arithmetic:
        """Public values (n,) as a sharing. Local."""
        ...

    def constant_boolean(self, values: Words, bits: int) -> Boolean:
        """Public values (n, ceil(bits/64)) as a sharing. Local."""
        ...

    def constant_wide(self, values: Words) -> Wide:
        """Public values (n, 2) as a sharing. Local."""
        ...

    def invert(self, x: Boolean) -> Boolean:
        """Every bit flipped. Local."""
        ...

    def open_flag(self, flag: Boolean, what: str) -> bool:
        """One bit of one row, opened to all computers and recorded as ``what``. One round, 8 bytes a party.

        For checks whose outcome 1 stops the run: the counting engine, which has no values, answers False.
        """
        ...

    # --- products and conversions -----------------------------------------------------------------------

    def multiply(self, x: Arithmetic, y: Arithmetic) -> Arithmetic:
        """Row by row, modulo 2^64. One round, 8 bytes a row and party."""
        ...

    def inner_product(self, x: Arithmetic, y: Arithmetic) -> Arithmetic:
        """The sum of the products of the rows, one row, modulo 2^64. One round, 8 bytes a party."""
        ...

    def matrix_product(self, x: Arithmetic, y: Arithmetic, rows: int, inner: int, columns: int) -> Arithmetic:
        """The matrix x (rows, inner) times y (inner, columns), all row by row in one vector, modulo 2^64.

        One round, 8 bytes an *output* element and party.
        """
        ...

    def conjunction(self, x: Boolean, y: Boolean) -> Boolean:
        """AND, plane by plane; an operand of one plane is used with every plane of the other. One round."""
        ...

    def bit_to_arithmetic(self, x: Boolean) -> Arithmetic:
        """A one-plane boolean as 0 or 1 in Z_2^64. Two rounds, 8 bytes a row and party."""
        ...

    def bit_to_wide(self, x: Boolean) -> Wide:
        """A one-plane boolean as 0 or 1 in Z_2^128."""
        ...

    def widened(self, x: Arithmetic, bits: int) -> Wide:
        """The same signed value in Z_2^128, for |x| < 2^(bits-1), bits <= 63."""
        ...

    def multiply_wide(self, bit: Wide, x: Wide) -> Wide:
        """A wide value times 0 or 1 (or any wide value), modulo 2^128. One round."""
        ...

    def multiply_truncate(self, x: Arithmetic, y: Arithmetic, fraction: int, *, exact: bool = False) -> Arithmetic:
        """Row by row floor((x y + e) / 2^fraction), e uniform in [0, 2^fraction), for |x y| < 2^62, fraction 1 to 62.

        Off by less than one unit and right in the mean; two computers know e (docs/limits.md). ``exact``: e = 0.
        Two rounds, and 32 + fraction/2 bytes a row over all parties; exact about seven rounds and 39 bytes more.
        """
        ...

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
        """``matrix_product`` with its sums divided as in ``multiply_truncate``; every |sum| < 2^62."""
        ...

    def truncate(self, x: Arithmetic, fraction: int, *, exact: bool = False) -> Arithmetic:
        """Row by row floor((x + e) / 2^fraction) as in ``multiply_truncate``, for |x| < 2^62. Two rounds."""
        ...

    def decompose(self, x: Arithmetic, bits: int, network: Network | None = None) -> Boolean:
        """The low ``bits`` planes of x in two's complement, for any x. 1 + ceil(log2 bits) rounds by ``sklansky``.

        Without ``network``, here and below: what the engine's circuits say (``boolean.networks``).
        """
        ...

    def compose(self, x: Boolean, network: Network | None = None) -> Arithmetic:
        """The unsigned value of up to 64 planes.

        Two rounds and 16 + 8 bits bytes a row over all parties; by an adder with ``network`` more rounds and fewer
        bytes: 8 by ``sklansky``, from 20 planes on.
        """
        ...

    def filled(self, x: Boolean, network: Network | None = None) -> Boolean:
        """Plane j is the OR of the planes j and above."""
        ...

    # --- comparisons ------------------------------------------------------------------------------------

    def negative(self, x: Arithmetic, bits: int) -> Boolean:
        """One plane: x < 0, for |x| < 2^(bits-1)."""
        ...

    def zero(self, x: Arithmetic, bits: int) -> Boolean:
        """One plane: x == 0, for |x| < 2^(bits-1)."""
        ...

    def less_than(self, x: Boolean, y: Boolean) -> Boolean:
        """One plane: x < y as unsigned values of equal width."""
        ...

    def equal(self, x: Boolean, y: Boolean) -> Boolean:
        """One plane: x == y, of equal width."""
        ...

    # --- order ------------------------------------------------------------------------------------------

    def shuffle(self, rows: Rows) -> Rows:
        """All columns under one permutation that no party knows. Two rounds."""
        ...

    def sort(self, keys: Boolean, rows: Rows) -> Rows:
        """Stable, ascending by the unsigned ``keys`` (any width); ``rows`` of the same length come back in order.

        Include the vector ``keys`` itself in ``rows`` to keep it: that costs nothing more on ring3. Traffic depends on
        lengths and widths only.
        """
        ...

    def partition(self, bit: Boolean, rows: Rows) -> Rows:
        """Rows whose bit is 1 first, order kept within both halves; nobody learns how many there are."""
        ...

    def sort_keeping(self, keys: Boolean, rows: Rows) -> tuple[Rows, Permutation]:
        """As ``sort``, with the permutation that it applied: other rows can follow it, and these can be put back."""
        ...

    def partition_keeping(self, bit: Boolean, rows: Rows) -> tuple[Rows, Permutation]:
        """As ``partition``, with the permutation that it applied."""
        ...

    def permutation(self, length: int) -> Permutation:
        """A uniform permutation of ``length`` rows. Sends nothing."""
        ...

    def permuted(self, order: Permutation, rows: Rows) -> Rows:
        """All columns in ``order``, under fresh masks. Two rounds; fewer than two rows send nothing."""
        ...

    def put_back(self, order: Permutation, rows: Rows) -> Rows:
        """The inverse of ``permuted``, at the same cost."""
        ...
