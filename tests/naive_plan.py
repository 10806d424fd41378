"""A plan run in clear by the shortest code that does what each step says: the reference for planner tests.

It also checks what a plan promises of every step: rows, bounds, NULL, domains that fit their use, sorts before what
needs them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from consortia.plans.columns import Column
from consortia.plans.evaluate import Value, evaluate
from consortia.plans.model import (
    Aggregate,
    AggregateStep,
    Control,
    Filter,
    Join,
    Limit,
    Plan,
    Project,
    Release,
    Scan,
    Share,
    Sort,
    SortKey,
    Step,
    Union,
    Window,
)
from consortia.plans.types import ColumnType
from tests.naive_magnitudes import held, members_of, rounded, with_beside
from tests.naive_relations import ManyToMany
from tests.shared_plans import reaches

Row = dict[str, Value]
Tagged = tuple[str, Row]
"""A row, and the members whose data is in it: their ids with commas between."""


def run(plan: Plan, data: Mapping[str, Any]) -> dict[str, list[Row]]:
    """Result rows by recipient; ``data`` are rows in carried integers by member, or by table and member."""
    tables: dict[str, list[Tagged]] = {}
    results: dict[str, list[Row]] = {}
    for step in plan.steps:
        check_shape(plan, step)
        if step.at == "recipient":
            continue
        types = {column.name: column.type for source in step.inputs for column in plan.step(source).columns}
        if isinstance(step, Release):
            for place, recipient in enumerate(step.recipients):
                sources = tables[step.inputs[0]]
                own = [row for _, row in sources if step.rows_of == "all" or row[step.membership[place]]]
                results[recipient.person or recipient.member] = _at_recipient(plan, step, own)
            continue
        if isinstance(step, Join):
            rows = _join(step, tables[step.inputs[0]], tables[step.inputs[1]])
        else:
            owner = step.at.removeprefix("owner:")
            sources = [row for source in step.inputs for row in tables[source]]
            rows = _step(step, sources, types, owner, data)
        tables[step.id] = [(tag, {column.name: row[column.name] for column in step.columns}) for tag, row in rows]
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
    step: Step, rows: list[Tagged], types: Mapping[str, ColumnType], owner: str, data: Mapping[str, Any]
) -> list[Tagged]:
    match step:
        case Scan():
            own = data[step.table].get(owner, ()) if step.table in data else data[owner]
            return [(owner, {column.name: row[column.name] for column in step.columns}) for row in own]
        case Filter():
            return [(m, row) for m, row in rows if evaluate(step.predicate, row, types, member=m) == 1]
        case Project():
            return [
                (m, {named.name: evaluate(named.expression, row, types, member=m) for named in step.expressions})
                for m, row in rows
            ]
        case AggregateStep():
            return _aggregate(step, rows, types)
        case Control():
            passed = [(m, row) for m, row in rows if all(reaches(row, rule.margin()) for rule in step.rules)]
            return [(m, rounded(row, step.rounding)) for m, row in passed]
        case Sort():
            return _sorted(rows, step.keys)
        case Limit():
            return rows[: step.count]
        case Window():
            return _window(step, rows)
        case Share() | Union():
            return rows
    raise AssertionError(step.kind)


def tag_of(*tags: str) -> str:
    return ",".join(sorted(frozenset().union(*(members_of(tag) for tag in tags))))


# --- groups --------------------------------------------------------------------------------------------------------


def _aggregate(step: AggregateStep, rows: list[Tagged], types: Mapping[str, ColumnType]) -> list[Tagged]:
    groups: dict[tuple[Value, ...], list[Tagged]] = defaultdict(list)
    if not step.keys and step.at == "shared":
        groups[()] = []
    for member, row in rows:
        groups[tuple(row[key] for key in step.keys)].append((member, row))
    columns = {column.name: column for column in step.columns}
    mixed = any("," in tag for tag, _ in rows)
    found: list[Tagged] = []
    for key, group in groups.items():
        row: Row = dict(zip(step.keys, key, strict=True))
        for made in step.aggregates:
            if made.function in ("largest", "magnitude"):
                row[made.name] = held(made, step, group, mixed=mixed)
            elif made.function != "count-beside":
                row[made.name] = _value(made, step, group, columns[made.name], types)
        found.append((tag_of(*(tag for tag, _ in group)), row))
    return with_beside(step, found)


def _value(  # noqa: C901 - a case for each function
    made: Aggregate, step: AggregateStep, group: list[Tagged], column: Column, types: Mapping[str, ColumnType]
) -> Value:
    values = sorted(int(row[made.column] or 0) for _, row in group if made.column and row[made.column] is not None)
    others = [(tag, row) for tag, row in group if not members_of(tag) & set(made.excluding)]
    match made.function:
        case "sum":
            return sum(values) if values or not column.nullable else None
        case "count":
            return len(values)
        case "count-rows":
            return len(group)
        case "count-entities":
            return len({row[step.entity] for _, row in others} - {None})
        case "count-members":
            return len(frozenset().union(*(members_of(tag) for tag, _ in others)))
        case "has-member":
            return int(any(made.member in members_of(tag) for tag, _ in group))
        case "count-distinct":
            return len(set(values))
    if not values:
        return None
    match made.function:
        case "min":
            return values[0]
        case "max":
            return values[-1]
        case "quantile":
            return values[max(0, -(-made.numerator * len(values) // made.denominator) - 1)]
    half = Fraction(values[(len(values) - 1) // 2] + values[len(values) // 2], 2)
    return int(half * 10 ** (column.type.scale - types[made.column].scale))


# --- joins, windows, orders ----------------------------------------------------------------------------------------


def _join(step: Join, left: list[Tagged], right: list[Tagged]) -> list[Tagged]:
    matches: dict[tuple[Value, ...], list[Tagged]] = defaultdict(list)
    for tag, row in right:
        matches[tuple(row[key.right] for key in step.on)].append((tag, row))
    has_null = any(None in key for key in matches)
    known = {key: rows for key, rows in matches.items() if None not in key}
    if step.how in ("inner", "left") and any(len(rows) > 1 for rows in known.values()):
        assert step.uniqueness != "grouped", "a key stands twice on a side that is said to be grouped by it"
        raise ManyToMany
    found: list[Tagged] = []
    nothing: Row = dict.fromkeys(column.name for column in step.columns)
    for tag, row in left:
        key = tuple(row[pair.left] for pair in step.on)
        matched = known.get(key, [])
        match step.how:
            case "inner" | "semi" if matched:
                found.append((tag_of(tag, *(other for other, _ in matched)), matched[0][1] | row))
            case "left":
                found.append(
                    (tag_of(tag, *(other for other, _ in matched)), nothing | (matched[0][1] if matched else {}) | row)
                )
            case "anti" if not matched:
                found.append((tag, row))
            case "not-in" if not right or (not matched and not has_null and None not in key):
                found.append((tag, row))
    return found


def _sorted(rows: list[Tagged], keys: Sequence[SortKey]) -> list[Tagged]:
    """By keys as integers: NULL last, first if descending."""
    result = list(rows)
    for key in reversed(keys):

        def rank(tagged: Tagged, name: str = key.column) -> tuple[int, int]:
            value = tagged[1][name]
            return (1, 0) if value is None else (0, int(value))

        result.sort(key=rank, reverse=key.descending)
    return result


def _window(step: Window, rows: list[Tagged]) -> list[Tagged]:
    groups: dict[tuple[Value, ...], list[Tagged]] = defaultdict(list)
    for tag, row in rows:
        groups[tuple(row[name] for name in step.partition)].append((tag, row))
    found = []
    for partition in groups.values():
        ranks = [tuple(row[key.column] for key in step.order) for _, row in partition]
        for place, (tag, row) in enumerate(partition):
            made: Row = {}
            for function in step.functions:
                match function.function:
                    case "row-number":
                        made[function.name] = place + 1
                        continue
                    case "rank":
                        made[function.name] = ranks.index(ranks[place]) + 1
                        continue
                    case "dense-rank":
                        made[function.name] = len(set(ranks[: place + 1]))
                        continue
                last = max(other for other, rank in enumerate(ranks) if rank == ranks[place])
                end = {"rows": place, "range": last, "partition": len(partition) - 1}[function.frame]
                frame = [r[function.column] if function.column else 1 for _, r in partition[: end + 1]]
                values = [int(value) for value in frame if value is not None]
                total = sum(values) if values else None
                made[function.name] = len(values) if function.function == "count" else total
            found.append((tag, row | made))
    return found


# --- what steps promise --------------------------------------------------------------------------------------------


def check_shape(plan: Plan, step: Step) -> None:  # noqa: C901, PLR0912 - a case for each kind of step
    """Columns, domains and order that each step on shares needs of those before it."""
    if step.at != "shared" or isinstance(step, Release):
        return
    sources = [{column.name: column for column in plan.step(source).columns} for source in step.inputs]
    first = sources[0]

    def key(name: str, columns: Mapping[str, Column] = first) -> None:
        assert columns[name].domain == "boolean", f"{step.id}: `{name}` is no key"

    match step:
        case Union(owners=()):
            assert all(list(source.values()) == list(step.columns) for source in sources), step.id
        case Join():
            for pair in step.on:
                key(pair.left)
                key(pair.right, sources[1])
                one, two = first[pair.left].bounds, sources[1][pair.right].bounds
                assert one is None or two is None or one.lo == two.lo, f"{step.id}: keys count from other bounds"
            names = [column.name for column in step.columns]
            assert len(set(names)) == len(names), f"{step.id}: {names}"
        case Sort():
            for each in step.keys:
                key(each.column)
        case AggregateStep():
            for name in (*step.keys, *([step.entity] if step.entity else [])):
                key(name)
            for made in step.aggregates:
                if made.function in ("min", "max", "quantile", "median", "count-distinct"):
                    key(made.column)
                elif made.function == "sum":
                    assert first[made.column].domain != "boolean", f"{step.id}: {made.column}"
            _check_sorted(plan, step)
        case Window():
            for made in step.functions:
                assert made.function != "sum" or first[made.column].domain != "boolean", step.id
            _check_sorted(plan, step)
        case Limit():
            assert isinstance(plan.step(step.inputs[0]), Sort), step.id
    if isinstance(step, Filter | Sort | Limit | Join | Window | AggregateStep | Control):
        keys = step.keys if isinstance(step, AggregateStep) else first
        for column in step.columns:
            is_rounded = isinstance(step, Control) and column.name in {each.column for each in step.rounding}
            if column.name in keys and column.name in first and not is_rounded:
                assert column == first[column.name], f"{step.id}: {column.name} changes without a projection"


def _check_sorted(plan: Plan, step: AggregateStep | Window) -> None:
    if isinstance(step, AggregateStep):
        groups, then = step.keys, [SortKey(column=step.entity)] if step.entity and step.entity not in step.keys else []
    else:
        groups, then = step.partition, list(step.order)
    if not groups and not then:
        return
    before = plan.step(step.inputs[0])
    while isinstance(before, Window):
        before = plan.step(before.inputs[0])
    assert isinstance(before, Sort), f"{step.id}: nothing sorts its rows"
    assert {key.column for key in before.keys[: len(groups)]} == set(groups), step.id
    assert list(before.keys[len(groups) : len(groups) + len(then)]) == then, step.id


def _at_recipient(plan: Plan, release: Release, rows: list[Row]) -> list[Row]:
    project = next(step for step in plan.steps if isinstance(step, Project) and step.inputs == (release.id,))
    order = next(step for step in plan.steps if isinstance(step, Sort) and step.inputs == (project.id,))
    types = {column.name: column.type for column in release.columns}
    opened = [{column.name: row[column.name] for column in release.columns} for row in rows]
    _check(release, opened)
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
