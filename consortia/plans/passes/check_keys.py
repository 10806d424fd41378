"""Refuse plans over keys hashed under two keys, and plans in which two identifiers could meet by accident.

The hash of an identifier has ``bits`` bits; among n values two collide with probability below n^2 / 2^bits, which
must stay below 2^-40 (a collision is a wrong answer): rows^2 <= 2^(bits - 39). Keys of one domain meet wherever they
come from, so their rows are counted over all tables of a relation.
"""

from collections import Counter

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.expressions import columns_of
from consortia.plans.lowering.nodes import owners_of
from consortia.plans.lowering.reads import columns_read
from consortia.plans.query import TableRows
from consortia.plans.tables import column_types, find_table
from consortia.plans.types import ColumnType


def check_keys(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/key-ids`` or ``plans/key-collisions``."""
    rows: Counter[str] = Counter()
    found: dict[str, tuple[str, ColumnType]] = {}
    for occurrence, read in _reads(draft):
        table = find_table(draft.catalogue, occurrence.table)
        types = column_types(table, draft.catalogue)
        keys = {name: kind for name, kind in sorted(types.items()) if name in read and kind.kind == "key"}
        for domain in {kind.domain for kind in keys.values()}:
            rows[domain] += table.max_rows * len(owners_of(occurrence, draft.catalogue))
        for name, kind in keys.items():
            found.setdefault(kind.domain, (name, kind))
    _check_ids(draft, set(found))
    for domain, (name, kind) in found.items():
        if rows[domain] ** 2 > 1 << max(0, kind.bits - 39):
            raise RequestError(
                "plans/key-collisions",
                f"{rows[domain]} rows are too many for keys of {kind.bits} bits: two identifiers might be taken as one",
                place=f"column `{name}`",
                remedy=f"declare more bits for the key domain `{kind.domain}`, or a smaller max_rows",
            )
    return draft


def _check_ids(draft: Draft, domains: set[str]) -> None:
    ids = {domain.key_id: domain.name for domain in draft.catalogue.key_domains if domain.name in domains}
    if len(ids) > 1:
        names = " and ".join(f"`{name}`" for name in sorted(ids.values()))
        raise RequestError(
            "plans/key-ids",
            f"the key domains {names} are hashed under different keys",
            remedy="register both under one key and sign a new catalogue",
        )


def _reads(draft: Draft) -> list[tuple[TableRows, frozenset[str]]]:
    """Every table occurrence with the columns that are read of it."""
    query = draft.query
    read = set().union(*(columns_of(key.expression) for key in query.keys))
    read |= {name for aggregate in query.aggregates if aggregate.argument for name in columns_of(aggregate.argument)}
    if draft.obligations.counts_entities and draft.entity:
        read.add(draft.entity)
    if query.relation is not None:
        return columns_read(query.relation, frozenset(read))
    if query.where is not None:
        read |= columns_of(query.where)
    return [(TableRows(table=query.table, owner=query.owner), frozenset(read))]
