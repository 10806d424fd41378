"""Control, release, and the recipient's part: what is opened to whom, and what the recipient makes of it.

Alerts and scores go to the members that hold the tables, each its own groups; everything else goes to the person
who asks, after the contributor rules. The control step stands in every plan, without rules where there are none:
it also moves the released rows together, so that their places tell nothing of the others. A LIMIT sorts and cuts what
has passed it.
"""

from dataclasses import replace

from consortia.ids import member_of
from consortia.plans.columns import Column
from consortia.plans.contributors import control_rules
from consortia.plans.draft import Draft
from consortia.plans.expressions import Ref, columns_of
from consortia.plans.local import has_rules
from consortia.plans.lowering.top import top_order
from consortia.plans.meaning import type_of
from consortia.plans.model import (
    AggregateStep,
    Control,
    Limit,
    Project,
    Recipient,
    Release,
    Rounded,
    Sort,
    SortKey,
    Step,
)
from consortia.plans.passes.release_model import release_model
from consortia.plans.variants import with_steps

CELLS = ("aggregate", "count")
"""Kinds of outputs over cells; alerts and scores go to the owners of their rows as they are."""
PUBLIC_KINDS = ("bool", "enum")
"""Kinds of group keys whose values everybody knows beforehand."""


def release_results(draft: Draft) -> Draft:
    """The finished list of steps; sizes and ranges follow."""
    if draft.query.model is not None:
        return release_model(draft)
    aggregation = last_aggregation(draft)
    columns = draft.steps[-1].columns
    steps: list[Step] = []

    def place(at: str) -> dict[str, object]:
        before = steps[-1] if steps else draft.steps[-1]
        return {"id": f"s{len(draft.steps) + len(steps)}", "inputs": (before.id,), "at": at, "rows": before.rows}

    rules = control_rules(draft, aggregation) if has_rules(draft) else ()
    checked = frozenset().union(*(rule.margin().columns() for rule in rules))
    columns = tuple(column for column in columns if column.name not in checked)
    domain = _complete_domain(draft)
    hidden = domain if draft.obligations.complementary else None
    control = {"columns": columns, "rules": rules, "complementary": hidden, "rounding": _rounding(draft, columns)}
    steps.append(Control.model_validate({**place("shared"), **control}))
    if draft.query.limit is not None:
        order = {"columns": columns, "keys": top_order(draft.query)}
        steps.append(Sort.model_validate({**place("shared"), **order}))
        count = draft.query.limit
        cut = {**place("shared"), "columns": columns, "count": count, "rows": min(steps[-1].rows, count)}
        steps.append(Limit.model_validate(cut))
    steps.append(Release.model_validate({**place("shared"), **_release(draft, aggregation, columns)}))
    types = {column.name: column.type for column in steps[-1].columns}
    outputs = tuple(Column(name=output.name, type=type_of(output.expression, types)) for output in draft.query.outputs)
    steps.append(Project.model_validate({**place("recipient"), "columns": outputs, "expressions": draft.query.outputs}))
    given = tuple(key.column for key in draft.query.order_by)
    rest = tuple(SortKey(column=column.name) for column in outputs if column.name not in given)
    keys = (*draft.query.order_by, *rest)
    steps.append(Sort.model_validate({**place("recipient"), "columns": outputs, "keys": keys}))
    return replace(with_steps(draft, *steps), complete_domain=domain)


def _rounding(draft: Draft, columns: tuple[Column, ...]) -> tuple[Rounded, ...]:
    """What is rounded: every number of a cell that is opened, to a multiple of so many whole units."""
    base = draft.obligations.rounding
    if base is None or draft.output_kind not in CELLS:
        return ()
    read = set().union(*(columns_of(output.expression) for output in draft.query.outputs))
    opened = read - {key.name for key in draft.query.keys}
    return tuple(
        Rounded(column=column.name, base=base * 10**column.type.scale)
        for column in columns
        if column.name in opened and column.type.kind in ("int", "decimal")
    )


def last_aggregation(draft: Draft) -> AggregateStep:
    """The aggregation on shares whose groups are released."""
    return next(step for step in reversed(draft.steps) if isinstance(step, AggregateStep) and step.at == "shared")


def _release(draft: Draft, aggregation: AggregateStep, columns: tuple[Column, ...]) -> dict[str, object]:
    read = set().union(*(columns_of(output.expression) for output in draft.query.outputs))
    opened = tuple(column for column in columns if column.name in read)
    if draft.output_kind in ("alert", "score"):
        presence = [made for made in aggregation.aggregates if made.function == "has-member"]
        return {
            "columns": opened,
            "recipients": tuple(Recipient(member=made.member) for made in presence),
            "rows_of": "own",
            "output_kind": draft.output_kind,
            "membership": tuple(made.name for made in presence),
        }
    submitter = draft.environment.submitter
    person = Recipient(member=member_of(submitter), person=submitter)
    return {"columns": opened, "recipients": (person,), "rows_of": "all", "output_kind": draft.output_kind}


def _complete_domain(draft: Draft) -> tuple[str, ...] | None:
    """Group keys whose absent values the recipient fills in as suppressed, None if it can't or need not."""
    if draft.query.having is not None or draft.query.limit is not None or not has_rules(draft):
        return None
    types = draft.group_types
    shown = {output.expression.column for output in draft.query.outputs if isinstance(output.expression, Ref)}
    for key in draft.query.keys:
        if types[key.name].kind not in PUBLIC_KINDS or key.name not in shown:
            return None
    return tuple(key.name for key in draft.query.keys)
