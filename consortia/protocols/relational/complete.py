"""Every value of a public domain exactly once, with zeros where a table has no row for it: nobody learns which had.

Functionality: groups with distinct keys, and a public list of all combinations of keys; out come the combinations in
order, each with its group's numbers or zeros. The public rows are stacked behind the groups, all are sorted by the
keys and added up. Simulation: the parts are sort and group; what comes out has a public shape and public keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill, fill_planes
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.relational.union import union_all
from consortia.protocols.shares import Boolean, Wide


@dataclass(frozen=True, slots=True)
class Domain:
    """A key and all its values: lo to hi, and NULL if ``nullable``."""

    key: str
    lo: int
    hi: int
    nullable: bool

    @property
    def bits(self) -> int:
        """Planes of a value above ``lo``."""
        return max(1, (self.hi - self.lo).bit_length())


def completed(engine: Engine, table: SharedTable, domains: Sequence[Domain], numbers: Sequence[str]) -> SharedTable:
    """One valid row for each combination of ``domains``, in order of the keys, NULL last; ``numbers`` zero or summed.

    Raises InternalError ``relational/shape`` if a key is not shared as its domain says.
    """
    keys = [domain.key for domain in domains]
    groups = table.only([*keys, *numbers])
    for domain in domains:
        check_key(groups.column(domain.key), domain)
    whole = _public(engine, domains, groups)
    ordered = order_by(engine.narrow("order"), union_all(engine, [groups, whole]), keys)
    measures = tuple(_sum(name, groups.column(name)) for name in numbers)
    found = group(engine, ordered, Grouping(tuple(keys), measures, whole.length, tuple(keys)))
    # each combination is there, so the valid bits are public
    return replace(found, valid=fill_planes(engine, whole.length, 1, 1))


def check_key(column: SharedColumn, domain: Domain) -> None:
    """InternalError ``relational/shape`` unless ``column`` is shared as ``domain`` says."""
    value = column.value
    fits = isinstance(value, Boolean) and value.bits == domain.bits and column.lo == domain.lo
    if not fits or (column.validity is not None) != domain.nullable:
        raise InternalError("relational/shape", f"`{domain.key}` is not shared as its public domain says")


def _sum(name: str, column: SharedColumn) -> Measure:
    if column.validity is not None:
        raise InternalError("relational/shape", f"`{name}` may be NULL, which would tell of an empty group")
    lo, hi = min(0, column.lo), max(0, column.hi)
    return Measure(name, "sum", lo, hi, column=name, wide=isinstance(column.value, Wide))


def _public(engine: Engine, domains: Sequence[Domain], like: SharedTable) -> SharedTable:
    """A row of zeros for each combination, its columns in the order of ``like``."""
    choices = [[*range(domain.lo, domain.hi + 1), *([None] if domain.nullable else [])] for domain in domains]
    rows = list(product(*choices))
    places = {domain.key: place for place, domain in enumerate(domains)}
    columns = {}
    for name, column in like.columns.items():
        if name in places:
            columns[name] = _key(engine, [row[places[name]] for row in rows], domains[places[name]])
        elif isinstance(column.value, Wide):
            zeros = engine.constant_wide(np.zeros((len(rows), 2), dtype=np.uint64))
            columns[name] = SharedColumn(zeros, 0, 0)
        else:
            columns[name] = SharedColumn(fill(engine, len(rows), 0), 0, 0)
    return SharedTable(len(rows), columns, fill_planes(engine, len(rows), 1, 1))


def _key(engine: Engine, values: Sequence[int | None], domain: Domain) -> SharedColumn:
    if domain.bits > 63:
        raise InternalError("relational/range", f"`{domain.key}` has too many values to be listed")
    above = np.array([0 if value is None else value - domain.lo for value in values], dtype=np.uint64)
    planes = engine.constant_boolean(above.reshape(-1, 1), domain.bits)
    if not domain.nullable:
        return SharedColumn(planes, domain.lo, domain.hi)
    known = np.array([[int(value is not None)] for value in values], dtype=np.uint64)
    return SharedColumn(planes, domain.lo, domain.hi, engine.constant_boolean(known, 1))
