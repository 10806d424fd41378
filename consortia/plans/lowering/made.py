"""Steps in the making: owners' chains, shared steps, and the tables that they give.

Ids are given when all steps are there: owners' steps first, by member, then the shared ones, in the order in which
they were made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consortia.errors import InternalError
from consortia.plans.columns import Column, Domain
from consortia.plans.expressions import Expr, Ref
from consortia.plans.lowering.uses import Use
from consortia.plans.model import Project, Step
from consortia.plans.names import NamePool
from consortia.plans.ranges import Range, magnitude
from consortia.plans.types import WIDE_FROM, ColumnType


@dataclass(frozen=True)
class Made:
    """A table on shares: the step that gives it, its columns, and where each (name, use) of its relation stands."""

    step: str
    rows: int
    columns: tuple[Column, ...]
    places: Mapping[tuple[str, Use], str]

    def column(self, name: str, use: Use) -> Column:
        """The column that holds ``name`` in a use; InternalError if it is not there."""
        if (name, use) not in self.places:
            raise InternalError("plans/relation", f"`{name}` is not shared as a {use}")
        return self.physical[self.places[name, use]]

    def any_column(self, name: str) -> Column:
        """The column that holds ``name`` in whichever use there is."""
        return self.column(name, "key" if (name, "key") in self.places else "number")

    @property
    def physical(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    @property
    def native(self) -> dict[str, Use]:
        """A use in which each name is there."""
        found: dict[str, Use] = {}
        for name, use in self.places:
            found.setdefault(name, use)
        return found

    def reference(self, name: str, use: Use | None) -> Expr:
        """A reference to the column that holds ``name``."""
        column = self.any_column(name) if use is None else self.column(name, use)
        return Ref(column=column.name)


def number_domain(found: Range) -> Domain:
    """The domain of a number within that range."""
    return "wide" if found.bounds is not None and magnitude(found.bounds) >= WIDE_FROM else "arithmetic"


def shared_column(name: str, kind: ColumnType, use: Use, found: Range) -> Column:
    """A column on shares."""
    bounds = None if kind.kind == "key" else found.bounds
    domain: Domain = "boolean" if use == "key" else number_domain(found)
    return Column(name=name, type=kind, bounds=bounds, nullable=found.nullable, domain=domain)


@dataclass
class Builder:
    """Collects steps; ``names`` are those that the query does not use."""

    names: NamePool
    chains: dict[str, list[Step]] = field(default_factory=dict)
    shared: list[Step] = field(default_factory=list)
    _twins: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def place(self, inputs: Sequence[str], at: str) -> dict[str, Any]:
        """A provisional id with input and place of the next step."""
        self._count += 1
        return {"id": f"t{self._count}", "inputs": tuple(inputs), "at": at}

    def add(self, step: Step) -> str:
        """Append a step where it belongs."""
        if step.at == "shared":
            self.shared.append(step)
        else:
            self.chains.setdefault(step.at, []).append(step)
        return step.id

    def replaceable(self, step: str) -> Project | None:
        """The last step, if it is this one and a projection: nothing else reads it yet."""
        last = self.shared[-1] if self.shared else None
        return last if isinstance(last, Project) and last.id == step else None

    def drop(self, step: Project) -> None:
        """Take the last step away, as another stands for it."""
        if self.shared.pop() != step:
            raise InternalError("plans/relation", f"{step.id} is not the last step")

    def names_of(self, wanted: Iterable[tuple[str, Use]]) -> dict[tuple[str, Use], str]:
        """Names of columns: a relation's own name, and another one for the number beside a key."""
        columns = list(wanted)
        found: dict[tuple[str, Use], str] = {}
        for name, use in columns:
            beside = use == "number" and (name, "key") in columns
            found[name, use] = self._twin(name) if beside else name
        return found

    def _twin(self, name: str) -> str:
        if name not in self._twins:
            self._twins[name] = self.names.fresh(f"{name}_number")
        return self._twins[name]

    def numbered(self) -> tuple[tuple[Step, ...], dict[str, str]]:
        """All steps under their final ids, and the final id of each provisional one."""
        steps = [step for at in sorted(self.chains) for step in self.chains[at]] + self.shared
        final = {step.id: f"s{number}" for number, step in enumerate(steps)}
        done = tuple(
            step.model_copy(update={"id": final[step.id], "inputs": tuple(final[source] for source in step.inputs)})
            for step in steps
        )
        return done, final
