"""Plans over several relations on shares, built by hand, and what each of their steps means in plain Python.

``Steps`` adds steps and keeps their columns; ``plain`` runs shared steps over lists of rows, each with the
members whose data it holds. It shares no code with the engine but the clear evaluation of expressions.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from consortia.execution.estimate import estimate
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.columns import Column
from consortia.plans.evaluate import evaluate
from consortia.plans.model import (
    Aggregate,
    AggregateStep,
    Control,
    Filter,
    Join,
    JoinKey,
    Limit,
    Named,
    Plan,
    Project,
    Recipient,
    Release,
    Share,
    Sort,
    SortKey,
    Union,
    Window,
    WindowFunction,
)
from consortia.plans.rules import MinimumContributors
from tests.shared_plans import COMPUTERS, Row, frame_of, reaches, rows_of

ANA = Recipient(member="alpha", person="ana@alpha")


@dataclass
class Steps:
    """A plan in the making; every method adds a step and gives its id. Columns of a step are found by ``columns``."""

    steps: list[Any] = field(default_factory=list)

    def add(self, kind: Any, inputs: Sequence[str], columns: Sequence[Column], rows: int, **more: Any) -> str:
        made = {"id": f"s{len(self.steps)}", "inputs": tuple(inputs), "at": "shared", "rows": rows, **more}
        self.steps.append(kind(columns=tuple(columns), **made))
        return self.steps[-1].id

    def columns(self, step: str) -> tuple[Column, ...]:
        return self.steps[int(step[1:])].columns

    def rows(self, step: str) -> int:
        return self.steps[int(step[1:])].rows

    def named(self, step: str, name: str) -> Column:
        return next(column for column in self.columns(step) if column.name == name)

    def table(self, columns: Sequence[Column], rows: int = 12, owners: Sequence[str] = COMPUTERS) -> str:
        shares = [self.add(Share, (), columns, rows, at=f"owner:{owner}", owner=owner) for owner in owners]
        return self.add(Union, shares, columns, rows * len(owners), owners=tuple(owners))

    def union(self, *sources: str, columns: Sequence[Column] | None = None) -> str:
        total = sum(self.rows(source) for source in sources)
        return self.add(Union, sources, columns or self.columns(sources[0]), total, owners=())

    def filter(self, source: str, predicate: Any, columns: Sequence[Column] | None = None) -> str:
        return self.add(
            Filter, (source,), columns or self.columns(source), self.rows(source), predicate=predicate, origin="where"
        )

    def project(self, source: str, *made: tuple[Any, Column]) -> str:
        expressions = tuple(Named(name=column.name, expression=expression) for expression, column in made)
        return self.add(Project, (source,), [column for _, column in made], self.rows(source), expressions=expressions)

    def join(
        self,
        left: str,
        right: str,
        how: str,
        on: Sequence[tuple[str, str]],
        take: Sequence[str] = (),
        by: str = "opened",
    ) -> str:
        taken = [self.named(right, name) for name in take]
        if how == "left":
            taken = [column.model_copy(update={"nullable": True}) for column in taken]
        keys = tuple(JoinKey(left=one, right=two) for one, two in on)
        return self.add(
            Join, (left, right), (*self.columns(left), *taken), self.rows(left), how=how, on=keys, uniqueness=by
        )

    def sort(self, source: str, *keys: str) -> str:
        """``-name`` for a descending key."""
        order = tuple(SortKey(column=key.removeprefix("-"), descending=key.startswith("-")) for key in keys)
        return self.add(Sort, (source,), self.columns(source), self.rows(source), keys=order)

    def limit(self, source: str, count: int) -> str:
        return self.add(Limit, (source,), self.columns(source), min(count, self.rows(source)), count=count)

    def window(
        self, source: str, partition: Sequence[str], by: Sequence[str], *made: tuple[WindowFunction, Column]
    ) -> str:
        order = tuple(SortKey(column=key.removeprefix("-"), descending=key.startswith("-")) for key in by)
        return self.add(
            Window,
            (source,),
            (*self.columns(source), *(column for _, column in made)),
            self.rows(source),
            partition=tuple(partition),
            order=order,
            functions=tuple(function for function, _ in made),
        )

    def group(
        self, source: str, keys: Sequence[str], *made: tuple[Aggregate, Column], entity: str = "", rows: int = 0
    ) -> str:
        columns = (*(self.named(source, key) for key in keys), *(column for _, column in made))
        return self.add(
            AggregateStep,
            (source,),
            columns,
            (rows or self.rows(source)) if keys else 1,
            keys=tuple(keys),
            entity=entity,
            aggregates=tuple(aggregate for aggregate, _ in made),
        )

    def control(self, source: str, *rules: tuple[str, int]) -> str:
        made = tuple(MinimumContributors(by="entity", column=column, minimum=least) for column, least in rules)
        return self.add(Control, (source,), self.columns(source), self.rows(source), rules=made)

    def release(self, source: str, *names: str) -> str:
        opened = [column for column in self.columns(source) if not names or column.name in names]
        return self.add(
            Release,
            (source,),
            opened,
            self.rows(source),
            recipients=(ANA,),
            rows_of="all",
            output_kind="aggregate",
        )

    def plan(self) -> Plan:
        return Plan(
            catalogue="0" * 64,
            manifest="0" * 64,
            purpose="statistics",
            as_of=datetime(2026, 11, 25, tzinfo=UTC),
            submitter="ana@alpha",
            computers=COMPUTERS,
            steps=tuple(self.steps),
        )

    def opened(self, source: str) -> Plan:
        """The plan with a control and a release of all columns of ``source``."""
        self.release(self.control(source))
        return self.plan()


# --- answers --------------------------------------------------------------------------------------------

Data = Mapping[str, Sequence[Row]]
"""Rows of each share step."""


def answer(plan: Plan, data: Data) -> list[Row]:
    """What the one recipient gets: equal on the clear engine and both engines on shares, at the declared cost."""
    frames = {step.id: frame_of(step.columns, data[step.id]) for step in plan.steps if isinstance(step, Share)}
    columns = next(step for step in plan.steps if isinstance(step, Release)).columns
    ((_, clear),) = run_clear(plan, frames).items()
    for engine in ("ring3", "shamir"):
        planned = plan.model_copy(update={"engine": engine})
        run = simulate(planned, frames)
        ((_, secret),) = run.results.items()
        assert rows_of(columns, clear) == rows_of(columns, secret)
        assert run.measured == estimate(planned)
    return rows_of(columns, clear)


def clear_answer(plan: Plan, data: Data) -> list[Row]:
    frames = {step.id: frame_of(step.columns, data[step.id]) for step in plan.steps if isinstance(step, Share)}
    columns = next(step for step in plan.steps if isinstance(step, Release)).columns
    ((_, clear),) = run_clear(plan, frames).items()
    return rows_of(columns, clear)


def drawn(plan: Plan, seed: int, *, fill: float = 0.8, values: int = 4, nulls: float = 0.25) -> dict[str, list[Row]]:
    """Random rows for every share step, with NULLs, duplicates and bounds' ends; columns of one name share values."""
    draw = random.Random(f"{seed} relations")
    pools: dict[str, list[int]] = {}

    def pool(column: Column) -> list[int]:
        if column.name not in pools:
            lo, hi = _bounds(column)
            few = [draw.randint(lo, hi) for _ in range(values)]
            pools[column.name] = few if column.type.kind == "key" else [lo, hi, *few]
        return pools[column.name]

    def value(column: Column) -> int | None:
        lo, hi = _bounds(column)
        if column.nullable and draw.random() < nulls:
            return None
        return draw.choice([each for each in pool(column) if lo <= each <= hi])

    found: dict[str, list[Row]] = {}
    for step in plan.steps:
        if isinstance(step, Share):
            count = sum(draw.random() < fill for _ in range(step.rows))
            found[step.id] = [{column.name: value(column) for column in step.columns} for _ in range(count)]
    return found


def _bounds(column: Column) -> tuple[int, int]:
    match column.type.kind:
        case "key":
            return 0, (1 << column.type.bits) - 1
        case "enum":
            return 0, len(column.type.values) - 1
        case "bool":
            return 0, 1
    assert column.bounds is not None
    return column.bounds.lo, column.bounds.hi


# --- plain Python ---------------------------------------------------------------------------------------

Tagged = tuple[frozenset[str], Row]


def plain(plan: Plan, data: Data) -> list[Row]:
    """What the recipient gets, in the order of the rows: only that of a sort after the control is meant."""
    tables: dict[str, list[Tagged]] = {}
    for step in plan.steps:
        sources = [tables[source] for source in step.inputs]
        match step:
            case Share(owner=owner):
                tables[step.id] = [(frozenset((owner,)), row) for row in data[step.id]]
            case Release():
                names = [column.name for column in step.columns]
                return [{name: row[name] for name in names} for _, row in sources[0]]
            case _:
                types = {each.name: each.type for source in step.inputs for each in plan.step(source).columns}
                tables[step.id] = _step(step, sources, types)
                _check(step, tables[step.id])
    raise AssertionError("nothing is released")


def _check(step: Any, rows: Sequence[Tagged]) -> None:
    """The plan's own promises, so that a test does not ask for what no plan would."""
    assert len(rows) <= step.rows
    for column in step.columns:
        for _, row in rows:
            value = row[column.name]
            assert value is not None or column.nullable, f"{step.id}: {column.name} is NULL"
            if column.bounds is not None and value is not None:
                assert column.bounds.lo <= value <= column.bounds.hi, f"{step.id}: {column.name} is {value}"


def _step(step: Any, sources: Sequence[list[Tagged]], types: Mapping[str, Any]) -> list[Tagged]:
    first = sources[0]
    names = [column.name for column in step.columns]
    match step:
        case Union():
            return [(members, {name: row[name] for name in names}) for rows in sources for members, row in rows]
        case Filter():
            return [(members, row) for members, row in first if evaluate(step.predicate, row, types) == 1]
        case Project():
            return [
                (members, {named.name: evaluate(named.expression, row, types) for named in step.expressions})
                for members, row in first
            ]
        case Join():
            return _joined(step, first, sources[1], names)
        case Sort():
            return ordered(first, step.keys)
        case Limit():
            return first[: step.count]
        case Window():
            return _windowed(step, first)
        case AggregateStep():
            return _grouped(step, first)
        case Control():
            return [each for each in first if all(reaches(each[1], rule.margin()) for rule in step.rules)]
    raise AssertionError(step.kind)


def ordered(rows: Sequence[Tagged], keys: Sequence[SortKey]) -> list[Tagged]:
    found = list(rows)
    for key in reversed(keys):
        found.sort(key=lambda each, key=key: _rank(each[1][key.column]), reverse=key.descending)
    return found


def _rank(value: int | None) -> tuple[bool, int]:
    return (value is None, value or 0)


def _joined(step: Join, left: list[Tagged], right: list[Tagged], names: Sequence[str]) -> list[Tagged]:
    found = []
    for members, row in left:
        key = [row[each.left] for each in step.on]
        matches = [] if None in key else [other for other in right if [other[1][each.right] for each in step.on] == key]
        others = {name: None for name in names if name not in row}
        match step.how:
            case "inner" | "left" if matches:
                assert len(matches) == 1, "many to many"
                others = {name: matches[0][1][name] for name in others}
                found.append((members | matches[0][0], {**row, **others}))
            case "left":
                found.append((members, {**row, **others}))
            case "semi" if matches:
                found.append((members | matches[0][0], row))
            case "anti" if not matches:
                found.append((members, row))
            case "not-in" if not right or (
                not matches and None not in key and all(other[step.on[0].right] is not None for _, other in right)
            ):
                found.append((members, row))
    return found


def _windowed(step: Window, rows: list[Tagged]) -> list[Tagged]:
    found = []
    for place, (members, row) in enumerate(rows):
        group = [(i, r) for i, (_, r) in enumerate(rows) if all(r[key] == row[key] for key in step.partition)]
        by = [key.column for key in step.order]
        own = [row[name] for name in by]
        before = [r for i, r in group if i < place]
        peers = [r for _, r in group if [r[name] for name in by] == own]
        # rows are sorted, so what stands before the first peer is less in the order
        first_peer = next(i for i, r in group if [r[name] for name in by] == own)
        less = [r for i, r in group if i < first_peer]
        made: dict[str, int | None] = {}
        for function in step.functions:
            frame = {"rows": [*before, row], "range": [*less, *peers], "partition": [r for _, r in group]}[
                function.frame
            ]
            known = [r[function.column] for r in frame if function.column and r[function.column] is not None]
            match function.function:
                case "row-number":
                    made[function.name] = len(before) + 1
                case "rank":
                    made[function.name] = len(less) + 1
                case "dense-rank":
                    made[function.name] = len({tuple(r[name] for name in by) for r in less}) + 1
                case "count":
                    made[function.name] = len(known) if function.column else len(frame)
                case "sum":
                    made[function.name] = sum(known) if known else None
        found.append((members, {**row, **made}))
    return found


def _grouped(step: AggregateStep, rows: list[Tagged]) -> list[Tagged]:
    groups: dict[tuple, list[Tagged]] = {} if step.keys else {(): []}
    for each in rows:
        groups.setdefault(tuple(each[1][key] for key in step.keys), []).append(each)
    nullable = {column.name: column.nullable for column in step.columns}
    found = []
    for key, group in groups.items():
        row = dict(zip(step.keys, key, strict=True))
        row |= {made.name: _aggregate(made, step, group, nullable=nullable[made.name]) for made in step.aggregates}
        found.append((frozenset().union(*(members for members, _ in group)), row))
    return found


def _aggregate(  # noqa: C901  a case for each function
    made: Aggregate, step: AggregateStep, group: Sequence[Tagged], *, nullable: bool
) -> int | None:
    values = sorted(row[made.column] for _, row in group if made.column and row[made.column] is not None)
    others = [(members, row) for members, row in group if not members & set(made.excluding)]
    match made.function:
        case "sum":
            return sum(values) if values or not nullable else None
        case "count":
            return len(values)
        case "count-rows":
            return len(group)
        case "count-distinct":
            return len(set(values))
        case "count-entities":
            return len({row[step.entity] for _, row in others} - {None})
        case "count-members":
            return len(frozenset().union(*(members for members, _ in others)))
        case "has-member":
            return int(any(made.member in members for members, _ in group))
    if not values:
        return None
    match made.function:
        case "min":
            return values[0]
        case "max":
            return values[-1]
        case "quantile":
            share = Fraction(made.numerator, made.denominator)
            return next(value for place, value in enumerate(values, 1) if Fraction(place, len(values)) >= share)
        case "median":
            return (values[(len(values) - 1) // 2] + values[len(values) // 2]) * 5
    raise AssertionError(made.function)
