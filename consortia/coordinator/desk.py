"""What the coordinator does with each message: an event for the session's state machine, and the mail that follows.

All methods work in the caller's transaction; mail is put into the mailboxes and noted in ``posted``, so that the
service can hand it to open streams after the commit. Only form is checked here: who sent it (from the TLS
certificate), that it concerns a session of the sender's, that it is well-formed. Signatures are verified by those
who act on them.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from consortia.control.mailbox import Letter
from consortia.control.messages import (
    Accepted,
    Collected,
    Empty,
    End,
    Fault,
    Kind,
    Noted,
    Part,
    PartyStatus,
    Proposal,
    ResultsAnswer,
    SessionStatus,
    Stage,
    Status,
    Submit,
    decode,
    encode,
)
from consortia.control.phases import Phase
from consortia.coordinator import sessions
from consortia.coordinator.directory import Directory
from consortia.coordinator.sessions import Event, Output, SessionState
from consortia.coordinator.store import SessionRecord, Store
from consortia.errors import ProtocolAbort, RequestError
from consortia.ids import member_of
from consortia.plans.concerned import outputs_of, parties_of
from consortia.plans.model import Plan
from consortia.trust.certificates import TOLERANCE
from consortia.trust.documents import Frozen, instant_text
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Approval, Denial, Submission
from consortia.trust.statements import NOTICE_TYPES

LARGEST_STATEMENT = 64 * 1024
"""Bytes of a person's review or notice, beyond which it is not carried."""
PresenceOf = Callable[[str], tuple[bool, bool]]
"""Whether a party is connected, and whether it was ever seen."""


class Desk:
    """One coordinator's message handling; ``presence`` is asked for status answers."""

    def __init__(self, store: Store, directory: Callable[[], Directory], presence: PresenceOf) -> None:
        self._store = store
        self._directory = directory
        self._presence = presence
        self.posted: list[tuple[str, str, Letter]] = []

    def handle(self, transaction: Connection, peer: str, instance: str, letter: Letter, now: datetime) -> None:
        """Apply a durable message of ``peer``. Raises ConsortiaError if it can't be applied; nothing changes then."""
        match letter.kind:
            case Kind.SUBMISSION:
                self._submit(transaction, peer, instance, letter, now)
            case Kind.STATUS_QUERY:
                self._status(transaction, peer, instance, letter)
            case Kind.RESULTS_REQUEST | Kind.HELD_REQUEST:
                self._relay(transaction, peer, letter, member_of(peer))
            case Kind.RESULTS_ANSWER | Kind.HELD_ANSWER | Kind.NOTED:
                self._answer(transaction, peer, letter)
            case Kind.REVIEW:
                self._review(transaction, peer, letter)
            case Kind.NOTICE:
                self._notice(transaction, peer, letter)
            case Kind.CANCEL:
                self._cancel(transaction, peer, letter, now)
            case Kind.PART:
                self._part(transaction, peer, letter, now)
            case _:
                self._party_message(transaction, peer, letter, now)

    def apply(self, transaction: Connection, record: SessionRecord, event: Event, now: datetime) -> None:
        """Advance the session by ``event``, store it with its cause, and post what follows."""
        state, effects = sessions.advance(record.state, event)
        fault = getattr(event, "fault", None)
        cause = f"{type(event).__name__.lower()} {event.party}" + (f" {fault.code}" if fault else "")
        following = record.model_copy(update={"state": state})
        for effect in effects:
            self._carry_out(transaction, following, effect)
        self._store.update(transaction, state, cause, now)

    def expiry(self, transaction: Connection, record: SessionRecord, now: datetime) -> sessions.Expired | None:
        """The event that ends a session whose run has not begun when an approval is no longer valid."""
        if record.state.phase not in (Phase.REVIEWING, Phase.HELD, Phase.APPROVED):
            return None
        for body in self._store.documents(transaction, record.state.session, Kind.APPROVAL):
            approval = Approval.parse(Envelope.from_bytes(body).payload_bytes())
            if now > approval.not_after + TOLERANCE:
                fault = Fault(
                    kind="PeerError",
                    code="coordinator/expired",
                    party=approval.party,
                    message=f"the approval of `{approval.party}` ran out at {instant_text(approval.not_after)}; "
                    f"by the coordinator's clock it is {instant_text(now)}, and the session was {record.state.phase}",
                    remedy="run the analysis again",
                )
                return sessions.Expired(approval.party, fault)
        return None

    def propose_again(self, transaction: Connection, member: str, instance: str, now: datetime) -> None:
        """A node of ``member`` is here with a mailbox of its own that is new: show it what waits for its answer.

        A session in which the member had answered already is ended: the node that remembered it is gone.
        """
        for letter in self._store.notices.letters(transaction):
            self._post(transaction, member, letter, instance)
        for record in self._store.running(transaction):
            if member not in record.state.parties:
                continue
            if record.state.stage(member) is Phase.PROPOSED:
                body = self._store.proposal(transaction, record.state.session)
                self._post(transaction, member, Letter(Kind.PROPOSAL, record.state.session, body), instance)
            else:
                fault = Fault(
                    kind="PeerError",
                    code="coordinator/node-replaced",
                    party=member,
                    message=f"the node of `{member}` came back without its database",
                    remedy="run the analysis again",
                )
                self.apply(transaction, record, sessions.Failed(member, fault), now)

    def _cancel(self, transaction: Connection, peer: str, letter: Letter, now: datetime) -> None:
        record = self._record(transaction, letter)
        if record.state.submitter != peer:
            raise _foreign(peer, letter)
        self.apply(transaction, record, sessions.Failed(peer, _cancelled(peer)), now)

    def _answer(self, transaction: Connection, peer: str, letter: Letter) -> None:
        """A node answers a person; what it holds goes to people of its own member alone."""
        if "@" not in letter.receiver:
            raise _foreign(peer, letter)
        if letter.kind == Kind.NOTED:
            allowed = decode(Noted, letter.body, letter.kind, peer).member == peer
        else:
            decode(ResultsAnswer, letter.body, letter.kind, peer)
            allowed = member_of(letter.receiver) == peer
        if not allowed:
            raise _foreign(peer, letter)
        self._relay(transaction, peer, letter, letter.receiver)

    def _review(self, transaction: Connection, peer: str, letter: Letter) -> None:
        """An officer's word on a held session goes to all its parties, who verify it."""
        record = self._record(transaction, letter)
        Envelope.from_bytes(letter.body, LARGEST_STATEMENT)
        if not self._directory().is_officer(peer) or member_of(peer) not in record.state.parties:
            raise _foreign(peer, letter)  # it would wake the session at every party, for nothing
        if record.state.phase is not Phase.HELD:
            raise RequestError(
                "coordinator/not-held",
                f"the session is {record.state.phase}, so there is nothing to review",
                place=f"session {letter.session}",
                remedy="see what is held with `consortia session review`",
            )
        self._to_parties(transaction, record.state, Letter(letter.kind, letter.session, letter.body, peer))

    def _notice(self, transaction: Connection, peer: str, letter: Letter) -> None:
        """A person's notice goes to the node of every member, also to one that comes later."""
        envelope = Envelope.from_bytes(letter.body, LARGEST_STATEMENT)
        if "@" not in peer or envelope.payload_type not in NOTICE_TYPES:
            raise _foreign(peer, letter)
        self._store.notices.keep(transaction, envelope.digest(), peer, letter.body)
        for member in self._directory().manifest.members:
            self._post(transaction, member.id, Letter(letter.kind, "", letter.body, peer))

    def _submit(self, transaction: Connection, peer: str, instance: str, letter: Letter, now: datetime) -> None:
        body = decode(Submit, letter.body, letter.kind, peer)
        if hashlib.sha256(body.submission.to_bytes()).hexdigest()[:32] != letter.session:
            raise RequestError(
                "coordinator/session-id",
                "the session id is not the hash of the signed submission",
                remedy="submit again",
            )
        submission = Submission.parse(body.submission.payload_bytes())
        plan = Plan.parse(body.plan.encode())
        if submission.submitter != peer or plan.digest() != submission.plan:
            raise RequestError(
                "coordinator/submission",
                "the submission is of another person, or names another plan than the one beside it",
                remedy="submit the saved plan with the key of the person who is connected",
            )
        parties = parties_of(plan)
        outputs = tuple(Output(step=step, recipient=recipient) for step, recipient in outputs_of(plan))
        strangers = [party for party in parties if not self._directory().is_member(party)]
        if strangers:
            raise RequestError(
                "coordinator/not-a-member",
                f"the plan names {', '.join(strangers)}, which the coordinator's manifest does not list",
                remedy="compare the manifest versions of client and coordinator",
            )
        state, effects = sessions.begin(letter.session, peer, parties, plan.computers, outputs)
        proposal = Proposal(submission=body.submission, plan=body.plan, parties=state.parties)
        record = SessionRecord(state=state, instance=instance, purpose=submission.purpose, submitted="")
        self._store.create(
            transaction,
            state,
            instance=instance,
            purpose=submission.purpose,
            proposal=encode(proposal),
            now=now,
        )
        self._post_body(transaction, peer, Kind.ACCEPTED, letter.session, Accepted(parties=state.parties), instance)
        for effect in effects:
            self._carry_out(transaction, record, effect)

    def _party_message(self, transaction: Connection, peer: str, letter: Letter, now: datetime) -> None:
        record = self._record(transaction, letter)
        if peer not in record.state.parties:
            raise _foreign(peer, letter)
        event = _event(peer, letter)
        if letter.kind in (Kind.APPROVAL, Kind.HELLO, Kind.PAIR_KEYS, Kind.SEAL, Kind.DENIAL):
            # Checked first, so that a second document of a kind never replaces the first.
            sessions.advance(record.state, event)
            self._store.keep_document(transaction, letter.session, letter.kind, peer, letter.body)
        self.apply(transaction, record, event, now)

    def _part(self, transaction: Connection, peer: str, letter: Letter, now: datetime) -> None:
        record = self._record(transaction, letter)
        part = decode(Part, letter.body, letter.kind, peer)
        event = sessions.Delivered(peer, part.step, part.recipient)
        sessions.advance(record.state, event)
        if self._store.keep_piece(transaction, letter.session, peer, part, letter.body):
            self.apply(transaction, record, event, now)

    def _carry_out(self, transaction: Connection, record: SessionRecord, effect: sessions.Effect) -> None:
        state = record.state
        match effect:
            case sessions.Ask():
                body = self._store.proposal(transaction, state.session)
                self._to_parties(transaction, state, Letter(Kind.PROPOSAL, state.session, body))
            case sessions.Distribute(kind=kind):
                self._distribute(transaction, state, kind)
            case sessions.Report(party=party, stage=stage):
                stage_body = Stage(party=party, stage=stage)
                self._to_submitter(transaction, record, Kind.STAGE, stage_body)
            case sessions.Deliver():
                for computer, recipient, piece in self._store.pieces(transaction, state.session):
                    letter = Letter(Kind.PART, state.session, piece, sender=computer, receiver=recipient)
                    self._post(transaction, recipient, letter, record.instance if "@" in recipient else "")
                self._to_parties(transaction, state, Letter(Kind.RELEASED, state.session, encode(Empty())))
            case sessions.Finish(phase=phase, fault=fault):
                denials, seals = (
                    tuple(map(Envelope.from_bytes, self._store.documents(transaction, state.session, kind)))
                    for kind in (Kind.DENIAL, Kind.SEAL)
                )
                end = End(phase=phase, fault=fault, denials=denials, seals=seals)
                self._to_parties(transaction, state, Letter(Kind.END, state.session, encode(end)))
                self._to_submitter(transaction, record, Kind.END, end)

    def _distribute(self, transaction: Connection, state: SessionState, kind: Kind) -> None:
        single = {Kind.APPROVALS: Kind.APPROVAL, Kind.HELLOS: Kind.HELLO, Kind.PAIR_KEYS_SET: Kind.PAIR_KEYS}[kind]
        bodies = self._store.documents(transaction, state.session, single)
        collected = Collected(documents=tuple(Envelope.from_bytes(body) for body in bodies))
        self._to_parties(transaction, state, Letter(kind, state.session, encode(collected)))

    def _status(self, transaction: Connection, peer: str, instance: str, letter: Letter) -> None:
        records = self._store.of_person(transaction, peer)
        chosen = [record for record in records if letter.session in ("", record.state.session)]
        body = Status(sessions=tuple(self._describe(record) for record in chosen))
        self._post_body(transaction, peer, Kind.STATUS, letter.session, body, instance)

    def _describe(self, record: SessionRecord) -> SessionStatus:
        state = record.state
        parties = []
        for party in state.parties:
            connected, seen = self._presence(party)
            parties.append(PartyStatus(party=party, stage=state.stage(party), connected=connected, seen=seen))
        return SessionStatus(
            session=state.session,
            phase=state.phase,
            submitter=state.submitter,
            purpose=record.purpose,
            submitted=record.submitted,
            parties=tuple(parties),
            fault=state.fault,
        )

    def _record(self, transaction: Connection, letter: Letter) -> SessionRecord:
        record = self._store.load(transaction, letter.session)
        if record is None:
            raise RequestError(
                "coordinator/unknown-session",
                f"there is no session `{letter.session}`",
                remedy="run `consortia session list`",
            )
        return record

    def _relay(self, transaction: Connection, peer: str, letter: Letter, receiver: str) -> None:
        self._post(transaction, receiver, Letter(letter.kind, letter.session, letter.body, peer, receiver))

    def _to_parties(self, transaction: Connection, state: SessionState, letter: Letter) -> None:
        for party in state.parties:
            self._post(transaction, party, letter)

    def _to_submitter(self, transaction: Connection, record: SessionRecord, kind: Kind, body: Frozen) -> None:
        self._post_body(transaction, record.state.submitter, kind, record.state.session, body, record.instance)

    def _post_body(
        self, transaction: Connection, peer: str, kind: Kind, session: str, body: Frozen, instance: str
    ) -> None:
        self._post(transaction, peer, Letter(kind, session, encode(body)), instance)

    def _post(self, transaction: Connection, peer: str, letter: Letter, instance: str = "") -> None:
        for name, posted in self._store.post(transaction, peer, letter, instance):
            self.posted.append((peer, name, posted))

    def refuse(self, transaction: Connection, peer: str, instance: str, letter: Letter, fault: Fault) -> None:
        """Tell the sender that its message was not applied."""
        self._post_body(transaction, peer, Kind.REFUSED, letter.session, fault, instance)


_DOCUMENT_EVENTS: dict[Kind, Callable[[str], Event]] = {
    Kind.HELLO: sessions.Greeted,
    Kind.PAIR_KEYS: sessions.Keyed,
    Kind.SEAL: sessions.Sealed,
}


def _event(peer: str, letter: Letter) -> Event:
    match letter.kind:
        case Kind.REVIEWING:
            return sessions.Reviewing(peer)
        case Kind.HOLD:
            return sessions.Held(peer)
        case Kind.RESUME:
            return sessions.Resumed(peer)
        case Kind.STAGE:
            return sessions.Reached(peer, decode(Stage, letter.body, letter.kind, peer).stage)
        case Kind.ABORT:
            fault = decode(Fault, letter.body, letter.kind, peer)
            return sessions.Failed(peer, fault.model_copy(update={"party": fault.party or peer}))
        case Kind.DENIAL:
            denial = Denial.parse(Envelope.from_bytes(letter.body).payload_bytes())
            return sessions.Denied(
                peer,
                Fault(kind="PolicyRefusal", code=denial.code, party=peer, message="; ".join(denial.reasons)),
            )
        case Kind.APPROVAL:
            Approval.parse(Envelope.from_bytes(letter.body).payload_bytes())
            return sessions.Approved(peer)
        case Kind.HELLO | Kind.PAIR_KEYS | Kind.SEAL:
            Envelope.from_bytes(letter.body)
            return _DOCUMENT_EVENTS[Kind(letter.kind)](peer)
    raise ProtocolAbort(
        "coordinator/unknown-kind",
        f"`{peer}` sent a message `{letter.kind}`, which this coordinator does not take from a party",
        remedy="run the same version of consortia everywhere",
    )


def _cancelled(person: str) -> Fault:
    return Fault(
        kind="RequestError",
        code="coordinator/cancelled",
        party=person,
        message=f"`{person}` cancelled the run; nothing was opened",
    )


def _foreign(peer: str, letter: Letter) -> ProtocolAbort:
    return ProtocolAbort(
        "coordinator/not-concerned",
        f"`{peer}` sent `{letter.kind}` for a session or person that is not its own",
        place=f"session {letter.session}" if letter.session else "",
        remedy="nothing changed by it",
    )
