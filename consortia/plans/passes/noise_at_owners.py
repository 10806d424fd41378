"""Noise that each owner adds itself, before anything is shared: it need not rely on the computers' noise.

Each owner bounds its own customers' parts, sums them up by cell, adds noise and shares one row for every value of the
keys' public domain. Its part costs D^2 / (2 s^2); one customer of all owners changes all their parts, so the release
costs the sum over the owners, whoever of them pool what they drew. The price: the noise of all owners lies on a number,
and a customer is bounded at each of them alone. Contributors over all members can't be counted so.
"""

from dataclasses import dataclass

from consortia.plans.allocation import at_owners, unprotected, variances
from consortia.plans.columns import Column
from consortia.plans.model import Aggregate, AggregateStep, Control, Release, Share, Sort, SortKey, Step, Union
from consortia.plans.noised import Noised
from consortia.plans.noisy_steps import MOST_CELLS, Asked, at_recipient, following, summed_column, widened
from consortia.plans.ranges import summed
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.plans.variants import with_column


@dataclass(frozen=True)
class AtOwners(Asked):
    """Noise of each owner, in clear."""

    def steps(self) -> list[Step]:
        """All steps; new ones have ids of their own until they are numbered."""
        if self.cells > MOST_CELLS:
            raise unprotected(f"a result of {self.cells} cells, more than {MOST_CELLS}, at its owners")
        noised = self._noised()
        made: list[Step] = []
        changed: dict[str, Step] = {}
        for step in self.draft.steps:
            if isinstance(step, Share):
                made += self._protected(made[-1], step, noised)
            elif isinstance(step, Union):
                shares = [changed[source] for source in step.inputs]
                rows = sum(share.rows for share in shares)
                made.append(step.model_copy(update={"columns": shares[0].columns, "rows": rows}))
            elif step.at == "shared" and isinstance(step, Sort):
                if self.aggregation.keys:
                    keys = tuple(SortKey(column=key) for key in self.aggregation.keys)
                    made.append(following(step, made[-1]).model_copy(update={"keys": keys}))
            elif step.at == "shared" and isinstance(step, AggregateStep):
                made.append(self._added(step, made[-1]))
            elif isinstance(step, Control | Release):
                made.append(following(step, made[-1]))
            elif step.at == "recipient":
                made.append(at_recipient(step, made[-1]))
            else:
                made.append(step)
            changed[step.id] = made[-1]
        return made

    def _noised(self) -> tuple[Noised, ...]:
        owners = sum(isinstance(step, Share) for step in self.draft.steps)
        if any(name not in self.clips for name in self.opened):
            raise unprotected("the number of contributors, or anything but sums and counts, at its owners")
        numbers = [self.number(name, min(self.terms.cells, self.cells)) for name in self.opened]
        spread = variances(numbers, self.cells, self.terms.rho, self.draft.environment.errors, at_owners(owners))
        return tuple(
            Noised(column=each.column, sensitivity=each.sensitivity, variance=spread[each.column]) for each in numbers
        )

    def _protected(self, below: Step, share: Share, noised: tuple[Noised, ...]) -> list[Step]:
        """Bound, sum and noise at one owner, and its share step."""
        owner, keys, entity = share.owner, self.aggregation.keys, self.aggregation.entity
        names = [each.column for each in noised]
        parts = {column.name: column for column in self.bounded(below.columns, entity, 1)}
        bound = Bound(
            id=f"bound-{owner}", inputs=(below.id,), at=below.at, rows=below.rows, columns=tuple(parts.values()),
            keys=keys, entity=entity, clips=tuple(self.clips[name] for name in names),
            cells=self.terms.cells if self.terms.cells < self.cells else 0,
        )  # fmt: skip
        sums = tuple(Aggregate(name=name, function="sum", column=name) for name in names)
        rows = min(below.rows, self.cells)
        columns = [parts[key] for key in keys]
        columns += [summed_column(parts[made.name], made, parts, bound.rows) for made in sums]
        aggregate = AggregateStep(
            id=f"sums-{owner}", inputs=(bound.id,), at=below.at, rows=rows, columns=tuple(columns), keys=keys,
            aggregates=sums,
        )  # fmt: skip
        by_name = {each.column: each for each in noised}
        widened_columns = tuple(widened(column, by_name.get(column.name), 1) for column in columns)
        noise = Noise(
            id=f"noise-{owner}", inputs=(aggregate.id,), at=below.at, rows=self.cells, columns=widened_columns,
            keys=keys, noised=noised, wanted=self.draft.environment.errors,
        )  # fmt: skip
        changed = {"inputs": (noise.id,), "rows": self.cells, "columns": widened_columns}
        return [bound, aggregate, noise, share.model_copy(update=changed)]

    def _added(self, step: AggregateStep, below: Step) -> AggregateStep:
        """The owners' numbers added up, for each value of the keys."""
        columns = {column.name: column for column in below.columns}
        made = tuple(Aggregate(name=name, function="sum", column=name) for name in self.opened)
        owners = below.rows // self.cells
        found: list[Column] = [columns[key] for key in step.keys]
        for name in self.opened:
            bounds = columns[name].bounds
            found.append(with_column(columns[name], bounds=None if bounds is None else summed(bounds, owners)))
        changed = {
            "inputs": (below.id,), "rows": self.cells, "columns": tuple(found), "aggregates": made, "entity": "",
            "unique_per_member": False,
        }  # fmt: skip
        return step.model_copy(update=changed)
