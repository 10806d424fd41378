"""Public values as shares, and complements: what needs no message and no randomness.

A public value is its own component 0, components 1 and 2 are zero. Component 0 is the first of computer 0 and the
second of computer 2.
"""

import numpy as np

from consortia.protocols.boolean.carry import flip_words
from consortia.protocols.context import Context
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shares import Words
from consortia.protocols.sharing.layout import component_from_clear
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean, Ring3Wide


def constant_arithmetic(ctx: Context, values: Words) -> Ring3Arithmetic:
    """Public values (n,) of uint64 in two's complement, as a sharing."""
    values = component_from_clear(ColumnShape("arithmetic"), values, values.shape[0])
    none = np.zeros_like(values)
    return Ring3Arithmetic(values if ctx.rank == 0 else none, values if ctx.rank == 2 else none)


def constant_boolean(ctx: Context, values: Words, bits: int) -> Ring3Boolean:
    """Public values (n, ceil(bits/64)), low word first, as a sharing of ``bits`` planes."""
    length = values.shape[0]
    planes = component_from_clear(ColumnShape("boolean", bits), values, length)
    none = np.zeros_like(planes)
    return Ring3Boolean(planes if ctx.rank == 0 else none, planes if ctx.rank == 2 else none, length)


def constant_wide(ctx: Context, values: Words) -> Ring3Wide:
    """Public values (n, 2) in two's complement, low word first, as a sharing."""
    values = component_from_clear(ColumnShape("wide"), values, values.shape[0])
    none = np.zeros_like(values)
    return Ring3Wide(values if ctx.rank == 0 else none, values if ctx.rank == 2 else none)


def inverted(ctx: Context, x: Ring3Boolean) -> Ring3Boolean:
    """Every bit flipped."""
    first, second = flip_words(ctx.rank)
    return Ring3Boolean(x.first ^ first if first else x.first, x.second ^ second if second else x.second, x.length)
