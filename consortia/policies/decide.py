"""The decision: every owner's policy over one typed plan. Pure and total.

Default deny: an owner without a policy denies, a rule that finds nothing denies, a rule that raises denies, and a
plan without owners is denied. One `forbid` outweighs every `permit`. The verdicts do not depend on the order of
policies or rules, and every party that holds the same documents makes the same bytes.
"""

from datetime import datetime

from consortia.plans.model import Plan
from consortia.policies.language.enforcement import off_rules
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.lineage import Flow, flow_of
from consortia.policies.obligations import merged
from consortia.policies.rules import ALL
from consortia.policies.rules.base import Case, Finding, Rule
from consortia.policies.verdicts import Decision, Reason, Verdict
from consortia.policies.world import PolicyWorld


def decide(plan: Plan, world: PolicyWorld, now: datetime, rules: tuple[Rule, ...] = ALL) -> Decision:
    """The static verdicts of all owners of ``plan`` under the documents of ``world`` at ``now``."""
    flow = _flow(plan)
    decided = [_decide_one(owner, plan, flow, world, now, rules) for owner in sorted(set(plan.owners()))]
    verdicts = tuple(verdict for verdict, _ in decided)
    decision = Decision(plan=plan.digest(), verdicts=verdicts)
    if not decision.permitted:
        return decision
    obligations = merged(tuple(case for _, case in decided if case is not None))
    return decision.model_copy(update={"obligations": obligations})


def _flow(plan: Plan) -> Flow | str:
    try:
        return flow_of(plan)
    except Exception as error:  # noqa: BLE001 - total on any plan: one that can't be followed is denied, not a crash
        return f"{type(error).__name__}: {error}"


def _decide_one(
    owner: str, plan: Plan, flow: Flow | str, world: PolicyWorld, now: datetime, rules: tuple[Rule, ...]
) -> tuple[Verdict, Case | None]:
    found = world.policies_of(owner, plan.purpose)
    if len(found) != 1:
        text = (
            f"`{owner}` has no policy in force for the purpose `{plan.purpose}`"
            if not found
            else f"`{owner}` has {len(found)} policies in force for the purpose `{plan.purpose}`"
        )
        reason = Reason(rule="policy", text=text, place=owner, remedy=f"two officers of `{owner}` sign one policy")
        return Verdict(owner=owner, policy=None, verdict="deny", reasons=(reason,)), None
    loaded = found[0]
    if isinstance(flow, str):
        reason = Reason(
            rule="error", text=f"the plan can't be followed ({flow})", place=owner, remedy="plan the query again"
        )
        return Verdict(owner=owner, policy=loaded.digest, verdict="deny", reasons=(reason,)), None
    case = Case(owner, loaded, plan, flow, world, now)
    findings = [finding for rule in rules for finding in _checked(rule, case)] + _unenforced(loaded)
    forbidden = [finding for finding in findings if finding.effect == "forbid"]
    silent = [_silent(rule_id) for rule_id in _silent_ids(rules, findings)]
    shown = forbidden or silent or findings
    reasons = tuple(sorted({_reason(loaded, finding) for finding in shown}, key=_order))
    permitted = bool(findings) and not forbidden and not silent
    verdict = Verdict(owner=owner, policy=loaded.digest, verdict="permit" if permitted else "deny", reasons=reasons)
    return verdict, case


def _checked(rule: Rule, case: Case) -> list[Finding]:
    """A rule's findings; one that raises forbids."""
    try:
        return list(rule.check(case))
    except Exception as error:  # noqa: BLE001 - an error in a rule is a denial, whatever it is
        text = f"the rule could not be decided ({type(error).__name__}: {error})"
        return [Finding("forbid", rule.ids[0], (), text, "please report this")]


def _silent_ids(rules: tuple[Rule, ...], findings: list[Finding]) -> list[str]:
    """Ids of rules that found nothing at all: what is not permitted is denied."""
    found = {finding.rule for finding in findings}
    return [rule_id for rule in rules for rule_id in rule.ids if rule_id not in found]


def _silent(rule_id: str) -> Finding:
    return Finding("forbid", rule_id, (), f"nothing permits it by the rule {rule_id}", "see what the policy permits")


def _unenforced(loaded: LoadedPolicy) -> list[Finding]:
    """A policy that slipped past the parser with a rule in effect that nothing enforces is denied here again."""
    return [
        Finding("forbid", rule.rule, rule.path, "the rule is in effect and this version does not enforce it", "")
        for rule in off_rules(loaded.policy)
        if not rule.accepted
    ]


def _reason(loaded: LoadedPolicy, finding: Finding) -> Reason:
    return Reason(
        rule=finding.rule,
        text=finding.text,
        place=f"{loaded.policy.identity.id}, {loaded.place(finding.path)}",
        step=finding.step,
        column=finding.column,
        trail=finding.trail,
        remedy=finding.remedy,
    )


_PLACES = {rule_id: place for place, rule_id in enumerate(rule_id for rule in ALL for rule_id in rule.ids)}


def _order(reason: Reason) -> tuple[int, tuple[str, ...]]:
    """Reasons stand in the order of the rules' list, whatever order they were decided in."""
    place = _PLACES.get(reason.rule, len(_PLACES))
    return place, (reason.rule, reason.step, reason.column, reason.place, reason.text, *reason.trail)
