"""Where noise is obliged: bound what one entity can change before the last aggregation, add noise before the release.

With the bounds in the plan the sensitivity follows from it: an entity counts in at most ``cells`` cells and changes a
cell's number by at most the larger end of its clip (by 1 where entities are counted), so D^2 = cells * end^2. The cost
that the owners allow is shared evenly by the numbers that are opened, and each gets the least variance for its share;
numbers of which the submitter accepts an error get the largest variance that keeps it, and cost less.

Cells are the values of the keys' public domain, all of them, whether any row is there or not: which cells are released
tells nothing. For the same reason sums are of known values or zero, never NULL. Where there are more than
``MOST_CELLS``, which of them are there is data: a cell is shown if its noisy number of entities reaches a threshold,
which costs delta.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isqrt, prod

from consortia.errors import RequestError
from consortia.plans.allocation import Number, unprotected, variances
from consortia.plans.draft import Draft
from consortia.plans.expressions import Ref
from consortia.plans.local import has_noise
from consortia.plans.meaning import INT
from consortia.plans.model import (
    Aggregate,
    AggregateStep,
    Bound,
    Column,
    Control,
    Noise,
    Project,
    Release,
    Share,
    Step,
)
from consortia.plans.noised import Clip, Noised, Selection
from consortia.plans.obligations import NoiseTerms
from consortia.plans.query import QueryAggregate
from consortia.plans.ranges import infer, magnitude, summed
from consortia.plans.types import WIDE_FROM, Bounds
from consortia.plans.variants import with_column, with_columns
from consortia.plans.zcdp import least_threshold, selection_delta

MOST_CELLS = 10_000
"""The largest public domain over which cells are released."""
MOST_ROWS = 200_000
"""The most rows, padding included, of which cells are selected: each gets noise."""
PARTS = ("sum", "count", "count-rows")
"""Aggregates that are sums of what each entity has; beside them entities may be counted."""
_REACH = 12
"""Standard deviations within which noise is carried; it lies beyond with a probability below 2^-100."""


def add_noise(draft: Draft) -> Draft:
    """The draft with both steps; RequestError ``plans/noise`` for a query that noise can't protect.

    Raises RequestError ``plans/capacity`` where a sum or its noise does not fit.
    """
    terms = draft.obligations.noise
    if terms is None or not has_noise(draft):
        return draft
    query = draft.query
    if query.relation is not None or query.having is not None or query.limit is not None:
        raise unprotected("a query over several relations, with HAVING, LIMIT, or an order of values")
    return replace(draft, steps=_numbered(_Noisy(draft, terms).steps()), complete_domain=None)


@dataclass(frozen=True)
class _Noisy:
    """The steps of a draft over one table, with noise."""

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
    def contributors(self) -> str:
        """The column by which cells are selected; "" where all cells of a public domain are there."""
        if self.cells <= MOST_CELLS:
            return ""
        if not self.terms.delta:
            raise unprotected(f"a result of {self.cells} cells, more than {MOST_CELLS}, without any delta")
        asked = (made.name for made in self.aggregation.aggregates if made.function == "count-entities")
        return next(asked, None) or self.draft.names().fresh("contributors")

    def steps(self) -> list[Step]:
        """All steps; the two new ones have ids of their own until they are numbered."""
        made: list[Step] = []
        changed: dict[str, Step] = {}
        release = next(step for step in self.draft.steps if isinstance(step, Release))
        for step in self.draft.steps:
            if isinstance(step, AggregateStep) and step.at == "shared":
                bound = self._bound(step, changed[step.inputs[0]])
                made += [bound, self._aggregated(step, bound)]
            elif isinstance(step, Control):
                control = with_columns(step, made[-1].columns)
                made += [control, self._noise(control, release)]
            elif isinstance(step, Release):
                made.append(_following(step, made[-1]))
            elif step.at == "recipient":
                made.append(_recipient(step, made[-1]))
            else:
                made.append(step)
            changed[step.id] = made[-1]
        return made

    def _bound(self, aggregation: AggregateStep, below: Step) -> Bound:
        clips = {made.name: self._clip(made) for made in self.draft.query.aggregates if made.function in PARTS}
        owners = sum(isinstance(step, Share) for step in self.draft.steps)
        columns = []
        for column in below.columns:
            clip = clips.get(column.name)
            if clip is not None:
                _check_sum(column, owners)
                bounds = Bounds(lo=min(0, clip.lo), hi=max(0, clip.hi))
                columns.append(with_column(column, bounds=bounds, nullable=False))
            else:
                columns.append(with_column(column, nullable=column.nullable and column.name != aggregation.entity))
        return Bound(
            id="bound", inputs=(below.id,), at="shared", rows=below.rows, columns=tuple(columns),
            keys=aggregation.keys, entity=aggregation.entity, clips=tuple(clips.values()),
            cells=self.terms.cells if self.terms.cells < self.cells else 0,
        )  # fmt: skip

    def _clip(self, aggregate: QueryAggregate) -> Clip:
        if aggregate.function != "sum":
            return Clip(column=aggregate.name, lo=0, hi=self.terms.rows)
        argument = aggregate.argument
        found = self.terms.clip(self.draft.query.table, argument.column) if isinstance(argument, Ref) else None
        if found is None:
            raise unprotected("the sum of something that has no clip bounds")
        return Clip(column=aggregate.name, lo=found.lo, hi=found.hi)

    def _aggregated(self, step: AggregateStep, bound: Bound) -> AggregateStep:
        made = {aggregate.name: aggregate for aggregate in step.aggregates}
        below = {column.name: column for column in bound.columns}
        columns = tuple(
            below[column.name] if column.name in step.keys else _summed(column, made[column.name], below, bound.rows)
            for column in step.columns
        )
        aggregates = step.aggregates
        if self.contributors and self.contributors not in made:
            aggregates = (*aggregates, Aggregate(name=self.contributors, function="count-entities"))
            columns = (*columns, Column(name=self.contributors, type=INT, bounds=Bounds(lo=0, hi=bound.rows)))
        changed = {"inputs": (bound.id,), "columns": columns, "aggregates": aggregates, "unique_per_member": False}
        return step.model_copy(update=changed)

    def _noise(self, control: Step, release: Release) -> Noise:
        aggregation = self.aggregation
        opened = [c.name for c in release.columns if c.name not in aggregation.keys]
        counted = [self.contributors] if self.contributors and self.contributors not in opened else []
        numbers = [self._number(name) for name in (*opened, *counted)]
        rows = control.rows if self.contributors else self.cells
        if rows > MOST_ROWS:
            raise unprotected(f"a result of up to {rows} cells, more than {MOST_ROWS},")
        errors = self.draft.environment.errors
        variance = variances(numbers, rows, self.terms.rho, errors)
        noised = tuple(
            Noised(column=each.column, sensitivity=each.sensitivity, variance=variance[each.column]) for each in numbers
        )
        by_name = {each.column: each for each in noised}
        columns = [column for column in control.columns if column.name in (*aggregation.keys, *by_name)]
        return Noise(
            id="noise", inputs=(control.id,), at="shared", rows=rows, keys=aggregation.keys, noised=noised,
            wanted=errors, selection=self._selection(variance) if self.contributors else None,
            columns=tuple(_widened(column, by_name.get(column.name)) for column in columns),
        )  # fmt: skip

    def _selection(self, variance: Mapping[str, int]) -> Selection:
        spread = variance[self.contributors]
        minimum = least_threshold(spread, self.terms.cells, self.terms.delta)
        if minimum is None:
            raise unprotected("groups whose values nobody knows beforehand")
        delta = selection_delta(minimum, spread, self.terms.cells)
        return Selection(column=self.contributors, minimum=minimum, delta=delta)

    def _number(self, name: str) -> Number:
        """An opened column, by how much one entity changes it."""
        cells = self.terms.cells if self.contributors else min(self.terms.cells, self.cells)
        aggregate = next((made for made in self.draft.query.aggregates if made.name == name), None)
        if aggregate is None:  # the number of contributors that only the selection reads
            return Number(name, cells)
        outputs = tuple(out.name for out in self.draft.query.outputs if out.expression == Ref(column=name))
        scale = self.draft.group_types[name].scale
        if aggregate.function == "count-entities":
            return Number(name, cells, scale, outputs)
        if aggregate.function not in PARTS:
            raise unprotected(f"{aggregate.function.upper()}")
        clip = self._clip(aggregate)
        return Number(name, cells * max(abs(clip.lo), abs(clip.hi)) ** 2, scale, outputs)


def domain_cells(keys: Sequence[Column]) -> int | None:
    """The number of combinations of the keys' values, NULL included; None where nobody knows them beforehand."""
    sizes = []
    for column in keys:
        found = infer(Ref(column=column.name), {column.name: column})
        if column.type.kind in ("key", "text") or found.bounds is None:
            return None
        sizes.append(found.bounds.hi - found.bounds.lo + 1 + int(column.nullable))
    return prod(sizes)


def _check_sum(column: Column, owners: int) -> None:
    """An entity's sum over all members must fit before it is clipped."""
    if column.bounds is None or magnitude(summed(column.bounds, owners)) >= WIDE_FROM:
        raise _too_large(f"one customer's part of `{column.name}`")


def _too_large(what: str) -> RequestError:
    return RequestError(
        "plans/capacity",
        f"{what} can reach 2^62, and noise is added to numbers below it",
        remedy="narrow the bounds of the column or its max_rows in the catalogue, or the policies' clip bounds",
    )


def _summed(column: Column, aggregate: Aggregate, below: Mapping[str, Column], rows: int) -> Column:
    part = below[aggregate.column].bounds if aggregate.column else Bounds(lo=0, hi=1)
    return with_column(column, bounds=None if part is None else summed(part, rows), nullable=False)


def _widened(column: Column, noised: Noised | None) -> Column:
    """The column with room for its noise."""
    if noised is None or column.bounds is None:
        return column
    reach = _REACH * (isqrt(3 * noised.variance // 2) + 1)
    bounds = Bounds(lo=column.bounds.lo - reach, hi=column.bounds.hi + reach)
    if magnitude(bounds) >= WIDE_FROM:
        raise _too_large(f"`{column.name}`")
    return with_column(column, bounds=bounds)


def _kept(step: Step, below: Step) -> tuple[Column, ...]:
    names = {column.name for column in step.columns}
    return tuple(column for column in below.columns if column.name in names)


def _following(step: Step, below: Step) -> Step:
    return step.model_copy(update={"inputs": (below.id,), "columns": _kept(step, below), "rows": below.rows})


def _recipient(step: Step, below: Step) -> Step:
    if not isinstance(step, Project):
        return _following(step, below)
    inputs = {column.name: column for column in below.columns}
    found = {named.name: infer(named.expression, inputs) for named in step.expressions}
    columns = tuple(
        with_column(column, bounds=None if column.type.kind == "key" else found[column.name].bounds,
                    nullable=found[column.name].nullable)
        for column in step.columns
    )  # fmt: skip
    return step.model_copy(update={"inputs": (below.id,), "columns": columns, "rows": below.rows})


def _numbered(steps: list[Step]) -> tuple[Step, ...]:
    """The steps as s0, s1, ... in their order."""
    ids = {step.id: f"s{place}" for place, step in enumerate(steps)}
    return tuple(
        step.model_copy(update={"id": ids[step.id], "inputs": tuple(ids[source] for source in step.inputs)})
        for step in steps
    )
