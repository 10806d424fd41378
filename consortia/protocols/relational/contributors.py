"""Who contributes to a group: marks of rows to be counted as entities, and presence of members.

Rows are sorted by (keys, entity). A *segment* is the rows of one (keys, entity); if rows are unique by
(keys, entity, member) it has at most one row a member. An entity counts once a group, at its segment's last row,
if some row of the segment is of a member not excluded: at the end of the segment one looks back over as many rows
as can be excluded, plus one, by doubling (protocol-proofs, section 4: ends by neighbours' equality). Rows of joins and
of groups can hold data of several members; such a row counts only if it holds none of an excluded one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.order import key_planes
from consortia.protocols.relational.table import SharedTable, packed
from consortia.protocols.shares import Boolean

RowsOf = Literal["one-each", "any", "mixed"]
"""Whose data rows hold: of one member, at most one row of each for (keys, entity); of one member; of several."""


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """One plane each: the valid row is the last of its group; of its segment (None if there is no entity)."""

    group: Boolean
    segment: Boolean | None


def ends(engine: Engine, table: SharedTable, keys: Sequence[str], entity: str) -> Ends:
    """Last rows of groups and segments in a table sorted by ``keys`` and ``entity``.

    A row is last if it is valid and the next one differs, where the valid bit is compared too: so the last valid
    row differs from any row behind it, and the last row of all from the zeros behind the table.
    """
    same_group = _same_as_next(engine.narrow("group"), [table.valid, *_planes(table, keys)])
    group = engine.narrow("group-end").conjunction(table.valid, engine.invert(same_group))
    if not entity:
        return Ends(group, None)
    if entity in keys:
        return Ends(group, group)
    same_entity = _same_as_next(engine.narrow("entity"), _planes(table, [entity]))
    same_segment = engine.narrow("same-segment").conjunction(same_group, same_entity)
    segment = engine.narrow("segment-end").conjunction(table.valid, engine.invert(same_segment))
    return Ends(group, segment)


def _planes(table: SharedTable, names: Sequence[str]) -> list[Boolean]:
    planes = []
    for name in names:
        planes.append(key_planes(table, name))
        validity = table.column(name).validity
        if validity is not None:
            planes.append(validity)
    return planes


def _same_as_next(engine: Engine, planes: Sequence[Boolean]) -> Boolean:
    key = packed(planes)
    return engine.equal(key, key.shifted(-1))


def apart(engine: Engine, table: SharedTable, excluding: Sequence[str], *, mixed: bool) -> Boolean:
    """The row is valid and holds no data of any of ``excluding``.

    Local where a row is of one member, or one member is excluded; else an AND for each further one.
    """
    bit = table.valid
    for place, member in enumerate(excluding):
        plane = member_plane(table, member)
        more = mixed and place > 0
        bit = engine.narrow(f"{place}").conjunction(bit, engine.invert(plane)) if more else bit ^ plane
    return bit


def member_plane(table: SharedTable, member: str) -> Boolean:
    """The row is valid and holds data of ``member``; InternalError ``relational/member`` if that is not known."""
    if member not in table.members:
        raise InternalError("relational/member", f"rows of `{member}` are not marked in this table")
    return table.members[member]


def countable_entities(
    engine: Engine, table: SharedTable, boundary: Ends, entity: str, excluding: Sequence[str], rows: RowsOf
) -> Boolean:
    """One plane: at the last row of a segment, the entity (not NULL) has a row without data of ``excluding``."""
    if boundary.segment is None:
        raise InternalError("relational/entity", "entities can't be counted in a table that names none")
    segment = boundary.segment
    if excluding:
        reach = len(set(excluding)) + 1 if rows == "one-each" else table.length
        without = apart(engine.narrow("apart"), table, excluding, mixed=rows == "mixed")
        seen = _seen_before(engine.narrow("back"), without, segment, reach)
        counted = engine.narrow("end").conjunction(segment, seen)
    else:
        counted = segment
    validity = table.column(entity).validity
    return counted if validity is None else engine.narrow("known").conjunction(counted, validity)


def _seen_before(engine: Engine, mark: Boolean, last: Boolean, reach: int) -> Boolean:
    """One plane: ``mark`` holds in this row or in one of the ``reach`` - 1 rows before it in its segment.

    Doubling: after step k, row i knows its last 2^k rows; ``joins`` says that they are all of one segment.
    """
    seen = mark
    joins = engine.invert(last).shifted(1)
    distance = 1
    while distance < reach:
        step = engine.narrow(f"{distance}")
        carried = step.narrow("carry").conjunction(seen.shifted(distance), joins)
        neither = step.narrow("or").conjunction(engine.invert(seen), engine.invert(carried))
        seen = engine.invert(neither)
        if distance * 2 < reach:
            joins = step.narrow("join").conjunction(joins, joins.shifted(distance))
        distance *= 2
    return seen
