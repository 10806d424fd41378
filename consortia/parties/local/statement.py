"""One owner's chain of a plan, from scan to share, as ONE statement for DuckDB, built as sqlglot's tree.

    WITH "deposits" AS (...), "s0 scan" AS (...), "s1 filter" AS (...), "s2 project" AS (...), "s3 aggregate" AS (...)
    SELECT CAST("country" AS TEXT) AS "country", ... FROM "s3 aggregate"

Every identifier is quoted and every literal typed; no text of a plan is ever pasted into SQL. The result has the
columns of the share step in their order.
"""

from collections.abc import Mapping, Sequence
from itertools import dropwhile

from sqlglot import exp

from consortia.errors import InternalError
from consortia.execution.carried import fits_int64
from consortia.parties.local.definitions import local_relation
from consortia.parties.local.scalars import (
    DATABASE_TYPES,
    INTEGER,
    Renderer,
    Sql,
    cast,
    function,
    integer,
    label,
    name,
)
from consortia.plans.catalogue import Catalogue
from consortia.plans.columns import Column
from consortia.plans.model import Aggregate, AggregateStep, Filter, Plan, Project, Scan, Share, Step
from consortia.plans.steps_of_noise import Bound
from consortia.plans.tables import find_table
from consortia.plans.types import ColumnType

Select = exp.Select
_SUBJECT = "the subject"
"""A column beside those of a plan, whose names have no space."""


def share_step(plan: Plan, step_id: str) -> Share:
    """The share step of that id; InternalError ``local/plan`` if the id is of another kind."""
    step = plan.step(step_id)
    if not isinstance(step, Share):
        raise InternalError("local/plan", f"step {step_id} is no share step", place=step_id)
    return step


def chain_of(plan: Plan, step_id: str) -> tuple[Step, ...]:
    """The steps that lead to a share step, the scan first, the share step left out."""
    share = share_step(plan, step_id)
    steps: list[Step] = []
    inputs = share.inputs
    while inputs:
        step = plan.step(inputs[0])
        if len(inputs) > 1 or step.at != f"owner:{share.owner}":
            raise InternalError("local/plan", f"step {step.id} is not of the one chain of its owner", place=step.id)
        steps.append(step)
        inputs = step.inputs
    if not steps or not isinstance(steps[-1], Scan):
        raise InternalError("local/plan", "the chain does not begin with a scan", place=step_id)
    return tuple(reversed(steps))


def chain_after(plan: Plan, step_id: str, kind: type[Step]) -> tuple[Step, ...]:
    """The steps of the chain from the first of ``kind`` on; none if there is none."""
    chain = chain_of(plan, step_id)
    return tuple(dropwhile(lambda step: not isinstance(step, kind), chain))


def local_statement(plan: Plan, step_id: str, catalogue: Catalogue) -> str:
    """The statement whose rows the share step ``step_id`` shares, in the order of its columns.

    Where the owner adds noise: the rows before it, grouped by cell and customer (``protect`` does the rest).
    Raises OperatorError ``local/definition`` for a local table whose SQL is not allowed.
    """
    share = share_step(plan, step_id)
    statement = exp.Select()
    types: Mapping[str, ColumnType] = {}
    before = ""
    shared = share.columns
    for step in chain_of(plan, step_id):
        if isinstance(step, Bound):
            shared = plan.step(step.inputs[0]).columns
            break
        if isinstance(step, Scan):
            table = find_table(catalogue, step.table)
            if table.definition:
                statement = _with(statement, table.name, local_relation(table, catalogue, share.owner))
            before = step.table
        query = _step(step, _Below(before, types), share.owner)
        before = f"{step.id} {step.kind}"
        statement = _with(statement, before, query)
        types = {column.name: column.type for column in step.columns}
    outputs = [_alias(_physical(column), column.name) for column in shared] or [_placeholder()]
    return str(statement.select(*outputs).from_(_table(before)).sql(dialect="duckdb"))


def subject_statement(plan: Plan, step_id: str, catalogue: Catalogue, columns: Sequence[str], key: bytes) -> str:
    """One row and column: how many rows with ``key`` in one of the key ``columns`` reach the share step's aggregation.

    The rows are those of the scan that pass every filter of the owner's chain (row scope and query) up to its first
    aggregation, or to the share step. Raises as ``local_statement`` does.
    """
    share = share_step(plan, step_id)
    statement = exp.Select()
    types: Mapping[str, ColumnType] = {}
    before = ""
    for step in chain_of(plan, step_id):
        if isinstance(step, AggregateStep):
            break
        if isinstance(step, Scan):
            table = find_table(catalogue, step.table)
            if table.definition:
                statement = _with(statement, table.name, local_relation(table, catalogue, share.owner))
            before = step.table
            wanted = function("unhex", exp.Literal.string(key.hex()))
            marks = [exp.NullSafeEQ(this=name(column), expression=wanted.copy()) for column in columns]
            mark: Sql = exp.or_(*marks, copy=False)
        else:
            mark = name(_SUBJECT)
        query = _step(step, _Below(before, types), share.owner).select(_alias(mark, _SUBJECT))
        before = f"{step.id} {step.kind}"
        statement = _with(statement, before, query)
        types = {column.name: column.type for column in step.columns}
    counted = _alias(exp.Count(this=exp.Star()), "rows")
    return str(statement.select(counted).from_(_table(before)).where(name(_SUBJECT)).sql(dialect="duckdb"))


class _Below:
    """The relation that a step reads: its name and the types of its columns."""

    def __init__(self, relation: str, types: Mapping[str, ColumnType]) -> None:
        self.relation = relation
        self.types = types

    def source(self, lifted: Sequence[tuple[str, Sql]]) -> Sql:
        """The relation with ``lifted`` columns beside its own, each able to use those before it."""
        source: Sql = _table(self.relation)
        for number, (operand, value) in enumerate(lifted):
            query = exp.Select().select(exp.Star(), _alias(value, operand)).from_(source)
            source = query.subquery(exp.to_identifier(f"lifted {number}", quoted=True))
        return source


def _step(step: Step, below: _Below, member: str) -> Select:
    match step:
        case Scan():
            return _columns(step.columns).from_(_table(below.relation))
        case Filter():
            renderer = Renderer(below.types, member)
            predicate = renderer.render(step.predicate)
            return _columns(step.columns).from_(below.source(renderer.lifted)).where(predicate)
        case Project():
            renderer = Renderer(below.types, member)
            outputs = [_alias(renderer.render(named.expression), named.name) for named in step.expressions]
            return exp.Select().select(*(outputs or [_placeholder()])).from_(below.source(renderer.lifted))
        case AggregateStep():
            return _aggregation(step, below, member)
    raise InternalError("local/plan", f"a {step.kind} is no step of an owner", place=step.id)


def _aggregation(step: AggregateStep, below: _Below, member: str) -> Select:
    aggregates = {aggregate.name: aggregate for aggregate in step.aggregates}
    outputs = [
        _alias(_aggregate(aggregates[column.name], column, step.entity, member), column.name)
        if column.name in aggregates
        else name(column.name)
        for column in step.columns
    ]
    query = exp.Select().select(*(outputs or [_placeholder()])).from_(_table(below.relation))
    if step.keys:
        return query.group_by(*(name(key) for key in step.keys))
    # without keys there is one group if the owner has any row, else none
    return query.having(exp.GT(this=exp.Count(this=exp.Star()), expression=integer(0)))


def _aggregate(aggregate: Aggregate, column: Column, entity: str, member: str) -> Sql:
    match aggregate.function:
        case "sum":
            total = exp.Sum(this=name(aggregate.column))
            return total if column.nullable else exp.Coalesce(this=total, expressions=[integer(0)])
        case "count":
            return cast(exp.Count(this=name(aggregate.column)), INTEGER)
        case "count-rows":
            return cast(exp.Count(this=exp.Star()), INTEGER)
        case "min":
            return exp.Min(this=name(aggregate.column))
        case "max":
            return exp.Max(this=name(aggregate.column))
        case "count-entities":
            if member in aggregate.excluding:
                return integer(0)
            return cast(exp.Count(this=exp.Distinct(expressions=[name(entity)])), INTEGER)
        case "count-members":
            return integer(int(member not in aggregate.excluding))
        case "has-member":
            return exp.Boolean(this=aggregate.member == member)
    raise InternalError("local/plan", f"`{aggregate.function}` is no aggregate of an owner", place=aggregate.name)


def _physical(column: Column) -> Sql:
    """A column in its physical type (``parties/data/physical.py``)."""
    kind = column.type.kind
    if kind in ("int", "decimal"):
        return cast(
            name(column.name), "BIGINT" if column.bounds is not None and fits_int64(column.bounds) else "DECIMAL(38, 0)"
        )
    return cast(name(column.name), DATABASE_TYPES[kind])


def _columns(columns: Sequence[Column]) -> Select:
    return exp.Select().select(*([name(column.name) for column in columns] or [_placeholder()]))


def _placeholder() -> Sql:
    """What a step without columns carries, since SQL has no such table; it is taken away again at the end."""
    return _alias(exp.Boolean(this=True), "no column")


def _alias(value: Sql, column: str) -> Sql:
    return exp.Alias(this=value, alias=label(column))


def _table(relation: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(relation, quoted=True))


def _with(statement: Select, called: str, query: Sql) -> Select:
    return statement.with_(exp.TableAlias(this=exp.to_identifier(called, quoted=True)), as_=query, copy=False)
