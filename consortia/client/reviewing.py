"""Human review as an officer does it: what the own node holds, compiled again here, and the officer's signed word.

The officer decides on what this side computed: the node shows the signed submission alone, and plan, leakage report,
verdicts and cost are compiled from the officer's own copies of all documents. There are no values to see yet.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from consortia.client.compiling import Belief
from consortia.client.line import Line
from consortia.client.session import Desk
from consortia.control.answers import is_whole, open_answer
from consortia.control.messages import HeldRun, Kind, ResultsAnswer, decode
from consortia.errors import NoProgress, ProtocolAbort, RequestError
from consortia.execution.estimate import estimate
from consortia.ids import member_of
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.trust.envelope import seal_document
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.sessions import Submission
from consortia.trust.statements import EVERY_SESSION, HeldRequest, ReviewDecision
from consortia.trust.verify import verify_by_one

_LOOK_AGAIN_SECONDS = 0.3

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Held:
    """A held session: what the node said of it, the verified submission, and what it compiles to here."""

    session: str
    run: HeldRun
    submission: Submission
    compiled: Compiled


def held_runs(desk: Desk, now: Clock) -> Mapping[str, HeldRun]:
    """What the node of this person's member holds for its officers, by session.

    Raises RequestError ``trust/role`` if the person is no officer, and the node's own error if it refuses.
    """
    with desk.line() as line:
        return _ask(desk, line, EVERY_SESSION, now)


def look(desk: Desk, belief: Belief, prefix: str, now: Clock) -> Held:
    """The one held session whose id begins with ``prefix``.

    Raises RequestError ``client/not-held`` unless there is one, ProtocolAbort ``client/review-differs`` if the signed
    submission compiles to another plan or leakage report here, and as ``verify_by_one`` does.
    """
    runs = held_runs(desk, now)
    found = [session for session in runs if session.startswith(prefix)]
    if len(found) != 1:
        raise RequestError(
            "client/not-held",
            f"`{prefix}` names {'no session' if not found else f'{len(found)} sessions'} that waits for your officers",
            remedy="run `consortia session review` and give more of the id",
        )
    return _compiled(desk, belief, found[0], runs[found[0]], now())


def say(desk: Desk, held: Held, decision: Literal["approve", "refuse"], reason: str, now: Clock) -> None:
    """Sign the word on ``held`` and wait until the own node has it.

    Raises the coordinator's refusal, and NoProgress ``client/review-pending`` if the node does not take it in time.
    """
    person = desk.profile.person
    word = ReviewDecision(
        session=held.session,
        member=member_of(person),
        person=person,
        submission=held.run.submission.digest(),
        plan=held.submission.plan,
        leakage=held.submission.leakage,
        decision=decision,
        reason=reason,
        at=now().replace(microsecond=0),
    )
    envelope = seal_document(word, (desk.profile.signing_key(),))
    deadline = time.monotonic() + desk.limits.silence_seconds
    with desk.line() as line:
        line.send(Kind.REVIEW, envelope, held.session)
        while held.session in _ask(desk, line, held.session, now):
            if time.monotonic() > deadline:
                raise NoProgress(
                    "client/review-pending",
                    "the own node has not taken the word yet",
                    place=f"session {held.session}",
                    remedy="ask its operator for the log entry `review-ignored`, and look again with `session review`",
                )
            time.sleep(_LOOK_AGAIN_SECONDS)


def _ask(desk: Desk, line: Line, session: str, now: Clock) -> dict[str, HeldRun]:
    person = desk.profile.person
    member = member_of(person)
    private = KemPrivateKey.generate()
    request = HeldRequest(
        session=session, person=person, at=now(), nonce=secrets.token_hex(32), result_key=private.public
    )
    envelope = seal_document(request, (desk.profile.signing_key(),))
    line.send(Kind.HELD_REQUEST, envelope, session)
    answers: list[ResultsAnswer] = []
    while not is_whole(answers):
        letter = line.answer(Kind.HELD_ANSWER, session, desk.limits.silence_seconds)
        answers.append(decode(ResultsAnswer, letter.body, letter.kind, member))
    key = desk.trusted.node_key(member, now())
    opened = open_answer(answers, envelope, session, member, key, private)
    return {held: decode(HeldRun, content, Kind.HELD_ANSWER, member) for held, content in sorted(opened.items())}


def _compiled(desk: Desk, belief: Belief, session: str, run: HeldRun, now: datetime) -> Held:
    claimed = Submission.parse(run.submission.payload_bytes())
    key = desk.trusted.person_key(claimed.submitter, now, "analyst")
    asked = verify_by_one(run.submission, Submission, claimed.submitter, key)
    compiled = compile_analysis(
        asked.sql,
        asked.purpose,
        asked.submitter,
        asked.as_of,
        belief.world,
        estimate,
        now,
        asked.circuits,
        asked.errors,
    )
    leakage = compiled.leakage.digest() if compiled.leakage is not None else ""
    if run.submission.digest()[:32] != session or (compiled.plan.digest(), leakage) != (asked.plan, asked.leakage):
        raise ProtocolAbort(
            "client/review-differs",
            "the submission compiles to another plan or leakage report here than the analyst signed",
            place=f"session {session}",
            remedy="take up the present catalogue and policies in this profile, then look again; sign nothing before",
        )
    return Held(session, run, asked, compiled)
