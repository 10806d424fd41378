"""Refuse plans over keys hashed under two keys, and plans in which two identifiers could meet by accident.

The hash of an identifier has ``bits`` bits; among n values two collide with probability below n^2 / 2^bits, which
must stay below 2^-40 (a collision is a wrong answer): rows^2 <= 2^(bits - 39).
"""

from consortia.errors import RequestError
from consortia.plans.draft import Draft
from consortia.plans.expressions import columns_of


def check_keys(draft: Draft) -> Draft:
    """``draft`` itself; RequestError ``plans/key-ids`` or ``plans/key-collisions``."""
    query = draft.query
    if query.relation is not None:
        return draft
    read = set().union(*(columns_of(key.expression) for key in query.keys), columns_of_where(draft))
    read |= {name for aggregate in query.aggregates if aggregate.argument for name in columns_of(aggregate.argument)}
    if draft.obligations.minimum_entities:
        read.add(draft.entity)
    keys = {name: kind for name, kind in sorted(draft.row_types.items()) if name in read and kind.kind == "key"}
    ids = {
        domain.key_id: domain.name
        for domain in draft.catalogue.key_domains
        if domain.name in {kind.domain for kind in keys.values()}
    }
    if len(ids) > 1:
        names = " and ".join(f"`{name}`" for name in sorted(ids.values()))
        raise RequestError(
            "plans/key-ids",
            f"the key domains {names} are hashed under different keys",
            remedy="register both under one key and sign a new catalogue",
        )
    rows = draft.table.max_rows * len(draft.owners)
    for name, kind in keys.items():
        if rows * rows > 1 << max(0, kind.bits - 39):
            raise RequestError(
                "plans/key-collisions",
                f"{rows} rows are too many for keys of {kind.bits} bits: two identifiers could be taken for one",
                place=f"column `{name}`",
                remedy=f"declare more bits for the key domain `{kind.domain}`, or a smaller max_rows",
            )
    return draft


def columns_of_where(draft: Draft) -> frozenset[str]:
    """Columns that WHERE reads."""
    return frozenset() if draft.query.where is None else columns_of(draft.query.where)
