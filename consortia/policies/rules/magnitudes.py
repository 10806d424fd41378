"""Rules on what contributors hold of a cell: dominance, p%, zeros and full cells; and rounding.

Shares decide, before release. Here is what plan and policy decide beforehand: that a cell could pass at all, that each
sum is of one column, so that nothing added to it hides who rules it, and that the columns which the control step
compares are what they are called. ``magnitude_obligations`` and ``lost_rules`` are the obligations and whether a final
plan keeps them.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from consortia.plans.contributors import by_whom, known_of, largest_of
from consortia.plans.model import Aggregate, AggregateStep, Control, Plan, Release, Step
from consortia.plans.obligations import DominanceLimit, Obligations
from consortia.plans.rules import WHOLE, Dominance, FullCell, MinimumContributors, PPercent, Rule, ZeroCell
from consortia.policies.flow.opened import made_by, opened_numbers, opened_sums
from consortia.policies.flow.reader import last_aggregation
from consortia.policies.flow.singles import is_single, origins
from consortia.policies.language.model import CellOutput
from consortia.policies.lineage import Output
from consortia.policies.rules.base import Case, Finding, forbid, permit
from consortia.policies.rules.base import Rule as PolicyRule

RuleId = Literal["dominance", "p-percent", "zeros-and-full-cells", "rounding"]
IDS: tuple[RuleId, ...] = ("dominance", "p-percent", "zeros-and-full-cells", "rounding")
OF_RULE: dict[type, RuleId] = {
    Dominance: "dominance", PPercent: "p-percent", ZeroCell: "zeros-and-full-cells", FullCell: "zeros-and-full-cells",
}  # fmt: skip


def magnitudes(case: Case) -> Iterator[Finding]:
    """Each rule for each output; alerts and scores have none, since each row goes to its owner alone."""
    for output in case.flow.outputs:
        section = case.policy.cell_output(output.kind)
        for rule in IDS:
            if output.kind == "model":
                yield permit(rule, ("outputs", output.kind), "no such rule: noise hides each contributor")
            elif section is None:
                yield permit(rule, ("outputs", output.kind), "no such rule: each row goes to its owner alone")
            elif section.noise != "off" and (rule != "rounding" or section.rounding == "off"):
                yield permit(rule, ("outputs", output.kind), "noise hides each contributor in every cell instead")
            elif section.noise != "off":
                yield forbid(
                    rule, ("outputs", output.kind, rule), "numbers with noise are not rounded, and noise is on",
                    "the owner writes one of `noise` and `rounding` off", step=output.release.id,
                )  # fmt: skip
            else:
                yield from _decided(case, output, section, rule)
        if section is not None and output.groups is not None:
            yield from _mixed(case, output, section, output.groups)
            yield from _misread(case, output, output.groups)


def _decided(case: Case, output: Output, section: CellOutput, rule: RuleId) -> Iterator[Finding]:
    path = ("outputs", output.kind, rule)
    match rule:
        case "dominance" if section.dominance != "off":
            limit = section.dominance
            if limit.percent < WHOLE and _too_few(case, output, section, largest_of("member", limit.n)):
                yield _never(rule, output, f"the {limit.n} largest members hold all of every number")
            else:
                text = f"the {limit.n} largest hold at most {limit.percent} % of every number in a cell"
                yield permit(rule, path, text)
        case "p-percent" if section.p_percent != "off":
            if _too_few(case, output, section, known_of("member")):
                yield _never(rule, output, "what one other member holds is known from the number itself")
            else:
                yield permit(rule, path, f"no contribution can be estimated within {section.p_percent} %")
        case "zeros-and-full-cells" if section.zeros_and_full_cells != "off":
            yield permit(rule, path, "zeros, and cells that hold everybody of their line, are suppressed")
        case "rounding" if section.rounding != "off":
            if any(requirement.operation == "variance" for requirement in case.flow.requirements):
                yield forbid(
                    rule, path, "a variance of rounded sums is no variance, it may even be negative",
                    "ask for sums, counts and averages", step=output.release.id,
                )  # fmt: skip
            else:
                yield permit(rule, path, f"numbers are rounded to multiples of {section.rounding}")
        case _:
            yield permit(rule, path, "off")


def _mixed(case: Case, output: Output, section: CellOutput, groups: AggregateStep) -> Iterator[Finding]:
    """Sums of several columns, or of a column and a constant: each part could follow, and no rule would be about it."""
    limit = section.dominance
    active: dict[RuleId, bool] = {
        "dominance": limit != "off" and limit.percent < WHOLE,
        "p-percent": section.p_percent != "off",
        "zeros-and-full-cells": section.zeros_and_full_cells != "off",
    }
    rule = next((rule for rule, on in active.items() if on and section.noise == "off"), None)
    if rule is None:
        return
    rows = origins(case.plan)[groups.inputs[0]]
    if not all(is_single(made, rows) for made in opened_sums(case.plan, output.release, groups)):
        yield forbid(
            rule, ("outputs", output.kind, rule), "a sum is made of several columns, or of a column and a constant:"
            " what is added hides who rules it, and can be subtracted again",
            "ask for the sum of each column by itself, and add up what is opened", step=groups.id,
        )  # fmt: skip


def _too_few(case: Case, output: Output, section: CellOutput, largest: int) -> bool:
    """Whether the ``largest`` largest members beside the recipient are all that hold rows of a sum that is opened."""
    if by_whom(len(case.plan.owners()), section.minimum_members) == ("entity",):
        return False
    if output.groups is None or not opened_sums(case.plan, output.release, output.groups):
        return False  # no rule is about other numbers
    owners = set(case.plan.owners())
    others = min((len(owners - {recipient.member}) for recipient in output.release.recipients), default=0)
    return others <= largest


def _never(rule: RuleId, output: Output, text: str) -> Finding:
    return forbid(
        rule, ("outputs", output.kind, rule), f"every cell would be suppressed: {text}",
        "ask for a table that more members hold", step=output.release.id,
    )  # fmt: skip


# --- what a final plan compares ---------------------------------------------------------------------------------------


def _misread(case: Case, output: Output, groups: AggregateStep) -> Iterator[Finding]:
    """Rules of control steps whose columns are not what the rule takes them for."""
    others = {recipient.member for recipient in output.release.recipients}
    for step in case.plan.steps:
        for rule in step.rules if isinstance(step, Control) else ():
            if isinstance(rule, MinimumContributors):
                continue  # see ``contributors``
            if _fact(case.plan, step, rule, groups, others) is None:
                rule_id = OF_RULE[type(rule)]
                yield forbid(
                    rule_id, ("outputs", output.kind, rule_id),
                    f"{', '.join(sorted(rule.margin().columns()))} do not say what contributors hold of what is opened,"
                    " with the recipient's own rows left out", "plan the query again", step=step.id,
                )  # fmt: skip


Fact = tuple[object, ...]
"""What a rule of a plan demands, without the names of the columns that it reads."""


def _fact(plan: Plan, control: Step, rule: Rule, groups: AggregateStep, others: Iterable[str]) -> Fact | None:
    """What ``rule`` demands; None if its columns are something else."""

    def is_made(column: str, **what: object) -> bool:
        made = made_by(plan, control, column, groups)
        wanted = {"excluding": frozenset(others), **what}
        return made is not None and all(_told(made, name) == value for name, value in wanted.items())

    match rule:
        case Dominance(by=by, of=of, largest=largest, total=total, percent=percent):
            made = made_by(plan, control, largest, groups)
            count = 0 if made is None else made.count
            held = is_made(largest, function="largest", by=by, of=of)
            whole = is_made(total, function="magnitude", by=by, of=of)
            return ("dominance", by, of, count, percent) if held and whole else None
        case PPercent(by=by, of=of, largest=largest, known=known, total=total, percent=percent):
            held = (
                is_made(largest, function="largest", by=by, of=of, count=1)
                and is_made(known, function="largest", by=by, of=of, count=known_of(by))
                and is_made(total, function="magnitude", by=by, of=of)
            )
            return ("p-percent", by, of, percent) if held else None
        case ZeroCell(of=of, total=total):
            return ("zero-cell", of) if is_made(total, function="magnitude", by="entity", of=of) else None
        case FullCell(key=key, beside=beside):
            return ("full-cell", key) if is_made(beside, function="count-beside", of=key) else None
    return None


def _told(made: Aggregate, name: str) -> object:
    return frozenset(made.excluding) if name == "excluding" else getattr(made, name)


# --- obligations ------------------------------------------------------------------------------------------------------


def magnitude_obligations(cases: tuple[Case, ...]) -> Obligations:
    """The strictest of all owners' rules, and nothing else.

    Every limit that no other implies, the largest percentage and base, zeros and full cells if anybody says so.
    """
    sections = [
        section
        for case in cases
        for output in case.flow.outputs
        if (section := case.policy.cell_output(output.kind)) is not None and section.noise == "off"
    ]
    limits = {
        DominanceLimit(largest=section.dominance.n, percent=section.dominance.percent)
        for section in sections
        if section.dominance != "off" and section.dominance.percent < WHOLE
    }
    strictest = [limit for limit in limits if not any(other.implies(limit) for other in limits - {limit})]
    return Obligations(
        dominance=tuple(sorted(strictest, key=lambda limit: (limit.largest, limit.percent))),
        p_percent=max((each.p_percent for each in sections if each.p_percent != "off"), default=None),
        lower_bound=bool(sections) and all(each.contributors == "lower-bound" for each in sections),
        zeros_and_full_cells=any(each.zeros_and_full_cells != "off" for each in sections),
        rounding=max((each.rounding for each in sections if each.rounding != "off"), default=None),
    )


def lost_rules(plan: Plan, obligations: Obligations) -> str:
    """What of the rules is not in a final plan, in words; "" if it keeps them all."""
    for release in (step for step in plan.steps if isinstance(step, Release)):
        groups = last_aggregation(plan, release)
        if release.output_kind not in ("aggregate", "count"):
            continue
        if groups is None:
            return "a number over groups"
        controls = [step for step in plan.steps if isinstance(step, Control)]
        others = [recipient.member for recipient in release.recipients]
        facts = {_fact(plan, step, rule, groups, others) for step in controls for rule in step.rules}
        missing = [fact for fact in _demanded(plan, release, groups, obligations) if fact not in facts]
        if missing:
            return f"the rule {missing[0][0]}"
        if obligations.rounding is not None:
            bases = {(each.column, each.base) for step in controls for each in step.rounding}
            scales = {column.name: column.type.scale for column in release.columns}
            opened = opened_numbers(plan, release, groups)
            if any((name, obligations.rounding * 10 ** scales[name]) not in bases for name in opened):
                return "rounding"
    return ""


def _demanded(plan: Plan, release: Release, groups: AggregateStep, obligations: Obligations) -> Iterator[Fact]:
    for of in (made.name for made in opened_sums(plan, release, groups)):
        for by in by_whom(len(plan.owners()), obligations.minimum_members):
            for limit in obligations.dominance:
                yield ("dominance", by, of, largest_of(by, limit.largest), limit.percent)
            if obligations.p_percent is not None:
                yield ("p-percent", by, of, obligations.p_percent)
        if obligations.zeros_and_full_cells:
            yield ("zero-cell", of)
    if obligations.zeros_and_full_cells:
        for key in groups.keys:
            yield ("full-cell", key)


RULES = (PolicyRule(IDS, magnitudes),)
