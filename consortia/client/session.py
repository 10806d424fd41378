"""One session as its submitter drives it: submit a saved plan, follow it, open the result.

Nothing that the coordinator says is believed: parts of a result are opened only if every computer signed for this
session and plan, and a member's result only if its node signed the answer.
"""

import hashlib
import io
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from consortia.client.archive import Archive, open_mail
from consortia.client.line import Line
from consortia.client.saved_plan import SavedPlan
from consortia.control.answers import is_whole, open_answer
from consortia.control.limits import ControlLimits
from consortia.control.mailbox import Letter
from consortia.control.messages import (
    Accepted,
    Empty,
    End,
    Fault,
    Kind,
    Part,
    Progress,
    ResultsAnswer,
    SessionStatus,
    Stage,
    Status,
    Submit,
    Waiting,
    decode,
)
from consortia.control.parts import PartCollector
from consortia.control.phases import Phase
from consortia.errors import BudgetExhausted, ConsortiaError, PolicyRefusal, ProtocolAbort, RequestError
from consortia.execution.decode import decode as decode_result
from consortia.plans.accuracy import wanted_errors
from consortia.plans.model import Plan, Release
from consortia.trust.certificates import COORDINATOR
from consortia.trust.envelope import seal_document
from consortia.trust.home import Profile
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.sessions import Denial, ResultsRequest, Submission
from consortia.trust.trusted import TrustedSet

Event = Accepted | Stage | Progress | Waiting
OnEvent = Callable[[str, Event], None]
_SESSION = re.compile(r"[0-9a-f]{32}")
_NO_ROOM = {"policies/rates": "its quota of queries", "policies/budget": "its privacy budget"}


def silent(_session: str, _event: Event) -> None:
    """Say nothing of an event."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended, and the submitter's results by release step (those opened to members stay at nodes)."""

    session: str
    plan: Plan
    results: Mapping[str, pl.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Desk:
    """Whom the client is and whom it trusts: what every call below needs."""

    profile: Profile
    trusted: TrustedSet
    limits: ControlLimits
    coordinator: str = ""

    @property
    def archive(self) -> Archive:
        """The sessions of the profile."""
        return Archive(self.profile.path)

    def line(self, session: str = "") -> Line:
        """A line with the mailbox of ``session``, or with a passing one."""
        mail = self.archive.mail(session) if session else open_mail(None)
        return Line(self.profile, self.trusted, mail, self.limits, self.coordinator)


def submit(desk: Desk, saved: SavedPlan) -> str:
    """Sign ``saved`` and hand it to the coordinator; the session id.

    Raises the coordinator's refusal, PeerError and OperatorError ``control/...`` if it can't be reached.
    """
    private = KemPrivateKey.generate()
    plan = saved.plan
    submission = Submission(
        consortium=desk.trusted.manifest.consortium,
        submitter=plan.submitter,
        purpose=plan.purpose,
        sql=saved.sql,
        plan=plan.digest(),
        leakage=saved.leakage.digest(),
        manifest=plan.manifest,
        catalogue=plan.catalogue,
        as_of=plan.as_of,
        circuits=plan.circuits,
        errors=wanted_errors(plan),
        nonce=secrets.token_hex(32),
        result_key=private.public,
    )
    envelope = seal_document(submission, (desk.profile.signing_key(),))
    session = hashlib.sha256(envelope.to_bytes()).hexdigest()[:32]
    desk.archive.create(session, saved, private)
    with desk.line(session) as line:
        line.send(Kind.SUBMISSION, Submit(submission=envelope, plan=plan.canonical().decode()), session)
        line.answer(Kind.ACCEPTED, session, desk.limits.silence_seconds)
    return session


def follow(desk: Desk, session: str, now: Callable[[], datetime], on_event: OnEvent = silent) -> Outcome:
    """Wait until ``session`` of this profile ends, then open its result.

    Raises BudgetExhausted ``client/no-room`` if owners lack room for it now and nothing else stands in its way,
    PolicyRefusal ``client/denied-by`` with every denial, or the fault that ended the session.
    """
    saved = desk.archive.plan(session)
    steps = _own_steps(saved.plan)
    stored = {step: desk.archive.result(session, step) for step in steps}
    if steps and all(result is not None for result in stored.values()):
        return Outcome(session, saved.plan, {step: result for step, result in stored.items() if result is not None})
    collector = PartCollector(saved.plan.submitter, steps, saved.plan.computers)
    mail = desk.archive.mail(session)
    try:
        end = _replayed(mail.letters(), session, collector)
    finally:
        mail.close()
    if end is None:
        with desk.line(session) as line:
            for letter in line.letters():
                end = _take(letter, session, collector, on_event)
                if end is not None:
                    break
    if end is None or end.phase is not Phase.SEALED:
        raise _ended(session, end)
    return Outcome(session, saved.plan, _opened(desk, session, saved.plan, collector, now()))


def cancel(desk: Desk, session: str) -> None:
    """End ``session`` before its result is released."""
    with desk.line() as line:
        line.send(Kind.CANCEL, Empty(), session)
        _status(desk, line, session)


def status(desk: Desk, session: str = "") -> tuple[SessionStatus, ...]:
    """This person's sessions as the coordinator sees them, the latest first; one of them if ``session`` is given."""
    with desk.line() as line:
        return _status(desk, line, session)


def member_results(desk: Desk, session: str, now: Callable[[], datetime]) -> dict[str, pl.DataFrame]:
    """The results that the node of this person's member received, by release step.

    Raises the node's own error if it holds none or refuses, ProtocolAbort ``control/answer``.
    """
    member = desk.profile.person.split("@", 1)[1]
    private = KemPrivateKey.generate()
    request = ResultsRequest(
        session=session,
        person=desk.profile.person,
        at=now(),
        nonce=secrets.token_hex(32),
        result_key=private.public,
    )
    envelope = seal_document(request, (desk.profile.signing_key(),))
    with desk.line() as line:
        line.send(Kind.RESULTS_REQUEST, envelope, session)
        answers: list[ResultsAnswer] = []
        while not is_whole(answers):
            letter = line.answer(Kind.RESULTS_ANSWER, session, desk.limits.silence_seconds)
            answers.append(decode(ResultsAnswer, letter.body, letter.kind, member))
    key = desk.trusted.node_key(member, now())
    results = open_answer(answers, envelope, session, member, key, private)
    return {step: pl.read_ipc(io.BytesIO(content)) for step, content in results.items()}


def whole_id(session: str) -> str:
    """``session`` if it is a whole session id; raises RequestError ``client/session-id``."""
    if _SESSION.fullmatch(session) is None:
        raise RequestError(
            "client/session-id",
            f"`{session}` is not a whole session id",
            remedy="give all 32 digits, as the person who ran the query sees them",
        )
    return session


def _status(desk: Desk, line: Line, session: str) -> tuple[SessionStatus, ...]:
    line.send(Kind.STATUS_QUERY, Empty(), session)
    letter = line.answer(Kind.STATUS, session, desk.limits.silence_seconds)
    return decode(Status, letter.body, letter.kind, COORDINATOR).sessions


def _replayed(letters: Iterator[Letter], session: str, collector: PartCollector) -> End | None:
    end = None
    for letter in letters:
        end = _take(letter, session, collector, silent) or end
    return end


def _take(letter: Letter, session: str, collector: PartCollector, on_event: OnEvent) -> End | None:
    """Apply one letter; the end of the session if that is what it says."""
    if letter.session != session:
        return None
    match letter.kind:
        case Kind.PART:
            collector.add(letter.sender, decode(Part, letter.body, letter.kind, letter.sender))
        case Kind.END:
            return decode(End, letter.body, letter.kind, COORDINATOR)
        case Kind.REFUSED:
            raise decode(Fault, letter.body, letter.kind, COORDINATOR).error()
        case Kind.ACCEPTED:
            on_event(session, decode(Accepted, letter.body, letter.kind, COORDINATOR))
        case Kind.STAGE:
            on_event(session, decode(Stage, letter.body, letter.kind, COORDINATOR))
        case Kind.PROGRESS:
            on_event(session, decode(Progress, letter.body, letter.kind, COORDINATOR))
        case Kind.WAITING:
            on_event(session, decode(Waiting, letter.body, letter.kind, COORDINATOR))
        case _:
            pass  # a kind of a later version that concerns others
    return None


def _opened(desk: Desk, session: str, plan: Plan, collector: PartCollector, now: datetime) -> dict[str, pl.DataFrame]:
    if not collector.steps:
        desk.archive.forget_key(session)
        return {}
    if not collector.complete:
        raise ProtocolAbort(
            "client/parts",
            "the coordinator says that the session is sealed and has not delivered every part of the result",
            remedy="tell the coordinator's operator; the parts it holds can't be opened by anybody else",
        )
    keys = {computer: desk.trusted.node_key(computer, now) for computer in plan.computers}
    parts = collector.open(session, plan.digest(), keys, desk.archive.key(session))
    results = {step: decode_result(plan, step, opened) for step, opened in parts.items()}
    for step, result in results.items():
        desk.archive.keep_result(session, step, result)
    desk.archive.forget_key(session)
    return results


def _own_steps(plan: Plan) -> tuple[str, ...]:
    return tuple(
        step.id
        for step in plan.steps
        if isinstance(step, Release) and any(recipient.person == plan.submitter for recipient in step.recipients)
    )


def _ended(session: str, end: End | None) -> ConsortiaError:
    denials = [Denial.parse(envelope.payload_bytes()) for envelope in (end.denials if end else ())]
    if denials and all(denial.code in _NO_ROOM for denial in denials):
        owners = ", ".join(f"`{denial.party}` ({_NO_ROOM[denial.code]})" for denial in denials)
        return BudgetExhausted(
            "client/no-room",
            f"no room is left for the query now at {owners}",
            place=f"session {session}",
            remedy="nothing was shared or spent; ask later, or with a larger error where the answer has noise",
        )
    if denials:
        return PolicyRefusal(
            "client/denied-by",
            "; ".join(f"`{denial.party}` denies: {', '.join(denial.reasons) or denial.code}" for denial in denials),
            place=f"session {session}",
            remedy="nothing was shared; `consortia explain` shows the rule and the nearest query that passes",
        )
    if end is not None and end.fault is not None:
        return end.fault.error()
    return ProtocolAbort(
        "client/ended",
        f"the session is {end.phase if end else 'over'} and the coordinator gives no reason",
        place=f"session {session}",
        remedy="nothing was opened; run the analysis again",
    )
