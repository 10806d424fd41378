"""Where rows stand in their group: boundaries, positions, sizes, and values of a segment's last row.

All need a table whose rows of equal keys stand together, valid rows first; the invalid rows behind are a segment too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.carry import changes, running, same_as_previous
from consortia.protocols.relational.comparisons import fill
from consortia.protocols.relational.order import key_planes
from consortia.protocols.relational.table import Ordering, SharedTable, packed
from consortia.protocols.shares import Arithmetic, Boolean, Rows


def check_order(table: SharedTable, keys: Sequence[str], then: Sequence[Ordering] = ()) -> None:
    """Raise InternalError ``relational/order`` unless the table is sorted by ``keys`` in any order, and ``then``."""
    if not table.sorted_by(keys, then):
        names = tuple(ordering.column for ordering in then)
        raise InternalError("relational/order", f"rows must be sorted by {tuple(keys)}, then by {names} before")


def same_group(engine: Engine, table: SharedTable, keys: Sequence[str]) -> Boolean:
    """One plane: the row is of the same group as the row above, where all invalid rows are one group."""
    planes = [table.valid]
    for name in keys:
        planes.append(key_planes(table, name))
        validity = table.column(name).validity
        if validity is not None:
            planes.append(validity)
    return same_as_previous(engine, packed(planes))


def weighted(bit: Arithmetic, weights: NDArray[np.int64]) -> Arithmetic:
    """Each 0 or 1 times a public number of its row, not negative. Local: a sum over the numbers' bits."""
    total = bit.masked((weights & 1).astype(np.bool_))
    for place in range(1, int(weights.max(initial=0)).bit_length()):
        total = total + bit.masked(((weights >> place) & 1).astype(np.bool_)).scaled(1 << place)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where each row stands in its segment, counted from 1, and how many rows the segment has."""

    position: Arithmetic
    size: Arithmetic


def places(engine: Engine, first: Boolean) -> Places:
    """Positions in segments that start where ``first`` is 1, as it is in the top row.

    How: as ``carry.carried`` of the first rows' public numbers; behind one another these also give the sizes, as their
    differences. Rounds 10; bytes a row 24, those of a partition of one number and of a shuffle of two.
    """
    length = first.length
    rows = np.arange(length)
    starts = weighted(engine.narrow("bit").bit_to_arithmetic(first), rows)
    at_end, order = engine.narrow("partition").partition_keeping(engine.invert(first), Rows((starts,)))
    start = at_end.arithmetic[0]
    next_start = start.shifted(-1) + fill(engine, length, length).masked(rows == length - 1)
    back = engine.narrow("back").put_back(order, changes(Rows((start, next_start - start))))
    first_row, size = running(back).arithmetic
    return Places(engine.constant_arithmetic((rows + 1).astype(np.uint64)) - first_row, size)


def carried_back(engine: Engine, first: Boolean, last: Boolean, rows: Rows) -> Rows:
    """Each row gets the values of the last row of its segment; ``rows`` must be zero in every other row.

    ``first`` and ``last`` mark the ends of each segment. How: partitions by ``last`` and by ``first`` bring rows of the
    j-th segment to the same place, so what one found is put back by the other's order. Rounds 14.
    """
    at_end, _ = engine.narrow("last").partition_keeping(engine.invert(last), rows)
    _, order = engine.narrow("first").partition_keeping(engine.invert(first), Rows())
    return running(engine.narrow("back").put_back(order, changes(at_end)))
