"""What people of a member sign beside an analysis and its run: reviews of held sessions, revocations, stops.

Each travels in a DSSE envelope. One signature suffices to stop something, since stopping opens nothing; what lets
something run again needs two (``Lift``; after a revocation the next version of the policy).
"""

from typing import Annotated, Literal

from pydantic import Field

from consortia.trust.documents import Digest, Document, Hex, Instant, Name, Person, Session

EVERY_SESSION = "0" * 32
"""In a ``HeldRequest``: all sessions that are held. It is the id of none, ids being hashes."""

Words = Annotated[str, Field(min_length=1, max_length=1000)]
"""A reason in a person's words."""


class HeldRequest(Document):
    """An officer asks the own member's node for what it holds for review, sealed to a one-time key."""

    type: Literal["consortia/held-request/v1"] = "consortia/held-request/v1"
    session: Session
    person: Person
    at: Instant
    nonce: Hex
    result_key: Hex


class ReviewDecision(Document):
    """An officer's word on one held session of one plan with one leakage report; it speaks for ``member`` alone.

    Officers decide on plan, leakage report, cost and verdicts, before anything is shared, and never on values.
    """

    type: Literal["consortia/review/v1"] = "consortia/review/v1"
    session: Session
    member: Name
    person: Person
    submission: Digest
    plan: Digest
    leakage: Digest
    decision: Literal["approve", "refuse"]
    reason: Annotated[str, Field(max_length=1000)] = ""
    at: Instant


class Revocation(Document):
    """One officer of ``owner`` takes its policy (the digest of its exact bytes) out of force, for good.

    The owner's data is in use again under the next version of the policy alone, which two officers sign.
    """

    type: Literal["consortia/revocation/v1"] = "consortia/revocation/v1"
    consortium: Name
    owner: Name
    purpose: Name
    policy: Digest
    version: int
    person: Person
    reason: Words
    at: Instant


class Stop(Document):
    """An officer or operator of ``member`` stops everything in the consortium: no new session, no release."""

    type: Literal["consortia/stop/v1"] = "consortia/stop/v1"
    consortium: Name
    member: Name
    person: Person
    reason: Words
    at: Instant
    nonce: Hex


class Lift(Document):
    """Two officers of the member that stopped everything let it run again; ``stop`` is the digest of the stop."""

    type: Literal["consortia/lift/v1"] = "consortia/lift/v1"
    consortium: Name
    member: Name
    stop: Digest
    reason: Words
    at: Instant


NOTICE_TYPES = frozenset(str(kind.model_fields["type"].default) for kind in (Revocation, Stop, Lift))
"""What travels as a notice to all members."""
