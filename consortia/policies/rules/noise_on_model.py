"""Noise on a model: each contributor has one example, which nobody else's rows change, and all weights enough noise.

What protects is recomputed from the steps of the plan: the way that examples come, the public steps of the training and
by how much one example changes its weights (``plans.bounded``). A model without noise is never opened.
"""

from collections.abc import Iterator

from consortia.plans.columns import Column
from consortia.plans.expressions import Call, Ref
from consortia.plans.function_ranges import FUNCTIONS
from consortia.plans.model import AggregateStep, Control, Filter, Join, Plan, Project, Scan, Share, Sort, Step, Union
from consortia.plans.passes.noise_on_model import weights_sensitivity
from consortia.plans.steps_of_models import Weights
from consortia.plans.steps_of_noise import Noise
from consortia.plans.trees import walk
from consortia.policies.accounting import charge_of, grant_of
from consortia.policies.flow.entities import identifying
from consortia.policies.language.reader import Path
from consortia.policies.lineage import Output
from consortia.policies.rules.base import Case, Finding, forbid, permit

ASK = (
    "group the examples by the privacy unit, join nested queries that are grouped by it, leave LIMIT, windows and NOT"
    " IN out, and write LN, SQRT, EXP, POWER and SIGMOID inside MAX, MIN or SUM over one table"
)
OF_ONE_ROW = (Scan, Filter, Project, AggregateStep, Share, Union, Join, Sort)
"""Steps in which a row follows from the rows of its own unit, as long as their keys identify it."""


def of_model(case: Case, output: Output) -> Iterator[Finding]:
    """The findings of rule `noise` on a model that is opened."""
    path: Path = ("outputs", "model", "noise")
    section, weights = case.policy.outputs.model, output.weights
    if section == "never" or weights is None:
        return  # rule `output-kind` forbids
    problem = next(_problems(case, weights), "")
    if problem:
        yield forbid("noise", path, f"{problem}, and noise on a model hides one example", ASK, step=weights.id)
        return
    if any(isinstance(step, Noise) for step in case.plan.steps):
        if not _is_kept(case.plan, output, weights):
            text = "the plan's noise is not what the plan says it is"
            yield forbid("noise", path, text, "plan it again", step=weights.id)
        elif not charge_of(case.plan).within(grant_of(section.noise).per_release):
            yield forbid(
                "noise", path, f"the release costs more than rho {section.noise.rho_per_release}",
                "ask for a larger error", step=weights.id,
            )  # fmt: skip
    yield permit("noise", path, "every weight has noise")


def _problems(case: Case, weights: Weights) -> Iterator[str]:
    """Why one contributor's rows may change more than one example, or one example more than is bounded."""
    plan = case.plan
    units = case.world.privacy_units(plan.purpose)
    for step in _above(plan, weights):
        yield from _of_step(step)

    def unit(scan: Scan) -> frozenset[str]:
        return frozenset((units.get(scan.table, ""),))

    if weights.unit not in identifying(plan, unit)[weights.inputs[0]]:
        yield f"an example of `{weights.unit}` may hold rows of several contributors"
    if not _is_one_each(plan, plan.step(weights.inputs[0]), weights.unit):
        yield f"one `{weights.unit}` may have several examples"
    columns = {column.name: column for column in plan.step(weights.inputs[0]).columns}
    for name in filter(None, (weights.label, weights.held)):
        if not _is_bit(columns[name]):
            yield f"`{name}` may be other than 0 or 1"
    if any(columns[name].nullable for name in weights.features):
        yield "a feature may be NULL"


def _of_step(step: Step) -> Iterator[str]:
    """Why a step lets the rows of one contributor change more than their own example."""
    if not isinstance(step, OF_ONE_ROW) or (isinstance(step, Join) and step.how == "not-in"):
        kind = "NOT IN" if isinstance(step, Join) else f"`{step.kind}` step"
        yield f"rows of others change a customer's example by a {kind}"
    if isinstance(step, Join) and step.how in ("inner", "left") and step.uniqueness != "grouped":
        yield "whether a key stands twice in a joined table is told without noise"
    for function in sorted(_rough(step)):
        # on shares they are rounded by a draw that belongs to the row's place, and a row that is gone moves others
        yield f"{function.upper()} on shares rounds a customer's example by the place of its row"


def _rough(step: Step) -> set[str]:
    """Functions that a step computes on shares with rounding of their own."""
    if step.at != "shared" or not isinstance(step, Project | Filter):
        return set()
    expressions = [step.predicate] if isinstance(step, Filter) else [named.expression for named in step.expressions]
    return {part.op for each in expressions for part in walk(each) if isinstance(part, Call) and part.op in FUNCTIONS}


def _is_bit(column: Column) -> bool:
    bounds = column.bounds
    return bounds is not None and 0 <= bounds.lo <= bounds.hi <= 1 and not column.nullable


def _above(plan: Plan, weights: Weights) -> Iterator[Step]:
    """Every step that examples come from, each once."""
    waiting, seen = list(weights.inputs), set[str]()
    while waiting:
        step = plan.step(waiting.pop())
        if step.id not in seen:
            seen.add(step.id)
            waiting += step.inputs
            yield step


def _is_one_each(plan: Plan, step: Step, key: str) -> bool:
    """Whether no two rows of a step on shares have the same ``key``."""
    match step:
        case AggregateStep():
            return step.at == "shared" and step.keys == (key,)
        case Filter() | Sort():
            return _is_one_each(plan, plan.step(step.inputs[0]), key)
        case Project():
            read = next((named.expression for named in step.expressions if named.name == key), None)
            return isinstance(read, Ref) and _is_one_each(plan, plan.step(step.inputs[0]), read.column)
        case Join():
            left = plan.step(step.inputs[0])
            if any(column.name == key for column in left.columns):
                return _is_one_each(plan, left, key)
            # a key of the second input is that of the first which it equals
            pairs = (pair.left for pair in step.on if pair.right == key and step.how == "inner")
            return any(_is_one_each(plan, left, name) for name in pairs)
        case _:
            return False


def _is_kept(plan: Plan, output: Output, weights: Weights) -> bool:
    """Whether the release opens these weights alone, all with the noise that hides what one example changes."""
    made = plan.step(output.release.inputs[0])
    if not isinstance(made, Noise) or made.keys or made.selection is not None or made.rows != weights.rows:
        return False
    control = plan.step(made.inputs[0])
    parameter, weight = (column.name for column in weights.columns)
    most = weights_sensitivity(weights, plan.step(weights.inputs[0]).rows)
    return (
        isinstance(control, Control)
        and not (control.rules or control.rounding)
        and control.inputs == (weights.id,)
        and {column.name for column in output.release.columns} <= {parameter, weight}
        and [each.column for each in made.noised] == [weight]
        and all(each.sensitivity >= most for each in made.noised)
        and weights.rows == len(weights.features) + 1 == len(weights.ranges) + 1
    )
