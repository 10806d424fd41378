"""Comparisons of shared values with their width taken from declared bounds, and public constants."""

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.shares import Arithmetic, Boolean

_MASK = (1 << 64) - 1


def fill(engine: Engine, length: int, value: int) -> Arithmetic:
    """The public integer ``value`` in every row. Local."""
    return engine.constant_arithmetic(np.full(length, value & _MASK, dtype=np.uint64))


def fill_planes(engine: Engine, length: int, value: int, bits: int) -> Boolean:
    """The public unsigned ``value`` of ``bits`` bits in every row. Local."""
    words = [(value >> (64 * place)) & _MASK for place in range(-(-bits // 64))]
    return engine.constant_boolean(np.tile(np.array(words, dtype=np.uint64), (length, 1)), bits)


def signed_bits(lo: int, hi: int) -> int:
    """The least ``bits`` with |x| < 2^(bits-1) for every x in lo..hi.

    Raises InternalError ``relational/range`` from 2^63 on: the planner refuses such a comparison before.
    """
    bits = max(abs(lo), abs(hi)).bit_length() + 1
    if bits > 64:
        raise InternalError("relational/range", f"a comparison over {lo} to {hi} does not fit 64 bits")
    return bits


def is_negative(engine: Engine, value: Arithmetic, bits: int) -> Boolean:
    """One plane: the value is below zero."""
    return engine.narrow("sign").negative(value, bits)


def is_positive(engine: Engine, value: Arithmetic, bits: int) -> Boolean:
    """One plane: the value is above zero."""
    return engine.narrow("sign").negative(-value, bits)


def both(engine: Engine, x: Boolean | None, y: Boolean | None) -> Boolean | None:
    """AND of two planes, where None is a plane of ones."""
    if x is None or y is None:
        return y if x is None else x
    return engine.conjunction(x, y)
