"""What every operation of the shamir engine costs: rounds, and payload bytes that each computer sends. Exact.

A number travels as 20 bytes, a bit as half a byte. Written as formulas of public sizes and of the group: n computers,
threshold t. Nothing here needs MPyC, so that any member can state the price of a plan.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from consortia.errors import InternalError
from consortia.protocols.costs import Shape
from consortia.protocols.order.schedule import schedule

PRIME = (1 << 160) - 47
"""Elements of the field of numbers: the largest prime below 2^160."""
NUMBER_BYTES = 20
MASKED_BITS = "bits under a random mask"
MASKED_NUMBERS = "numbers under a random mask"
"""How openings inside the protocols are named; those of shuffled rows are named in ``protocols.order``."""
FEWEST, MOST = 3, 9
"""Computers that the engine runs on."""
LARGEST_BYTES = 2 << 30
"""What one computer may send in a whole plan: numbers are Python's, and a message stands in memory as a whole."""
STATISTICAL_BITS = 64
"""Masked openings hide a value but for a statistical distance of 2^-64."""
VALUE_BITS = 64
"""Bits of a value that is masked and opened: an arithmetic value plus 2^63."""
TRUNCATED_BITS = 62
"""A value that is divided lies below 2^62."""

Subset = tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """The computers by rank, and the threshold: as many of them may pool what they see and learn nothing."""

    computers: tuple[str, ...]
    threshold: int

    def __post_init__(self) -> None:
        if not FEWEST <= len(self.computers) <= MOST or not 1 <= self.threshold < len(self.computers) / 2:
            raise InternalError(
                "shamir/group",
                f"{len(self.computers)} computers of which {self.threshold} may collude are no group of this engine",
            )

    @property
    def size(self) -> int:
        """Number of computers."""
        return len(self.computers)

    @cached_property
    def subsets(self) -> tuple[Subset, ...]:
        """All subsets of n - t ranks, in order: each shares a key."""
        return tuple(combinations(range(self.size), self.size - self.threshold))

    @property
    def multipliers(self) -> Subset:
        """The ranks that reshare a product: 2t + 1 of them."""
        return tuple(range(2 * self.threshold + 1))

    @property
    def dealers(self) -> Subset:
        """The ranks that contribute to random bits: t + 1, of which at least one does not collude."""
        return tuple(range(self.threshold + 1))

    def openers(self, rank: int) -> Subset:
        """The t ranks before ``rank`` (cyclically): with their shares and its own it opens a value."""
        return tuple((rank - distance) % self.size for distance in range(1, self.threshold + 1))

    def successors(self, rank: int) -> Subset:
        """The t ranks to which ``rank`` sends its share when a value is opened to all."""
        return tuple((rank + distance) % self.size for distance in range(1, self.threshold + 1))


@dataclass(frozen=True, slots=True)
class Traffic:
    """Rounds, bytes by rank, and what an outside owner sends in all."""

    rounds: int
    sent: tuple[int, ...]
    owner: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        """One after the other."""
        sent = tuple(a + b for a, b in zip(self.sent, other.sent, strict=True))
        return Traffic(self.rounds + other.rounds, sent, self.owner + other.owner)


def message_bytes(numbers: int, bits: int = 0) -> int:
    """Bytes of a message of so many numbers and bits: two bits a byte."""
    return NUMBER_BYTES * numbers + (bits + 1) // 2


def row_content(shapes: Sequence[Shape]) -> tuple[int, int]:
    """Numbers and bits of one row of the columns."""
    bits = sum(shape.bits for shape in shapes if shape.domain == "boolean")
    return sum(shape.domain != "boolean" for shape in shapes), bits


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of one group's operations; every method mirrors one protocol of this package."""

    group: Group

    @property
    def nothing(self) -> Traffic:
        """Sends nothing."""
        return Traffic(0, (0,) * self.group.size)

    def dealt(self, dealers: Subset, size: int) -> Traffic:
        """``dealers`` send ``size`` bytes to each other computer."""
        if size == 0:
            return self.nothing
        each = size * (self.group.size - 1)
        return Traffic(1, tuple(each if rank in dealers else 0 for rank in range(self.group.size)))

    def reshared(self, size: int) -> Traffic:
        """Products of ``size`` bytes brought back to degree t."""
        return self.dealt(self.group.multipliers, size)

    def opened(self, size: int) -> Traffic:
        """A value whose shares have ``size`` bytes, to all computers."""
        return Traffic(1, (size * self.group.threshold,) * self.group.size) if size else self.nothing

    def opened_to(self, rank: int, size: int) -> Traffic:
        """The same to one computer."""
        if size == 0:
            return self.nothing
        openers = self.group.openers(rank)
        return Traffic(1, tuple(size if other in openers else 0 for other in range(self.group.size)))

    def share_input(self, n: int, shapes: Sequence[Shape], owner: int | None) -> Traffic:
        """Columns of the computer of rank ``owner``, or of an owner outside (None)."""
        numbers, bits = row_content(shapes)
        size = message_bytes(n * numbers, n * bits)
        if size == 0:
            return self.nothing
        if owner is None:
            return Traffic(1, self.nothing.sent, self.group.size * size)
        return self.dealt((owner,), size)

    def multiply(self, n: int) -> Traffic:
        """Products of numbers."""
        return self.reshared(message_bytes(n))

    def conjunction(self, bits: int) -> Traffic:
        """ANDs of ``bits`` bits in all."""
        return self.reshared(message_bytes(0, bits))

    def random_bits(self, n: int) -> Traffic:
        """``n`` bits that nobody knows, in both fields."""
        total = self.dealt(self.group.dealers, message_bytes(n, n))
        factors = len(self.group.dealers)
        while factors > 1:
            total += self.multiply(factors // 2 * n)
            factors -= factors // 2
        return total

    def bits_to_numbers(self, n: int) -> Traffic:
        """``n`` bits as 0 or 1 of the prime field."""
        return self.random_bits(n) + self.opened(message_bytes(0, n))

    def masked(self, n: int, bits: int) -> Traffic:
        """``n`` values opened under masks whose low ``bits`` bits are shared."""
        return self.random_bits(n * bits) + self.opened(message_bytes(n))

    def decompose(self, n: int, bits: int) -> Traffic:
        """The low ``bits`` bits of ``n`` numbers."""
        return self.masked(n, bits) + self.borrows(n, bits - 1)

    def borrows(self, n: int, bits: int) -> Traffic:
        """All borrows of a subtraction of ``bits`` bits from public ones."""
        return self._sum(self.conjunction(n * gates) for gates in prefix_gates(bits))

    def less_than(self, n: int, bits: int, *, public: bool = False) -> Traffic:
        """X < y over ``bits`` bits; one round less where x or y is public."""
        first = self.nothing if public else self.conjunction(n * bits)
        return first + self._sum(self.conjunction(n * gates) for gates in merge_gates(bits))

    def equal(self, n: int, bits: int) -> Traffic:
        """X == y over ``bits`` bits."""
        total = self.nothing
        while bits > 1:
            total += self.conjunction(n * (bits // 2))
            bits -= bits // 2
        return total

    def negative(self, n: int, bits: int) -> Traffic:
        """The sign of numbers below 2^(bits-1)."""
        return self.masked(n, bits) + self.less_than(n, bits - 1, public=True) if n else self.nothing

    def zero(self, n: int, bits: int) -> Traffic:
        """Whether numbers below 2^(bits-1) are zero."""
        return self.masked(n, bits) + self.equal(n, bits)

    def truncate(self, n: int, fraction: int, *, exact: bool) -> Traffic:
        """Division of numbers by 2^fraction."""
        total = self.masked(n, fraction)
        return total + self.less_than(n, fraction, public=True) + self.bits_to_numbers(n) if exact else total

    def filled(self, n: int, bits: int) -> Traffic:
        """Each plane ORed with all above."""
        return self._sum(self.conjunction(n * len(pairs)) for pairs in prefix_pairs(bits))

    def permuted(self, n: int, shapes: Sequence[Shape], *, numbers: int = 0, bits: int = 0) -> Traffic:
        """Columns, and ``numbers`` and ``bits`` a row beside them, in one order or back; one row costs nothing."""
        more_numbers, more_bits = row_content(shapes)
        size = message_bytes(n * (numbers + more_numbers), n * (bits + more_bits))
        if n < 2 or size == 0:
            return self.nothing
        dealers = [subset[: self.group.threshold + 1] for subset in self.group.subsets]
        return self._sum(self.dealt(chosen, size) for chosen in dealers)

    def partition(self, n: int, shapes: Sequence[Shape], *, keeping: bool) -> Traffic:
        """By one bit."""
        if n < 2 or not (shapes or keeping):
            return self.nothing
        places = self.bits_to_numbers(n) + self.multiply(n)
        return places + self.permuted(n, shapes, numbers=1) + self.opened(message_bytes(n))

    def sort(self, n: int, key_bits: int, shapes: Sequence[Shape], *, keeping: bool) -> Traffic:
        """By keys of ``key_bits`` bits, in the batches of ``order.schedule``."""
        if n < 2 or not (shapes or keeping):
            return self.nothing
        bits = key_bits + (n - 1).bit_length()
        total = self.permuted(n, shapes, bits=bits)
        for comparisons in schedule(n).batches:
            total += self.less_than(comparisons, bits) + self.opened(message_bytes(0, comparisons))
        return total

    def _sum(self, parts: Iterable[Traffic]) -> Traffic:
        total = self.nothing
        for part in parts:
            total += part
        return total


def merge_gates(bits: int) -> list[int]:
    """ANDs a row in each round of the tree that compares blocks of bits."""
    gates, blocks = [], bits
    while blocks > 1:
        pairs = blocks // 2
        gates.append(2 * pairs - (1 - blocks % 2))
        blocks -= pairs
    return gates


def prefix_pairs(bits: int) -> list[list[tuple[int, int, bool]]]:
    """The rounds of a Sklansky network: (place, place that it takes in, whether its chain goes on below)."""
    rounds, distance = [], 1
    while distance < bits:
        pairs = []
        for place in range(bits):
            if place // distance % 2:
                start = place // (2 * distance) * (2 * distance)
                pairs.append((place, place // distance * distance - 1, start > 0))
        rounds.append(pairs)
        distance *= 2
    return rounds


def prefix_gates(bits: int) -> list[int]:
    """ANDs a row in each round of ``prefix_pairs``."""
    return [sum(1 + goes_on for *_, goes_on in pairs) for pairs in prefix_pairs(bits)]
