"""Of each group the value of one row: minimum, maximum, quantiles, medians.

A plane marks at most one row a group. Marked values, zero elsewhere, go through running exclusive ors (sums), whose
differences at the ends of groups are the marked rows' values: the same way as the sums of ``group``, so that values of
several marks come out of one partition. Where no row is marked (all values NULL) the value is NULL.

A table sorted by (keys, column) holds a group's smallest value in its first row, the largest in its last one that is
not NULL, and the value of rank p in the p-th one; the number of values, and so p, stays secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.carry import spread_number
from consortia.protocols.relational.comparisons import fill, signed_bits
from consortia.protocols.relational.group import Grouping, Quantity, last_rows, whole
from consortia.protocols.relational.segments import check_order, places, same_group
from consortia.protocols.relational.table import Ordering, SharedColumn, SharedTable, joined, packed, split, unpacked
from consortia.protocols.shares import Arithmetic, Boolean, Vector, Wide


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a result: their keys, of which ``keep`` go on, and its public number of rows."""

    keys: tuple[str, ...]
    rows: int
    keep: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """The value of ``column`` in the row of each group that ``mark`` (one plane) marks: at most one, never a NULL."""

    column: str
    mark: Boolean


@dataclass(frozen=True, slots=True)
class Rank:
    """Of c values the p-th smallest, for the least p >= 1 with ``denominator`` p >= ``numerator`` c + ``offset``.

    Numerator and offset together do not exceed the denominator, so that p does not exceed c.
    """

    numerator: int
    denominator: int
    offset: int = 0

    def __post_init__(self) -> None:
        fits = self.numerator >= 0 and self.offset >= 0 and self.numerator + self.offset <= self.denominator
        if not fits or self.denominator < 1:
            raise InternalError("relational/rank", f"{self} may name no value of a group")


LOWER_MEDIAN, UPPER_MEDIAN = Rank(1, 2), Rank(1, 2, 1)
"""The two middle values, equal if the number of values is odd. The median is half of their sum."""


def quantile(numerator: int, denominator: int) -> Rank:
    """The smallest value that at least this share of the values does not exceed (SQL's PERCENTILE_DISC)."""
    return Rank(numerator, denominator)


def extremes(engine: Engine, table: SharedTable, groups: Groups, column: str, lowest: str, highest: str) -> SharedTable:
    """Minimum and maximum of ``column`` by group under the names given; an empty name leaves one out.

    The table is sorted by (keys, column). Without keys there is one group, NULL if there is no value.
    """
    check_order(table, groups.keys, then(groups.keys, column))
    same = same_group(engine.narrow("same"), table, groups.keys)
    known = _known(table, column)
    picks = {}
    if lowest:
        picks[lowest] = Pick(column, engine.narrow("lowest").conjunction(known, engine.invert(same)))
    if highest:
        behind = known.shifted(-1)
        if table.column(column).validity is not None:
            behind = engine.narrow("behind").conjunction(behind, same.shifted(-1))
        else:
            behind = same.shifted(-1)
        picks[highest] = Pick(column, engine.narrow("highest").conjunction(known, engine.invert(behind)))
    return picked(engine.narrow("pick"), table, groups, same, picks)


def quantiles(
    engine: Engine, table: SharedTable, groups: Groups, column: str, ranks: Mapping[str, Rank]
) -> SharedTable:
    """The values of ``column`` at ``ranks``, by name, among those that are not NULL, by group.

    The table is sorted by (keys, column). Without keys there is one group, NULL if there is no value.
    """
    check_order(table, groups.keys, then(groups.keys, column))
    known = _known(table, column)
    same = same_group(engine.narrow("same"), table, groups.keys)
    if groups.keys:
        near = _same_known(engine.narrow("near"), table, column, same)
        where = places(engine.narrow("places"), engine.invert(near))
        position, count = where.position, where.size
    else:  # values that are not NULL stand in front: their places are public, their number is not
        near = None
        position = engine.constant_arithmetic(np.arange(1, table.length + 1, dtype=np.uint64))
        ones = engine.narrow("count").bit_to_arithmetic(known).prefix_sums()
        count = spread_number(engine, ones.rows(table.length - 1, table.length), table.length)
    reached = _reached(engine.narrow("reached"), position, count, list(ranks.values()))
    picks = {}
    for name, plane in zip(ranks, reached, strict=True):
        step = engine.narrow(f"rank-{name}")
        above = plane.shifted(1)
        before = above if near is None else step.narrow("before").conjunction(above, near)
        picks[name] = Pick(column, step.narrow("mark").conjunction(plane ^ before, known))
    return picked(engine.narrow("pick"), table, groups, same, picks)


def then(keys: Sequence[str], column: str) -> tuple[Ordering, ...]:
    """The order that is needed within groups of ``keys``: none where the column is the same in the whole group."""
    return () if column in keys else (Ordering(column),)


def _known(table: SharedTable, column: str) -> Boolean:
    """One plane: the row is valid and not NULL in the column."""
    validity = table.column(column).validity
    return table.valid if validity is None else validity


def _same_known(engine: Engine, table: SharedTable, column: str, same: Boolean) -> Boolean:
    """One plane: the same group as the row above, and both NULL or neither: NULL stands last in a group."""
    validity = table.column(column).validity
    if validity is None:
        return same
    return engine.conjunction(same, engine.invert(validity ^ validity.shifted(1)))


def _reached(engine: Engine, position: Arithmetic, count: Arithmetic, ranks: Sequence[Rank]) -> list[Boolean]:
    """For each rank one plane: the position is that of the rank or behind it. One batch of comparisons."""
    length = position.length
    margins = [
        position.scaled(rank.denominator) - count.scaled(rank.numerator) - fill(engine, length, rank.offset)
        for rank in ranks
    ]
    lowest = min(-rank.numerator * length - rank.offset for rank in ranks)
    bits = signed_bits(lowest, max(rank.denominator for rank in ranks) * length)
    short = engine.negative(joined(margins), bits)
    return split(engine.invert(short), [length] * len(ranks))


def picked(engine: Engine, table: SharedTable, groups: Groups, same: Boolean, picks: Mapping[str, Pick]) -> SharedTable:
    """One row a group with the values that ``picks`` mark; ``same``: the row is of the group of the row above."""
    found = _marked(engine, table, picks)
    sums: dict[Quantity, Vector] = {}
    for quantity, vector in found.items():
        sums[quantity] = vector.prefix_xors() if isinstance(vector, Boolean) else _prefix_sums(vector)
    if groups.keys:
        last = engine.narrow("last").conjunction(table.valid, engine.invert(same.shifted(-1)))
        grouping = Grouping(groups.keys, (), groups.rows, groups.keep)
        result, values = last_rows(engine, table, grouping, last, sums)
    else:
        result, values = whole(engine, table, sums)
    columns = dict(result.columns)
    for name, pick in picks.items():
        source = table.column(pick.column)
        validity = values["known", name]
        if not isinstance(validity, Boolean):
            raise InternalError("relational/group", f"the mark of `{name}` is no plane")
        columns[name] = SharedColumn(values["value", name], source.lo, source.hi, validity)
    return replace(result, columns=columns)


def _marked(engine: Engine, table: SharedTable, picks: Mapping[str, Pick]) -> dict[Quantity, Vector]:
    """Marks, and values that are zero in rows not marked. One batch a domain."""
    found: dict[Quantity, Vector] = {}
    planes: dict[str, Boolean] = {}
    numbers: dict[str, Arithmetic] = {}
    broad: dict[str, Wide] = {}
    for name, pick in picks.items():
        found["known", name] = pick.mark
        match table.column(pick.column).value:
            case Boolean() as value:
                planes[name] = value
            case Arithmetic() as value:
                numbers[name] = value
            case Wide() as value:
                broad[name] = value
    length = table.length
    if planes:
        masks = packed([packed([picks[name].mark] * value.bits) for name, value in planes.items()])
        kept = engine.narrow("planes").conjunction(packed(list(planes.values())), masks)
        widths = [value.bits for value in planes.values()]
        found.update({("value", n): v for n, v in zip(planes, unpacked(kept, widths), strict=True)})
    if numbers:
        bits = engine.narrow("bits").bit_to_arithmetic(joined([picks[name].mark for name in numbers]))
        product = engine.narrow("numbers").multiply(bits, joined(list(numbers.values())))
        found.update({("value", n): v for n, v in zip(numbers, split(product, [length] * len(numbers)), strict=True)})
    if broad:
        wide_bits = engine.narrow("wide-bits").bit_to_wide(joined([picks[name].mark for name in broad]))
        product_wide = engine.narrow("wide").multiply_wide(wide_bits, joined(list(broad.values())))
        found.update({("value", n): v for n, v in zip(broad, split(product_wide, [length] * len(broad)), strict=True)})
    return found


def _prefix_sums(vector: Vector) -> Vector:
    match vector:
        case Arithmetic() | Wide():
            return vector.prefix_sums()
    raise InternalError("relational/group", f"{vector!r} has no sums")
