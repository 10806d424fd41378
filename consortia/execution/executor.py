"""The one translator from plan steps to engine calls, the same on every engine.

Each step runs under its own id as step path (``s5/...``), so traffic is labelled by plan step, and steps that do not
read each other's results may run at the same time (``schedule``). Nothing is opened here: ``run_shared`` gives the
columns that ``parties/release.py`` opens.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from consortia.errors import InternalError
from consortia.execution.layout import Field, bounds_of, fields_of, shapes_of
from consortia.execution.liveness import reads, shared_steps
from consortia.execution.noise import NO_DRAWS, Draws
from consortia.execution.parts import Form, form_of
from consortia.execution.schedule import Begin, Schedule, Task, in_turn
from consortia.execution.steps import Steps
from consortia.plans.model import Plan, Recipient, Release, Share, Step
from consortia.protocols.engine import ColumnShape, Engine
from consortia.protocols.relational.filter import own_rows
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic, Boolean, Vector, Wide, Words

Inputs = Mapping[str, Sequence[Words] | None]
"""Clear columns (``encode``) by id of the share step; None or absent where another party owns them."""


@dataclass(frozen=True, slots=True, eq=False)
class ReleasedTable:
    """What one recipient receives of one release step: ``vectors`` of ``shapes``, in the order of ``fields_of``."""

    step: str
    recipient: Recipient
    rows: int
    shapes: tuple[ColumnShape, ...]
    vectors: tuple[Vector, ...]
    form: Form

    @property
    def recipient_name(self) -> str:
        """The person who receives it, or else the member."""
        return self.recipient.person or self.recipient.member


def run_shared(
    plan: Plan,
    engine: Engine,
    inputs: Inputs,
    begin: Begin = lambda _: None,
    schedule: Schedule = in_turn,
    draws: Draws = NO_DRAWS,
) -> tuple[ReleasedTable, ...]:
    """Run all shared steps of ``plan`` on this party's engine; ``begin`` is told each step's id as it starts.

    ``draws`` are this party's noise (``execution.noise``), needed where it computes a plan with a noise step.

    Returns one table for each release step and recipient, in plan order. InternalError if plan and shares misfit.
    """
    run = _Run(plan, engine, inputs, draws)
    steps = shared_steps(plan)
    schedule([Task(step.id, reads(step), partial(run.execute, step)) for step in steps], begin)
    return tuple(table for step in steps for table in run.released.get(step.id, ()))


class _Run:
    """Tables by step id, dropped after their last use so that their memory goes back."""

    def __init__(self, plan: Plan, engine: Engine, inputs: Inputs, draws: Draws) -> None:
        self._engine = engine
        self._inputs = inputs
        self._steps = Steps(plan, draws)
        self._form = form_of(plan)
        self._uses = Counter(source for step in shared_steps(plan) for source in reads(step))
        self._used = threading.Lock()
        self._tables: dict[str, SharedTable] = {}
        self.released: dict[str, list[ReleasedTable]] = {}

    def execute(self, step: Step) -> None:
        engine = self._engine.narrow(step.id)
        if isinstance(step, Share):
            self._tables[step.id] = self._steps.kept(step, _shared_input(step, engine, self._inputs.get(step.id)))
            return
        sources = [self._tables[source] for source in step.inputs]
        if isinstance(step, Release):
            self._steps.check_control(step)
            self.released[step.id] = _released(step, engine, sources[0], self._form)
        else:
            self._tables[step.id] = self._steps.kept(step, self._steps.result(step, engine, sources))
        with self._used:
            for source in reads(step):
                self._uses[source] -= 1
                if not self._uses[source]:
                    del self._tables[source]


def _shared_input(step: Share, engine: Engine, values: Sequence[Words] | None) -> SharedTable:
    vectors = iter(engine.input(step.owner, step.rows, shapes_of(step.columns), values))
    valid = _bit(next(vectors), step.id)
    columns = {}
    for column in step.columns:
        bounds = bounds_of(column)
        value = next(vectors)
        validity = _bit(next(vectors), step.id) if column.nullable else None
        columns[column.name] = SharedColumn(value, bounds.lo, bounds.hi, validity)
    return SharedTable(step.rows, columns, valid)


def _bit(vector: Vector, place: str) -> Boolean:
    if not isinstance(vector, Boolean) or vector.bits != 1:
        raise InternalError("execution/shape", "a bit is due here", place=place)
    return vector


def _released(step: Release, engine: Engine, table: SharedTable, form: Form) -> list[ReleasedTable]:
    """The columns of the step for each recipient; with ``own``, each recipient's own rows alone."""
    names = [column.name for column in step.columns]
    if step.rows_of == "all":
        return [_released_table(step, recipient, table.only(names), form) for recipient in step.recipients]
    return [
        _released_table(step, recipient, own_rows(engine.narrow(f"own-{recipient.member}"), table, mark, names), form)
        for recipient, mark in zip(step.recipients, step.membership, strict=True)
    ]


def _released_table(step: Release, recipient: Recipient, table: SharedTable, form: Form) -> ReleasedTable:
    fields = fields_of(step.columns)
    for column in step.columns:
        if table.column(column.name).validity is not None and not column.nullable:
            raise InternalError("execution/shape", f"`{column.name}` may be NULL, which its plan denies", place=step.id)
    vectors = tuple(_vector(table, field, step.id) for field in fields)
    return ReleasedTable(step.id, recipient, table.length, tuple(field.shape for field in fields), vectors, form)


def _vector(table: SharedTable, field: Field, place: str) -> Vector:
    """The vector of a field, checked to have the shape that the plan declares."""
    vector: Vector | None
    match field.what:
        case "valid":
            vector = table.valid
        case "value":
            vector = table.column(field.column).value
        case "validity":
            vector = table.column(field.column).validity
    match vector:
        case Boolean():
            fits = field.shape == ColumnShape("boolean", vector.bits)
        case Arithmetic():
            fits = field.shape.domain == "arithmetic"
        case Wide():
            fits = field.shape.domain == "wide"
        case _:
            fits = False
    if vector is None or not fits:
        raise InternalError("execution/shape", f"`{field.column}` is not shared as the plan declares", place=place)
    return vector
