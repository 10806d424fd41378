"""Values of one row brought to others: to all rows of its segment, to all rows of a table, or of all rows to one bit.

A *segment* is a run of rows that starts where ``first`` is 1. The number of segments, and where they start, stay
secret.
"""

from collections.abc import Sequence

import numpy as np

from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill, fill_planes
from consortia.protocols.shares import Arithmetic, Boolean, Rows, Wide


def carried(engine: Engine, first: Boolean, rows: Rows) -> Rows:
    """Each row gets the values of the first row of its segment; ``rows`` must be zero in every other row.

    How (protocol-proofs, section 4): a partition brings the first rows behind the others, which are zero, so that
    neighbours' differences are zero but for the change from one first row to the next; these changes are put back, and
    running sums (exclusive ors) of them give each segment its first row's values. The row at the top must be a first.
    Rounds 8; bytes those of a partition and a shuffle of the columns.
    """
    at_end, order = engine.narrow("partition").partition_keeping(engine.invert(first), rows)
    back = engine.narrow("back").put_back(order, changes(at_end))
    return running(back)


def same_as_previous(engine: Engine, key: Boolean) -> Boolean:
    """One plane: the key equals that of the row above; 0 in the first row."""
    same = engine.equal(key, key.shifted(1))
    return same.masked(np.arange(same.length) > 0)


def spread(engine: Engine, bit: Boolean, length: int) -> Boolean:
    """One row in each of ``length`` rows. Local."""
    if length == 0:
        return bit.rows(0, 0)
    return extended(engine, bit, length - 1).prefix_xors()


def spread_number(engine: Engine, number: Arithmetic, length: int) -> Arithmetic:
    """One row in each of ``length`` rows. Local."""
    if length == 0:
        return number.rows(0, 0)
    return number.concatenated([fill(engine, length - 1, 0)]).prefix_sums()


def extended(engine: Engine, planes: Boolean, rows: int) -> Boolean:
    """``planes`` and behind them ``rows`` rows of zeros. Local."""
    return planes.concatenated([fill_planes(engine, rows, 0, planes.bits)])


def any_of(engine: Engine, bits: Sequence[Boolean]) -> list[Boolean]:
    """For each plane, one bit: some row of it is 1. Planes may differ in length.

    Rounds 2 and a zero test of ceil(log2(n + 1)) + 1 bits; bytes 24 a row.
    """
    ones = engine.narrow("bits").bit_to_arithmetic(bits[0].concatenated(bits[1:]) if len(bits) > 1 else bits[0])
    sums, start = [], 0
    for plane in bits:
        running = ones.rows(start, start + plane.length).prefix_sums()
        sums.append(running.rows(plane.length - 1, plane.length) if plane.length else fill(engine, 1, 0))
        start += plane.length
    width = max(plane.length for plane in bits).bit_length() + 1
    none = engine.narrow("zero").zero(sums[0].concatenated(sums[1:]) if len(sums) > 1 else sums[0], width)
    return [engine.invert(none.rows(i, i + 1)) for i in range(len(bits))]


def with_zeros(engine: Engine, rows: Rows, count: int) -> Rows:
    """All columns and behind them ``count`` rows of zeros. Local."""
    return Rows(
        tuple(column.concatenated([fill(engine, count, 0)]) for column in rows.arithmetic),
        tuple(extended(engine, column, count) for column in rows.boolean),
        tuple(column.concatenated([_wide_zeros(engine, count)]) for column in rows.wide),
    )


def behind_zeros(engine: Engine, rows: Rows, count: int) -> Rows:
    """``count`` rows of zeros and behind them all columns. Local."""
    return Rows(
        tuple(fill(engine, count, 0).concatenated([column]) for column in rows.arithmetic),
        tuple(fill_planes(engine, count, 0, column.bits).concatenated([column]) for column in rows.boolean),
        tuple(_wide_zeros(engine, count).concatenated([column]) for column in rows.wide),
    )


def _wide_zeros(engine: Engine, count: int) -> Wide:
    return engine.constant_wide(np.zeros((count, 2), np.uint64))


def slice_of(rows: Rows, start: int, stop: int) -> Rows:
    """Rows start (included) to stop (excluded) of all columns. Local."""
    return Rows(
        tuple(column.rows(start, stop) for column in rows.arithmetic),
        tuple(column.rows(start, stop) for column in rows.boolean),
        tuple(column.rows(start, stop) for column in rows.wide),
    )


def changes(rows: Rows) -> Rows:
    """Each row minus (exclusive or) the one above. Local."""
    return Rows(
        tuple(column - column.shifted(1) for column in rows.arithmetic),
        tuple(column ^ column.shifted(1) for column in rows.boolean),
        tuple(column - column.shifted(1) for column in rows.wide),
    )


def running(rows: Rows) -> Rows:
    """Running sums, exclusive ors for boolean columns. Local."""
    return Rows(
        tuple(column.prefix_sums() for column in rows.arithmetic),
        tuple(column.prefix_xors() for column in rows.boolean),
        tuple(column.prefix_sums() for column in rows.wide),
    )
