"""A compiled query for people and for programs: verdicts, what is off, the plan, who learns what, and the cost."""

from collections.abc import Sequence
from typing import Any

from consortia.client.noise import noise_dict, noise_lines
from consortia.errors import ConsortiaError
from consortia.plans.cost import LINKS, Estimate, machine_of, seconds
from consortia.plans.model import Plan
from consortia.plans.show import show_leakage, show_plan
from consortia.policies.compiling import Compiled
from consortia.policies.language.enforcement import off_rules
from consortia.policies.review import reviewers
from consortia.policies.templates import template_digest
from consortia.policies.verdicts import Verdict
from consortia.policies.world import PolicyWorld


def explanation_text(compiled: Compiled, world: PolicyWorld, not_in_force: Sequence[ConsortiaError]) -> str:
    """Everything that ``explain`` shows, ending in a newline."""
    lines = ["VERDICTS"]
    for verdict in compiled.decision.verdicts:
        lines += _verdict_lines(verdict)
    lines += [f"  not in force: {error}" for error in not_in_force]
    if compiled.estimate is None or compiled.leakage is None:
        if compiled.suggestion:
            lines += ["", "NEAREST QUERY THAT PASSES", *_indented(compiled.suggestion)]
        return "\n".join(lines) + "\n"
    lines.append("  each owner's own part (is its data registered?) is pending: it decides at the run")
    awaited = reviewers(compiled.plan, world)
    if awaited:
        lines.append(f"  the run is held until an officer of {' and one of '.join(awaited)} has signed (human-review)")
        lines.append(f"  as a template: {template_digest(compiled.plan, world.catalogue)}")
    off = _off(compiled, world)
    if off:
        lines += ["", "OFF (rules of the language that are not enforced here)", *(f"  {text}" for text in off)]
    noise = noise_lines(compiled.plan)
    if noise:
        lines += ["", "NOISE ON THE RESULT", *(f"  {text}" for text in noise)]
    lines += ["", "PLAN", *_indented(show_plan(compiled.plan, compiled.estimate))]
    lines += ["", "WHO LEARNS WHAT", *_indented(show_leakage(compiled.leakage))]
    lines += [
        "",
        "COST OF THE SECURE PART",
        *(f"  {text}" for text in _cost_lines(compiled.estimate, compiled.plan)),
    ]
    return "\n".join(lines) + "\n"


def explanation_dict(compiled: Compiled, world: PolicyWorld, not_in_force: Sequence[ConsortiaError]) -> dict[str, Any]:
    """The same for ``--json``."""
    estimate = compiled.estimate
    return {
        "permitted": compiled.permitted,
        "plan_hash": compiled.plan.digest(),
        "plan": compiled.plan.model_dump(mode="json"),
        "verdicts": [verdict.model_dump(mode="json") for verdict in compiled.decision.verdicts],
        "own_part": "pending",
        "reviewers": list(reviewers(compiled.plan, world)) if compiled.permitted else [],
        "template": template_digest(compiled.plan, world.catalogue),
        "not_in_force": [error.as_dict() for error in not_in_force],
        "off": _off(compiled, world),
        "suggestion": compiled.suggestion,
        "noise": noise_dict(compiled.plan) if compiled.permitted else None,
        "leakage": compiled.leakage.model_dump(mode="json") if compiled.leakage else None,
        "cost": _cost_dict(estimate, compiled.plan) if estimate else None,
    }


def _verdict_lines(verdict: Verdict) -> list[str]:
    lines = [f"  {verdict.owner}: {verdict.verdict}"]
    if verdict.verdict == "permit":
        return lines
    for reason in verdict.reasons:
        where = ", ".join(part for part in (reason.column, reason.step, reason.place) if part)
        lines.append(f"    {reason.text} (rule {reason.rule}{', ' + where if where else ''})")
        if reason.trail:
            lines.append(f"      it came there by {' -> '.join(reason.trail)}")
        if reason.remedy:
            lines.append(f"      would pass: {reason.remedy}")
    return lines


def _off(compiled: Compiled, world: PolicyWorld) -> list[str]:
    """A line for each rule that is off at an owner; owners at which it is off alike stand together."""
    owners: dict[str, list[str]] = {}
    for verdict in compiled.decision.verdicts:
        for loaded in world.policies_of(verdict.owner, compiled.plan.purpose):
            for rule in off_rules(loaded.policy):
                owners.setdefault(f"{rule.words} ({rule.rule}: off)", []).append(verdict.owner)
    return [f"{', '.join(dict.fromkeys(names))}: {text}" for text, names in owners.items()]


def _cost_lines(estimate: Estimate, plan: Plan) -> list[str]:
    sent = ", ".join(f"{entry.member} {entry.sent:,}" for entry in estimate.bytes_by_party)
    times = ", ".join(f"{seconds(estimate, link, machine_of(plan))} s ({link.name})" for link in LINKS)
    circuits = f", by circuits of {plan.circuits.replace('-', ' ')}" if plan.engine == "ring3" else ""
    return [
        f"{estimate.rounds} rounds{circuits}",
        f"payload bytes sent: {sent}",
        f"predicted time: {times}",
    ]


def _cost_dict(estimate: Estimate, plan: Plan) -> dict[str, Any]:
    return {
        "rounds": estimate.rounds,
        "bytes_by_party": {entry.member: entry.sent for entry in estimate.bytes_by_party},
        "steps": [step.model_dump(mode="json") for step in estimate.steps],
        "seconds": {link.name: seconds(estimate, link, machine_of(plan)) for link in LINKS},
    }


def _indented(text: str) -> list[str]:
    return [f"  {line}" if line else "" for line in text.rstrip("\n").split("\n")]
