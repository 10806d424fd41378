"""Noise of a plan: drawn at each computer before the secure stage, added on shares, never written down.

A computer's draws go in like an owner's data: secret-shared, so that no other computer knows them. The sum of all
computers' parts lies on each number; whoever knows one of them still faces the variance that is charged.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from consortia.errors import InternalError
from consortia.execution.layout import bounds_of, shape_of
from consortia.plans.columns import Column
from consortia.plans.model import Plan
from consortia.plans.steps_of_noise import Noise
from consortia.protocols.engine import Engine
from consortia.protocols.noise.gaussian import Below, gaussians
from consortia.protocols.relational.complete import Domain, completed
from consortia.protocols.relational.control import at_least, control
from consortia.protocols.relational.filter import first
from consortia.protocols.relational.table import SharedTable
from consortia.protocols.shares import Arithmetic, Wide, Words

Draws = Mapping[tuple[str, str], Sequence[Words]]
"""A computer's noise by noise step and member: an array for each noised column. Only a simulation knows several."""

NO_DRAWS: Draws = {}
_MASK = (1 << 64) - 1


def drawn(plan: Plan, members: Sequence[str], below: Below = secrets.randbelow) -> Draws:
    """Fresh noise of ``members``, which compute, for every noise step of ``plan``."""
    return {
        (step.id, member): [
            _words(gaussians(Fraction(each.variance, 2), step.rows, below), _column(step, each.column))
            for each in step.noised
        ]
        for step in plan.steps
        if isinstance(step, Noise) and step.at == "shared"
        for member in members
    }


def noisy(engine: Engine, step: Noise, table: SharedTable, computers: Sequence[str], draws: Draws) -> SharedTable:
    """The table over the public domain of its keys, with every computer's noise added to its numbers.

    With a selection: its own groups, those below the threshold zeroed and moved behind the others. ``draws`` hold those
    of this party. One round for each computer beside the completion of the domain, or the comparison.
    """
    names = [each.column for each in step.noised]
    if step.keys and step.selection is None:
        domains = [domain_of(_column(step, key)) for key in step.keys]
        table = completed(engine.narrow("domain"), table, domains, names)
    shapes = [shape_of(_column(step, name)) for name in names]
    columns = dict(table.columns)
    for member in computers:
        own = draws.get((step.id, member))
        parts = engine.narrow(f"from-{member}").input(member, step.rows, shapes, own)
        for name, part in zip(names, parts, strict=True):
            columns[name] = replace(columns[name], value=_sum(columns[name].value, part))
    for name in names:
        bounds = bounds_of(_column(step, name))
        columns[name] = replace(columns[name], lo=bounds.lo, hi=bounds.hi)
    noised = replace(table, columns=columns)
    if step.selection is None:
        return noised
    bar = at_least(step.selection.column, step.selection.minimum)
    shown = control(engine.narrow("select"), noised, [bar], [*step.keys, *names])
    return first(engine.narrow("front"), shown, shown.valid)


def _sum(x: object, y: object) -> Arithmetic | Wide:
    match x, y:
        case Arithmetic(), Arithmetic():
            return x + y
        case Wide(), Wide():
            return x + y
    raise InternalError("execution/shape", "noise is added to numbers of its own domain")


def domain_of(column: Column) -> Domain:
    """All values of a key that everybody can list, by its bounds."""
    bounds = bounds_of(column)
    return Domain(column.name, bounds.lo, bounds.hi, column.nullable)


def _column(step: Noise, name: str) -> Column:
    return next(column for column in step.columns if column.name == name)


def _words(values: Sequence[int], column: Column) -> Words:
    """The draws as clear values of the column's domain."""
    low = np.array([value & _MASK for value in values], dtype=np.uint64)
    if column.domain != "wide":
        return low
    return np.stack([low, np.array([(value >> 64) & _MASK for value in values], dtype=np.uint64)], axis=1)
