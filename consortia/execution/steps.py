"""Each kind of step that computers run on tables, as calls of the relational operators.

Whatever an operator makes of bounds and domains, the columns of a result are those that its step declares
(``fit``), so that the next step, and the recipient, find what the plan says.
"""

from collections.abc import Sequence
from dataclasses import replace

from consortia.errors import InternalError
from consortia.execution.aggregate import aggregated
from consortia.execution.fit import fitted
from consortia.execution.learning import learnt, scored, weighed
from consortia.execution.liveness import holdings, live_columns, marked_members, owners_below
from consortia.execution.networks import matched, propagated
from consortia.execution.noise import NO_DRAWS, Draws, domain_of, noisy
from consortia.execution.project import projected, within_capacity
from consortia.execution.round import rounded
from consortia.execution.translate import translated
from consortia.plans.columns import Column
from consortia.plans.model import (
    AggregateStep,
    Control,
    Filter,
    Join,
    Limit,
    Plan,
    Project,
    Release,
    Sort,
    SortKey,
    Step,
    Union,
    Window,
)
from consortia.plans.steps_of_models import Fit, Score, Weights
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.plans.types import ColumnType
from consortia.protocols.engine import Engine
from consortia.protocols.relational import join as joins
from consortia.protocols.relational import window as windowing
from consortia.protocols.relational.bound import Limits, bounded
from consortia.protocols.relational.control import Bar, control
from consortia.protocols.relational.filter import first, keep_where
from consortia.protocols.relational.order import ordered
from consortia.protocols.relational.table import Ordering, SharedTable
from consortia.protocols.relational.union import union, union_all


class Steps:
    """The results of the shared steps of one plan, and what of them later steps need."""

    def __init__(self, plan: Plan, draws: Draws = NO_DRAWS) -> None:
        self._draws = draws
        self._plan = plan
        self._live = live_columns(plan)
        self._marked = marked_members(plan)
        self._holds = holdings(plan)
        self._owners = owners_below(plan)

    def kept(self, step: Step, table: SharedTable) -> SharedTable:
        """The result of ``step`` without columns and marks of members that nobody reads."""
        members = {name: plane for name, plane in table.members.items() if name in self._marked[step.id]}
        return replace(table.only(self._live[step.id]), members=members)

    def result(  # noqa: C901 - one case for each kind of a closed set
        self, step: Step, engine: Engine, sources: Sequence[SharedTable]
    ) -> SharedTable:
        """What ``step`` makes of its inputs; InternalError ``execution/unsupported`` if it can't run on shares."""
        live = self._live[step.id]
        match step:
            case Union():
                return self._united(step, engine, sources)
            case Sort():
                return _sorted(step, engine, sources[0])
            case AggregateStep():
                each = self._one_row_each(step)
                return aggregated(
                    engine, each, sources[0], live, self._holds[step.id], self._owners[step.id], self._marked[step.id]
                )
            case Filter():
                with within_capacity("a condition on shares"):
                    kept = keep_where(engine, sources[0], translated(step.predicate, self._types(step)))
                return fitted(engine, kept, step.columns, step.id, "gone")
            case Project():
                return projected(engine, step, sources[0], self._types(step), live)
            case Join():
                return _joined(step, engine, sources[0], sources[1], live)
            case Window():
                return _windowed(step, engine, sources[0], live)
            case Bound():
                return self._bounded(step, engine, sources[0], live)
            case Noise():
                return noisy(engine, step, sources[0], self._plan.computers, self._draws)
            case Propagate():
                return fitted(engine, propagated(engine, step, *sources), self._wanted(step), step.id, "gone")
            case Match():
                return fitted(engine, matched(engine, step, *sources), self._wanted(step), step.id, "gone")
            case Fit():
                return learnt(engine, step, sources[0])
            case Weights():
                return weighed(engine, step, sources[0], self._plan.step(step.inputs[0]).rows)
            case Score():
                return fitted(engine, scored(engine, step, *sources), self._wanted(step), step.id, "gone")
            case Limit():
                return sources[0].cut(step.count)
            case Control():
                margins = [rule.margin() for rule in step.rules]
                bars = [Bar(margin.terms, margin.minimum) for margin in margins]
                columns = {column.name: column for column in step.columns}
                domains = [domain_of(columns[key]) for key in step.complementary or ()]
                table = control(engine, sources[0], bars, sorted(live), domains)
                table = rounded(engine, step, table)
                # a sort moves rows together anyway; rows for their owners are moved once for each of them
                return first(engine, table, table.valid) if self._is_opened_whole(step) else table
        raise InternalError("execution/unsupported", f"a {step.kind} step can't run on shares", place=step.id)

    def check_control(self, release: Release) -> None:
        """InternalError ``execution/uncontrolled`` unless it follows a control, but for sort, limit and noise."""
        step = self._plan.step(release.inputs[0])
        while isinstance(step, Sort | Limit | Noise):
            step = self._plan.step(step.inputs[0])
        if not isinstance(step, Control):
            raise InternalError("execution/uncontrolled", "a release must follow an output control", place=release.id)

    def _one_row_each(self, step: AggregateStep) -> AggregateStep:
        """The aggregation over bounded rows, of which an entity has one a group: its entities are its rows."""
        if not isinstance(self._plan.step(step.inputs[0]), Bound):
            return step
        counted = tuple(
            made.model_copy(update={"function": "count-rows"}) if made.function == "count-entities" else made
            for made in step.aggregates
        )
        return step.model_copy(update={"aggregates": counted, "entity": ""})

    def _bounded(self, step: Bound, engine: Engine, table: SharedTable, live: frozenset[str]) -> SharedTable:
        clips = {clip.column: (clip.lo, clip.hi) for clip in step.clips if clip.column in live}
        limits = Limits(clips, step.cells)
        made = bounded(engine, table, step.keys, step.entity, limits, len(self._owners[step.id]))
        return fitted(engine, made, [column for column in step.columns if column.name in live], step.id)

    def _wanted(self, step: Step) -> list[Column]:
        return [column for column in step.columns if column.name in self._live[step.id]]

    def _types(self, step: Step) -> dict[str, ColumnType]:
        return {column.name: column.type for column in self._plan.step(step.inputs[0]).columns}

    def _is_opened_whole(self, step: Step) -> bool:
        readers = [later for later in self._plan.steps if step.id in later.inputs]
        return any(
            isinstance(later, Limit) or (isinstance(later, Release) and later.rows_of == "all") for later in readers
        )

    def _united(self, step: Union, engine: Engine, sources: Sequence[SharedTable]) -> SharedTable:
        live = [column for column in step.columns if column.name in self._live[step.id]]
        alike = [
            fitted(engine.narrow(f"{place}"), source, live, step.id, "gone") for place, source in enumerate(sources)
        ]
        if step.owners:
            return union(alike, step.owners, self._marked[step.id])
        return union_all(engine, alike)


def ordering(key: SortKey) -> Ordering:
    """NULL stands last, first in a descending order."""
    return Ordering(key.column, key.descending, key.descending)


def _sorted(step: Sort, engine: Engine, table: SharedTable) -> SharedTable:
    """The rows in order; the table itself if that is its order already."""
    by = tuple(ordering(key) for key in step.keys)
    return table if by and table.order[: len(by)] == by else ordered(engine, table, by)


def _joined(step: Join, engine: Engine, left: SharedTable, right: SharedTable, live: frozenset[str]) -> SharedTable:
    taken = [name for name in right.columns if name in live and name not in left.columns]
    spec = joins.Join(
        step.how,
        tuple((key.left, key.right) for key in step.on),
        {name: name for name in taken} if step.how in ("inner", "left") else {},
        unique_checked=step.uniqueness != "opened",
    )
    table = joins.join(engine, left, right, spec)
    wanted = [column for column in step.columns if column.name in live]
    return fitted(engine, table, wanted, step.id, "gone")


def _windowed(step: Window, engine: Engine, table: SharedTable, live: frozenset[str]) -> SharedTable:
    wanted = [
        windowing.Window(function.name, function.function, function.column, function.frame)
        for function in step.functions
        if function.name in live
    ]
    if not wanted:
        return table
    if not (step.partition or step.order or table.order):
        table = first(engine.narrow("front"), table, table.valid)  # one group, whose rows stand anywhere
    made = windowing.windows(engine, table, step.partition, [ordering(key) for key in step.order], wanted)
    return fitted(engine, made, [column for column in step.columns if column.name in live], step.id, "gone")
