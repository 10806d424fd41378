"""Window functions over sorted groups: row_number, rank, dense_rank, running COUNT and SUM. No row moves.

The table is sorted by (keys, by). A running value of the whole table is local; what it was before a group's first row
is carried to all rows of the group (``carry.carried``) and subtracted. Running values of the whole table are modular,
the differences are exact because their bound is proven to fit: from the column's bounds and the number of rows.
SQL's default frame (RANGE) gives rows that are equal in the order, peers, the value of their last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.carry import carried
from consortia.protocols.relational.comparisons import fill, is_positive
from consortia.protocols.relational.segments import carried_back, check_order, same_group, weighted
from consortia.protocols.relational.table import Ordering, SharedColumn, SharedTable, cleared, joined, split
from consortia.protocols.shares import Arithmetic, Boolean, Rows, Wide

Function = Literal["row-number", "rank", "dense-rank", "count", "sum"]
Frame = Literal["rows", "range", "partition"]

LARGEST_NUMBER = 1 << 62
LARGEST_WIDE = 1 << 126
"""Bounds of values in the two domains: a larger running sum is refused."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window column. ``count`` and ``sum`` read ``column``; ``count`` without one counts rows.

    The frame of these ends with the row (``rows``), with the last row equal in the order (``range``, SQL's default), or
    with the last row of the group (``partition``).
    """

    name: str
    function: Function
    column: str = ""
    frame: Frame = "rows"


def windows(
    engine: Engine, table: SharedTable, keys: Sequence[str], by: Sequence[Ordering], wanted: Sequence[Window]
) -> SharedTable:
    """The table with the columns of ``wanted``, computed in each group of ``keys`` in the order of ``by``.

    Raises InternalError ``relational/order`` unless the table is sorted so, ``relational/range`` if a running sum may
    not fit 126 bits, ``relational/sum`` if what is summed is no number.
    """
    check_order(table, keys, by)
    if not by:  # all rows of a group are equal in an order that names nothing
        wanted = [replace(window, frame="partition") if window.frame == "range" else window for window in wanted]
    step = _Windows(engine, table, keys, [ordering.column for ordering in by], wanted)
    fresh = SharedTable(table.length, {window.name: step.column(window) for window in wanted}, table.valid)
    clean = cleared(engine.narrow("clear"), fresh, table.valid)
    return replace(table, columns={**table.columns, **clean.columns})


class _Windows:
    """Running quantities by name, each computed once: within groups, and at the ends of frames."""

    def __init__(
        self, engine: Engine, table: SharedTable, keys: Sequence[str], by: Sequence[str], wanted: Sequence[Window]
    ) -> None:
        self._engine = engine
        self._table = table
        self._places = np.arange(table.length)
        same = same_group(engine.narrow("same"), table, keys)
        self._first = engine.invert(same)
        need_peers = any(window.frame == "range" or window.function in ("rank", "dense-rank") for window in wanted)
        self._same_peers = same_group(engine.narrow("same-peers"), table, (*keys, *by)) if need_peers else same
        numbers, wide = self._increments(wanted)
        self._numbers, self._wide = self._within_groups(numbers, wide)
        if any(window.function == "rank" for window in wanted):
            self._numbers["rank"] = self._rank()
        self._at_ends(wanted, "range", self._same_peers)
        self._at_ends(wanted, "partition", same)

    def column(self, window: Window) -> SharedColumn:
        length = self._table.length
        match window.function:
            case "row-number" | "rank" | "dense-rank":
                return SharedColumn(self._numbers[window.function], 1, length)
            case "count":
                return SharedColumn(self._numbers[self._named(self._counted(window.column), window.frame)], 0, length)
            case "sum":
                lo, hi, _ = self._bounds(window.column)
                name = self._named(f"sum {window.column}", window.frame)
                value = self._wide[name] if name in self._wide else self._numbers[name]
                return SharedColumn(value, lo, hi, self._known(window))

    def _known(self, window: Window) -> Boolean | None:
        """One plane: a value that is not NULL stands in the frame."""
        if self._table.column(window.column).validity is None:
            return None
        count = self._numbers[self._named(self._counted(window.column), window.frame)]
        step = self._engine.narrow(f"known-{window.name}")
        return is_positive(step, count, self._table.length.bit_length() + 1)

    @staticmethod
    def _named(quantity: str, frame: Frame) -> str:
        return quantity if frame == "rows" else f"{quantity} of {frame}"

    def _counted(self, column: str) -> str:
        """The quantity that counts values of a column that are not NULL: all rows if it has none."""
        nullable = column and self._table.column(column).validity is not None
        return f"known {column}" if nullable else "row-number"

    def _bounds(self, column: str) -> tuple[int, int, bool]:
        """Least and greatest running sum, and whether they take the wide domain."""
        source, length = self._table.column(column), self._table.length
        lo, hi = min(0, source.lo * length), max(0, source.hi * length)
        largest = max(-lo, hi)
        if largest >= LARGEST_WIDE:
            raise InternalError("relational/range", f"a running sum of `{column}` may reach {largest}")
        return lo, hi, isinstance(source.value, Wide) or largest >= LARGEST_NUMBER

    def _increments(self, wanted: Sequence[Window]) -> tuple[dict[str, Arithmetic], dict[str, Wide]]:
        """What each row adds to each running quantity but its public number."""
        numbers: dict[str, Arithmetic] = {}
        wide: dict[str, Wide] = {}
        bits: dict[str, Boolean] = {}
        for window in wanted:
            if window.function == "dense-rank":
                bits["dense-rank"] = self._engine.invert(self._same_peers)
            if window.function not in ("count", "sum"):
                continue
            if window.column and (validity := self._table.column(window.column).validity) is not None:
                bits[self._counted(window.column)] = validity
            name = f"sum {window.column}"
            if window.function == "sum" and name not in numbers and name not in wide:
                self._add_sum(window.column, numbers, wide)
        if bits:
            ones = self._engine.narrow("bits").bit_to_arithmetic(joined(list(bits.values())))
            numbers.update(zip(bits, split(ones, [self._table.length] * len(bits)), strict=True))
        return numbers, wide

    def _add_sum(self, column: str, numbers: dict[str, Arithmetic], wide: dict[str, Wide]) -> None:
        source = self._table.column(column)
        *_, broad = self._bounds(column)
        match source.value:
            case Wide():
                wide[f"sum {column}"] = source.value
            case Arithmetic() if broad:
                bits = max(abs(source.lo), abs(source.hi)).bit_length() + 1
                wide[f"sum {column}"] = self._engine.narrow(f"widen-{column}").widened(source.value, bits)
            case Arithmetic():
                numbers[f"sum {column}"] = source.value
            case _:
                raise InternalError("relational/sum", f"`{column}` is summed and must be shared as a number")

    def _within_groups(
        self, numbers: dict[str, Arithmetic], wide: dict[str, Wide]
    ) -> tuple[dict[str, Arithmetic], dict[str, Wide]]:
        """Running sums of each quantity from the group's first row on; ``row-number`` among them."""
        engine, length = self._engine, self._table.length
        totals = {name: value.prefix_sums() for name, value in numbers.items()}
        broad = {name: value.prefix_sums() for name, value in wide.items()}
        bit = engine.narrow("first").bit_to_arithmetic(self._first)
        before: list[Arithmetic] = []
        if totals:
            left = joined([totals[name] - value for name, value in numbers.items()])
            product = engine.narrow("before").multiply(joined([bit] * len(totals)), left)
            before = split(product, [length] * len(totals))
        before_wide: list[Wide] = []
        if broad:
            wide_bit = engine.narrow("first-wide").bit_to_wide(self._first)
            left_wide = joined([broad[name] - value for name, value in wide.items()])
            product_wide = engine.narrow("before-wide").multiply_wide(joined([wide_bit] * len(broad)), left_wide)
            before_wide = split(product_wide, [length] * len(broad))
        start = weighted(bit, self._places)
        down = carried(engine.narrow("carry"), self._first, Rows((start, *before), (), tuple(before_wide)))
        self._start = down.arithmetic[0]
        found = {"row-number": self._public(1) - self._start}
        for name, gone in zip(totals, down.arithmetic[1:], strict=True):
            found[name] = totals[name] - gone
        return found, {name: broad[name] - gone for name, gone in zip(broad, down.wide, strict=True)}

    def _public(self, offset: int) -> Arithmetic:
        return self._engine.constant_arithmetic((self._places + offset).astype(np.uint64))

    def _rank(self) -> Arithmetic:
        """The place of the first peer in the group."""
        engine = self._engine
        first = engine.invert(self._same_peers)
        starts = weighted(engine.narrow("peer-bit").bit_to_arithmetic(first), self._places)
        peer_start = carried(engine.narrow("peer-carry"), first, Rows((starts,))).arithmetic[0]
        return peer_start - self._start + fill(engine, self._table.length, 1)

    def _at_ends(self, wanted: Sequence[Window], frame: Frame, same: Boolean) -> None:
        """The running values of ``frame``: those of the last row that is the ``same`` as the ones above it."""
        framed = [window for window in wanted if window.frame == frame and window.function in ("count", "sum")]
        names = list(dict.fromkeys(name for window in framed for name in self._read_by(window)))
        if not names:
            return
        engine = self._engine.narrow(frame)
        first, last = engine.invert(same), engine.invert(same.shifted(-1))
        back = carried_back(engine.narrow("back"), first, last, self._only(engine, last, names))
        kept = [name for name in names if name in self._numbers]
        for name, value in zip(kept, back.arithmetic, strict=True):
            self._numbers[self._named(name, frame)] = value
        broad = [name for name in names if name not in kept]
        for name, value_wide in zip(broad, back.wide, strict=True):
            self._wide[self._named(name, frame)] = value_wide

    def _read_by(self, window: Window) -> list[str]:
        """The running quantities that a window shows at the last row of its frame."""
        count = self._counted(window.column)
        if window.function == "count":
            return [count]
        nullable = self._table.column(window.column).validity is not None
        return [f"sum {window.column}", count] if nullable else [f"sum {window.column}"]

    def _only(self, engine: Engine, mark: Boolean, names: Sequence[str]) -> Rows:
        """The quantities in rows that ``mark`` marks, zero elsewhere; those of a domain in order of ``names``."""
        length = self._table.length
        numbers = [self._numbers[name] for name in names if name in self._numbers]
        wide = [self._wide[name] for name in names if name not in self._numbers]
        if numbers:
            bit = engine.narrow("last").bit_to_arithmetic(mark)
            product = engine.narrow("ends").multiply(joined([bit] * len(numbers)), joined(numbers))
            numbers = split(product, [length] * len(numbers))
        if wide:
            wide_bit = engine.narrow("last-wide").bit_to_wide(mark)
            product_wide = engine.narrow("ends-wide").multiply_wide(joined([wide_bit] * len(wide)), joined(wide))
            wide = split(product_wide, [length] * len(wide))
        return Rows(tuple(numbers), (), tuple(wide))
