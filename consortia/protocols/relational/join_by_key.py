"""Join whose result stands in the order of its keys, so that a group by them needs no sort of its own.

As ``join``, but the columns of ``probe`` go through the join's sort too, rows stay where it puts them, and a partition
brings those that qualify to the front. One partition takes the place of the sort that a group would need.
"""

from dataclasses import dataclass, replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.carry import behind_zeros, carried, same_as_previous, with_zeros
from consortia.protocols.relational.comparisons import fill_planes
from consortia.protocols.relational.filter import first
from consortia.protocols.relational.join import (
    Join,
    check_join,
    known_keys,
    refuse_duplicates,
    taken_columns,
    widened,
    with_columns,
)
from consortia.protocols.relational.order import ascending, key_planes
from consortia.protocols.relational.table import (
    SharedTable,
    arithmetic_of,
    packed,
    planes_of,
    rebuilt,
    unpacked,
    wide_of,
)
from consortia.protocols.shares import Boolean, Rows


def join_by_key(engine: Engine, probe: SharedTable, unique: SharedTable, spec: Join) -> SharedTable:
    """The rows of ``join`` (inner, left, semi or anti), valid ones first, sorted by the keys of ``probe``.

    The result has as many rows as ``probe``. Errors are those of ``join``; NOT IN is not offered here.
    """
    check_join(probe, unique, spec)
    if spec.kind == "not-in":
        raise InternalError("relational/join", "NOT IN does not come out in the order of its key")
    usable = known_keys(engine.narrow("probe-known"), probe, [left for left, _ in spec.on])
    usable_unique = known_keys(engine.narrow("unique-known"), unique, [right for _, right in spec.on])
    payload = taken_columns(engine, unique, usable_unique, spec)
    both = _sorted(engine, probe, payload, usable, _keys(engine, probe, unique, spec))
    found = _carried(engine, both, spec)
    match = engine.narrow("match").conjunction(found.valid, both.usable)
    qualified = with_columns(engine, both.probe, found, match, spec)
    front = first(engine.narrow("front"), qualified, qualified.valid).cut(probe.length)
    return replace(front, order=ascending([left for left, _ in spec.on]))


@dataclass(frozen=True, slots=True, eq=False)
class _Both:
    """Rows of both tables in the order of the keys, each table's columns zero in the rows of the other.

    ``taken`` holds what comes along, its valid bit marks usable rows of the unique side; ``usable`` those of the probe
    side; ``same``: the keys are those of the row above.
    """

    probe: SharedTable
    taken: SharedTable
    usable: Boolean
    same: Boolean


def _keys(engine: Engine, probe: SharedTable, unique: SharedTable, spec: Join) -> Boolean:
    """Keys of ``unique``, then of ``probe``, as ``order.sort_keys`` has them: the first highest, NULL last in each."""
    planes: list[Boolean] = []
    for left, right in reversed(spec.on):
        upper, lower = key_planes(unique, right), key_planes(probe, left)
        bits = max(upper.bits, lower.bits)
        planes.append(widened(engine, upper, bits).concatenated([widened(engine, lower, bits)]))
        known = unique.column(right).validity, probe.column(left).validity
        if any(validity is not None for validity in known):
            above, below = (
                fill_planes(engine, table.length, 0, 1) if validity is None else engine.invert(validity)
                for table, validity in zip((unique, probe), known, strict=True)
            )
            planes.append(above.concatenated([below]))
    return packed(planes)


def _sorted(engine: Engine, probe: SharedTable, payload: SharedTable, usable: Boolean, key: Boolean) -> _Both:
    theirs = Rows(tuple(arithmetic_of(payload)), tuple(planes_of(payload)), tuple(wide_of(payload)))
    own = Rows(tuple(arithmetic_of(probe)), (usable, *planes_of(probe)), tuple(wide_of(probe)))
    upper, lower = with_zeros(engine, theirs, probe.length), behind_zeros(engine, own, payload.length)
    planes = [*upper.boolean, *lower.boolean]
    mark_last = engine.invert(upper.boolean[0]).below(key)
    moved = engine.narrow("sort").sort(
        mark_last,
        Rows((*upper.arithmetic, *lower.arithmetic), (mark_last, packed(planes)), (*upper.wide, *lower.wide)),
    )
    there = unpacked(moved.boolean[1], [plane.bits for plane in planes])
    count, numbers, broad = len(upper.boolean), len(upper.arithmetic), len(upper.wide)
    return _Both(
        rebuilt(probe, key.length, there[count + 1 :], moved.arithmetic[numbers:], moved.wide[broad:]),
        rebuilt(payload, key.length, there[:count], moved.arithmetic[:numbers], moved.wide[:broad]),
        there[count],
        same_as_previous(engine.narrow("same"), moved.boolean[0].planes(1, mark_last.bits)),
    )


def _carried(engine: Engine, both: _Both, spec: Join) -> SharedTable:
    """For each row what the row of the unique side with its keys holds; the valid bit says that there is one."""
    taken = both.taken
    if spec.kind in ("inner", "left"):
        if not spec.unique_checked:
            refuse_duplicates(engine, taken.valid, both.same)
    else:
        marks = packed([taken.valid, *taken.members.values()])
        once = engine.narrow("first").conjunction(marks, engine.invert(both.same))
        valid, *members = unpacked(once, [1] * marks.bits)
        taken = replace(taken, valid=valid, members=dict(zip(taken.members, members, strict=True)))
    planes = planes_of(taken)
    rows = Rows(tuple(arithmetic_of(taken)), (packed(planes),), tuple(wide_of(taken)))
    down = carried(engine.narrow("carry"), engine.invert(both.same), rows)
    widths = [plane.bits for plane in planes]
    return rebuilt(taken, taken.length, unpacked(down.boolean[0], widths), down.arithmetic, down.wide)
