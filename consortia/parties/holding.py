"""Human review at a node: a session that waits for officers, and what ends its waiting.

Which owners' officers must sign follows from plan and policies, so every party knows it and holds the session by
itself: none approves before it has verified the signed word of an officer of each. A held session has no thread; it
lies in the database with its messages, and every message wakes it. Then the submission is compiled and decided again,
because documents may have changed, and it goes on, waits on, or ends: an officer of this member has refused, the time
is over, or it would not be permitted any more. So a crash loses nothing: at its start the node wakes all held sessions.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection

from consortia.control.mailbox import Letter
from consortia.control.messages import Empty, HeldRun, Kind, Proposal, decode, encode
from consortia.control.phases import Phase
from consortia.errors import ConsortiaError, PolicyRefusal, ProtocolAbort
from consortia.ids import member_of
from consortia.parties.budget import own_verdict, require_undenied
from consortia.parties.holds import Hold
from consortia.parties.store import Store
from consortia.parties.tools import Tools
from consortia.parties.work import Review
from consortia.policies.compiling import OLDEST
from consortia.trust.certificates import COORDINATOR
from consortia.trust.documents import instant_text
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Submission
from consortia.trust.statements import EVERY_SESSION, ReviewDecision
from consortia.trust.verify import verify_by_one

_LOG = structlog.get_logger("consortia.parties")
JOURNAL_KIND = "review"


def verified_word(envelope: Envelope, submission: Envelope, review: Review, now: datetime) -> ReviewDecision:
    """The officer's word in ``envelope`` on the run of ``submission``, as ``review`` found it here.

    Raises ProtocolAbort ``parties/review-other`` (of another session, plan or leakage report, or for a member whose
    review is not asked), PolicyRefusal ``parties/review-submitter`` (of the person who submitted it), RequestError
    ``trust/role`` and as ``verify_by_one`` and ``TrustedSet.person_key`` do.
    """
    claimed = ReviewDecision.parse(envelope.payload_bytes())
    key = review.documents.trusted.person_key(claimed.person, now, "officer")
    word = verify_by_one(envelope, ReviewDecision, claimed.person, key)
    asked = Submission.parse(submission.payload_bytes())
    stated = (word.submission, word.plan, word.leakage, member_of(word.person))
    if stated != (submission.digest(), review.plan.digest(), review.leakage, word.member) or (
        word.member not in review.reviewers
    ):
        raise ProtocolAbort(
            "parties/review-other",
            f"the word of `{word.person}` is of another run, or nobody asked for it",
            place=f"session {word.session}",
            remedy="review the session again with `consortia session review`",
        )
    if asked.submitter in (word.person, review.documents.trusted.acts_for(word.person, now)):
        raise PolicyRefusal(
            "parties/review-submitter",
            f"`{word.person}` submitted the run and can't review it too",
            place=f"session {word.session}",
            remedy=f"another officer of `{word.member}` reviews it",
        )
    return word


def reviewed(
    tools: Tools, session: str, phase: Phase, envelope: Envelope, review: Review, letters: Sequence[Letter]
) -> Phase:
    """The phase of ``session`` after officers' words in ``letters``: ``held`` while one of them is missing.

    Raises PolicyRefusal ``policies/review-refused`` if an officer of this member refuses the run.
    """
    if not review.reviewers:
        return phase
    now = tools.clock()
    words = _words(letters, envelope, review, now)
    with tools.store.begin() as transaction:
        recorded = {payload for leaf, payload in tools.store.journal.entries(transaction, session)}
        for signed, _ in words:
            if signed.to_bytes() not in recorded:
                recorded.add(signed.to_bytes())
                tools.store.journal.append(
                    transaction, session=session, kind=JOURNAL_KIND, payload=signed.to_bytes(), now=now
                )
    refused = [word for _, word in words if word.decision == "refuse" and word.member == tools.member]
    if refused:
        raise PolicyRefusal(
            "policies/review-refused", f"an officer of `{tools.member}` refused the run: {refused[0].reason}"
        )
    agreed = {word.member for _, word in words if word.decision == "approve"}
    awaited = tuple(owner for owner in review.reviewers if owner not in agreed)
    return _move(tools, session, phase, envelope, review, awaited)


def held_runs(store: Store, member: str, session: str) -> Mapping[str, bytes]:
    """What officers of ``member`` may look at, by id: ``session`` or all sessions that wait for them."""
    found = {}
    with store.begin() as transaction:
        for hold in store.holds.all(transaction):
            proposals = [one for one in store.letters(transaction, hold.session) if one.kind == Kind.PROPOSAL]
            wanted = session in (hold.session, EVERY_SESSION)
            if wanted and member in hold.awaited and proposals:
                shown = decode(Proposal, proposals[0].body, Kind.PROPOSAL, COORDINATOR)
                run = HeldRun(
                    submission=shown.submission,
                    since=instant_text(hold.since),
                    until=instant_text(hold.until),
                    awaited=hold.awaited,
                    reasons=hold.reasons,
                )
                found[hold.session] = encode(run)
    return found


def overdue(store: Store, now: datetime) -> dict[str, PolicyRefusal]:
    """Held sessions whose time is over, with the error that ends each."""
    with store.begin() as transaction:
        holds = store.holds.all(transaction)
    return {
        hold.session: PolicyRefusal(
            "policies/hold-expired",
            f"no officer of {', '.join(hold.awaited)} reviewed the run before {instant_text(hold.until)}",
            remedy="submit it again, and tell the officers",
        )
        for hold in holds
        if now > hold.until
    }


def _words(
    letters: Sequence[Letter], submission: Envelope, review: Review, now: datetime
) -> list[tuple[Envelope, ReviewDecision]]:
    """Valid words in the order of their arrival; others are logged, since anybody may have made them up."""
    words = []
    for letter in letters:
        try:
            envelope = Envelope.from_bytes(letter.body)
            words.append((envelope, verified_word(envelope, submission, review, now)))
        except ConsortiaError as error:
            _LOG.warning("review-ignored", session=letter.session, sender=letter.sender, **error.as_dict())
    return words


def _move(
    tools: Tools, session: str, phase: Phase, envelope: Envelope, review: Review, awaited: tuple[str, ...]
) -> Phase:
    now = tools.clock()
    with tools.store.begin() as transaction:
        if awaited:
            before = tools.store.holds.of(transaction, session)
            hold = before or _hold(tools, transaction, session, envelope, review, awaited)
            tools.store.holds.keep(transaction, hold.model_copy(update={"awaited": awaited}))
            if phase is not Phase.HELD:
                tools.store.move(transaction, session, Phase.HELD, "review by " + ", ".join(awaited), now)
                tools.control.post(transaction, Kind.HOLD, Empty(), session)
        elif phase is Phase.HELD:
            tools.store.holds.drop(transaction, session)
            tools.store.move(transaction, session, Phase.REVIEWING, "officers agree", now)
            tools.control.post(transaction, Kind.RESUME, Empty(), session)
    tools.control.flush()
    after = Phase.HELD if awaited else Phase.REVIEWING
    if after is not phase:
        _LOG.info("session", session=session, member=tools.member, phase=after, awaited=list(awaited))
    return after


def _hold(
    tools: Tools, transaction: Connection, session: str, envelope: Envelope, review: Review, awaited: tuple[str, ...]
) -> Hold:
    """The hold of a run; raises ``Refused`` if the own part denies it already, before an officer is asked."""
    now = tools.clock()
    asked = Submission.parse(envelope.payload_bytes())
    verdict = own_verdict(tools.store, transaction, review, now)
    if verdict is not None:
        require_undenied(verdict, session)
    return Hold(
        session=session,
        since=now,
        until=min(now + tools.hold_time, asked.as_of + OLDEST),
        awaited=awaited,
        reasons=() if verdict is None or verdict.verdict == "permit" else (verdict.text,),
    )
