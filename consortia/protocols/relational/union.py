"""Rows of several tables one after the other: of owners, where places tell whose a row is, or of any relations."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill_planes
from consortia.protocols.relational.table import (
    SharedTable,
    arithmetic_of,
    joined,
    planes_of,
    rebuilt,
    wide_of,
)
from consortia.protocols.shares import Boolean


def union(tables: Sequence[SharedTable], owners: Sequence[str], marked: Sequence[str]) -> SharedTable:
    """All rows of ``tables``, given in the order of ``owners``. Local.

    ``marked`` lists the members whose rows a later step has to tell apart: their plane in ``members`` is the valid
    bit at the places of their rows, and zero elsewhere.
    """
    if len(tables) != len(owners):
        raise InternalError("relational/union", f"{len(tables)} tables of {len(owners)} owners can't be united")
    whole = _stacked([replace(table, members={}) for table in tables])
    places = np.repeat(np.arange(len(owners)), [table.length for table in tables])
    names = np.array(owners)
    return replace(whole, members={member: whole.valid.masked(names[places] == member) for member in marked})


def union_all(engine: Engine, tables: Sequence[SharedTable]) -> SharedTable:
    """All rows of ``tables``, whose columns are shared alike; each row keeps the marks of its members. Local."""
    members = sorted({member for table in tables for member in table.members})

    def plane(table: SharedTable, member: str) -> Boolean:
        return table.members.get(member, fill_planes(engine, table.length, 0, 1))

    return _stacked([replace(table, members={name: plane(table, name) for name in members}) for table in tables])


def _stacked(tables: Sequence[SharedTable]) -> SharedTable:
    if not tables:
        raise InternalError("relational/union", "a union of no tables has no columns")
    first = tables[0]
    for table in tables[1:]:
        if list(table.columns) != list(first.columns):
            raise InternalError("relational/union", "the tables to unite have different columns")
    length = sum(table.length for table in tables)
    bare = [replace(table, order=()) for table in tables]
    if len(bare) == 1:
        return bare[0]
    return rebuilt(
        bare[0],
        length,
        [joined(list(planes)) for planes in zip(*map(planes_of, bare), strict=True)],
        [joined(list(values)) for values in zip(*map(arithmetic_of, bare), strict=True)],
        [joined(list(values)) for values in zip(*map(wide_of, bare), strict=True)],
    )
