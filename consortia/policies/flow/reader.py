"""Follows every column through a plan, once, in plan order: sources bottom-up, and requirements where they arise.

The *last* aggregation is the one that a release opens; only filters, sorts, limits, controls and projections may stand
between. Every aggregation on shares before it belongs to a nested query.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from consortia.plans.columns import Column
from consortia.plans.expressions import Expr
from consortia.plans.model import (
    Aggregate,
    AggregateFunction,
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
    WindowFunction,
)
from consortia.plans.steps_of_models import Fit, Score, Weights
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.plans.steps_of_noise import Bound, Noise, Quantiles
from consortia.policies.flow.aggregation import HOLDS_VALUES, at_last, existence, marked, nested, rows_counted
from consortia.policies.flow.following import followed
from consortia.policies.flow.learning import scored, taught
from consortia.policies.flow.needs import Needs, to_compare, to_learn, to_meet, to_open, to_order, to_select, to_trace
from consortia.policies.flow.sources import OF_ROWS, ROWS, ColumnSource, Form, Kind, Sources, combined, uses_of
from consortia.policies.flow.stacking import Relation, joined, stacked

Ask = Callable[..., Needs]
BETWEEN = (Control, Limit, Sort, Filter, Project, Noise)
"""What may stand between the last aggregation and the release."""


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
class _Wish:
    """Something that becomes known of ``sources`` in a step, and the question which operations that needs."""

    step: str
    sources: Sources
    ask: Ask
    subject: str


def last_aggregation(plan: Plan, release: Release) -> AggregateStep | None:
    """The aggregation whose groups ``release`` opens; None where rows would be opened that no such step made."""
    step: Step = release
    for _ in plan.steps:  # a malformed plan may go round in circles
        if not isinstance(step, (Release, *BETWEEN)) or len(step.inputs) != 1:
            break
        step = plan.step(step.inputs[0])
    return step if isinstance(step, AggregateStep) and step.at == "shared" else None


def last_weights(plan: Plan, release: Release) -> Weights | None:
    """The model that ``release`` opens, between which and it nothing but control and noise stands; None for others."""
    step: Step = release
    for _ in plan.steps:
        if not isinstance(step, Release | Control | Noise) or len(step.inputs) != 1:
            break
        step = plan.step(step.inputs[0])
    return step if isinstance(step, Weights) else None


class Reader:
    """Sources of every column of every step, and what became known on the way."""

    def __init__(self, plan: Plan, identified: Mapping[str, frozenset[str]]) -> None:
        self.plan = plan
        self.identified = identified
        self.bins = {step.bin for step in plan.steps if isinstance(step, Quantiles)}
        self.relations: dict[str, Relation] = {}
        self.wishes: list[_Wish] = []
        releases = [step for step in plan.steps if isinstance(step, Release)]
        self.last = {found.id for release in releases if (found := last_aggregation(plan, release)) is not None}
        self.after_last: set[str] = set(self.last)
        for step in plan.steps:
            if step.id in self.relations:
                raise ValueError(f"the step {step.id} stands twice")
            self.relations[step.id] = self._step(step)
            if len(step.inputs) == 1 and step.inputs[0] in self.after_last:
                self.after_last.add(step.id)

    def requirements(self, *, rows: bool) -> frozenset[Requirement]:
        """Everything that the policies must permit; ``rows``: every output is an alert or a score."""
        found: set[Requirement] = set()
        for wish in self.wishes:
            for source in wish.sources:
                column = "" if source.kind in OF_ROWS else source.column
                for need in wish.ask(source, rows=rows):
                    found.add(
                        Requirement(
                            wish.step, source.owner, source.table, column, need.operation, wish.subject,
                            source.trail, need.why,
                        )
                    )  # fmt: skip
        return frozenset(found)

    def wish(self, release: Release, sources: Sources, subject: str) -> None:
        """``release`` opens something made of ``sources``."""
        self._wish(release, sources, to_open, subject)

    def wish_model(self, release: Release) -> None:
        """``release`` opens a model, which takes what learning from its columns does."""
        for name, sources in self.opened(release).items():
            self._wish(release, sources, to_learn, f"the output `{name}`")

    def opened(self, release: Release) -> Mapping[str, Sources]:
        """Sources of the columns that ``release`` opens, by name."""
        columns = self.relations[release.id].columns
        return {
            column.name: columns[column.name] for column in release.columns if column.name not in release.membership
        }

    def _step(self, step: Step) -> Relation:  # noqa: C901 - one case for each kind of a closed set
        inputs = [self.relations[name] for name in step.inputs]
        match step:
            case Scan():
                return self._scan(step)
            case Filter():
                self._filter(step, inputs[0])
                return inputs[0].proved(inputs[0].nulls.filtered(step))
            case Project():
                columns = {n.name: self._expression(n.expression, inputs[0], step.id) for n in step.expressions}
                below = self.plan.step(step.inputs[0]).columns
                return inputs[0].with_columns(columns, inputs[0].nulls.projected(step.expressions, below))
            case AggregateStep():
                return self._aggregate(step, inputs[0])
            case Union():
                return inputs[0].united(inputs[1:]) if step.owners else stacked(inputs)
            case Join():
                return self._join(step, *inputs)
            case Window():
                return self._window(step, inputs[0])
            case Propagate() | Match():
                return self._followed(step, *inputs)
            case Fit() | Weights():
                return self._learnt(step, inputs[0])
            case Score():
                return self._scored(step, *inputs)
            case Limit():
                self._limit(step)
                return inputs[0]
            case Quantiles():
                read = inputs[0].columns
                columns = {key: read[key] for key in step.keys}
                columns |= {each.name: read[step.bin] for each in step.quantiles}
                return inputs[0].with_columns(columns, inputs[0].nulls)
            case Share() | Sort() | Control() | Bound() | Noise() | Release():
                return inputs[0]
        raise ValueError(f"the step kind `{step.kind}` is not known to the policies")

    def _scan(self, step: Scan) -> Relation:
        if not step.at.startswith("owner:") or step.inputs:
            raise ValueError("a scan stands at an owner and has no input")
        owner = step.at.removeprefix("owner:")
        # Rows as such are a source too: a plan that counts them reads no column at all.
        whole = ColumnSource(owner, step.table, "", "row", trail=(step.id,))
        columns = {
            column.name: frozenset((ColumnSource(owner, step.table, column.name, "value", trail=(step.id,)),))
            for column in step.columns
        }
        return Relation(columns, frozenset((whole,)), frozenset((step.table,)))

    def _wish(self, step: Step, sources: Sources, ask: Ask, subject: str) -> None:
        self.wishes.append(_Wish(step.id, sources, ask, subject))

    def _expression(self, expression: Expr, relation: Relation, step_id: str) -> Sources:
        found: set[ColumnSource] = set()
        for name, use in uses_of(expression):
            for source in relation.columns[name] if name else relation.rows:
                if use == "member":
                    made = replace(source, column="", kind="member", form="plain")
                elif use == "constant":
                    form: Form = "linear" if source.kind == "present" else combined("linear", source.form)
                    made = replace(source, form=form)
                else:
                    made = replace(source, form=combined(use, source.form))
                found.add(replace(made, trail=(*source.trail, step_id)))
        return frozenset(found)

    def _filter(self, step: Filter, relation: Relation) -> None:
        if step.origin in ("canonical", "row-scope") and step.at.startswith("owner:"):
            return  # the owner's and the consortium's own wish; rules/tables.py compares them with what was signed
        sources = self._expression(step.predicate, relation, step.id)
        if step.inputs[0] in self.after_last:
            self._wish(step, sources, to_compare, "HAVING")
        else:
            self._wish(step, sources, to_select, "HAVING" if step.origin == "having" else "WHERE")

    # --- aggregations -----------------------------------------------------------------------------------------------

    def _aggregate(self, step: AggregateStep, relation: Relation) -> Relation:
        at_owner, last = step.at != "shared", step.id in self.last
        keys: Sources = frozenset().union(*(relation.columns[key] for key in step.keys))
        columns = {key: self._key(key, relation.columns[key], last=last) for key in step.keys}
        for aggregate in step.aggregates:
            made = self._aggregated(step, aggregate, relation, keys)
            columns[aggregate.name] = frozenset(replace(source, trail=(*source.trail, step.id)) for source in made)
        for key in step.keys:
            if last:
                self._wish(step, columns[key], to_open, f"the group key `{key}`")
            elif not at_owner:
                self._wish(step, relation.columns[key], to_meet, f"the nested group key `{key}`")
        if not at_owner and not last and not self.identified[step.id]:
            columns = {name: frozenset(_mixed(each) for each in columns[name]) for name in columns}
        return relation.grouped(columns, existence(relation.rows, keys, at_owner=at_owner), at_owner=at_owner)

    def _key(self, key: str, sources: Sources, *, last: bool) -> Sources:
        """Sources of a group key; the bins of a histogram tell quantiles and no single values."""
        if not last or key not in self.bins:
            return sources
        return frozenset(
            replace(source, kind="quantile", form="plain") if source.kind in HOLDS_VALUES else source
            for source in sources
        )

    def _aggregated(self, step: AggregateStep, made: Aggregate, relation: Relation, keys: Sources) -> Sources:
        at_owner, last = step.at != "shared", step.id in self.last
        match made.function:
            case "count-rows":
                return rows_counted(relation.rows, keys, last=last, at_owner=at_owner)
            case "count-entities":
                sources = relation.columns[step.entity]
                if last:
                    return frozenset(replace(source, kind="entities", form="plain") for source in sources)
                return frozenset(replace(source, kind="tally", form="linear") for source in sources)
            case "count-members" | "has-member":
                whose: Kind = "members" if last else "member-count"
                return frozenset(replace(source, column="", kind=whose, form="plain") for source in relation.rows)
            case "largest" | "magnitude" | "count-beside":
                # for the output control alone: what single contributors hold is never opened or compared
                return frozenset(replace(source, column="", kind="selection", form="plain") for source in relation.rows)
        read = self.plan.step(step.inputs[0]).columns
        may_be_null = self._is_nullable(read, made.column) and made.column not in relation.nulls.whole
        turned: set[ColumnSource] = set()
        for source in relation.columns[made.column]:
            turned.update(at_last(made, source) if last else nested(made.function, source, at_owner=at_owner))
            if source.kind in HOLDS_VALUES and may_be_null:
                turned.add(replace(source, kind="gaps" if last else "gap", form="plain"))
            if source.kind == "mark":
                turned |= marked(keys, source, last=last)
        if not last and (
            made.function in ("count", "count-distinct") or not self._is_nullable(step.columns, made.name)
        ):
            # the number is there where a value is missing: no condition on it can tell
            turned = {replace(each, form="condition") if each.kind in ("gap", "match") else each for each in turned}
        return frozenset(turned)

    @staticmethod
    def _is_nullable(columns: tuple[Column, ...], name: str) -> bool:
        return next(column for column in columns if column.name == name).nullable

    # --- joins, windows, limits -------------------------------------------------------------------------------------

    def _join(self, step: Join, left: Relation, right: Relation) -> Relation:
        keys: Sources = frozenset()
        for key in step.on:
            pair = left.columns[key.left] | right.columns[key.right]
            keys |= pair
            self._wish(step, pair, to_meet, f"the join on `{key.left}` = `{key.right}`")
        names = frozenset(column.name for column in step.columns)
        return joined(step.how, left, right, keys, names)

    def _window(self, step: Window, relation: Relation) -> Relation:
        for name in step.partition:
            self._wish(step, relation.columns[name], to_meet, f"PARTITION BY `{name}`")
        order = self._order(step, step.order, relation, "ORDER BY of a window")
        mixed = not frozenset(step.partition) & self.identified[step.inputs[0]]
        columns = {**relation.columns}
        for function in step.functions:
            sources = self._windowed(function, relation, order)
            columns[function.name] = frozenset(
                replace(
                    source, mixed=source.mixed or (mixed and source.kind != "place"), trail=(*source.trail, step.id)
                )
                for source in sources
            )
        return relation.with_columns(columns, relation.nulls)

    def _windowed(self, function: WindowFunction, relation: Relation, order: Sources) -> Sources:
        """A window's number is a shape: a sum of it over rows weighs them by their place."""
        if order and function.function in ("row-number", "rank", "dense-rank"):
            decide = (source for source in order if source.kind not in ROWS)
            return frozenset(
                replace(s, kind="place" if s.kind in HOLDS_VALUES else s.kind, form="shape") for s in decide
            )
        if not function.column:
            counted = rows_counted(relation.rows, frozenset(), last=False, at_owner=False)
            return frozenset(replace(source, form=combined("shape", source.form)) for source in counted)
        what: AggregateFunction = "sum" if function.function == "sum" else "count"
        read = relation.columns[function.column]
        made = {each for source in read for each in nested(what, source, at_owner=False)}
        return frozenset(replace(source, form=combined("shape", source.form)) for source in made)

    def _followed(self, step: Propagate | Match, *inputs: Relation) -> Relation:
        read, accounts = followed(step, *inputs)
        for sources in read:
            self._wish(step, sources, to_trace, "what is followed from account to account")
        return accounts

    def _learnt(self, step: Fit | Weights, rows: Relation) -> Relation:
        sources, made = taught((*step.features, step.label, *filter(None, (step.held,))), rows, step.id)
        self._wish(step, sources, to_learn, "what a joint model learns from")
        return Relation({column.name: made for column in step.columns}, frozenset(), rows.tables)

    def _scored(self, step: Score, rows: Relation, model: Relation) -> Relation:
        fit = self.plan.step(step.inputs[1])
        if not isinstance(fit, Fit) or (fit.inputs[0], fit.features) != (step.inputs[0], step.features):
            raise ValueError("rows are scored by the model that they taught")
        return scored(step, fit, rows, model)

    def _limit(self, step: Limit) -> None:
        below = self.plan.step(step.inputs[0])
        if not isinstance(below, Sort):
            raise ValueError("a limit stands directly after the sort whose first rows it keeps")
        relation = self.relations[below.inputs[0]]
        if below.inputs[0] in self.after_last:
            opened = self._opened_after(step)
            hidden = [key for key in below.keys if key.column not in opened]
            for key in hidden:
                self._wish(step, relation.columns[key.column], to_compare, f"LIMIT in the order of `{key.column}`")
        else:
            self._order(step, below.keys, relation, "LIMIT in this order")

    def _opened_after(self, step: Step) -> frozenset[str]:
        """Columns that the release after ``step`` opens; none where no release follows at once."""
        for other in self.plan.steps:
            if isinstance(other, Release) and step.id in other.inputs:
                return frozenset(column.name for column in other.columns)
        return frozenset()

    def _order(self, step: Step, keys: tuple[SortKey, ...], relation: Relation, subject: str) -> Sources:
        """Ask for what orders rows. A key's hash only breaks ties of columns that decide before it.

        It must: no policy permits to order by an identifier, and every nested query keeps one.
        """
        types = {column.name: column.type.kind for column in self.plan.step(step.inputs[0]).columns}
        decided = False
        for key in keys:
            sources = relation.columns[key.column]
            if types[key.column] != "key" or not decided:
                self._wish(step, sources, to_order, f"{subject} (`{key.column}`)")
            decided = decided or any(to_order(source, rows=False) for source in sources)
        return frozenset().union(*(relation.columns[key.column] for key in keys))


def _mixed(source: ColumnSource) -> ColumnSource:
    return source if source.kind in ("value", "member", "mark") else replace(source, mixed=True)
