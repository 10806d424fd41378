"""What a party compares before it approves, and again before anything is released. Pure.

Before the approval: the submission's documents, plan and leakage report against those that this node has or computed.
Before the release: the documents in force then against those now.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from consortia.errors import ConsortiaError, PolicyRefusal, ProtocolAbort, RequestError
from consortia.parties.work import Documents, Review
from consortia.plans.concerned import parties_of
from consortia.plans.differ import first_difference
from consortia.plans.model import Plan
from consortia.policies.signed import require_not_revoked
from consortia.trust.documents import instant_text
from consortia.trust.envelope import Envelope
from consortia.trust.keys import PublicKey
from consortia.trust.notices import Standing
from consortia.trust.sessions import Approval, MemberDigest, Submission


@dataclass(frozen=True, slots=True)
class Agreed:
    """What all parties of a session have agreed on, as verified here; by party where it is of a party."""

    submission: Submission
    plan: Plan
    documents: Documents
    own: Approval
    approvals: Mapping[str, Approval]
    envelopes: Mapping[str, Envelope]
    keys: Mapping[str, PublicKey]


class Refused(PolicyRefusal):
    """A denial by policies, with all its reasons."""

    def __init__(self, code: str, reasons: tuple[str, ...]) -> None:
        super().__init__(code, "; ".join(reasons))
        self.reasons = reasons


def objection(standing: Standing, policies: Sequence[MemberDigest]) -> ConsortiaError | None:
    """Why no run may go on, or none that rests on ``policies``; None if nothing stands in its way. Pure."""
    if standing.stops:
        stop = standing.stops[0]
        return PolicyRefusal(
            "parties/emergency-stop",
            f"`{stop.person}` stopped everything at {instant_text(stop.at)}: {stop.reason}",
            remedy=f"two officers of `{stop.member}` lift it with `consortia emergency-stop --lift`",
        )
    for policy in policies:
        try:
            require_not_revoked(policy.member, policy.digest, standing.revoked)
        except PolicyRefusal as error:
            return error
    return None


def revocations_of(standing: Standing, purpose: str, owners: Collection[str]) -> tuple[str, ...]:
    """Why ``owners`` have no policy for ``purpose``, for a denial: a reason for each that was revoked. Pure."""
    return tuple(
        f"`{found.person}` revoked version {found.version} of the policy of `{found.owner}`: {found.reason}"
        for _, found in sorted(standing.revoked.items())
        if found.purpose == purpose and found.owner in owners
    )


def check_documents(submission: Submission, review: Review, shown: Plan) -> None:
    """Raise RequestError ``parties/stale`` naming document and first differing step unless both are those in force."""
    documents = review.documents
    for name, mine, theirs in (
        ("manifest", documents.trusted.manifest.digest(), submission.manifest),
        ("catalogue", documents.catalogue, submission.catalogue),
    ):
        if mine != theirs:
            difference = first_difference(review.plan, shown)
            raise RequestError(
                "parties/stale",
                f"the submission was made under another {name} than the one in force here"
                + (f"; the first difference in the plan is {difference}" if difference else ""),
                place=name,
                remedy=f"accept the present {name} on both sides, then explain and submit the analysis again",
            )


def check_plan(submission: Submission, review: Review, shown: Plan) -> None:
    """The plan that was signed is the one shown, and the one compiled here, and so is its leakage report.

    Raises ProtocolAbort ``parties/plan-shown``, RequestError ``parties/plan-differs`` naming the first differing
    step, or ``parties/leakage-differs``.
    """
    if shown.digest() != submission.plan:
        raise ProtocolAbort(
            "parties/plan-shown",
            "the plan that came with the submission is not the one that the analyst signed",
            remedy="the coordinator, or somebody on the way, exchanged it; nothing was shared",
        )
    if review.plan.digest() != submission.plan:
        raise RequestError(
            "parties/plan-differs",
            f"this node compiles the submission to another plan; first difference: "
            f"{first_difference(review.plan, shown)}",
            place=f"plan {submission.plan[:16]}",
            remedy="compare policies, catalogue and software versions, then explain and submit the analysis again",
        )
    if review.leakage != submission.leakage:
        raise RequestError(
            "parties/leakage-differs",
            "the plan is the same but this node's leakage report is another one",
            remedy="compare the software versions of the analyst's client and this node",
        )


def check_unchanged(agreed: Agreed, now: Documents, at: datetime) -> None:
    """Raise ProtocolAbort ``parties/changed-before-release`` if a document was replaced, revoked or expired since.

    PolicyRefusal ``policies/revoked`` and ``parties/emergency-stop`` say so by name. Every card that the run rests on
    is judged again ``at`` this instant: a computer that owns no data too.
    """
    before = agreed.documents
    stopped = objection(now.standing, before.policies)
    if stopped is not None:
        raise stopped
    concerned = concerned_cards(now, agreed.plan, agreed.submission)
    for name, mine, theirs in (
        ("manifest", before.trusted.manifest.digest(), now.trusted.manifest.digest()),
        ("catalogue", before.catalogue, now.catalogue),
        ("policies", before.policies, now.policies),
        ("cards", agreed.own.cards, concerned),
    ):
        if mine != theirs:
            raise ProtocolAbort(
                "parties/changed-before-release",
                f"the {name} changed or expired while the session ran, so nothing is released",
                place=name,
                remedy="run the analysis again under the documents now in force",
            )
    for member in sorted(_concerned(agreed.plan, agreed.submission)):
        try:
            now.trusted.card(member, at)
        except ConsortiaError as error:
            raise ProtocolAbort(
                "parties/changed-before-release",
                f"{error.message}, so nothing is released",
                place=f"card of {member}",
                remedy=error.remedy,
            ) from error


def concerned_cards(documents: Documents, plan: Plan, submission: Submission) -> tuple[MemberDigest, ...]:
    """The digests of the cards of all parties and of the submitter's member, sorted by member."""
    concerned = _concerned(plan, submission)
    return tuple(card for card in documents.trusted.card_digests() if card.member in concerned)


def _concerned(plan: Plan, submission: Submission) -> set[str]:
    return {*parties_of(plan), submission.submitter.partition("@")[2]}
