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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from consortia.plans.allocation import ON_SHARES, unprotected, variances
from consortia.plans.columns import Column
from consortia.plans.draft import Draft
from consortia.plans.histogram import read_off
from consortia.plans.local import has_noise
from consortia.plans.meaning import INT
from consortia.plans.model import Aggregate, AggregateStep, Control, Release, Share, Step
from consortia.plans.noised import Noised, Selection
from consortia.plans.noisy_steps import (
    MOST_CELLS,
    MOST_ROWS,
    Asked,
    at_recipient,
    following,
    numbered,
    summed_column,
    widened,
)
from consortia.plans.passes.noise_at_owners import AtOwners
from consortia.plans.passes.noise_on_model import noise_on_model
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.plans.types import Bounds
from consortia.plans.variants import with_columns
from consortia.plans.zcdp import least_threshold, selection_delta


def add_noise(draft: Draft) -> Draft:
    """The draft with both steps; RequestError ``plans/noise`` for a query that noise can't protect.

    Raises RequestError ``plans/capacity`` where a sum or its noise does not fit.
    """
    terms = draft.obligations.noise
    if terms is None or not has_noise(draft):
        return draft
    query = draft.query
    if query.model is not None:
        return replace(draft, steps=noise_on_model(draft, terms))
    if query.relation is not None or query.having is not None or query.limit is not None:
        raise unprotected("a query over several relations, with HAVING, LIMIT, or an order of values")
    made = AtOwners(draft, terms).steps() if terms.at_owners else _OnShares(draft, terms).steps()
    if draft.histogram is not None:
        made = read_off(made, draft.histogram)
    return replace(draft, steps=numbered(made), complete_domain=None)


@dataclass(frozen=True)
class _OnShares(Asked):
    """Noise of all computers, added on shares."""

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
        for step in self.draft.steps:
            if isinstance(step, AggregateStep) and step.at == "shared":
                bound = self._bound(step, changed[step.inputs[0]])
                made += [bound, self._aggregated(step, bound)]
            elif isinstance(step, Control):
                control = with_columns(step, made[-1].columns)
                made += [control, self._noise(control)]
            elif isinstance(step, Release):
                made.append(following(step, made[-1]))
            elif step.at == "recipient":
                made.append(at_recipient(step, made[-1]))
            else:
                made.append(step)
            changed[step.id] = made[-1]
        return made

    def _bound(self, aggregation: AggregateStep, below: Step) -> Bound:
        owners = sum(isinstance(step, Share) for step in self.draft.steps)
        return Bound(
            id="bound", inputs=(below.id,), at="shared", rows=below.rows,
            columns=self.bounded(below.columns, aggregation.entity, owners),
            keys=aggregation.keys, entity=aggregation.entity, clips=tuple(self.clips.values()),
            cells=self.terms.cells if self.terms.cells < self.cells else 0,
        )  # fmt: skip

    def _aggregated(self, step: AggregateStep, bound: Bound) -> AggregateStep:
        made = {aggregate.name: aggregate for aggregate in step.aggregates}
        below = {column.name: column for column in bound.columns}
        columns = tuple(
            below[column.name]
            if column.name in step.keys
            else summed_column(column, made[column.name], below, bound.rows)
            for column in step.columns
        )
        aggregates = step.aggregates
        if self.contributors and self.contributors not in made:
            aggregates = (*aggregates, Aggregate(name=self.contributors, function="count-entities"))
            columns = (*columns, Column(name=self.contributors, type=INT, bounds=Bounds(lo=0, hi=bound.rows)))
        changed = {"inputs": (bound.id,), "columns": columns, "aggregates": aggregates, "unique_per_member": False}
        return step.model_copy(update=changed)

    def _noise(self, control: Step) -> Noise:
        aggregation = self.aggregation
        counted = [self.contributors] if self.contributors and self.contributors not in self.opened else []
        touched = self.terms.cells if self.contributors else min(self.terms.cells, self.cells)
        numbers = [self.number(name, touched) for name in (*self.opened, *counted)]
        rows = control.rows if self.contributors else self.cells
        if rows > MOST_ROWS:
            raise unprotected(f"a result of up to {rows} cells, more than {MOST_ROWS},")
        errors = self.draft.environment.errors
        variance = variances(numbers, rows, self.terms.rho, errors, ON_SHARES)
        noised = tuple(
            Noised(column=each.column, sensitivity=each.sensitivity, variance=variance[each.column]) for each in numbers
        )
        by_name = {each.column: each for each in noised}
        columns = [column for column in control.columns if column.name in (*aggregation.keys, *by_name)]
        return Noise(
            id="noise", inputs=(control.id,), at="shared", rows=rows, keys=aggregation.keys, noised=noised,
            wanted=errors, selection=self._selection(variance) if self.contributors else None,
            columns=tuple(widened(column, by_name.get(column.name), 2) for column in columns),
        )  # fmt: skip

    def _selection(self, variance: Mapping[str, int]) -> Selection:
        spread = variance[self.contributors]
        minimum = least_threshold(spread, self.terms.cells, self.terms.delta)
        if minimum is None:
            raise unprotected("groups whose values nobody knows beforehand")
        delta = selection_delta(minimum, spread, self.terms.cells)
        return Selection(column=self.contributors, minimum=minimum, delta=delta)
