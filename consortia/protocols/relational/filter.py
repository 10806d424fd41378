"""Filters on shares: rows that fail lose their valid bit and are zeroed; they stay where they are."""

from collections.abc import Sequence

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.predicates import Expression, truth
from consortia.protocols.relational.table import SharedTable, cleared, moved
from consortia.protocols.shares import Boolean


def keep_where(engine: Engine, table: SharedTable, predicate: Expression) -> SharedTable:
    """Rows for which ``predicate`` is TRUE; FALSE and NULL rows become invalid and zero. Order is kept."""
    verdict = truth(engine.narrow("predicate"), table, predicate)
    keep = engine.narrow("keep").conjunction(table.valid, verdict.true)
    return cleared(engine.narrow("clear"), table, keep)


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
