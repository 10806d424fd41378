"""The owner's own part of a verdict. Pure and total; it can only narrow what all policies permit.

Of several findings a denial counts before a hold, and the first in the order of ``RULES`` is the one that is told. A
rule that raises denies. A denial depends on plans, policies and facts that all parties know, never on rows, so that
being denied tells nothing about data.
"""

from typing import Literal

from consortia.policies.own.budget import within_budget
from consortia.policies.own.case import OwnCase, OwnFinding, OwnRule
from consortia.policies.own.data import data_registered
from consortia.policies.own.differencing import differencing
from consortia.policies.own.rates import within_rates
from consortia.policies.own.review import officer_reviews
from consortia.policies.verdicts import Decision
from consortia.trust.documents import Frozen, Name

RULES: tuple[OwnRule, ...] = (data_registered, differencing, within_rates, within_budget, officer_reviews)


class OwnVerdict(Frozen):
    """The owner's answer after its own part. Others learn ``code``; ``text`` and ``remedy`` stay with the owner."""

    owner: Name
    verdict: Literal["permit", "deny", "hold"]
    code: str = ""
    text: str = ""
    remedy: str = ""


def decide_own(decision: Decision, case: OwnCase, rules: tuple[OwnRule, ...] = RULES) -> OwnVerdict:
    """The verdict of ``case.owner``: the static one of ``decision``, or a denial or a hold."""
    static = next((verdict for verdict in decision.verdicts if verdict.owner == case.owner), None)
    if not decision.permitted or static is None or static.verdict != "permit":
        return OwnVerdict(
            owner=case.owner,
            verdict="deny",
            code="policies/denied",
            text="the static verdict is a denial, and stays one",
        )
    found = [finding for rule in rules if (finding := _checked(rule, case)) is not None]
    first = next((finding for finding in found if finding.effect == "deny"), found[0] if found else None)
    if first is None:
        return OwnVerdict(owner=case.owner, verdict="permit")
    return OwnVerdict(owner=case.owner, verdict=first.effect, code=first.code, text=first.text, remedy=first.remedy)


def _checked(rule: OwnRule, case: OwnCase) -> OwnFinding | None:
    try:
        return rule(case)
    except Exception as error:  # noqa: BLE001 - total: an own part that can't be judged is denied, not a crash
        return OwnFinding(
            "deny",
            "policies/own-part",
            f"a rule of the own part could not be judged ({type(error).__name__}: {error})",
            "report this with the plan",
        )
