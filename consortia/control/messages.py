"""What travels over the control stream: the kinds of messages and the shapes of their bodies.

A ``Message`` (wire/control.proto) carries a body as canonical JSON: either a DSSE envelope that its author signed, or
one of the unsigned notices below. Notices have no authority: nodes act on signed envelopes that they verify
themselves, and a coordinator that lies in a notice can delay or refuse, nothing more.

Messages with a sequence number are durable: stored by the sender until the other side has acknowledged that it
stored them, delivered again after a reconnection, applied once. Sequence 0 is for what may be lost.
"""

import base64
import binascii
from enum import StrEnum
from typing import Annotated, TypeVar

import rfc8785
from pydantic import AfterValidator, ValidationError

from consortia import errors
from consortia.control.phases import Phase
from consortia.errors import ConsortiaError, OperatorError, PeerError, PolicyRefusal, ProtocolAbort, RequestError
from consortia.trust.documents import Frozen, Hex, Name, Person, Session
from consortia.trust.envelope import Envelope

WIRE_VERSION = 1


class Kind(StrEnum):
    """Every kind of message. The comment says who sends it to whom and what its body is."""

    CONNECT = "connect"  # node or client -> coordinator, first of a stream: Connect
    WELCOME = "welcome"  # coordinator -> node or client, its answer: Welcome
    ACK = "ack"  # both ways: Empty; only `acknowledged` matters
    REFUSED = "refused"  # coordinator -> sender of a message that can't be applied: Fault

    SUBMISSION = "submission"  # client -> coordinator: Submit
    ACCEPTED = "accepted"  # coordinator -> client: Accepted
    CANCEL = "cancel"  # client -> coordinator: Empty
    STATUS_QUERY = "status-query"  # client -> coordinator: Empty; `session` empty: all of this person
    STATUS = "status"  # coordinator -> client: Status
    RESULTS_REQUEST = "results-request"  # client -> coordinator -> node of its member: Envelope of ResultsRequest
    RESULTS_ANSWER = "results-answer"  # node -> coordinator -> client: ResultsAnswer
    HELD_REQUEST = "held-request"  # officer -> coordinator -> node of its member: Envelope of HeldRequest
    HELD_ANSWER = "held-answer"  # node -> coordinator -> officer: ResultsAnswer, a HeldRun by session
    REVIEW = "review"  # officer -> coordinator -> parties of a held session: Envelope of ReviewDecision
    NOTICE = "notice"  # person -> coordinator -> all members: Envelope of Revocation, Stop or Lift
    NOTED = "noted"  # node -> coordinator -> person: Noted

    PROPOSAL = "proposal"  # coordinator -> parties: Proposal
    REVIEWING = "reviewing"  # party -> coordinator: Empty
    HOLD = "hold"  # party -> coordinator: Empty; signatures of officers are awaited
    RESUME = "resume"  # party -> coordinator: Empty
    DENIAL = "denial"  # party -> coordinator: Envelope of Denial
    APPROVAL = "approval"  # party -> coordinator: Envelope of Approval
    APPROVALS = "approvals"  # coordinator -> parties: Collected
    HELLO = "hello"  # party -> coordinator: Envelope of Hello
    HELLOS = "hellos"  # coordinator -> parties: Collected
    PAIR_KEYS = "pair-keys"  # party -> coordinator: Envelope of PairKeys
    PAIR_KEYS_SET = "pair-keys-set"  # coordinator -> parties: Collected
    STAGE = "stage"  # party -> coordinator -> client: Stage
    PROGRESS = "progress"  # party -> coordinator -> client, may be lost: Progress
    WAITING = "waiting"  # coordinator -> client, may be lost: Waiting
    PART = "part"  # computer -> coordinator -> recipient: Part
    RELEASED = "released"  # coordinator -> parties, all parts are with their recipients: Empty
    SEAL = "seal"  # party -> coordinator: Envelope of Seal
    ABORT = "abort"  # party -> coordinator: Fault
    END = "end"  # coordinator -> parties and client: End


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    return text


Base64 = Annotated[str, AfterValidator(_base64)]
"""Bytes in a body, judged when the body is read: what is no base64 is ``control/malformed``."""


class Empty(Frozen):
    """A body that says nothing; the kind is the message."""


class Connect(Frozen):
    """First message of a stream. ``instance`` names the sender's outbox: a new one begins again at sequence 1."""

    software: str
    instance: Hex


class Welcome(Frozen):
    """The coordinator's answer: its software version, and its outbox to this instance."""

    software: str


class Fault(Frozen):
    """An error as another party or person is told of it."""

    kind: str
    code: str
    party: str
    place: str = ""
    message: str = ""
    remedy: str = ""

    @classmethod
    def of(cls, error: ConsortiaError, party: str) -> "Fault":
        """What others may learn of ``error`` at ``party``.

        Of requests, policies, peers and attacks everything: a request that fails in the run tells the one bit that
        was opened. Of its own files and data the code alone, the details stay in its log.
        """
        if isinstance(error, RequestError | PolicyRefusal | PeerError | ProtocolAbort):
            return cls(
                kind=type(error).__name__,
                code=error.code,
                party=party,
                place=error.place,
                message=error.message,
                remedy=error.remedy,
            )
        return cls(
            kind=type(error).__name__,
            code=error.code,
            party=party,
            message=f"the run failed at `{party}`; the details stay in its log",
            remedy=f"ask the operator of `{party}` for the log entry {error.code}, then run the analysis again",
        )

    def error(self) -> ConsortiaError:
        """The error to raise here: of the same kind and code, with the party where it happened in its place."""
        found = getattr(errors, self.kind, None)
        kind = found if isinstance(found, type) and issubclass(found, ConsortiaError) else PeerError
        place = ", ".join(part for part in (f"at {self.party}" if self.party else "", self.place) if part)
        return kind(self.code, self.message, place=place, remedy=self.remedy)


class Submit(Frozen):
    """A signed submission and the plan it names, so that a difference can be named; nobody trusts the plan."""

    submission: Envelope
    plan: str


class Accepted(Frozen):
    """The coordinator took the submission and asks these parties."""

    parties: tuple[Name, ...]


class Proposal(Frozen):
    """A submission as it is shown to a party."""

    submission: Envelope
    plan: str
    parties: tuple[Name, ...]


class Collected(Frozen):
    """One signed document of every party, in the order of their ids."""

    documents: tuple[Envelope, ...]


class Stage(Frozen):
    """A party has reached a stage of the run."""

    party: Name
    stage: Phase


class Progress(Frozen):
    """A party is at work: plan step, rounds and payload bytes so far. Sent while it works, so its absence tells."""

    party: Name
    step: str = ""
    rounds: int = 0
    sent: int = 0


class Waiting(Frozen):
    """Whom a session waits for. ``seen`` is False if that party was never connected."""

    party: Name
    seen: bool
    connected: bool
    seconds: int


class Part(Frozen):
    """A piece of one computer's sealed part of one output for one recipient: piece ``index`` of ``count``.

    ``document`` is the envelope of ResultPart, which commits to the whole sealed bytes; ``piece`` is base64.
    """

    document: Envelope
    step: str
    recipient: Name | Person
    index: int
    count: int
    piece: Base64

    def sealed(self) -> bytes:
        """The bytes of this piece."""
        return base64.b64decode(self.piece, validate=True)


class End(Frozen):
    """The session has ended. ``denials`` are the signed refusals if it was denied, ``seals`` the closing statements."""

    phase: Phase
    fault: Fault | None = None
    denials: tuple[Envelope, ...] = ()
    seals: tuple[Envelope, ...] = ()


class PartyStatus(Frozen):
    """One party of a session: how far it is, and whether it is connected now."""

    party: Name
    stage: Phase
    connected: bool
    seen: bool


class SessionStatus(Frozen):
    """A session as its submitter sees it."""

    session: Session
    phase: Phase
    submitter: Person
    purpose: str
    submitted: str
    parties: tuple[PartyStatus, ...]
    fault: Fault | None = None


class Status(Frozen):
    """The sessions of the person who asked, the latest first."""

    sessions: tuple[SessionStatus, ...]


class HeldRun(Frozen):
    """What a node holds for review, as it hands it to an officer of its member.

    The submission says what is to run; the officer's client compiles it again. ``reasons`` are the owner's own.
    """

    submission: Envelope
    since: str
    until: str
    awaited: tuple[Name, ...]
    """Members whose officers have not spoken yet."""
    reasons: tuple[str, ...] = ()


class Noted(Frozen):
    """What the node of ``member`` did with the notice of this digest; ``fault`` if it refused it."""

    member: Name
    notice: Hex
    fault: Fault | None = None


class ResultsAnswer(Frozen):
    """A member's stored result, sealed to the key in the request and signed by the node; or why there is none.

    ``document`` is the envelope of ResultsReply, which commits to the whole sealed bytes; ``sealed`` is piece
    ``index`` of ``count`` of them (base64).
    """

    document: Envelope | None = None
    sealed: Base64 = ""
    index: int = 0
    count: int = 1
    fault: Fault | None = None


Body = TypeVar("Body", bound=Frozen)


def encode(body: Frozen) -> bytes:
    """``body`` as canonical JSON."""
    return rfc8785.dumps(body.model_dump(mode="json"))


def decode(shape: type[Body], data: bytes, kind: str, sender: str) -> Body:
    """The body in ``data``; raises ProtocolAbort ``control/malformed`` naming kind, sender and field."""
    try:
        return shape.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ProtocolAbort(
            "control/malformed",
            f"a message `{kind}` from `{sender}` is malformed: {first['msg']}",
            place=".".join(str(part) for part in first["loc"]),
            remedy="run the same version of consortia everywhere",
        ) from error


def check_wire_version(theirs: int, peer: str) -> None:
    """Raises OperatorError ``control/wire-version`` naming both versions unless they are the same."""
    if theirs != WIRE_VERSION:
        raise OperatorError(
            "control/wire-version",
            f"`{peer}` speaks wire version {theirs}, this side speaks {WIRE_VERSION}",
            remedy="install the same version of consortia on both sides",
        )
