"""What a plan does with each owner's columns: derived bottom-up from the typed steps, never from query text.

Each column of each step carries its *sources*: the owner's columns it comes from, and in which role. A role changes
on the way (a value that is summed becomes part of a sum); where something becomes known (a WHERE at the owner, a
HAVING on shares, a group key, a release), every source turns into a *requirement*: an operation that the owner's
policy must permit, or something that no policy can permit. ``trail`` lists the steps on the way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from consortia.plans.expressions import Call, Const, Expr, Ref
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
    Step,
    Union,
)

Role = Literal[
    "value",  # the value itself, or a linear expression of it
    "shape",  # the value inside an expression that is not linear: it may pick out single rows
    "condition",  # the value decides a condition
    "member",  # the id of the member that holds the row
    "constant",  # a constant term: the sum of it counts the rows
    "sum",
    "count",
    "entities",  # number of distinct values
    "rows",  # number of rows
    "members",  # number of members
    "selection",  # decides which rows a sum or count is made of
    "gaps",  # is NULL in some of the rows that a sum or count is made of
]
RowKinds = frozenset(("alert", "score"))


@dataclass(frozen=True, slots=True, order=True)
class ColumnSource:
    """A column of an owner's table in a role; ``column`` is empty where rows or members as such are meant."""

    owner: str
    table: str
    column: str
    role: Role
    trail: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """``operation`` on the column (or on rows, where ``column`` is empty) must be permitted by ``owner``.

    ``why`` is empty for an operation that a policy can permit; otherwise it says why none can.
    ``subject`` is what the analyst sees of it: WHERE, HAVING, or the name of an output.
    """

    step: str
    owner: str
    table: str
    column: str
    operation: str
    subject: str
    trail: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """One release: its kind as it follows from the columns, and whether groups were made on shares before it."""

    release: Release
    kind: str
    grouped: bool


@dataclass(frozen=True, slots=True)
class Flow:
    """All requirements of a plan, sorted, and its outputs."""

    requirements: tuple[Requirement, ...]
    outputs: tuple[Output, ...]
    tables: Mapping[str, frozenset[str]]
    """Tables that each owner's part reads."""


Sources = frozenset[ColumnSource]
Columns = Mapping[str, Sources]


def flow_of(plan: Plan) -> Flow:
    """The flow of ``plan``. A plan that is not a well-formed dataflow raises; the caller treats that as a denial."""
    return _Reader(plan).read()


def uses_of(expression: Expr) -> frozenset[tuple[str, Role]]:
    """Columns that ``expression`` reads, each in the role it has there.

    ``""`` stands for the row itself: as ``member`` where the holder's id is read, as ``constant`` where a constant is
    added, so that a sum of it would count rows.
    """
    match expression:
        case Ref(column=column):
            return frozenset(((column, "value"),))
        case Const(integer=integer):
            return frozenset((("", "constant"),)) if integer else frozenset()
        case Call(op="member"):
            return frozenset((("", "member"),))
        case Call(op="add" | "subtract" | "negate" | "cast", args=args):
            return frozenset().union(*(uses_of(arg) for arg in args))
        case Call(op="multiply", args=args) if sum(not isinstance(arg, Const) for arg in args) == 1:
            return frozenset().union(*(uses_of(arg) for arg in args if not isinstance(arg, Const)))
        case Call(op="multiply" | "divide" | "modulo" | "coalesce", args=args):
            return _as("shape", frozenset().union(*(uses_of(arg) for arg in args)))
        case Call(op="case", args=args):
            pairs = len(args) // 2
            conditions = [args[2 * place] for place in range(pairs)]
            results = [args[2 * place + 1] for place in range(pairs)] + list(args[2 * pairs :])
            decided = _as("condition", frozenset().union(*(uses_of(arg) for arg in conditions)))
            return decided | _as("shape", frozenset().union(*(uses_of(arg) for arg in results)))
        case Call(args=args):
            return _as("condition", frozenset().union(*(uses_of(arg) for arg in args)))


def _as(role: Role, uses: frozenset[tuple[str, Role]]) -> frozenset[tuple[str, Role]]:
    """The same columns in a role that tells more; a constant in a condition is no term of a sum."""
    weaker = ("value",) if role == "shape" else ("value", "shape")
    kept = (use for use in uses if role == "shape" or use[1] != "constant")
    return frozenset((column, role if known in weaker else known) for column, known in kept)


class _Reader:
    """Walks the steps once, in plan order."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.columns: dict[str, dict[str, Sources]] = {}
        self.owner: dict[str, str] = {}
        self.table: dict[str, str] = {}
        self.aggregated_by_owner: dict[str, bool] = {}
        self.grouped: dict[str, tuple[str, ...] | None] = {}  # keys of the groups made on shares, None before
        self.wanted: set[Requirement] = set()
        self.key_requests: list[tuple[str, str, Sources]] = []
        self.having: list[tuple[str, Sources]] = []
        self.outputs: list[Output] = []

    def read(self) -> Flow:
        for step in self.plan.steps:
            if step.id in self.columns:
                raise ValueError(f"the step {step.id} stands twice")
            self._step(step)
        kinds = {output.kind for output in self.outputs}
        rows_only = bool(kinds) and kinds <= RowKinds
        for step_id, name, sources in self.key_requests:
            for source in sources:
                self._want(step_id, source, _released(source.role, rows=rows_only), f"the group key `{name}`")
        for step_id, sources in self.having:
            for source in sources:
                self._want(step_id, source, _compared(source.role, rows=rows_only), "HAVING")
        tables: dict[str, set[str]] = {}
        for step in self.plan.steps:
            if isinstance(step, Scan):
                tables.setdefault(step.at.removeprefix("owner:"), set()).add(step.table)
        return Flow(
            tuple(sorted(self.wanted)),
            tuple(self.outputs),
            {owner: frozenset(names) for owner, names in tables.items()},
        )

    def _step(self, step: Step) -> None:
        inputs = [self.columns[name] for name in step.inputs]
        self.grouped[step.id] = next(
            (keys for keys in (self.grouped[name] for name in step.inputs) if keys is not None), None
        )
        self.aggregated_by_owner[step.id] = any(self.aggregated_by_owner[name] for name in step.inputs)
        match step:
            case Scan():
                made = self._scan(step)
            case Filter():
                made = dict(inputs[0])
                self._filter(step, made)
            case Project():
                made = {
                    named.name: self._expression(named.expression, inputs[0], step.id) for named in step.expressions
                }
                made[""] = inputs[0][""]
            case AggregateStep():
                made = self._aggregate(step, inputs[0])
            case Union():
                names = inputs[0].keys()
                made = {name: frozenset().union(*(columns[name] for columns in inputs)) for name in names}
            case Release():
                made = dict(inputs[0])
                self._release(step, made)
            case Share() | Sort() | Control():
                made = dict(inputs[0])
            case _:
                raise ValueError(f"the step kind `{step.kind}` is not known to the policies")
        self.columns[step.id] = made

    def _scan(self, step: Scan) -> dict[str, Sources]:
        if not step.at.startswith("owner:") or step.inputs:
            raise ValueError("a scan stands at an owner and has no input")
        owner = step.at.removeprefix("owner:")
        # Rows as such are a source too: a plan that counts them reads no column at all.
        whole = ColumnSource(owner, step.table, "", "rows", (step.id,))
        made: dict[str, Sources] = {"": frozenset((whole,))}
        for column in step.columns:
            made[column.name] = frozenset((ColumnSource(owner, step.table, column.name, "value", (step.id,)),))
        return made

    def _expression(self, expression: Expr, columns: Columns, step_id: str) -> Sources:
        found: set[ColumnSource] = set()
        for name, role in uses_of(expression):
            for source in columns[name]:
                known = source.role
                if known in ("value", "shape", "condition") and role != "value":
                    known = "condition" if "condition" in (role, known) else role
                elif role in ("member", "constant"):
                    known = role
                found.add(replace(source, role=known, trail=(*source.trail, step_id)))
        return frozenset(found)

    def _filter(self, step: Filter, columns: Columns) -> None:
        if step.origin in ("canonical", "row-scope"):
            return  # the owner's and the consortium's own wish; rules/tables.py compares them with what was signed
        sources = self._expression(step.predicate, columns, step.id)
        if step.origin == "having":
            self.having.append((step.id, sources))
            return
        for source in sources:
            self._want(step.id, source, _selected(source.role), "WHERE")

    def _aggregate(self, step: AggregateStep, columns: Columns) -> dict[str, Sources]:
        at_owner = step.at != "shared"
        rows = columns[""]
        made: dict[str, Sources] = {"": rows}
        for key in step.keys:
            made[key] = columns[key]
        for aggregate in step.aggregates:
            made[aggregate.name] = self._aggregated(step, aggregate, columns)
        if at_owner:
            self.aggregated_by_owner[step.id] = True
        else:
            self.grouped[step.id] = step.keys
            self.key_requests += [(step.id, key, columns[key]) for key in step.keys]
        return made

    def _aggregated(self, step: AggregateStep, aggregate: Aggregate, columns: Columns) -> Sources:
        match aggregate.function:
            case "sum" | "count":
                turned = {made for source in columns[aggregate.column] for made in _in(aggregate.function, source)}
                if self._nullable(step, aggregate.column):
                    values = [source for source in columns[aggregate.column] if source.role in ("value", "shape")]
                    turned |= {replace(source, role="gaps") for source in values}
            case "count-rows":
                # Rows that owners have grouped already are one a member (and group, and entity).
                role: Role = "members" if self.aggregated_by_owner[step.id] else "rows"
                turned = {replace(source, role=role) for source in columns[""]}
            case "count-entities":
                turned = {replace(source, role="entities") for source in columns[step.entity]}
            case "count-members" | "has-member":
                turned = {replace(source, role="members") for source in columns[""]}
        return frozenset(replace(source, trail=(*source.trail, step.id)) for source in turned)

    def _nullable(self, step: AggregateStep, name: str) -> bool:
        """Whether the column that is aggregated may hold NULL."""
        found = next(column for column in self.plan.step(step.inputs[0]).columns if column.name == name)
        return found.nullable

    def _release(self, step: Release, columns: Columns) -> None:
        names = [column.name for column in step.columns if column.name not in step.membership]
        identifying = aggregated = False
        counts_only = self.grouped[step.id] == ()
        for column in step.columns:
            if column.name in step.membership:
                continue
            roles = {source.role for source in columns[column.name]}
            if column.type.kind == "key":
                identifying = True
            if roles & {"sum", "count", "entities", "rows", "members"}:
                aggregated = True
            if not roles <= {"count", "entities", "rows", "members", "selection", "gaps"}:
                counts_only = False
        kind = ("score" if aggregated else "alert") if identifying else ("count" if counts_only else "aggregate")
        self.outputs.append(Output(step, kind, self.grouped[step.id] is not None))
        for name in names:
            for source in columns[name]:
                self._want(step.id, source, _released(source.role, rows=kind in RowKinds), f"the output `{name}`")

    def _want(self, step_id: str, source: ColumnSource, needed: tuple[str, str], subject: str) -> None:
        if source.role == "constant":
            return  # a constant beside a value that is opened or compared tells nothing more
        operation, why = needed
        if source.role == "gaps" and not why:
            return  # where no contributors are counted, a NULL changes nothing
        column = "" if source.role in ("rows", "members", "member") else source.column
        self.wanted.add(Requirement(step_id, source.owner, source.table, column, operation, subject, source.trail, why))


def _in(function: Literal["sum", "count"], source: ColumnSource) -> tuple[ColumnSource, ...]:
    """What a source becomes inside a sum or count."""
    match source.role:
        case "value":
            return (replace(source, role=function),)
        case "shape":
            return (replace(source, role=function), replace(source, role="selection"))
        case "condition":
            return (replace(source, role="selection"),)
        case "constant":
            return (replace(source, role="rows"),)
        case _:
            return (source,)


BY_MEMBER = "a query never picks out single members: their books would be read one by one"
BY_SELECTION = (
    "a condition or product inside SUM or COUNT picks out rows after contributors are counted,"
    " so a number could rest on one customer"
)

BY_GAPS = (
    "it may be NULL, and customers without a value are counted as contributors,"
    " so a number could rest on one customer; add WHERE ... IS NOT NULL"
)


def _selected(role: Role) -> tuple[str, str]:
    return ("member", BY_MEMBER) if role == "member" else ("filter", "")


def _released(role: Role, *, rows: bool) -> tuple[str, str]:
    """The operation that opening a source needs, and why it is impossible, if it is."""
    match role:
        case "member":
            return "member", BY_MEMBER
        case "selection":
            return "filter", "" if rows else BY_SELECTION
        case "gaps":
            return "filter", "" if rows else BY_GAPS
        case "value" | "shape" | "condition":
            return "alert" if rows else "group", ""
        case "sum" | "count" | "rows" | "constant":
            return "score" if rows else ("count" if role == "rows" else role), ""
        case "entities":
            return "score" if rows else "count", ""
        case "members":
            return "score" if rows else "count-members", ""


def _compared(role: Role, *, rows: bool) -> tuple[str, str]:
    match role:
        case "member":
            return "member", BY_MEMBER
        case "selection":
            return "filter", "" if rows else BY_SELECTION
        case "gaps":
            return "filter", "" if rows else BY_GAPS
        case "value" | "shape" | "condition":
            return "filter", ""
        case "members":
            return "compare-members", ""
        case "sum" | "count" | "entities" | "rows" | "constant":
            return "compare", ""
