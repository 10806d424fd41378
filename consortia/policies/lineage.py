"""What a plan does with each owner's columns: derived bottom-up from the typed steps, never from query text.

``flow/reader.py`` follows every column through the plan; where something becomes known (a WHERE, the key of a join, a
group key, a release), every source turns into a *requirement*: an operation that the owner's policy must permit, or
something that no policy can permit. Here are the outputs, and of which kind each is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consortia.plans.model import AggregateStep, Plan, Release, Scan
from consortia.plans.steps_of_models import Weights
from consortia.policies.flow.entities import every_column, identifying
from consortia.policies.flow.needs import NUMBERS
from consortia.policies.flow.reader import Reader, Requirement, last_aggregation, last_weights
from consortia.policies.flow.sources import ColumnSource, Kind

RowKinds = frozenset(("alert", "score"))
COUNTS: frozenset[Kind] = frozenset(("count", "entities", "rows", "members"))
DECIDING: frozenset[Kind] = frozenset(("selection", "gaps", "met"))

__all__ = ["Flow", "Output", "Requirement", "RowKinds", "flow_of"]


@dataclass(frozen=True, slots=True)
class Output:
    """One release: its kind as it follows from the columns, and the aggregation that made its groups, None if none did.

    ``keys`` are the group keys that identify the rows of each group: all data in a row had that same value.
    """

    release: Release
    kind: str
    groups: AggregateStep | None
    keys: frozenset[str]
    weights: Weights | None = None
    """Of a model, the step that it comes from."""


@dataclass(frozen=True, slots=True)
class Flow:
    """All requirements of a plan, sorted, and its outputs."""

    requirements: tuple[Requirement, ...]
    outputs: tuple[Output, ...]
    tables: Mapping[str, frozenset[str]]
    """Tables that each owner's part reads."""


def flow_of(plan: Plan) -> Flow:
    """The flow of ``plan``. A plan that is not a well-formed dataflow raises; the caller treats that as a denial."""
    identified = identifying(plan, every_column)
    reader = Reader(plan, identified)
    outputs = tuple(_output(reader, step) for step in plan.steps if isinstance(step, Release))
    kinds = {output.kind for output in outputs}
    requirements = reader.requirements(rows=bool(kinds) and kinds <= RowKinds)
    tables: dict[str, set[str]] = {}
    for step in plan.steps:
        if isinstance(step, Scan):
            tables.setdefault(step.at.removeprefix("owner:"), set()).add(step.table)
    return Flow(
        tuple(sorted(requirements)),
        outputs,
        {owner: frozenset(names) for owner, names in tables.items()},
    )


def _output(reader: Reader, release: Release) -> Output:
    weights = last_weights(reader.plan, release)
    if weights is not None:
        reader.wish_model(release)
        return Output(release, "model", None, frozenset(), weights)
    groups = last_aggregation(reader.plan, release)
    opened = reader.opened(release)
    for name, sources in opened.items():
        reader.wish(release, sources, f"the output `{name}`")
    types = {column.name: column.type.kind for column in release.columns}
    found = frozenset[ColumnSource]().union(*opened.values())
    if any(types[name] == "key" for name in opened):
        kind = "score" if any(source.kind in NUMBERS for source in found) else "alert"
    elif groups is not None and not groups.keys and all(_counts(source) for source in found):
        kind = "count"
    else:
        kind = "aggregate"
    keys = reader.identified[groups.id] if groups is not None else frozenset()
    return Output(release, kind, groups, keys)


def _counts(source: ColumnSource) -> bool:
    """Whether a source of an output only counts; the sum of a nested query's numbers is a sum."""
    return source.kind in DECIDING or (source.kind in COUNTS and source.form == "plain")
