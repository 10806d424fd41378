"""Rows of several owners one after the other; the member of each row is public by its place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.relational.table import (
    SharedTable,
    arithmetic_of,
    joined,
    map_vectors,
    planes_of,
    rebuilt,
    wide_of,
)


def union(tables: Sequence[SharedTable], owners: Sequence[str], marked: Sequence[str]) -> SharedTable:
    """All rows of ``tables``, given in the order of ``owners``. Local.

    ``marked`` lists the members whose rows a later step has to tell apart: their plane in ``members`` is the valid
    bit at the places of their rows, and zero elsewhere.
    """
    if len(tables) != len(owners) or not tables:
        raise InternalError("relational/union", f"{len(tables)} tables of {len(owners)} owners can't be united")
    first = tables[0]
    for table in tables[1:]:
        if list(table.columns) != list(first.columns):
            raise InternalError("relational/union", "the tables to unite have different columns")
    length = sum(table.length for table in tables)
    bare = [replace(table, members={}, order=()) for table in tables]
    if len(bare) == 1:
        whole = map_vectors(bare[0], length, lambda vector: vector)
    else:
        whole = rebuilt(
            bare[0],
            length,
            [joined(list(planes)) for planes in zip(*map(planes_of, bare), strict=True)],
            [joined(list(values)) for values in zip(*map(arithmetic_of, bare), strict=True)],
            [joined(list(values)) for values in zip(*map(wide_of, bare), strict=True)],
        )
    places = np.repeat(np.arange(len(owners)), [table.length for table in tables])
    names = np.array(owners)
    members = {member: whole.valid.masked(names[places] == member) for member in marked}
    return replace(whole, members=members)
