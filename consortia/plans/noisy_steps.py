"""What noise on shares and noise at the owners have in common: which cells there are, bounds, columns with noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isqrt, prod

from consortia.errors import RequestError
from consortia.plans.allocation import Number, unprotected
from consortia.plans.columns import Column
from consortia.plans.draft import Draft
from consortia.plans.expressions import Ref
from consortia.plans.model import Aggregate, AggregateStep, Project, Release, Step
from consortia.plans.noised import Clip, Noised
from consortia.plans.obligations import NoiseTerms
from consortia.plans.query import QueryAggregate
from consortia.plans.ranges import infer, magnitude, summed
from consortia.plans.types import WIDE_FROM, Bounds
from consortia.plans.variants import with_column

MOST_CELLS = 10_000
"""The largest public domain over which cells are released."""
MOST_ROWS = 200_000
"""The most rows, padding included, of which cells are selected: each gets noise."""
PARTS = ("sum", "count", "count-rows")
"""Aggregates that are sums of what each entity has; beside them entities may be counted."""
_REACH = 12
"""Standard deviations within which noise is carried; it lies beyond with a probability below 2^-100."""


@dataclass(frozen=True)
class Asked:
    """A draft over one table, and the terms of the noise on it."""

    draft: Draft
    terms: NoiseTerms

    @property
    def aggregation(self) -> AggregateStep:
        """The aggregation on shares; there is one."""
        return next(s for s in self.draft.steps if isinstance(s, AggregateStep) and s.at == "shared")

    @cached_property
    def cells(self) -> int:
        """The number of values of the keys, known beforehand or not; 1 without keys."""
        columns = {column.name: column for column in self.aggregation.columns}
        found = domain_cells([columns[key] for key in self.aggregation.keys])
        if found is None:
            raise unprotected(f"a result by {', '.join(self.aggregation.keys)}")
        return found

    @cached_property
    def opened(self) -> tuple[str, ...]:
        """The numbers that are released, by column."""
        release = next(step for step in self.draft.steps if isinstance(step, Release))
        return tuple(column.name for column in release.columns if column.name not in self.aggregation.keys)

    @cached_property
    def clips(self) -> Mapping[str, Clip]:
        """The bounds of one entity's part of each sum and count, by column."""
        return {made.name: self._clip(made) for made in self.draft.query.aggregates if made.function in PARTS}

    def _clip(self, aggregate: QueryAggregate) -> Clip:
        if aggregate.function != "sum":
            return Clip(column=aggregate.name, lo=0, hi=self.terms.rows)
        argument = aggregate.argument
        found = self.terms.clip(self.draft.query.table, argument.column) if isinstance(argument, Ref) else None
        if found is None:
            raise unprotected("the sum of something that has no clip bounds")
        return Clip(column=aggregate.name, lo=found.lo, hi=found.hi)

    def number(self, name: str, cells: int) -> Number:
        """An opened column, by how much one entity, which is in so many ``cells``, changes it."""
        aggregate = next((made for made in self.draft.query.aggregates if made.name == name), None)
        if aggregate is None:  # the number of contributors that only a selection reads
            return Number(name, cells)
        outputs = tuple(out.name for out in self.draft.query.outputs if out.expression == Ref(column=name))
        scale = self.draft.group_types[name].scale
        if aggregate.function == "count-entities":
            return Number(name, cells, scale, outputs)
        if aggregate.function not in PARTS:
            raise unprotected(f"{aggregate.function.upper()}")
        clip = self.clips[name]
        return Number(name, cells * max(abs(clip.lo), abs(clip.hi)) ** 2, scale, outputs)

    def bounded(self, columns: Sequence[Column], entity: str, parts: int) -> tuple[Column, ...]:
        """The columns of a bound step over ``columns``, of which each entity has ``parts`` rows a cell."""
        made = []
        for column in columns:
            clip = self.clips.get(column.name)
            if clip is None:
                made.append(with_column(column, nullable=column.nullable and column.name != entity))
                continue
            if column.bounds is None or magnitude(summed(column.bounds, parts)) >= WIDE_FROM:
                raise too_large(f"one customer's part of `{column.name}`")
            bounds = Bounds(lo=min(0, clip.lo), hi=max(0, clip.hi))
            made.append(with_column(column, bounds=bounds, nullable=False))
        return tuple(made)


def domain_cells(keys: Sequence[Column]) -> int | None:
    """The number of combinations of the keys' values, NULL included; None where nobody knows them beforehand."""
    sizes = []
    for column in keys:
        found = infer(Ref(column=column.name), {column.name: column})
        if column.type.kind in ("key", "text") or found.bounds is None:
            return None
        sizes.append(found.bounds.hi - found.bounds.lo + 1 + int(column.nullable))
    return prod(sizes)


def too_large(what: str) -> RequestError:
    """The refusal of numbers that noise can't be added to."""
    return RequestError(
        "plans/capacity",
        f"{what} can reach 2^62, and noise is added to numbers below it",
        remedy="narrow the bounds of the column or its max_rows in the catalogue, or the policies' clip bounds",
    )


def summed_column(column: Column, aggregate: Aggregate, below: Mapping[str, Column], rows: int) -> Column:
    """An aggregate over ``rows`` bounded rows."""
    part = below[aggregate.column].bounds if aggregate.column else Bounds(lo=0, hi=1)
    return with_column(column, bounds=None if part is None else summed(part, rows), nullable=False)


def widened(column: Column, noised: Noised | None, released: int) -> Column:
    """The column with room for noise of which the variance is at most ``released`` times s^2."""
    if noised is None or column.bounds is None:
        return column
    reach = _REACH * (isqrt(released * noised.variance) + 1)
    bounds = Bounds(lo=column.bounds.lo - reach, hi=column.bounds.hi + reach)
    if magnitude(bounds) >= WIDE_FROM:
        raise too_large(f"`{column.name}`")
    return with_column(column, bounds=bounds)


def kept(step: Step, below: Step) -> tuple[Column, ...]:
    """The columns of a step as the one before it has them now."""
    names = {column.name for column in step.columns}
    return tuple(column for column in below.columns if column.name in names)


def following(step: Step, below: Step) -> Step:
    """The step after ``below``, with the columns that it has of it and as many rows."""
    return step.model_copy(update={"inputs": (below.id,), "columns": kept(step, below), "rows": below.rows})


def at_recipient(step: Step, below: Step) -> Step:
    """A step of the recipient over columns whose bounds have changed."""
    if not isinstance(step, Project):
        return following(step, below)
    inputs = {column.name: column for column in below.columns}
    found = {named.name: infer(named.expression, inputs) for named in step.expressions}
    columns = tuple(
        with_column(column, bounds=None if column.type.kind == "key" else found[column.name].bounds,
                    nullable=found[column.name].nullable)
        for column in step.columns
    )  # fmt: skip
    return step.model_copy(update={"inputs": (below.id,), "columns": columns, "rows": below.rows})


def numbered(steps: list[Step]) -> tuple[Step, ...]:
    """The steps as s0, s1, ... in their order."""
    ids = {step.id: f"s{place}" for place, step in enumerate(steps)}
    return tuple(
        step.model_copy(update={"id": ids[step.id], "inputs": tuple(ids[source] for source in step.inputs)})
        for step in steps
    )
