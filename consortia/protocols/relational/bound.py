"""What one entity can change: its parts of a group added up over all members and clipped, its groups limited.

Functionality: from rows sorted by (keys, entity), of which each member has at most one a group and entity, to one row
a group and entity that holds the sums, each clipped to public bounds; rows without an entity go; of an entity that is
in more groups than ``cells``, so many groups are kept, every choice of them equally likely, and nobody learns which.

The choice is a shuffle under a permutation that no computer knows, then a stable sort by entity: an entity's groups
stand in a random order, and the first ``cells`` stay. It must be random for the sake of the numbers (the first groups
in the order of the keys would count too much), not for privacy: that rests on the number of groups alone.

Simulation: shuffle, sort, group, comparison and product are those of other operators; nothing more is opened.
Rounds and bytes: one group by, a comparison for each clip; with ``cells`` a shuffle and two sorts more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.choice import clipped
from consortia.protocols.relational.comparisons import fill, is_negative, signed_bits
from consortia.protocols.relational.filter import first
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.table import Ordering, SharedColumn, SharedTable, cleared, moved
from consortia.protocols.relational.values import CAPACITY, Number
from consortia.protocols.relational.window import Window, windows
from consortia.protocols.shares import Arithmetic, Boolean

_PLACE = "place in the entity's groups"
"""Name of a column that lives inside this module; no column of a query can have it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Public bounds of each column that is summed, and the most groups an entity is in (0: any number)."""

    clips: Mapping[str, tuple[int, int]]
    cells: int = 0


def bounded(
    engine: Engine, table: SharedTable, keys: Sequence[str], entity: str, limits: Limits, members: int
) -> SharedTable:
    """One row a group and entity, in order of the groups; ``members`` bounds the rows of one group and entity.

    The entity itself does not go on: of the rows of a group there is one each.

    Raises InternalError ``relational/range`` for a sum that does not fit 62 bits, ``relational/order`` unless the table
    is sorted by ``keys`` and ``entity``.
    """
    by = tuple(dict.fromkeys((*keys, entity)))
    sums = {name: _sum(table, name, members) for name in limits.clips}
    made = group(engine.narrow("sums"), table, Grouping(by, tuple(sums.values()), table.length, by, entity=entity))
    step = engine.narrow("clip")
    columns = dict(made.columns)
    for name, (lo, hi) in limits.clips.items():
        columns[name] = _clipped(step.narrow(name), made, name, lo, hi)
    clean = all(lo <= 0 <= hi for lo, hi in limits.clips.values())
    found = replace(made, columns=columns)
    if not clean:  # rows behind the groups were zero and were clipped to something else
        found = replace(cleared(engine.narrow("clear"), found, found.valid), order=made.order)
    return _limited(engine, found, tuple(keys), entity, limits.cells)


def _sum(table: SharedTable, name: str, members: int) -> Measure:
    column = table.column(name)
    lo, hi = min(0, column.lo) * members, max(0, column.hi) * members
    if not isinstance(column.value, Arithmetic) or max(-lo, hi) >= CAPACITY:
        raise InternalError("relational/range", f"a sum of {members} parts of `{name}` does not fit 62 bits")
    return Measure(name, "sum", lo, hi, column=name)


def _clipped(engine: Engine, table: SharedTable, name: str, lo: int, hi: int) -> SharedColumn:
    column = table.column(name)
    if not isinstance(column.value, Arithmetic):
        raise InternalError("relational/domain", f"`{name}` is no number and can't be clipped")
    number = clipped(engine, table.length, Number(column.value, 0, column.lo, column.hi, clean=True), lo, hi)
    if number.vector is None:
        raise InternalError("relational/domain", f"`{name}` is public")
    return SharedColumn(number.vector, min(0, number.lo), max(0, number.hi))


def _limited(engine: Engine, table: SharedTable, keys: Sequence[str], entity: str, cells: int) -> SharedTable:
    """The rows that have an entity, at most ``cells`` of each, without the entity; in order of ``keys``."""
    names = [name for name in table.columns if name != entity or entity in keys]
    known = table.column(entity).validity
    if cells and keys:
        mixed = moved(table, lambda rows: engine.narrow("shuffle").shuffle(rows))
        together = order_by(engine.narrow("by-entity"), mixed, [entity])
        keep = _first_places(engine.narrow("places"), together, entity, cells)
        known = together.column(entity).validity
        if known is not None:
            keep = engine.narrow("known").conjunction(keep, known)
        kept = cleared(engine.narrow("limit"), together.only(names), keep)
        return order_by(engine.narrow("back"), kept, keys)
    order = tuple(Ordering(name) for name in keys)
    if known is None:
        return replace(table.only(names), order=order)
    keep = engine.narrow("known").conjunction(table.valid, known)
    kept = cleared(engine.narrow("limit"), table.only(names), keep)
    # stable: the order of the rows that stay is the one they had
    return replace(first(engine.narrow("front"), kept, keep), order=order)


def _first_places(engine: Engine, table: SharedTable, entity: str, cells: int) -> Boolean:
    """One plane: the valid row is among the first ``cells`` of its entity."""
    place = windows(engine, table.only([entity]), [entity], [], [Window(_PLACE, "row-number")]).column(_PLACE)
    if not isinstance(place.value, Arithmetic):
        raise InternalError("relational/domain", "a row number is no number")
    beyond = place.value - fill(engine, table.length, cells + 1)
    inside = is_negative(engine.narrow("inside"), beyond, signed_bits(-cells - 1, table.length - cells))
    return engine.narrow("keep").conjunction(table.valid, inside)
