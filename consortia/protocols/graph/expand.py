"""Paths grown by one edge: each with every edge that leaves its end within a window of time.

How many there are, and whose, stays secret; the size of the result is a public bound, beyond which the run stops.

Functionality: the rows of ``paths`` joined with those of ``edges`` on equal keys and time < edge's time <= time +
window, behind one another in the order of the paths, padded to ``most`` rows. One bit becomes known: are there more.
All pairs of a path and an edge count that keys and times allow; conditions on amounts and accounts come after.
How: edges sorted by (keys, time) lie in one run for each path; a read gives its begin and its end, a prefix sum of the
runs' lengths each path's place in the result, a read brings the path to its places, and a last one the edges. After
oblivious many-to-many joins (Krastnikov, Kerschbaum and Stebila, VLDB 2020), with reads by sort and carry.
Assumption and view: those of the engine's operations; the bit says what the leakage report names.
Rounds: those of three sorts of edges and paths together, and about 60; edges are sorted once for all expansions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from consortia.errors import InternalError, RequestError
from consortia.protocols.engine import Engine
from consortia.protocols.graph.read import read_at_or_below
from consortia.protocols.relational.carry import with_zeros
from consortia.protocols.relational.comparisons import fill, fill_planes, is_positive
from consortia.protocols.relational.order import key_planes
from consortia.protocols.relational.table import (
    SharedTable,
    arithmetic_of,
    cleared,
    packed,
    planes_of,
    rebuilt,
    unpacked,
    wide_of,
)
from consortia.protocols.shares import Arithmetic, Boolean, Rows

TOO_MANY = "whether more payments go on from paths within the window, before amounts are compared, than the bound"


@dataclass(frozen=True, slots=True, eq=False)
class TimedEdges:
    """Edges sorted by (keys, time), valid ones first; ``order`` is what they are sorted by, with invalid on top."""

    table: SharedTable
    keys: tuple[str, ...]
    time: str
    order: Boolean
    time_bits: int


@dataclass(frozen=True, slots=True)
class Expansion:
    """``ends`` are the paths' key columns that must equal the edges' keys; ``take`` edge columns under new names."""

    ends: tuple[str, ...]
    time: str
    window: int
    take: Mapping[str, str]
    most: int


def timed(engine: Engine, edges: SharedTable, keys: Sequence[str], time: str, window: int) -> TimedEdges:
    """``edges`` ready to be followed by windows up to ``window``. ``time`` is an arithmetic column without NULL."""
    column = edges.column(time)
    bits = max(1, (column.hi - column.lo + window).bit_length())
    at = _since(engine, edges, time, column.lo, bits)
    order = packed([at, *(key_planes(edges, name) for name in reversed(keys))]).below(engine.invert(edges.valid))
    planes = planes_of(edges)
    rows = Rows(tuple(arithmetic_of(edges)), (order, packed(planes)), tuple(wide_of(edges)))
    moved = engine.narrow("sort").sort(order, rows)
    back = unpacked(moved.boolean[1], [plane.bits for plane in planes])
    table = rebuilt(edges, edges.length, back, moved.arithmetic, moved.wide)
    return TimedEdges(table, tuple(keys), time, moved.boolean[0], bits)


def expanded(engine: Engine, paths: SharedTable, edges: TimedEdges, spec: Expansion) -> SharedTable:
    """The grown paths: columns of ``paths``, then those taken. Raises RequestError ``graph/too-many-paths``."""
    begin, count = _runs(engine.narrow("runs"), paths, edges, spec)
    upto = count.prefix_sums()
    total = upto.rows(paths.length - 1, paths.length)
    _refuse_more(engine.narrow("check"), total, paths.length * edges.table.length, spec.most)
    place = upto - count
    grown, wanted = _placed(
        engine.narrow("place"), paths, spec.most, _Places(place, count, begin - place, total), edges
    )
    taken = edges.table.only(spec.take)
    held = Rows(tuple(arithmetic_of(taken)), tuple(planes_of(taken)[1:]), tuple(wide_of(taken)))
    index = engine.constant_boolean(
        np.arange(edges.table.length, dtype=np.uint64)[:, np.newaxis], _bits(edges.table.length)
    )
    read = read_at_or_below(engine.narrow("edges"), index, held, wanted)
    found = rebuilt(
        SharedTable(taken.length, taken.columns, taken.valid),
        spec.most,
        [grown.valid, *read.boolean[len(taken.members) :]],
        read.arithmetic,
        read.wide,
    )
    clean = cleared(engine.narrow("clear"), found, grown.valid)
    named = {spec.take[name]: column for name, column in clean.columns.items()}
    return SharedTable(spec.most, {**grown.columns, **named}, grown.valid)


def _runs(engine: Engine, paths: SharedTable, edges: TimedEdges, spec: Expansion) -> tuple[Arithmetic, Arithmetic]:
    """Where each path's run of edges begins, and how many edges it has; 0 edges for a path that is not valid."""
    lo = edges.table.column(edges.time).lo
    keys = packed([key_planes(paths, name) for name in reversed(spec.ends)])
    both = _since(engine, paths, spec.time, lo, edges.time_bits, later=spec.window)
    ends = packed([both, keys.concatenated([keys])])
    ranks = engine.constant_arithmetic(np.arange(1, edges.table.length + 1, dtype=np.uint64))
    (found,) = read_at_or_below(engine.narrow("read"), edges.order, Rows((ranks,)), ends).arithmetic
    begin = found.rows(0, paths.length)
    length = found.rows(paths.length, 2 * paths.length) - begin
    bit = engine.narrow("bit").bit_to_arithmetic(paths.valid)
    return begin, engine.narrow("kept").multiply(bit, length)


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Of each path: its first place in the result, how many it has, its first edge less that place; of all: the sum."""

    place: Arithmetic
    count: Arithmetic
    shift: Arithmetic
    total: Arithmetic


def _placed(
    engine: Engine, paths: SharedTable, most: int, places: _Places, edges: TimedEdges
) -> tuple[SharedTable, Boolean]:
    """Each path at all its places, and the number of the edge that belongs there; not valid behind the last one."""
    bits = _bits(most + 1)
    empty = engine.invert(is_positive(engine.narrow("empty"), places.count, _bits(edges.table.length) + 1))
    ends = places.place.concatenated([places.total])
    numbers = engine.narrow("numbers").decompose(ends, bits)
    never = empty.concatenated([fill_planes(engine, 1, 0, 1)])
    planes = planes_of(paths)
    rows = Rows((*arithmetic_of(paths), places.shift), tuple(planes), tuple(wide_of(paths)))
    slots = engine.constant_boolean(np.arange(most, dtype=np.uint64)[:, np.newaxis], bits)
    read = read_at_or_below(engine.narrow("read"), numbers.below(never), with_zeros(engine, rows, 1), slots)
    grown = rebuilt(paths, most, read.boolean, read.arithmetic[:-1], read.wide)
    number = read.arithmetic[-1] + engine.constant_arithmetic(np.arange(most, dtype=np.uint64))
    wanted = engine.narrow("wanted").decompose(number, _bits(edges.table.length))
    return SharedTable(most, grown.columns, grown.valid), wanted


def _since(engine: Engine, table: SharedTable, name: str, lo: int, bits: int, later: int | None = None) -> Boolean:
    """The time since ``lo`` as planes; behind it the same ``later`` if that is given. Any value in invalid rows."""
    value = table.column(name).value
    if not isinstance(value, Arithmetic):
        raise InternalError("graph/shape", f"the time `{name}` must be an arithmetic column")
    number = value - fill(engine, table.length, lo)
    if later is not None:
        number = number.concatenated([number + fill(engine, table.length, later)])
    return engine.narrow("time").decompose(number, bits)


def _refuse_more(engine: Engine, total: Arithmetic, largest: int, most: int) -> None:
    if largest <= most:
        return
    over = engine.narrow("over").negative(fill(engine, 1, most) - total, _bits(largest) + 1)
    if engine.narrow("open").open_flag(over, TOO_MANY):
        raise RequestError(
            "graph/too-many-paths",
            f"more than {most} payments go on from paths within the window, before amounts are compared",
            remedy="add a condition to `payments`, choose a shorter window, or state a larger bound",
        )


def _bits(count: int) -> int:
    """Planes of numbers below ``count``."""
    return max(1, (count - 1).bit_length())
