"""Rows read by number: each reader gets what the holder with the greatest number at or below its own holds.

Functionality: for holders and readers with numbers on shares, the holders' values at the readers; zero where there is
no holder so low. Nothing is opened but what a sort opens.
How: one sort of all rows by number, a row of zeros on top and holders above readers of equal number; a carry from each
holder to the readers below it; the way back by the sort's own permutation.
Assumption and view: those of sort, carry and permutation of the engine, which are all that sends.
Rounds: those of one sort, and ten.
"""

import numpy as np

from consortia.protocols.engine import Engine
from consortia.protocols.relational.carry import behind_zeros, carried, slice_of, with_zeros
from consortia.protocols.relational.comparisons import fill_planes
from consortia.protocols.relational.domains import resized
from consortia.protocols.relational.table import packed, unpacked
from consortia.protocols.shares import Boolean, Rows


def read_at_or_below(engine: Engine, numbers: Boolean, held: Rows, wanted: Boolean) -> Rows:
    """``held`` at the rows of ``wanted``. The later of two holders of one number is read.

    A holder that nobody is to read has a number above all ``wanted``.
    """
    holders, readers = numbers.length, wanted.length
    bits = max(numbers.bits, wanted.bits)
    top = fill_planes(engine, 1, 0, bits)
    key = top.concatenated([resized(engine, numbers, bits), resized(engine, wanted, bits)])
    holds = engine.constant_boolean((np.arange(1 + holders + readers) <= holders).astype(np.uint64)[:, np.newaxis], 1)
    rows = with_zeros(engine, behind_zeros(engine, held, 1), readers)
    widths = [planes.bits for planes in rows.boolean]
    moved, order = engine.narrow("sort").sort_keeping(
        key, Rows(rows.arithmetic, (holds, packed(rows.boolean)) if widths else (holds,), rows.wide)
    )
    below = carried(engine.narrow("carry"), moved.boolean[0], Rows(moved.arithmetic, moved.boolean[1:], moved.wide))
    back = slice_of(engine.narrow("back").put_back(order, below), 1 + holders, 1 + holders + readers)
    return Rows(back.arithmetic, tuple(unpacked(back.boolean[0], widths)) if widths else (), back.wide)
