"""Declared costs of shuffle, partition and sort: exact to the byte, functions of public sizes."""

from collections.abc import Sequence

from consortia.protocols import costs
from consortia.protocols.costs import NOTHING, WORD, Cost, Shape, plane_words
from consortia.protocols.order.schedule import schedule


def row_bytes(shapes: Sequence[Shape], *, extra_bits: int = 0) -> int:
    """Bytes of a row in a shuffle's message; ``extra_bits`` stand beside the boolean columns."""
    numbers = sum({"arithmetic": 8, "wide": 16, "boolean": 0}[shape.domain] for shape in shapes)
    bits = extra_bits + sum(shape.bits for shape in shapes if shape.domain == "boolean")
    return numbers + (bits + 7) // 8


def shuffle(n: int, shapes: Sequence[Shape]) -> Cost:
    """All columns under one permutation, forward or back."""
    return _moved(n, row_bytes(shapes))


def permuted(n: int, shapes: Sequence[Shape]) -> Cost:
    """All columns in a kept order, or back from it. Fewer than two rows cost nothing."""
    return shuffle(n, shapes) if n > 1 else NOTHING


def partition(n: int, shapes: Sequence[Shape], *, keeping: bool = False) -> Cost:
    """By one bit; ``shapes`` are the columns that move. Fewer than two rows cost nothing.

    No columns cost nothing either, unless ``keeping`` the order is asked for: as in ``sort``.
    """
    if n < 2 or not (shapes or keeping):
        return NOTHING
    opening = Cost(1, (4 * n, 4 * n, 4 * n))
    return costs.bit_to_arithmetic(n, 32) + costs.multiply(n, 32) + _moved(n, 4 + row_bytes(shapes)) + opening


def sort(n: int, key_bits: int, shapes: Sequence[Shape], *, keeping: bool = False) -> Cost:
    """By keys of ``key_bits`` bits; ``shapes`` are the columns that move beside. Fewer than two rows cost nothing.

    No columns cost nothing either, unless ``keeping`` is said: the order is asked for, or the keys themselves.
    """
    if n < 2 or not (shapes or keeping):
        return NOTHING
    bits = key_bits + row_number_bits(n)
    total = _moved(n, row_bytes(shapes, extra_bits=bits))
    for comparisons in schedule(n).batches:
        total += opened_less_than(comparisons, bits)
    return total


def opened_bits(n: int) -> int:
    """Comparison bits that a sort of n rows opens."""
    return sum(schedule(n).batches)


def row_number_bits(n: int) -> int:
    """Bits of the secret row number below the key."""
    return (n - 1).bit_length() if n > 1 else 0


def opened_less_than(comparisons: int, bits: int) -> Cost:
    """One batch of opened comparisons: the carry tree, whose last message goes to both others."""
    last = WORD * plane_words(comparisons)
    return costs.carry_out(comparisons, bits) + Cost(0, (last, last, last))


def _moved(n: int, size: int) -> Cost:
    return Cost(2, (n * size, 2 * n * size, n * size)) if n and size else NOTHING
