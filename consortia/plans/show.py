"""Plans, costs and leakage reports as text that a person reads; owners with equal parts are shown once."""

from collections.abc import Sequence

from consortia.plans.cost import Estimate, StepCost
from consortia.plans.leakage import LeakageReport
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
    Step,
    Union,
    Window,
)
from consortia.plans.networks import TaintMethod
from consortia.plans.rules import margin_text
from consortia.plans.steps_of_models import Fit, Score, Weights
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.plans.steps_of_noise import Bound, Noise, Quantiles
from consortia.plans.wording import column_text, expression_text, listed, order_text
from consortia.trust.documents import instant_text

ORIGINS = {
    "canonical": "the catalogue's canonical rows",
    "row-scope": "the owner's row scope",
    "where": "the query's WHERE",
    "having": "the query's HAVING",
}
UNIQUENESS = {
    "grouped": "as the rows are grouped by it",
    "owner": "as its owner makes sure",
    "opened": "of which one bit is opened",
}


def show_plan(plan: Plan, estimate: Estimate | None = None) -> str:
    """The plan as a tree of places and steps, with rounds and bytes where ``estimate`` is given; ends in a newline."""
    lines = [
        f"plan {plan.digest()}",
        f"purpose {plan.purpose}, as of {instant_text(plan.as_of)}, asked by {plan.submitter}",
        f"computed by {listed(plan.computers)} ({plan.threat_model}{_collusion(plan)})",
    ]
    for owners, chain in _chains(plan):
        lines += ["", f"in clear at {listed(owners)}, each for itself"]
        lines += _lines(chain, estimate)
    for place, title in (("shared", "on shares, at the computers"), ("recipient", "in clear, at the recipient")):
        steps = [step for step in plan.steps if step.at == place]
        lines += ["", title, *_lines(steps, estimate)]
    if plan.complete_domain is not None:
        keys = listed(plan.complete_domain)
        what = f"values of {keys} that are not released stand" if keys else "a cell that is not released stands"
        lines.append(f"  {what} there with NULL, marked `suppressed`")
    return "\n".join(lines) + "\n"


def _collusion(plan: Plan) -> str:
    """What is said of an engine that withstands more than one colluding computer."""
    return f", {plan.collusion} of them may collude: engine {plan.engine}" if plan.engine != "ring3" else ""


def _chains(plan: Plan) -> list[tuple[tuple[str, ...], list[Step]]]:
    """Owners whose steps say the same, with the steps of the first of them."""
    found: list[tuple[list[str], list[str], list[Step]]] = []
    for owner in plan.owners():
        chain = [step for step in plan.steps if step.at == f"owner:{owner}"]
        said = [f"{step_text(step)} {step.rows}" for step in chain]
        same = next((entry for entry in found if entry[1] == said), None)
        if same is None:
            found.append(([owner], said, chain))
        else:
            same[0].append(owner)
    return [(tuple(owners), chain) for owners, _, chain in found]


def _lines(steps: Sequence[Step], estimate: Estimate | None) -> list[str]:
    lines = []
    for step in steps:
        cost = estimate.step(step.id) if estimate is not None else None
        lines.append(f"  {step.id:<4} {step_text(step)}  [{_rows(step.rows)}{_cost(cost)}]")
        if isinstance(step, Share | Release | AggregateStep) or step.at == "recipient":
            lines += [f"         {column_text(column)}" for column in step.columns]
    return lines


def _rows(rows: int) -> str:
    return f"{rows} row" if rows == 1 else f"{rows} rows"


def _cost(cost: StepCost | None) -> str:
    return "" if cost is None else f", {cost.rounds} rounds, {cost.total_bytes} bytes"


def step_text(step: Step) -> str:  # noqa: C901, PLR0912 - one case for each kind of a closed set
    """One step in one line, without its id and size."""
    match step:
        case Scan():
            return f"scan {step.table}"
        case Filter():
            return f"keep {expression_text(step.predicate)}  ({ORIGINS[step.origin]})"
        case Project():
            return "compute " + ", ".join(
                named.name
                if expression_text(named.expression) == named.name
                else f"{expression_text(named.expression)} as {named.name}"
                for named in step.expressions
            )
        case AggregateStep():
            keys = f"group by {', '.join(step.keys)}" if step.keys else "one group"
            entity = f", counting by {step.entity}" if step.entity else ""
            made = ", ".join(aggregate_text(aggregate) for aggregate in step.aggregates)
            return f"{keys}{entity}: {made}" if made else f"{keys}{entity}"
        case Share():
            return "share"
        case Union():
            return f"union of {listed(step.owners)}" if step.owners else "rows of all inputs"
        case Join():
            keys = " and ".join(f"{key.left} = {key.right}" for key in step.on)
            return f"{step.how} join on {keys}  (each key once: {UNIQUENESS[step.uniqueness]})"
        case Window():
            made = ", ".join(f"{each.function}({each.column}) as {each.name}" for each in step.functions)
            order = f" in order of {order_text(step.order)}" if step.order else ""
            return f"{made} for each {', '.join(step.partition) or 'table'}{order}"
        case Propagate():
            start = f"{step.score} of " if step.score else ""
            along = f"{step.amount} from {step.source} to {step.target}"
            periods = f" in each of {len(step.later) + 1} periods" if step.later else ""
            steps = f"{step.method.iterations} steps{periods}"
            return f"{step.method.method} as {step.made}: {start}{step.key} along {along}, {steps}"
        case Fit() | Score() | Weights():
            return _model_text(step)
        case Match():
            return _match_text(step)
        case Limit():
            return f"the first {step.count} rows"
        case Sort():
            return f"sort by {order_text(step.keys)}"
        case Control():
            rules = " and ".join(margin_text(rule.margin()) for rule in step.rules)
            rounded = ", ".join(f"{each.column} to a multiple of {each.base}" for each in step.rounding)
            text = f"release only where {rules}" if rules else "move what is released together"
            if step.complementary:
                text += f", and hide cells by {', '.join(step.complementary)}, so that none follows from totals"
            return f"{text}, with {rounded}" if rounded else text
        case Bound() | Noise() | Quantiles():
            return _noise_text(step)
        case Release():
            to = listed(tuple(str(recipient.person or recipient.member) for recipient in step.recipients))
            whose = ", each its own groups" if step.rows_of == "own" else ""
            return f"release to {to}{whose}  ({step.output_kind})"


def _model_text(step: Fit | Score | Weights) -> str:
    learnt = f"{step.method.method} of {', '.join(step.features)}"
    if isinstance(step, Score):
        return f"score as {step.made}: {learnt}"
    held = f", without rows where {step.held} is 1" if step.held else ""
    if isinstance(step, Weights):
        return (
            f"weights of {', '.join(step.features)} for {step.label} in public steps, a row for each {step.unit}{held}"
        )
    return f"learn {step.label} by {learnt}{held}"


def _match_text(step: Match) -> str:
    along = f"{step.amount} from {step.source} to {step.target} at {step.time}"
    if isinstance(step.method, TaintMethod):
        return f"keep where money of the seeds reaches {step.key} within {step.method.hops} hops of {along}"
    return f"keep where {step.key} is on a {step.method.method} of {along}"


def _noise_text(step: Bound | Noise | Quantiles) -> str:
    """Steps that stand in plans with noise alone."""
    match step:
        case Bound():
            clips = ", ".join(f"{clip.column} to {clip.lo}..{clip.hi}" for clip in step.clips)
            limit = f", each in at most {step.cells} groups" if step.cells else ""
            clipped = f", clip {clips}" if clips else ""
            return f"sum up by {', '.join((*step.keys, step.entity))}{clipped}{limit}"
        case Noise():
            made = ", ".join(f"{each.column} (variance {each.variance})" for each in step.noised)
            whole = f"every value of {', '.join(step.keys)}; " if step.keys else ""
            if step.selection:
                shown = f"; show rows whose noisy {step.selection.column} is at least {step.selection.minimum}"
                return f"add noise to {made}{shown}"
            return f"{whole}add noise to {made}"
        case Quantiles():
            asked = ", ".join(f"{each.numerator}/{each.denominator} as {each.name}" for each in step.quantiles)
            return f"quantiles {asked} of the rows counted in bins of {step.width} from {step.lo} to {step.hi}"


def aggregate_text(aggregate: Aggregate) -> str:
    """``sum(x) as total``; what is left out is said."""
    inner = aggregate.member or aggregate.column or aggregate.of
    if aggregate.count:
        inner = f"{aggregate.count} of {inner}"
    if aggregate.by:
        inner = f"{inner} by {aggregate.by}"
    if aggregate.excluding:
        inner = f"{inner} not of {listed(aggregate.excluding)}".lstrip()
    return f"{aggregate.function}({inner}) as {aggregate.name}"


def show_leakage(report: LeakageReport) -> str:
    """The report as a list: who learns what, in which step; ends in a newline."""
    lines = [f"leakage report {report.digest()} on plan {report.plan}"]
    for entry in report.entries:
        place = entry.step or "all"
        detail = f" ({entry.detail})" if entry.detail else ""
        lines.append(f"  {place:<4} {entry.kind}: {', '.join(entry.who)}: {entry.what}{detail}")
    return "\n".join(lines) + "\n"
