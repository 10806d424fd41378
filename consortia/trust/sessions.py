"""The documents that people and parties sign in one session, in the order in which they appear.

submission (analyst) -> verdict (each party) -> approval (each party) -> hello, pair keys (each party) -> seal.
Every one travels in a DSSE envelope; the coordinator carries them and can change none.
"""

from typing import Annotated, Literal

from pydantic import Field

from consortia.trust.documents import Digest, Document, Frozen, Hex, Instant, Integer, Name, Person, Session


class WantedError(Frozen):
    """An output and the error that the analyst accepts: half the 95 % interval of its noise, a positive decimal."""

    output: Name
    error: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?$")]


class Submission(Document):
    """What an analyst asks to run: exactly one plan, under these versions, with a one-time key for the result.

    ``sql`` is the text that every party compiles itself; ``plan`` the digest it must arrive at; ``circuits`` what the
    submitter's client chose for the link between the computers, a matter of time alone. ``errors`` are those that the
    submitter accepts where noise is obliged; what is not named gets as little noise as is left. ``result_key`` is an
    HPKE public key (ML-KEM-768 with X25519) made for this submission alone. The session id is the first 16 bytes of
    SHA-256 over the signed envelope's bytes.
    """

    type: Literal["consortia/submission/v1"] = "consortia/submission/v1"
    consortium: Name
    submitter: Person
    purpose: Name
    sql: str
    plan: Digest
    leakage: Digest
    manifest: Digest
    catalogue: Digest
    as_of: Instant
    circuits: Literal["few-rounds", "few-bytes"] = "few-rounds"
    errors: tuple[WantedError, ...] = ()
    nonce: Hex
    result_key: Hex


class TreeHead(Frozen):
    """The state of a party's journal: the RFC 6962 root over its first ``size`` entries.

    ``log`` names the journal: drawn at its beginning, and anew if an older copy of it had to be put back.
    """

    log: Hex
    size: Integer
    root: Digest


class MemberHead(Frozen):
    """The latest head of ``member``'s journal that somebody has seen signed."""

    member: Name
    head: TreeHead


class MemberSession(Frozen):
    """The last session for which ``member`` was seen to reserve room in its ledger."""

    member: Name
    session: Session


class Consistency(Frozen):
    """The proof that a journal's first ``size`` entries begin the journal of the head beside it."""

    size: Integer
    hashes: tuple[Digest, ...]


class SnapshotRoot(Frozen):
    """The committed snapshot that an owner will use for one table."""

    table: Name
    root: Digest


class MemberDigest(Frozen):
    """The digest of one member's document (its card or its policy)."""

    member: Name
    digest: Digest


class Denial(Document):
    """A party's signed refusal of a plan. ``code`` and ``reasons`` follow from plan, policies and public facts."""

    type: Literal["consortia/denial/v1"] = "consortia/denial/v1"
    session: Session
    party: Name
    plan: Digest
    code: str
    reasons: tuple[str, ...]


class UnitCharge(Frozen):
    """What a session costs a privacy unit of an owner: rho in billionths, delta in millionths of a billionth.

    ``rho_before`` and ``delta_before`` are what the owner's ledger held of it, reserved and spent, over the last year
    for the same purpose.
    """

    unit: str
    rho: Integer
    delta: Integer
    rho_before: Integer
    delta_before: Integer


class Reservation(Frozen):
    """What an owner's ledger sets aside for a session; ``number`` is its row, never used for another session."""

    number: Integer
    charges: tuple[UnitCharge, ...] = ()
    """By privacy unit, sorted; none if the answers have no noise."""


class Approval(Document):
    """A party's consent to run one plan once, before ``not_after``; it signs everything the run depends on."""

    type: Literal["consortia/approval/v1"] = "consortia/approval/v1"
    session: Session
    party: Name
    not_after: Instant
    submission: Digest
    plan: Digest
    leakage: Digest
    manifest: Digest
    catalogue: Digest
    cards: tuple[MemberDigest, ...]
    policies: tuple[MemberDigest, ...]
    snapshots: tuple[SnapshotRoot, ...]
    computers: tuple[Name, ...]
    threat_model: Literal["semi-honest"] = "semi-honest"
    padded_rows: tuple[Integer, ...]
    """Rows of each share step, in plan order."""
    recipients: tuple[Person | Name, ...]
    result_key: Hex
    """HPKE public key to which this party's own part of a result (if it is a recipient) is sealed."""
    verdict: Literal["permit"] = "permit"
    reservation: Reservation | None = None
    """The room in this owner's ledger; None of a party that owns no data of the plan."""


class Hello(Document):
    """First half of the key schedule: signed, fresh, bound to what will run (protocol-proofs, section 7).

    ``heads`` are the latest heads of the other parties' journals that this party has seen, sorted by member: by
    signing it, it cosigns them, and two parties that were shown different journals find out before anything is shared.
    ``reserved`` names their last reservations that it has seen, so that a ledger of which an older copy was put back
    finds out too.
    """

    type: Literal["consortia/hello/v1"] = "consortia/hello/v1"
    session: Session
    attempt: int
    party: Name
    manifest: Digest
    catalogue: Digest
    plan: Digest
    leakage: Digest
    approvals: Digest
    """SHA-256 over the digests of all approval envelopes, sorted by party."""
    computers: tuple[Name, ...]
    threat_model: Literal["semi-honest"] = "semi-honest"
    suite: Literal["mlkem768x25519-hkdfsha256-aes256gcm"] = "mlkem768x25519-hkdfsha256-aes256gcm"
    software: str
    nonce: Hex
    kem_key: Hex
    heads: tuple[MemberHead, ...] = ()
    reserved: tuple[MemberSession, ...] = ()


class SealedPair(Frozen):
    """An HPKE ciphertext of 32 secret bytes from one party to another."""

    receiver: Name
    ciphertext: Hex


class PairKeys(Document):
    """Second half: pair secrets for every peer, and a signature over the transcript of all hellos."""

    type: Literal["consortia/keys/v1"] = "consortia/keys/v1"
    session: Session
    attempt: int
    party: Name
    transcript: Digest
    """T1: SHA-256 over all hello envelopes sorted by party."""
    pairs: tuple[SealedPair, ...]


class ResultPart(Document):
    """A computer's statement about its part of one output: what the sealed bytes beside it are, and of which run.

    ``sealed`` is the SHA-256 of the HPKE ciphertext; ``commitment`` that of ``["consortia/part/v1", salt, part]``,
    whose salt stands in front of the part inside the seal. Without the signature anybody who knows the recipient's
    public key could send a part of his own making.
    """

    type: Literal["consortia/result-part/v1"] = "consortia/result-part/v1"
    session: Session
    attempt: int
    party: Name
    plan: Digest
    transcript: Digest
    """T2 of the key schedule: parts of one result must name the same."""
    step: str
    recipient: Person | Name
    commitment: Digest
    sealed: Digest


class ResultsRequest(Document):
    """An analyst asks the own member's node for the stored results of a session, sealed to a one-time key."""

    type: Literal["consortia/results-request/v1"] = "consortia/results-request/v1"
    session: Session
    person: Person
    at: Instant
    nonce: Hex
    result_key: Hex


class ResultsReply(Document):
    """The node's answer: the SHA-256 of the sealed result, and of the request that it answers."""

    type: Literal["consortia/results-reply/v1"] = "consortia/results-reply/v1"
    session: Session
    party: Name
    request: Digest
    sealed: Digest


class StepTraffic(Frozen):
    """Measured payload bytes that one party sent in one plan step, and the rounds it took."""

    step: str
    rounds: Integer
    bytes: Integer


class Seal(Document):
    """A party's closing statement: what ran, what it sent, salted commitments to the parts it released.

    One with another outcome than ``released`` stays in the party's own journal, where it signs how the session ended.

    ``head`` is that of its journal before this statement, with ``entries`` of the session below it; ``earlier`` shows
    that the journal still begins with every head that the other parties' hellos name.
    """

    type: Literal["consortia/seal/v1"] = "consortia/seal/v1"
    session: Session
    attempt: int
    party: Name
    plan: Digest
    transcript: Digest
    """T2 of the key schedule: the same at all parties."""
    outcome: Literal["released", "denied", "aborted", "expired"]
    code: str = ""
    commitments: tuple[Digest, ...] = ()
    traffic: tuple[StepTraffic, ...] = ()
    head: TreeHead
    entries: Integer
    earlier: tuple[Consistency, ...] = ()
