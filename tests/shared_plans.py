"""Plans of the shared stage built by hand, random tables for them, and what they mean in plain Python.

``Case`` says what is asked; ``plan_of`` writes the steps an owner's frame goes through from share to release;
``expected`` computes the answer from the rows with lists and dicts only: it shares no code with the engine.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl

from consortia.plans.columns import Column
from consortia.plans.expressions import Expr
from consortia.plans.model import (
    Aggregate,
    AggregateStep,
    Control,
    Filter,
    Plan,
    Recipient,
    Release,
    Share,
    Sort,
    SortKey,
    Union,
)
from consortia.plans.rules import Margin, Rule
from consortia.plans.types import Bounds, ColumnType

Row = dict[str, int | None]
COMPUTERS = ("alpha", "beta", "gamma")
BIT = ColumnType(kind="bool")
NUMBER = ColumnType(kind="int")
CUSTOMER = ColumnType(kind="key", domain="customer", bits=96)
COUNTRY = ColumnType(kind="enum", domain="country", values=("DE", "FR", "NL"))


def number(
    name: str, lo: int, hi: int, *, nullable: bool = False, domain: str = "arithmetic", scale: int = 0
) -> Column:
    kind = ColumnType(kind="decimal", scale=scale) if scale else NUMBER
    return Column.model_validate(
        {"name": name, "type": kind, "bounds": Bounds(lo=lo, hi=hi), "nullable": nullable, "domain": domain}
    )


def code(name: str, kind: ColumnType, *, nullable: bool = False) -> Column:
    return Column(name=name, type=kind, nullable=nullable, domain="boolean")


@dataclass
class Case:
    """One grouped question; ``opened`` names the released columns; ``membership`` makes it an alert."""

    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    aggregates: tuple[tuple[Aggregate, Column], ...]
    opened: tuple[str, ...]
    rows: int = 20
    entity: str = ""
    unique: bool = True
    group_rows: int = 0
    having: Expr | None = None
    having_python: Callable[[Row], bool] = field(default=lambda _: True)
    rules: tuple[Rule, ...] = ()
    membership: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = COMPUTERS
    complete: tuple[str, ...] | None = None


def plan_of(case: Case) -> Plan:
    steps: list = []

    def add(kind, inputs, columns, rows, at="shared", **more):
        steps.append(kind(id=f"s{len(steps)}", inputs=inputs, at=at, rows=rows, columns=columns, **more))
        return steps[-1].id

    shares = tuple(add(Share, (), case.columns, case.rows, at=f"owner:{owner}", owner=owner) for owner in case.owners)
    total = case.rows * len(case.owners)
    last = add(Union, shares, case.columns, total, owners=case.owners)
    order = case.keys if not case.entity or case.entity in case.keys else (*case.keys, case.entity)
    if order:
        last = add(Sort, (last,), case.columns, total, keys=tuple(SortKey(column=name) for name in order))
    by_name = {column.name: column for column in case.columns}
    grouped = (*(by_name[key] for key in case.keys), *(column for _, column in case.aggregates))
    groups = (case.group_rows or total) if case.keys else 1
    last = add(
        AggregateStep,
        (last,),
        grouped,
        groups,
        keys=case.keys,
        entity=case.entity,
        unique_per_member=case.unique,
        aggregates=tuple(aggregate for aggregate, _ in case.aggregates),
    )
    if case.having is not None:
        last = add(Filter, (last,), grouped, groups, predicate=case.having, origin="having")
    last = add(Control, (last,), grouped, groups, rules=case.rules)
    opened = tuple(column for column in grouped if column.name in case.opened)
    if case.membership:
        add(
            Release,
            (last,),
            opened,
            groups,
            recipients=tuple(Recipient(member=member) for member in case.membership),
            rows_of="own",
            output_kind="alert",
            membership=tuple(case.membership.values()),
        )
    else:
        recipient = Recipient(member="alpha", person="ana@alpha")
        add(Release, (last,), opened, groups, recipients=(recipient,), rows_of="all", output_kind="aggregate")
    return Plan(
        catalogue="0" * 64,
        manifest="0" * 64,
        purpose="statistics",
        as_of=datetime(2026, 11, 25, tzinfo=UTC),
        submitter="ana@alpha",
        computers=COMPUTERS,
        steps=tuple(steps),
        complete_domain=case.complete,
    )


# --- rows -----------------------------------------------------------------------------------------------


def frame_of(columns: Sequence[Column], rows: Sequence[Row]) -> pl.DataFrame:
    """Rows of carried integers as a local-stage frame."""
    return pl.DataFrame([_series(column, [row[column.name] for row in rows]) for column in columns])


def _series(column: Column, values: Sequence[int | None]) -> pl.Series:
    def each(change, dtype):
        return pl.Series(column.name, [None if value is None else change(value) for value in values], dtype=dtype)

    match column.type.kind:
        case "bool":
            return each(bool, pl.Boolean)
        case "enum":
            return each(lambda value: column.type.values[value], pl.String)
        case "key":
            return each(lambda value: value.to_bytes(column.type.bits // 8, "big"), pl.Binary)
        case "date":
            return each(lambda value: date(1970, 1, 1) + timedelta(days=value), pl.Date)
        case "timestamp":
            return each(lambda value: datetime(1970, 1, 1) + timedelta(microseconds=value), pl.Datetime("us"))
        case _:
            fits = column.bounds is not None and -(1 << 63) <= column.bounds.lo <= column.bounds.hi < 1 << 63
            return each(int, pl.Int64) if fits else each(Decimal, pl.Decimal(38, 0))


def rows_of(columns: Sequence[Column], frame: pl.DataFrame) -> list[Row]:
    """A result frame as rows of carried integers."""
    return [
        {column.name: _carried(column, value) for column, value in zip(columns, row, strict=True)}
        for row in frame.select([column.name for column in columns]).rows()
    ]


def _carried(column: Column, value) -> int | None:
    if value is None:
        return None
    match column.type.kind:
        case "enum":
            return column.type.values.index(value)
        case "key":
            return int.from_bytes(value, "big")
        case "date":
            return (value - date(1970, 1, 1)).days
        case "decimal":
            return int(value.scaleb(column.type.scale))
        case _:
            return int(value)


def released_columns(plan: Plan) -> tuple[Column, ...]:
    return next(step for step in plan.steps if isinstance(step, Release)).columns


# --- the plain answer -----------------------------------------------------------------------------------


def expected(case: Case, rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """Rows for each recipient, in the order of the sort: NULL keys last."""
    tagged = [(owner, row) for owner in case.owners for row in rows[owner]]
    groups: dict[tuple, list[tuple[str, Row]]] = {}
    for owner, row in tagged:
        groups.setdefault(tuple(row[key] for key in case.keys), []).append((owner, row))
    if not case.keys:
        groups.setdefault((), [])
    ordered = sorted(groups.items(), key=lambda item: [(value is None, value or 0) for value in item[0]])
    passed: list[tuple[set[str], Row]] = []
    for key, members in ordered:
        row: Row = dict(zip(case.keys, key, strict=True))
        for aggregate, column in case.aggregates:
            row[column.name] = _value(aggregate, column, case.entity, members)
        if case.having_python(row) and all(reaches(row, rule.margin()) for rule in case.rules):
            passed.append(({owner for owner, _ in members}, row))

    def shown(row: Row) -> Row:
        return {name: value for name, value in row.items() if name in case.opened}

    if case.membership:
        return {member: [shown(row) for owners, row in passed if member in owners] for member in case.membership}
    return {"ana@alpha": [shown(row) for _, row in passed]}


def reaches(row: Row, margin: Margin) -> bool:
    """Whether a cell passes a rule."""
    return sum((row[name] or 0) * factor for name, factor in margin.terms) >= margin.minimum


def _value(aggregate: Aggregate, column: Column, entity: str, members: Sequence[tuple[str, Row]]) -> int | None:
    others = [(owner, row) for owner, row in members if owner not in aggregate.excluding]
    known = [row[aggregate.column] for _, row in members if aggregate.column and row[aggregate.column] is not None]
    match aggregate.function:
        case "sum":
            return None if not known and column.nullable else sum(known)
        case "count":
            return len(known)
        case "count-rows":
            return len(members)
        case "count-entities":
            return len({row[entity] for _, row in others} - {None})
        case "count-members":
            return len({owner for owner, _ in others})
        case "has-member":
            return int(any(owner == aggregate.member for owner, _ in members))


# --- random tables --------------------------------------------------------------------------------------


def random_rows(
    case: Case, seed: int, *, fill: float = 0.8, distinct: int = 4, nulls: float = 0.2
) -> dict[str, list[Row]]:
    """Tables with many equal keys and NULLs; unique by (keys, entity) at an owner where the case says so."""
    draw = random.Random(seed)
    pools = {
        column.name: [_random_value(column, draw) for _ in range(distinct)]
        for column in case.columns
        if column.domain == "boolean"
    }

    def value(column: Column) -> int | None:
        if column.nullable and draw.random() < nulls:
            return None
        return draw.choice(pools[column.name]) if column.name in pools else _random_value(column, draw)

    unique = [*case.keys, *([case.entity] if case.entity else [])]
    tables: dict[str, list[Row]] = {}
    for owner in case.owners:
        rows, seen = [], set()
        for _ in range(int(case.rows * fill)):
            row = {column.name: value(column) for column in case.columns}
            identity = tuple(row[name] for name in unique)
            if case.unique and identity in seen:
                continue
            seen.add(identity)
            rows.append(row)
        tables[owner] = rows
    return tables


def _random_value(column: Column, draw: random.Random) -> int:
    match column.type.kind:
        case "key":
            return draw.getrandbits(column.type.bits)
        case "enum":
            return draw.randrange(len(column.type.values))
        case "bool":
            return draw.randrange(2)
    assert column.bounds is not None
    return draw.choice([column.bounds.lo, column.bounds.hi, draw.randint(column.bounds.lo, column.bounds.hi)])
