"""A plan run in clear by the shortest code that does what each step says: the reference for planner tests."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from consortia.plans.evaluate import Value, evaluate
from consortia.plans.model import (
    Aggregate,
    AggregateStep,
    Control,
    Filter,
    Plan,
    Project,
    Release,
    Scan,
    Share,
    Sort,
    SortKey,
    Step,
    Union,
)
from consortia.plans.types import ColumnType

Row = dict[str, Value]
Tagged = tuple[str, Row]
"""A member and a row of its."""


def run(plan: Plan, data: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """Result rows by recipient; ``data`` are each member's rows of the one table, in carried integers."""
    tables: dict[str, list[Tagged]] = {}
    results: dict[str, list[Row]] = {}
    for step in plan.steps:
        if step.at == "recipient":
            continue
        sources = [row for source in step.inputs for row in tables[source]]
        types = {column.name: column.type for source in step.inputs for column in plan.step(source).columns}
        if isinstance(step, Release):
            for place, recipient in enumerate(step.recipients):
                own = [row for _, row in sources if step.rows_of == "all" or row[step.membership[place]]]
                results[recipient.person or recipient.member] = _at_recipient(plan, step, own)
        else:
            owner = step.at.removeprefix("owner:")
            tables[step.id] = _step(step, sources, types, owner, data)
            _check(step, [row for _, row in tables[step.id]])
    return results


def _check(step: Step, rows: list[Row]) -> None:
    """What the plan promises of every step: number of rows, columns, bounds, NULL."""
    assert len(rows) <= step.rows, step.id
    for column in step.columns:
        for row in rows:
            value = row[column.name]
            assert value is not None or column.nullable, f"{step.id}: {column.name} is NULL"
            if column.bounds is not None and value is not None:
                assert column.bounds.lo <= int(value) <= column.bounds.hi, f"{step.id}: {column.name} is {value}"


def _step(
    step: Step, rows: list[Tagged], types: Mapping[str, ColumnType], owner: str, data: Mapping[str, Sequence[Row]]
) -> list[Tagged]:
    match step:
        case Scan():
            return [(owner, {column.name: row[column.name] for column in step.columns}) for row in data[owner]]
        case Filter():
            return [(m, row) for m, row in rows if evaluate(step.predicate, row, types, member=m) == 1]
        case Project():
            return [
                (m, {named.name: evaluate(named.expression, row, types, member=m) for named in step.expressions})
                for m, row in rows
            ]
        case AggregateStep():
            return [(owner, row) for row in _aggregate(step, rows)]
        case Control():
            return [
                (m, row) for m, row in rows if all(int(row[rule.column] or 0) >= rule.minimum for rule in step.rules)
            ]
        case Share() | Union() | Sort():
            return rows
    raise AssertionError(step.kind)


def _aggregate(step: AggregateStep, rows: list[Tagged]) -> list[Row]:
    groups: dict[tuple[Value, ...], list[Tagged]] = defaultdict(list)
    if not step.keys and step.at == "shared":
        groups[()] = []
    for member, row in rows:
        groups[tuple(row[key] for key in step.keys)].append((member, row))
    nullable = {column.name: column.nullable for column in step.columns}
    return [
        dict(zip(step.keys, key, strict=True))
        | {made.name: _value(made, step, group, nullable=nullable[made.name]) for made in step.aggregates}
        for key, group in groups.items()
    ]


def _value(made: Aggregate, step: AggregateStep, group: list[Tagged], *, nullable: bool) -> Value:
    values = [row[made.column] for _, row in group if made.column and row[made.column] is not None]
    others = [(member, row) for member, row in group if member not in made.excluding]
    match made.function:
        case "sum":
            total = sum(int(value) for value in values if value is not None)
            return total if values or not nullable else None
        case "count":
            return len(values)
        case "count-rows":
            return len(group)
        case "count-entities":
            return len({row[step.entity] for _, row in others} - {None})
        case "count-members":
            return len({member for member, _ in others})
        case "has-member":
            return int(any(member == made.member for member, _ in group))


def _at_recipient(plan: Plan, release: Release, rows: list[Row]) -> list[Row]:
    project = next(step for step in plan.steps if isinstance(step, Project) and step.inputs == (release.id,))
    order = next(step for step in plan.steps if isinstance(step, Sort) and step.inputs == (project.id,))
    types = {column.name: column.type for column in release.columns}
    opened = [{column.name: row[column.name] for column in release.columns} for row in rows]
    made = [{named.name: evaluate(named.expression, row, types) for named in project.expressions} for row in opened]
    kinds = {column.name: column.type for column in order.columns}
    _check(project, made)
    for key in reversed(order.keys):
        _sort(made, key, kinds[key.column])
    return made


def _sort(rows: list[Row], key: SortKey, kind: ColumnType) -> None:
    def rank(row: Row) -> tuple[int, str | int]:
        value = row[key.column]
        if value is None:
            return (1, 0)
        return (0, kind.values[int(value)] if kind.kind == "enum" else value)

    rows.sort(key=rank, reverse=key.descending)
