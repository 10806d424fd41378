"""Which rows the released cells of a plan are made of, written so that names, order and sizes do not matter.

Two releases are compared by this form alone. It is sound and not complete: equal forms mean equal rows, and rows that
are equal for a reason that is not seen here have different forms. An owner's grouping of rows before it shares them is
seen through where the computers only add its parts up; every other group, join, stack or cut is a source of its own.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from consortia.plans.expressions import Call, Expr, Ref, columns_of
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
from consortia.plans.steps_of_models import Fit, Score
from consortia.plans.trees import conjuncts, substitute
from consortia.policies.flow.reader import last_aggregation

ADDITIVE = frozenset(("sum", "count", "count-rows"))
"""Numbers of which the one of a cell is the sum of those of its parts."""
_SUMMED = {
    ("sum", "sum"): "sum",
    ("sum", "count"): "count",
    ("sum", "count-rows"): "count-rows",
    ("min", "min"): "min",
    ("max", "max"): "max",
}
"""What a computer's aggregate of an owner's aggregate is of the rows below both."""
_OF_MEMBERS = ("count-members", "has-member")
_REPEATED = "#repeated "
"""How columns begin that may hold the same value in several rows, since a join or window put it there."""
_EITHER_WAY = ("and", "or", "eq", "ne", "add", "multiply", "greatest", "least")
_MIRRORED = {"gt": "lt", "ge": "le"}


@dataclass(frozen=True, slots=True)
class Cells:
    """One release: the rows under it, the keys that part them into cells, and what is opened of each.

    ``source`` names the rows before ``conditions``, which are by their text; ``keys`` are texts of expressions over the
    rows; ``functions`` are those of the opened numbers, none of which is below 0 if ``is_positive``. ``hides``: no
    failing cell follows from margins (complementary suppression). ``repeats``: a number is made of what a join's right
    side or a window gives to several rows, so that disjoint rows may hold the same.
    """

    release: Release
    source: str
    conditions: Mapping[str, Expr]
    keys: frozenset[str]
    functions: frozenset[str]
    is_positive: bool
    hides: bool
    repeats: bool

    @property
    def is_additive(self) -> bool:
        """Whether every opened number of a cell is the sum of those of its parts."""
        return self.functions <= ADDITIVE

    def of_same_rows(self, other: "Cells") -> bool:
        """Whether both are made of the same rows."""
        return self.source == other.source and self.conditions.keys() == other.conditions.keys()


@dataclass(frozen=True, slots=True)
class _Part:
    """A column of an owner's groups: ``function`` of ``argument`` over the rows below."""

    function: str
    argument: Expr | None


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a step: where they come from, what they satisfy, their columns as expressions over the source.

    ``parts`` are columns of an owner's groups that may yet be added up; ``keys`` what it grouped by (None: rows).
    """

    source: str
    conditions: Mapping[str, Expr]
    columns: Mapping[str, Expr]
    parts: Mapping[str, _Part] = field(default_factory=dict)
    keys: tuple[str, ...] | None = None

    @property
    def identity(self) -> str:
        """Which rows these are."""
        return named("rows", self.source, *sorted(self.conditions))


def cells_of(plan: Plan) -> tuple[Cells, ...]:
    """What each release of ``plan`` opens; a release of rows that nothing grouped is left out.

    Raises ValueError or KeyError for a plan that is not a well-formed dataflow.
    """
    known: dict[str, _Rows] = {}
    found: list[Cells] = []
    last = {
        groups.id: release
        for release in plan.steps
        if isinstance(release, Release) and (groups := last_aggregation(plan, release)) is not None
    }
    for step in plan.steps:
        inputs = [known[name] for name in step.inputs if name in known]
        if len(inputs) != len(step.inputs):
            continue  # it stands after a last aggregation
        if isinstance(step, AggregateStep) and step.id in last:
            found.append(_released(plan, step, inputs[0], last[step.id]))
        else:
            known[step.id] = _step(plan, step, inputs)
    return tuple(found)


def text_of(expression: Expr) -> str:
    """An expression as text; operands of which the order means nothing are sorted."""
    if not isinstance(expression, Call):
        return json.dumps(expression.model_dump(mode="json"), sort_keys=True)
    args = [text_of(arg) for arg in expression.args]
    op: str = expression.op
    if op in _MIRRORED:
        op, args = _MIRRORED[op], args[::-1]
    if op in _EITHER_WAY:
        args.sort()
    return json.dumps([op, args, expression.type.model_dump(mode="json")], sort_keys=True)


def named(*parts: str) -> str:
    """A short name of what ``parts`` say."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _released(plan: Plan, step: AggregateStep, rows: _Rows, release: Release) -> Cells:
    names = {column.name for column in release.columns}
    opened = [each for each in step.aggregates if each.name in names]  # the others are read by HAVING and control
    read = _readable(step, opened, rows)
    keys = frozenset(text_of(read.columns[key]) for key in step.keys)
    made = [_made(each, read) for each in opened]
    functions = frozenset(each.function for each in made)
    repeats = any(_is_repeated(each.argument) for each in made)
    bounds = {column.name: column.bounds for column in release.columns}
    is_positive = all((found := bounds[each.name]) is not None and found.lo >= 0 for each in opened)
    return Cells(release, read.source, read.conditions, keys, functions, is_positive, _hides(plan, release), repeats)


def _hides(plan: Plan, release: Release) -> bool:
    before = plan.step(release.inputs[0])
    return isinstance(before, Control) and before.complementary is not None


def _step(  # noqa: C901 - one case for each kind of a closed set
    plan: Plan, step: Step, inputs: Sequence[_Rows]
) -> _Rows:
    match step:
        case Scan():
            owner = step.at.removeprefix("owner:")
            columns = {column.name: Ref(column=f"{step.table}.{column.name}") for column in step.columns}
            return _Rows(f"{step.table} of {owner}", {}, columns)
        case Share() | Sort():
            return inputs[0]
        case Filter():
            rows = _settled(inputs[0])
            return replace(rows, conditions={**rows.conditions, **_conditions(step.predicate, rows)})
        case Project():
            rows = _settled(inputs[0])
            made = {each.name: substitute(each.expression, rows.columns) for each in step.expressions}
            return replace(rows, columns=made)
        case AggregateStep():
            return _grouped(step, inputs[0])
        case Union():
            return _united(inputs) if step.owners else _stacked([_settled(rows) for rows in inputs])
        case Join():
            return _joined(step, _settled(inputs[0]), _settled(inputs[1]))
        case Window():
            return _windowed(step, _settled(inputs[0]))
        case Fit():
            rows = _settled(inputs[0])
            return _Rows(named("model", rows.identity, _said_of(step, rows)), {}, {})
        case Score():
            return _scored(step, _settled(inputs[0]), inputs[1])
        case Limit():
            return _limited(plan, step, _settled(inputs[0]))
    raise ValueError(f"the step kind `{step.kind}` is not known to the differencing guard")


def _conditions(predicate: Expr, rows: _Rows) -> dict[str, Expr]:
    parts = (substitute(part, rows.columns) for part in conjuncts(predicate))
    return {text_of(part): part for part in parts}


# --- groups ---------------------------------------------------------------------------------------------------------


def _grouped(step: AggregateStep, rows: _Rows) -> _Rows:
    """An owner's groups keep the rows below in sight; those of a nested query on shares are rows of their own."""
    if step.at != "shared" and rows.keys is None:
        parts = {each.name: _made(each, rows) for each in step.aggregates}
        return replace(rows, columns={key: rows.columns[key] for key in step.keys}, parts=parts, keys=step.keys)
    read = _readable(step, step.aggregates, _settled(rows) if step.at != "shared" else rows)
    parts = {each.name: _made(each, read) for each in step.aggregates}
    columns = {key: read.columns[key] for key in step.keys}
    return _settled(replace(read, columns=columns, parts=parts, keys=step.keys))


def _readable(step: AggregateStep, aggregates: Sequence[Aggregate], rows: _Rows) -> _Rows:
    """``rows`` seen through the owner's groups where ``aggregates`` only add up its parts, else the groups as rows."""
    if rows.keys is None:
        return rows
    keyed = all(key in rows.columns for key in (*step.keys, *filter(None, (step.entity,))))
    return rows if keyed and all(_adds_up(each, rows) for each in aggregates) else _settled(rows)


def _adds_up(aggregate: Aggregate, rows: _Rows) -> bool:
    if aggregate.function in (*_OF_MEMBERS, "count-entities"):
        return True  # of keys of the groups and of whose rows they are
    part = rows.parts.get(aggregate.column)
    return part is not None and (aggregate.function, part.function) in _SUMMED


def _made(aggregate: Aggregate, rows: _Rows) -> _Part:
    """What ``aggregate`` is of the rows in sight."""
    part = rows.parts.get(aggregate.column)
    if part is not None:
        return _Part(_SUMMED[aggregate.function, part.function], part.argument)
    argument = rows.columns[aggregate.column] if aggregate.column else None
    share = f" {aggregate.numerator}/{aggregate.denominator}" if aggregate.function == "quantile" else ""
    whose = ",".join((*aggregate.excluding, aggregate.member)).strip(",")
    return _Part(f"{aggregate.function}{share}{f' of {whose}' if whose else ''}", argument)


def _settled(rows: _Rows) -> _Rows:
    """Groups as rows of their own; rows are returned as they are."""
    if rows.keys is None:
        return rows
    keys = sorted(text_of(rows.columns[key]) for key in rows.keys)
    source = named("groups", rows.identity, *keys)
    made = {name: _column(source, _said(part), part.argument) for name, part in rows.parts.items()}
    columns = {**rows.columns, **made}
    return _Rows(source, {}, columns)


def _said(part: _Part) -> str:
    return f"{part.function} {text_of(part.argument) if part.argument is not None else ''}"


def _column(source: str, what: str, *made_of: Expr | None, repeated: bool = False) -> Ref:
    """A column that stands for itself: ``what`` it is in the rows of ``source``, repeated if ``made_of`` is."""
    begin = _REPEATED if repeated or any(map(_is_repeated, made_of)) else "#"
    return Ref(column=f"{begin}{named('column', source, what)}")


def _is_repeated(expression: Expr | None) -> bool:
    return expression is not None and any(name.startswith(_REPEATED) for name in columns_of(expression))


# --- several relations ----------------------------------------------------------------------------------------------


def _united(inputs: Sequence[_Rows]) -> _Rows:
    """The owners' rows of one relation; conditions of some owners alone become part of the source."""
    alike = all(_shape(rows) == _shape(inputs[0]) for rows in inputs)
    rows = inputs if alike else [_settled(each) for each in inputs]
    common = set.intersection(*(set(each.conditions) for each in rows))
    branches = (named("branch", each.source, *sorted(set(each.conditions) - common)) for each in rows)
    source = named("union", *sorted(branches))
    columns: Mapping[str, Expr] = rows[0].columns
    if not alike:
        columns = {name: _both(source, name, rows) for name in columns}
    conditions = {text: rows[0].conditions[text] for text in sorted(common)}
    return _Rows(source, conditions, columns, rows[0].parts if alike else {}, rows[0].keys if alike else None)


def _shape(rows: _Rows) -> tuple[object, ...]:
    columns = tuple(sorted((name, text_of(column)) for name, column in rows.columns.items()))
    return columns, tuple(sorted((name, _said(part)) for name, part in rows.parts.items())), rows.keys


def _stacked(inputs: Sequence[_Rows]) -> _Rows:
    ordered = sorted(inputs, key=lambda rows: rows.identity)
    source = named("stacked", *(rows.identity for rows in ordered))
    names = ordered[0].columns
    return _Rows(source, {}, {name: _both(source, name, ordered) for name in names})


def _both(source: str, name: str, inputs: Sequence[_Rows]) -> Ref:
    """The column ``name`` of rows that several relations have together."""
    made_of = [rows.columns[name] for rows in inputs]
    return _column(source, _texts(made_of), *made_of)


def _texts(expressions: Iterable[Expr]) -> str:
    return json.dumps([text_of(expression) for expression in expressions])


def _joined(step: Join, left: _Rows, right: _Rows) -> _Rows:
    """Every kind of join keeps conditions on its left rows; what the right side holds is part of the source."""
    pairs = sorted(f"{text_of(left.columns[on.left])} = {text_of(right.columns[on.right])}" for on in step.on)
    source = named("join", step.how, left.source, right.identity, *pairs)
    columns = {
        column.name: left.columns[column.name]
        if column.name in left.columns
        else _column(source, text_of(right.columns[column.name]), repeated=True)
        for column in step.columns
    }
    return _Rows(source, left.conditions, columns)


def _windowed(step: Window, rows: _Rows) -> _Rows:
    place = [_texts(rows.columns[name] for name in step.partition), *_ordered(step.order, rows)]
    made = {
        each.name: _column(
            rows.identity,
            json.dumps([each.function, each.frame, text_of(rows.columns[each.column]) if each.column else "", *place]),
            repeated=True,
        )
        for each in step.functions
    }
    return replace(rows, columns={**rows.columns, **made})


def _said_of(step: Fit, rows: _Rows) -> str:
    """What a model learns from which columns, and how."""
    named_held = [text_of(rows.columns[step.held])] if step.held else []
    read = [*(text_of(rows.columns[name]) for name in step.features), text_of(rows.columns[step.label]), *named_held]
    return json.dumps([read, step.method.model_dump(mode="json")], sort_keys=True)


def _scored(step: Score, rows: _Rows, model: _Rows) -> _Rows:
    """The same rows, each with a score: it is made of other rows too, as a window's number is."""
    read = _texts(rows.columns[name] for name in step.features)
    return replace(rows, columns={**rows.columns, step.made: _column(model.source, read, repeated=True)})


def _limited(plan: Plan, step: Limit, rows: _Rows) -> _Rows:
    below = plan.step(step.inputs[0])
    order = _ordered(below.keys, rows) if isinstance(below, Sort) else [below.id]
    return replace(rows, source=named("first", str(step.count), rows.identity, *order), conditions={})


def _ordered(keys: Iterable[SortKey], rows: _Rows) -> list[str]:
    return [f"{text_of(rows.columns[key.column])} {key.descending}" for key in keys]
