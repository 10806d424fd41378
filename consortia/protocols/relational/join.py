"""Join of two tables, of which one (``unique``) holds each key at most once: inner, left; semi, anti and NOT IN.

How (protocol-proofs, section 4): both tables' keys are sorted together, usable rows of ``unique`` first among equal
keys. Neighbours' equality gives the segments of equal keys. Each segment's first row, with a bit that says whether it
is of ``unique``, is carried to the whole segment and put back into input order: the carried bit is the match, and no
row of either table moves from its place. Rows of the result are the rows of ``probe``, whose number is public; how
many match is not. A NULL key never matches.

Opened inside: what a sort and a partition open, which is uniform; and for inner and left joins one bit that tells
whether ``unique`` holds a key twice (``DUPLICATES``), unless its owner has made sure of it before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from consortia.errors import InternalError, RequestError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.carry import (
    any_of,
    carried,
    extended,
    same_as_previous,
    slice_of,
    spread,
    with_zeros,
)
from consortia.protocols.relational.comparisons import fill_planes
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
from consortia.protocols.shares import Boolean, Rows

Kind = Literal["inner", "left", "semi", "anti", "not-in"]

DUPLICATES = "whether the unique side of a join holds a key twice"
"""How the one bit that a join may open stands in the transcript."""


@dataclass(frozen=True, slots=True)
class Join:
    """What to join and how.

    ``on`` pairs key columns (of probe, of unique); ``take`` names the columns of ``unique`` that come along, by their
    new names. ``unique_checked`` says that the owner of ``unique`` has checked that no key stands there twice (or a
    group by the key has seen to it): then nothing is opened; if it is false in fact, matching rows hold garbage.
    """

    kind: Kind
    on: tuple[tuple[str, str], ...]
    take: Mapping[str, str] = field(default_factory=dict)
    unique_checked: bool = False


def join(engine: Engine, probe: SharedTable, unique: SharedTable, spec: Join) -> SharedTable:
    """The rows of ``probe`` with what ``spec`` takes from ``unique``; rows that do not qualify are invalid and zero.

    ``inner``: rows with a match; ``left``: all rows, columns taken are NULL without a match; ``semi`` (EXISTS) and
    ``anti`` (NOT EXISTS): rows with and without a match, also if ``unique`` holds a key many times; ``not-in``: SQL's
    NOT IN over one key: no row if ``unique`` holds a NULL, no row of NULL key unless ``unique`` is empty.
    A left join keeps the order of ``probe``.
    A row of the result holds data of the members of the probe's row and, where it matches, of those of the unique
    side's row (semi: of the first one with the key, so that side is grouped by it before, if its members are marked).
    Raises RequestError ``relational/many-to-many`` if an inner or left join finds a key twice in ``unique``, and
    InternalError ``relational/join`` if keys or names do not fit.
    """
    check_join(probe, unique, spec)
    usable = known_keys(engine.narrow("probe-known"), probe, [left for left, _ in spec.on])
    usable_unique = known_keys(engine.narrow("unique-known"), unique, [right for _, right in spec.on])
    payload = taken_columns(engine, unique, usable_unique, spec)
    found = _found(engine, probe, unique, usable_unique, payload, spec)
    match = engine.narrow("match").conjunction(found.valid, usable)
    if spec.kind == "not-in":
        keep = _not_in(engine.narrow("not-in"), probe, unique, match, spec.on[0])
        return cleared(engine.narrow("clear"), probe, keep)
    return with_columns(engine, probe, found, match, spec)


def with_columns(engine: Engine, probe: SharedTable, found: SharedTable, match: Boolean, spec: Join) -> SharedTable:
    """The result of a join, row by row, once it is known what was ``found`` and which rows ``match``."""
    step = engine.narrow("clear")
    match spec.kind:
        case "inner" | "semi":
            both = replace(probe, columns={**probe.columns, **found.columns}, members=_members(engine, probe, found))
            return cleared(step, both, match)
        case "left":
            taken = cleared(step, found, match)
            nullable = {
                name: column if column.validity is not None else replace(column, validity=match)
                for name, column in taken.columns.items()
            }
            members = _members(engine, probe, taken)
            return replace(probe, columns={**probe.columns, **nullable}, members=members)
        case _:
            return cleared(step, probe, probe.valid ^ match)


def _members(engine: Engine, probe: SharedTable, found: SharedTable) -> dict[str, Boolean]:
    """Whose data rows hold: the members of either side. One AND for all that are marked on both."""
    both = [member for member in probe.members if member in found.members]
    united = {**probe.members, **found.members}
    if both:
        left = packed([engine.invert(probe.members[member]) for member in both])
        right = packed([engine.invert(found.members[member]) for member in both])
        neither = engine.narrow("members").conjunction(left, right)
        united.update(zip(both, unpacked(engine.invert(neither), [1] * len(both)), strict=True))
    return united


def check_join(probe: SharedTable, unique: SharedTable, spec: Join) -> None:
    """Raise InternalError ``relational/join`` or ``relational/key`` if names or keys do not fit."""
    if not spec.on:
        raise InternalError("relational/join", "a join names no key")
    if spec.take and spec.kind not in ("inner", "left"):
        raise InternalError("relational/join", f"a join of kind {spec.kind} takes no columns")
    if spec.kind == "not-in" and len(spec.on) != 1:
        raise InternalError("relational/join", "NOT IN compares one key")
    clash = [name for name in spec.take if name in probe.columns]
    if clash:
        raise InternalError("relational/join", f"both sides of a join have a column `{clash[0]}`")
    for left, right in spec.on:
        key_planes(probe, left)
        key_planes(unique, right)
        if probe.column(left).lo != unique.column(right).lo:
            raise InternalError("relational/join", f"keys `{left}` and `{right}` count from different lower bounds")


def known_keys(engine: Engine, table: SharedTable, keys: Sequence[str]) -> Boolean:
    """One plane: the row is valid and none of its keys is NULL (a validity bit implies the valid bit)."""
    planes = [table.column(key).validity for key in keys]
    known = [plane for plane in planes if plane is not None]
    bit = known[0] if known else table.valid
    for place, plane in enumerate(known[1:]):
        bit = engine.narrow(f"and-{place}").conjunction(bit, plane)
    return bit


def taken_columns(engine: Engine, unique: SharedTable, usable: Boolean, spec: Join) -> SharedTable:
    """The columns to take under their new names, zero where the row is not usable; ``usable`` is the valid bit."""
    columns = {name: unique.column(source) for name, source in spec.take.items()}
    taken = SharedTable(unique.length, columns, usable, {} if spec.kind in ("anti", "not-in") else unique.members)
    if (columns or taken.members) and any(unique.column(right).validity is not None for _, right in spec.on):
        return cleared(engine.narrow("unique-clear"), taken, usable)
    return taken


def _found(
    engine: Engine, probe: SharedTable, unique: SharedTable, usable: Boolean, payload: SharedTable, spec: Join
) -> SharedTable:
    """For each row of ``probe`` what the row of ``unique`` with its key holds; the valid bit says that there is one."""
    rows = Rows(tuple(arithmetic_of(payload)), (packed(planes_of(payload)),), tuple(wide_of(payload)))
    both = with_zeros(engine, rows, probe.length)
    key = _common_keys(engine, probe, unique, spec)
    behind = engine.invert(extended(engine, usable, probe.length)).below(key)
    moving = Rows(both.arithmetic, (behind, *both.boolean), both.wide)
    in_order, order = engine.narrow("sort").sort_keeping(behind, moving)
    same = same_as_previous(engine.narrow("same"), in_order.boolean[0].planes(1, behind.bits))
    record = in_order.boolean[1]
    mark = record.planes(0, 1)
    if spec.kind in ("inner", "left"):
        if not spec.unique_checked:
            refuse_duplicates(engine, mark, same)
    else:
        record = engine.narrow("first").conjunction(record, engine.invert(same))
    here = Rows(in_order.arithmetic, (record,), in_order.wide)
    in_segments = carried(engine.narrow("carry"), engine.invert(same), here)
    back = engine.narrow("back").put_back(order, in_segments)
    mine = slice_of(back, unique.length, unique.length + probe.length)
    planes = unpacked(mine.boolean[0], [plane.bits for plane in planes_of(payload)])
    return rebuilt(payload, probe.length, planes, mine.arithmetic, mine.wide)


def _common_keys(engine: Engine, probe: SharedTable, unique: SharedTable, spec: Join) -> Boolean:
    """Keys of ``unique``, then of ``probe``, of equal widths."""
    columns = []
    for left, right in spec.on:
        upper, lower = key_planes(unique, right), key_planes(probe, left)
        bits = max(upper.bits, lower.bits)
        columns.append(widened(engine, upper, bits).concatenated([widened(engine, lower, bits)]))
    return packed(columns)


def widened(engine: Engine, planes: Boolean, bits: int) -> Boolean:
    """The same values in ``bits`` planes. Local."""
    missing = bits - planes.bits
    return planes if missing == 0 else planes.below(fill_planes(engine, planes.length, 0, missing))


def refuse_duplicates(engine: Engine, mark: Boolean, same: Boolean) -> None:
    """Open whether a usable row of ``unique`` is not the first of its segment, so has another one above it.

    Raises RequestError ``relational/many-to-many`` if so, at all computers.
    """
    repeated = engine.narrow("repeated").conjunction(mark, same)
    (any_repeated,) = any_of(engine.narrow("any"), [repeated])
    if engine.narrow("open").open_flag(any_repeated, DUPLICATES):
        raise RequestError(
            "relational/many-to-many",
            "the table that a join takes columns from holds a key more than once",
            remedy="group that table by the join key first, or ask only whether a match exists (EXISTS)",
        )


def _not_in(engine: Engine, probe: SharedTable, unique: SharedTable, match: Boolean, on: tuple[str, str]) -> Boolean:
    """Valid, without a match, no NULL in ``unique``; and the own key is known, or ``unique`` is empty."""
    unmatched = probe.valid ^ match
    own, theirs = probe.column(on[0]).validity, unique.column(on[1]).validity
    if own is None and theirs is None:
        return unmatched
    nulls = fill_planes(engine, unique.length, 0, 1) if theirs is None else unique.valid ^ theirs
    has_null, has_rows = any_of(engine.narrow("any"), [nulls, unique.valid])
    no_null = spread(engine, engine.invert(has_null), probe.length)
    keep = engine.narrow("no-null").conjunction(unmatched, no_null)
    if own is None:
        return keep
    unknown_and_rows = engine.narrow("unknown").conjunction(engine.invert(own), spread(engine, has_rows, probe.length))
    return engine.narrow("known").conjunction(keep, engine.invert(unknown_and_rows))
