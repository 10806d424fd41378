"""From the computers' parts to the recipient's frame: clear values, the recipient's own steps, exact types.

Everything is computed row by row in Python integers with ``plans.evaluate``. Cells of a public key domain that were
not released stand there with NULLs and ``suppressed`` True. Rows are in a total order: ORDER BY, then all columns.
"""

from collections.abc import Sequence
from itertools import product

import polars as pl

from consortia.errors import InternalError, ProtocolAbort
from consortia.execution.carried import exact_decimals, fits_int64
from consortia.execution.layout import Field, bounds_of, fields_of, shapes_of
from consortia.execution.parts import combined, form_of, parse_part
from consortia.execution.quantiles import read_off
from consortia.plans.columns import Column
from consortia.plans.evaluate import evaluate
from consortia.plans.expressions import columns_of
from consortia.plans.model import Plan, Project, Release, Sort, SortKey, Step
from consortia.plans.steps_of_noise import Quantiles
from consortia.protocols.shares import Words

Value = int | str | None
Row = dict[str, Value]

SUPPRESSED = "suppressed"
"""Name of the mark column; underscores are added where the query has a column of that name."""


def decode(plan: Plan, step_id: str, parts: Sequence[bytes]) -> pl.DataFrame:
    """The result of release ``step_id`` for one recipient, from the parts of all computers.

    Raises ProtocolAbort ``execution/part`` if a part is malformed, ``execution/result`` if what they add up to
    contradicts the plan.
    """
    release = release_step(plan, step_id)
    shapes = shapes_of(release.columns)
    rows = opened_rows(plan, release)
    form = form_of(plan)
    return finish(plan, step_id, combined(shapes, [parse_part(shapes, rows, part, form) for part in parts], form))


def release_step(plan: Plan, step_id: str) -> Release:
    """The release of that id."""
    step = plan.step(step_id)
    if not isinstance(step, Release):
        raise InternalError("execution/release", f"`{step_id}` releases nothing")
    return step


def opened_rows(plan: Plan, release: Release) -> int:
    """Rows that a recipient opens: all padded rows of what the release reads."""
    return plan.step(release.inputs[0]).rows


def finish(plan: Plan, step_id: str, opened: Sequence[Words]) -> pl.DataFrame:
    """The frame of the recipient from opened clear values, in the order of ``layout.fields_of``."""
    release = release_step(plan, step_id)
    rows = _rows(release, opened)
    marked = _completed(plan, release, rows)
    columns: tuple[Column, ...] = release.columns
    for step in _recipient_steps(plan, step_id):
        marked = _apply(step, columns, marked, plan.complete_domain)
        columns = step.columns
    mark = None
    if plan.complete_domain is not None:
        mark = _fresh(SUPPRESSED, [column.name for column in columns])
    return _frame(columns, marked, mark)


Marked = list[tuple[Row, bool]]
"""Rows, each with whether it stands for a cell that was not released."""


def _fresh(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _rows(release: Release, opened: Sequence[Words]) -> list[Row]:
    fields = fields_of(release.columns)
    by_field = dict(zip(((field.column, field.what) for field in fields), opened, strict=True))
    valid = [bool(bit) for bit in by_field["", "valid"][:, 0]]
    columns = {column.name: column for column in release.columns}
    values: dict[str, list[Value]] = {}
    for field in fields:
        if field.what == "value":
            validity = by_field.get((field.column, "validity"))
            known = valid if validity is None else [bool(bit) for bit in validity[:, 0]]
            values[field.column] = _integers(columns[field.column], field, by_field[field.column, "value"], known)
    return [
        {name: column[place] for name, column in values.items()} for place, is_valid in enumerate(valid) if is_valid
    ]


def _integers(column: Column, field: Field, words: Words, known: Sequence[bool]) -> list[Value]:
    """Carried integers, None where not known; what contradicts the declared bounds is refused."""
    bounds = bounds_of(column)
    found: list[Value] = []
    for place, is_known in enumerate(known):
        if not is_known:
            found.append(None)
            continue
        value = _integer(field, words, place, bounds.lo)
        if not bounds.lo <= value <= bounds.hi:
            raise ProtocolAbort(
                "execution/result",
                f"an opened value of `{column.name}` lies outside the bounds that the plan proves",
                place=column.name,
                remedy="discard the result; a computer or an owner did not follow the plan",
            )
        found.append(value)
    return found


def _integer(field: Field, words: Words, place: int, lo: int) -> int:
    match field.shape.domain:
        case "arithmetic":
            word = int(words[place])
            return word - (1 << 64) if word >> 63 else word
        case "boolean":
            return lo + sum(int(word) << (64 * index) for index, word in enumerate(words[place]))
        case "wide":
            value = int(words[place, 0]) | int(words[place, 1]) << 64
            return value - (1 << 128) if value >> 127 else value


def _completed(plan: Plan, release: Release, rows: list[Row]) -> Marked:
    """Released rows, then one suppressed row for every other value of the public key domain."""
    marked = [(row, False) for row in rows]
    if plan.complete_domain is None:
        return marked
    columns = {column.name: column for column in release.columns}
    domains = [_domain(columns[name]) for name in plan.complete_domain]
    released = {tuple(row[name] for name in plan.complete_domain) for row in rows}
    for cell in product(*domains):
        if cell not in released:
            absent: Row = dict.fromkeys(columns, None)
            absent.update(zip(plan.complete_domain, cell, strict=True))
            marked.append((absent, True))
    return marked


def _domain(column: Column) -> list[Value]:
    bounds = bounds_of(column)
    values: list[Value] = list(range(bounds.lo, bounds.hi + 1))
    return [*values, None] if column.nullable else values


def _recipient_steps(plan: Plan, step_id: str) -> list[Step]:
    """The chain of recipient steps that begins at the release, in plan order."""
    chain, last = [], step_id
    for step in plan.steps:
        if step.at == "recipient" and step.inputs == (last,):
            chain.append(step)
            last = step.id
    return chain


def _apply(step: Step, columns: Sequence[Column], rows: Marked, domain: tuple[str, ...] | None) -> Marked:
    match step:
        case Project():
            return [(_projected(step, columns, row, domain if mark else None), mark) for row, mark in rows]
        case Sort():
            return _sorted(step.keys, columns, rows)
        case Quantiles():
            return [(row, False) for row in read_off(step, [row for row, _ in rows])]
        case _:
            raise InternalError(
                "execution/unsupported", f"a {step.kind} step can't run at the recipient", place=step.id
            )


def _projected(step: Project, columns: Sequence[Column], row: Row, domain: tuple[str, ...] | None) -> Row:
    """The expressions of one row; of a suppressed one only those that read nothing but keys (``domain``)."""
    types = {column.name: column.type for column in columns}
    made: Row = {}
    for named in step.expressions:
        read = columns_of(named.expression)
        hidden = domain is not None and not (read and read <= set(domain))
        made[named.name] = None if hidden else evaluate(named.expression, row, types)
    return made


def _sorted(keys: Sequence[SortKey], columns: Sequence[Column], rows: Marked) -> Marked:
    """Stable, from the last key to the first: NULL last ascending, first descending. Enums go by their words."""
    kinds = {column.name: column.type for column in columns}
    for key in reversed(_total_order(keys, columns)):
        words = kinds[key.column].values

        def rank(entry: tuple[Row, bool], name: str = key.column, words: tuple[str, ...] = words) -> tuple[bool, Value]:
            value = entry[0][name]
            if value is None:
                return (True, 0 if not words else "")
            return (False, words[value] if words and isinstance(value, int) else value)

        rows = sorted(rows, key=rank, reverse=key.descending)
    return rows


def _total_order(keys: Sequence[SortKey], columns: Sequence[Column]) -> list[SortKey]:
    given = {key.column for key in keys}
    return [*keys, *(SortKey(column=column.name) for column in columns if column.name not in given)]


def _frame(columns: Sequence[Column], rows: Marked, mark: str | None) -> pl.DataFrame:
    series = [series_of(column, [row[column.name] for row, _ in rows]) for column in columns]
    if mark is not None:
        series.append(pl.Series(mark, [is_absent for _, is_absent in rows], dtype=pl.Boolean))
    return pl.DataFrame(series)


def series_of(column: Column, values: Sequence[Value]) -> pl.Series:
    """The values as the exact polars type of the column."""
    numbers = [value for value in values if value is None or isinstance(value, int)]
    kind = column.type
    match kind.kind:
        case "int" if column.bounds is not None and fits_int64(column.bounds):
            made = pl.Series(numbers, dtype=pl.Int64)
        case "int":
            made = exact_decimals(numbers, 0)
        case "decimal":
            made = exact_decimals(numbers, kind.scale)
        case "bool":
            made = pl.Series([None if value is None else bool(value) for value in numbers], dtype=pl.Boolean)
        case "date":
            made = pl.Series(numbers, dtype=pl.Int32).cast(pl.Date)
        case "timestamp":
            made = pl.Series(numbers, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
        case "enum":
            made = pl.Series([None if code is None else kind.values[code] for code in numbers], dtype=pl.String)
        case "key":
            made = pl.Series([_key(value, kind.bits) for value in numbers], dtype=pl.Binary)
        case "text":
            made = pl.Series(list(values), dtype=pl.String)
    return made.alias(column.name)


def _key(value: int | None, bits: int) -> bytes | None:
    return None if value is None else value.to_bytes(bits // 8, "big")
