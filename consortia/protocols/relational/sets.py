"""Relations as sets: DISTINCT, UNION, INTERSECT and EXCEPT. A NULL is equal to a NULL here, as SQL has it.

All columns of the result are keys, so they are shared as boolean; how often a row stood there is not kept.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.filter import keep_where
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.order import together
from consortia.protocols.relational.predicates import Call, Ref
from consortia.protocols.relational.table import SharedTable
from consortia.protocols.relational.union import union

LEFT, RIGHT = "left", "right"
"""Marks of the rows of the two sides, in place of members."""


def distinct(engine: Engine, table: SharedTable, columns: Sequence[str], rows: int = 0) -> SharedTable:
    """Each combination of ``columns`` once, sorted by them, in front; a table in that order is not sorted again.

    ``rows``: a public number that the combinations do not exceed (a product of domain sizes), 0 for none.
    """
    if not columns:
        raise InternalError("relational/key", "DISTINCT of no columns")
    names = tuple(columns)
    near = together(engine.narrow("order"), replace(table.only(names), members={}), names)
    return group(engine.narrow("groups"), near, Grouping(names, (), rows or table.length, names))


def union_distinct(engine: Engine, tables: Sequence[SharedTable], columns: Sequence[str], rows: int = 0) -> SharedTable:
    """Each combination of ``columns`` that stands in one of ``tables``, once; their columns must be shared alike."""
    parts = [table.only(columns) for table in tables]
    return distinct(engine, union(parts, [str(place) for place in range(len(parts))], ()), columns, rows)


def compared(
    engine: Engine, left: SharedTable, right: SharedTable, columns: Sequence[str], kind: Literal["intersect", "except"]
) -> SharedTable:
    """Combinations of ``columns`` that stand in ``left`` and also, or (``except``) not, in ``right``, each once.

    The result has as many rows as both tables together, sorted, with invalid ones between; ``filter.first`` and ``cut``
    bring it to the size of the smaller table (``except``: of ``left``).
    """
    names = tuple(columns)
    both = union([left.only(names), right.only(names)], (LEFT, RIGHT), (LEFT, RIGHT))
    near = together(engine.narrow("order"), both, names)
    marks = tuple(Measure(f"in/{side}", "has-member", 0, 1, member=side) for side in (LEFT, RIGHT))
    groups = group(engine.narrow("groups"), near, Grouping(names, marks, both.length, names))
    there: Ref | Call = Ref(f"in/{RIGHT}")
    if kind == "except":
        there = Call("not", (there,))
    kept = keep_where(engine.narrow("keep"), groups, Call("and", (Ref(f"in/{LEFT}"), there)))
    return kept.only(names)
