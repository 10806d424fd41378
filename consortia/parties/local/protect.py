"""Noise at the owner: its customers' parts bounded, summed up by cell, with noise on them, before anything is shared.

The steps of an owner's chain from its ``bound`` on, on the rows that the database has grouped by cell and customer.
What is drawn here (which cells of a customer stay, and the noise) is of the system's own randomness and never kept.
"""

import secrets
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import polars as pl

from consortia.errors import InternalError
from consortia.execution.carried import physical
from consortia.execution.decode import series_of
from consortia.execution.layout import bounds_of
from consortia.plans.columns import Column
from consortia.plans.model import AggregateStep, Step
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.protocols.noise.gaussian import Below, gaussians

_DRAWN = "drawn at random"
"""A column that lives inside this module; no column of a plan can have its name."""


def protected(frame: pl.DataFrame, steps: Sequence[Step], below: Below = secrets.randbelow) -> pl.DataFrame:
    """What the owner's ``steps`` (bound, aggregate, noise) make of ``frame``: one row for each cell of the domain."""
    match list(steps):
        case [Bound() as bound, AggregateStep() as sums, Noise() as noise]:
            return _noisy(_summed(_bounded(frame, bound, below), sums), noise, below)
    raise InternalError("local/plan", f"{[step.kind for step in steps]} are no steps of noise at an owner")


def _bounded(frame: pl.DataFrame, step: Bound, below: Below) -> pl.DataFrame:
    """Rows with a customer, clipped, at most ``cells`` of each customer, every choice of them equally likely."""
    clipped = [pl.col(clip.column).fill_null(0).clip(clip.lo, clip.hi) for clip in step.clips]
    rows = frame.filter(pl.col(step.entity).is_not_null()).with_columns(clipped)
    if not step.cells:
        return rows
    places = pl.Series(_DRAWN, [below(1 << 62) for _ in range(rows.height)], dtype=pl.Int64)
    mixed = rows.with_columns(places).sort(_DRAWN).drop(_DRAWN)
    return mixed.group_by(step.entity, maintain_order=True).head(step.cells)


def _summed(rows: pl.DataFrame, step: AggregateStep) -> pl.DataFrame:
    sums = [pl.col(made.column).sum().alias(made.name) for made in step.aggregates]
    return rows.group_by(step.keys).agg(sums) if step.keys else rows.select(sums)


def _noisy(sums: pl.DataFrame, step: Noise, below: Below) -> pl.DataFrame:
    """One row for each value of the public domain, zero where there was none, and noise on every number."""
    whole = _domain(step).join(sums, on=list(step.keys), how="left", nulls_equal=True) if step.keys else sums
    noise = {
        each.column: pl.Series(each.column, gaussians(Fraction(each.variance), step.rows, below), dtype=pl.Int64)
        for each in step.noised
    }
    numbers = [(whole[name].fill_null(0).cast(pl.Int64) + drawn).alias(name) for name, drawn in noise.items()]
    return whole.with_columns(numbers).select([column.name for column in step.columns])


def _domain(step: Noise) -> pl.DataFrame:
    keys = [column for column in step.columns if column.name in step.keys]
    cells = list(product(*(_values(column) for column in keys)))
    return pl.DataFrame([_key(column, [cell[place] for cell in cells]) for place, column in enumerate(keys)])


def _key(column: Column, carried: list[int | None]) -> pl.Series:
    """Carried values as the database gives them: numbers stay carried, everything else has a type of its own."""
    kind = physical(column.type, column.bounds)
    if column.type.kind in ("int", "decimal"):
        return pl.Series(column.name, carried, dtype=kind)
    return series_of(column, carried).cast(kind)


def _values(column: Column) -> list[int | None]:
    bounds = bounds_of(column)
    return [*range(bounds.lo, bounds.hi + 1), *([None] if column.nullable else [])]
