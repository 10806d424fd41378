"""Whether a suppressed cell could follow from totals: further cells are hidden, or no total of these rows is answered.

Hiding needs cells that everybody can list, so keys that are truth values or words, neither HAVING nor LIMIT, and keys
that stand in the result. Elsewhere it is enough that the owner's differencing guard answers nothing else of the same
rows (``policies.own.differencing``); without it, such a query is denied.
"""

from collections.abc import Iterator

from consortia.plans.expressions import Ref
from consortia.plans.model import Control, Plan, Project, Release, Step
from consortia.plans.steps_of_noise import Noise
from consortia.policies.flow.reader import last_aggregation
from consortia.policies.rules.base import Case, Finding, Rule, forbid, permit

RULE = "complementary-suppression"
LISTED = ("bool", "enum")
"""Kinds of keys whose values everybody knows beforehand."""


def control_before(plan: Plan, release: Release) -> Control | None:
    """The control step whose rows ``release`` opens all; None where a LIMIT or anything else stands between."""
    step: Step = plan.step(release.inputs[0])
    return step if isinstance(step, Control) else None


def listed_keys(plan: Plan, release: Release) -> tuple[str, ...] | None:
    """The keys of the cells that ``release`` opens, if everybody can list the cells and see which are open."""
    groups, control = last_aggregation(plan, release), control_before(plan, release)
    if groups is None or control is None or control.inputs != (groups.id,):
        return None  # a HAVING would keep cells back that pass
    kinds = {column.name: column.type.kind for column in groups.columns}
    shown = {
        each.expression.column
        for step in plan.steps
        if isinstance(step, Project) and step.inputs == (release.id,)
        for each in step.expressions
        if isinstance(each.expression, Ref)
    }
    return groups.keys if all(kinds[key] in LISTED and key in shown for key in groups.keys) else None


def lost_suppression(plan: Plan) -> bool:
    """Whether cells that could be listed are released without that others are hidden for their sake."""
    for release in plan.steps:
        if isinstance(release, Release):
            keys, control = listed_keys(plan, release), control_before(plan, release)
            if keys is not None and (control is None or control.complementary != keys):
                return True
    return False


def complementary(case: Case) -> Iterator[Finding]:
    """Cells are hidden together, or their rows are answered in these cells alone."""
    noisy = any(isinstance(step, Noise) for step in case.plan.steps)
    for output in case.flow.outputs:
        path = ("outputs", output.kind, RULE)
        section = case.policy.cell_output(output.kind)
        if output.kind == "model":
            yield permit(RULE, ("outputs", output.kind), "every weight is opened, with noise")
        elif section is None:
            yield permit(
                RULE, ("outputs", output.kind), "each row goes to its owner alone: there are no totals of cells"
            )
        elif section.complementary_suppression == "off":
            yield permit(RULE, path, "whether a suppressed cell follows from totals is not asked")
        elif section.noise != "off" or noisy:
            yield permit(RULE, path, "every cell is opened, with noise")
        elif listed_keys(case.plan, output.release) is not None:
            yield permit(RULE, path, "further cells are hidden, so that none follows from totals")
        elif section.differencing != "off":
            yield permit(RULE, path, "the owner answers nothing else of the same rows, so no total")
        else:
            yield forbid(
                RULE, path, "a suppressed cell could follow from totals, and only cells that everybody can list can be"
                " hidden together",
                "group by truth values or words alone, keep them in the result, and leave HAVING and LIMIT out",
                step=output.release.id,
            )  # fmt: skip


RULES = (Rule((RULE,), complementary),)
