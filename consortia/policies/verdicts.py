"""The answer to a plan, as documents: canonical bytes, the same at every party."""

from typing import Literal

from consortia.plans.obligations import NO_OBLIGATIONS, Obligations
from consortia.trust.documents import Digest, Document, Frozen, Name


class Reason(Frozen):
    """Why a rule permits or denies.

    ``place`` is where the policy says so (``bank-a.aml-detection, line 31: data.tables.deposits``); ``step`` and
    ``column`` are at fault in the plan ("" where the whole plan is); ``trail`` the steps on which the column came
    there; ``remedy`` what would pass ("" for a permit).
    """

    rule: str
    text: str
    place: str
    step: str = ""
    column: str = ""
    trail: tuple[str, ...] = ()
    remedy: str = ""


class Verdict(Frozen):
    """One owner's static verdict, with every reason: of a denial what forbids, of a permit what permits."""

    owner: Name
    policy: Digest | None
    verdict: Literal["permit", "deny"]
    reasons: tuple[Reason, ...]


class Decision(Document):
    """All owners' verdicts on one plan, sorted by owner; obligations are those of a permit, merged strictest."""

    type: Literal["consortia/decision/v1"] = "consortia/decision/v1"
    plan: Digest
    verdicts: tuple[Verdict, ...]
    obligations: Obligations = NO_OBLIGATIONS

    @property
    def permitted(self) -> bool:
        """Whether every owner permits; without owners nothing is permitted."""
        return bool(self.verdicts) and all(verdict.verdict == "permit" for verdict in self.verdicts)

    def denials(self) -> tuple[tuple[str, Reason], ...]:
        """Owner and reason of everything that forbids, in order."""
        return tuple(
            (verdict.owner, reason)
            for verdict in self.verdicts
            if verdict.verdict == "deny"
            for reason in verdict.reasons
        )
