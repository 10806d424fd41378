"""Filters on shares: rows that fail lose their valid bit and are zeroed; they stay where they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill, is_negative, signed_bits
from consortia.protocols.relational.predicates import Expression, truth
from consortia.protocols.relational.table import SharedTable, cleared, joined, moved, split
from consortia.protocols.shares import Arithmetic, Boolean


def keep_where(engine: Engine, table: SharedTable, predicate: Expression) -> SharedTable:
    """Rows for which ``predicate`` is TRUE; FALSE and NULL rows become invalid and zero. Order is kept."""
    verdict = truth(engine.narrow("predicate"), table, predicate)
    keep = engine.narrow("keep").conjunction(table.valid, verdict.true)
    return cleared(engine.narrow("clear"), table, keep)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A row passes if ``column`` is at least ``minimum``."""

    column: str
    minimum: int


def control(engine: Engine, table: SharedTable, rules: Sequence[AtLeast], keep: Sequence[str]) -> SharedTable:
    """The output control: rows that fail a rule become invalid and zero. ``first`` moves the others together.

    The release bit is valid AND all rules; it becomes the valid bit and nobody learns it. ``keep`` names the
    columns that go on (the counts that the rules read usually do not).
    """
    margins = [margin for margin in (_margin(engine, table, rule) for rule in rules) if margin is not None]
    if not margins:
        return table.only(keep)
    bit = table.valid
    for place, lacking in enumerate(_lacking(engine.narrow("rules"), margins)):
        bit = engine.narrow(f"and-{place}").conjunction(bit, engine.invert(lacking))
    return cleared(engine.narrow("clear"), table.only(keep), bit)


def first(engine: Engine, table: SharedTable, bit: Boolean) -> SharedTable:
    """Rows whose ``bit`` is 1 before the others, order kept within both: no gap tells where a cleared row stood."""
    return moved(table, lambda rows: engine.narrow("partition").partition(bit, rows))


def own_rows(engine: Engine, table: SharedTable, membership: str, keep: Sequence[str]) -> SharedTable:
    """The rows that a member contributed to (its bit is ``membership``), zeroed elsewhere and moved first."""
    mark = table.column(membership).value
    if not isinstance(mark, Boolean) or mark.bits != 1:
        raise InternalError("relational/membership", f"`{membership}` is no single bit a row")
    bit = engine.narrow("keep").conjunction(table.valid, mark)
    passed = cleared(engine.narrow("clear"), table.only(keep), bit)
    return first(engine, passed, bit)


@dataclass(frozen=True, slots=True, eq=False)
class _Margin:
    value: Arithmetic
    bits: int


def _margin(engine: Engine, table: SharedTable, rule: AtLeast) -> _Margin | None:
    """Count minus minimum with its width; None where the bounds already say that every valid row passes."""
    column = table.column(rule.column)
    if not isinstance(column.value, Arithmetic) or column.validity is not None:
        raise InternalError("relational/control", f"`{rule.column}` is no count, a rule can't read it")
    if column.lo >= rule.minimum:
        return None
    value = column.value - fill(engine, table.length, rule.minimum)
    return _Margin(value, signed_bits(min(column.lo, 0) - rule.minimum, max(column.hi, 0) - rule.minimum))


def _lacking(engine: Engine, margins: Sequence[_Margin]) -> list[Boolean]:
    """One plane a margin: it is negative. All margins in one batch, at the greatest width."""
    bits = max(margin.bits for margin in margins)
    lengths = [margin.value.length for margin in margins]
    return split(is_negative(engine, joined([margin.value for margin in margins]), bits), lengths)
