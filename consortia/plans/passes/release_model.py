"""A model that is opened: control, release to the person who asks, and each feature's range beside its weight."""

from consortia.ids import member_of
from consortia.plans.columns import Column
from consortia.plans.draft import Draft
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.meaning import BOOL, type_of
from consortia.plans.model import Control, Named, Project, Recipient, Release, Sort, SortKey, Step
from consortia.plans.steps_of_models import Weights
from consortia.plans.types import ColumnType
from consortia.plans.variants import with_steps

PARAMETER, WEIGHT, LOW, HIGH = "parameter", "weight", "low", "high"


def release_model(draft: Draft) -> Draft:
    """The finished list of steps; the noise follows."""
    (weights,) = (step for step in draft.steps if isinstance(step, Weights))
    submitter = draft.environment.submitter
    to = Recipient(member=member_of(submitter), person=submitter)
    shown = _shown(draft, weights)
    types = {column.name: column.type for column in weights.columns}
    columns = tuple(Column(name=named.name, type=type_of(named.expression, types)) for named in shown)
    steps: list[Step] = []

    def place(at: str) -> dict[str, object]:
        before = steps[-1] if steps else weights
        return {"id": f"s{len(draft.steps) + len(steps)}", "inputs": (before.id,), "at": at, "rows": weights.rows}

    steps.append(Control.model_validate({**place("shared"), "columns": weights.columns, "rules": ()}))
    opened = {"columns": weights.columns, "recipients": (to,), "rows_of": "all", "output_kind": "model"}
    steps.append(Release.model_validate({**place("shared"), **opened}))
    steps.append(Project.model_validate({**place("recipient"), "columns": columns, "expressions": shown}))
    keys = (SortKey(column=PARAMETER), *(SortKey(column=name) for name in (WEIGHT, LOW, HIGH)))
    steps.append(Sort.model_validate({**place("recipient"), "columns": columns, "keys": keys}))
    return with_steps(draft, *steps)


def _shown(draft: Draft, weights: Weights) -> tuple[Named, ...]:
    below = next(step for step in draft.steps if step.id == weights.inputs[0])
    types = {column.name: column.type for column in below.columns}
    scale = max(types[name].scale for name in weights.features)
    kind = ColumnType(kind="decimal", scale=scale) if scale else ColumnType(kind="int")

    def ends(highest: bool) -> Expr:
        parameter = weights.columns[0].type
        args: list[Expr] = []
        for place, (name, bounds) in enumerate(zip(weights.features, weights.ranges, strict=True)):
            word = Const(type=parameter, integer=place, text=parameter.values[place])
            end = (bounds.hi if highest else bounds.lo) * 10 ** (scale - types[name].scale)
            args.append(Call(op="eq", args=(Ref(column=PARAMETER), word), type=BOOL))
            args.append(Const(type=kind, integer=end))
        return Call(op="case", args=(*args, Const(type=kind)), type=kind)

    return (
        Named(name=PARAMETER, expression=Ref(column=PARAMETER)),
        Named(name=WEIGHT, expression=Ref(column=WEIGHT)),
        Named(name=LOW, expression=ends(highest=False)),
        Named(name=HIGH, expression=ends(highest=True)),
    )
