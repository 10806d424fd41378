"""From a proposal to links: what a party checks of what others signed, and the key agreement over it.

Pure but for randomness, which is an argument: envelopes in, documents and keys out. The runner carries the messages.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from consortia.errors import ConsortiaError, ProtocolAbort, RequestError
from consortia.ids import member_of
from consortia.parties.transport.key_schedule import (
    LinkKeys,
    check_hellos,
    derive,
    digest_of_envelopes,
    first_transcript,
    seal_pairs,
    second_transcript,
)
from consortia.trust.envelope import Envelope, Signer, seal_document
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keys import PublicKey
from consortia.trust.sessions import Approval, Hello, MemberHead, MemberSession, PairKeys, Submission
from consortia.trust.trusted import TrustedSet
from consortia.trust.verify import verify_by_one

D = TypeVar("D", Hello, PairKeys)


def session_of(submission: Envelope) -> str:
    """The session id of a signed submission: nobody chooses it, and one submission has one."""
    return hashlib.sha256(submission.to_bytes()).hexdigest()[:32]


def verified_submission(envelope: Envelope, session: str, trusted: TrustedSet, now: datetime) -> Submission:
    """The submission in ``envelope``, signed by an analyst of a member, whose id is ``session``.

    Raises ProtocolAbort ``parties/session-id``; RequestError ``parties/consortium``, ``trust/role`` and as
    ``TrustedSet.person_key`` and ``verify_by_one`` do.
    """
    if session_of(envelope) != session:
        raise ProtocolAbort(
            "parties/session-id",
            "the session id is not the hash of the submission that was shown for it",
            place=f"session {session}",
            remedy="the coordinator mixed up two submissions, or lies; nothing was shared",
        )
    claimed = Submission.parse(envelope.payload_bytes())
    member_of(claimed.submitter)
    key = trusted.person_key(claimed.submitter, now, "analyst")
    submission = verify_by_one(envelope, Submission, claimed.submitter, key)
    if submission.consortium != trusted.manifest.consortium:
        raise RequestError(
            "parties/consortium",
            f"the submission is for `{submission.consortium}`, this node belongs to `{trusted.manifest.consortium}`",
            remedy="connect with the profile of the right consortium",
        )
    return submission


@dataclass(frozen=True, slots=True)
class Greeting:
    """This party's hello, and the private halves that must not outlive the agreement."""

    hello: Hello
    envelope: Envelope
    private: KemPrivateKey


def greet(
    own: Approval,
    approvals: Mapping[str, Envelope],
    *,
    attempt: int,
    software: str,
    heads: tuple[MemberHead, ...],
    reserved: tuple[MemberSession, ...],
    signer: Signer,
    random_bytes: Callable[[int], bytes],
) -> Greeting:
    """The signed hello for the run that ``own`` approves; ``approvals`` are all parties' envelopes, verified.

    ``heads`` are those that this party has seen of the others' journals, ``reserved`` their last reservations.
    """
    private = KemPrivateKey.generate()
    digest = digest_of_envelopes(
        "consortia/approvals/v1", {party: envelope.to_bytes() for party, envelope in approvals.items()}
    )
    hello = Hello(
        session=own.session,
        attempt=attempt,
        party=own.party,
        manifest=own.manifest,
        catalogue=own.catalogue,
        plan=own.plan,
        leakage=own.leakage,
        approvals=digest,
        computers=own.computers,
        threat_model=own.threat_model,
        software=software,
        nonce=random_bytes(32).hex(),
        kem_key=private.public,
        heads=heads,
        reserved=reserved,
    )
    return Greeting(hello, seal_document(hello, (signer,)), private)


@dataclass(frozen=True, slots=True)
class Offer:
    """This party's pair keys, the secrets in them by receiver, and T1."""

    document: PairKeys
    envelope: Envelope
    secrets: Mapping[str, bytes]
    transcript: str

    def __repr__(self) -> str:
        return f"<Offer under {self.transcript[:16]}>"


def offer(
    greeting: Greeting,
    hellos: Sequence[Envelope],
    keys: Mapping[str, PublicKey],
    signer: Signer,
    random_bytes: Callable[[int], bytes],
) -> Offer:
    """Check all hellos (``keys``: node keys of exactly the parties) and seal a secret to each.

    Raises ProtocolAbort ``parties/greeting`` for a hello that is not signed by its party, missing or double, or not
    the own one, and ``transport/hello`` for one of another run.
    """
    documents, envelopes = _by_party(hellos, Hello, keys)
    check_hellos(greeting.hello, documents, frozenset(keys))
    if envelopes[greeting.hello.party] != greeting.envelope:
        raise _refused("the hello shown as this node's own is not the one that it signed")
    transcript = first_transcript({party: envelope.to_bytes() for party, envelope in envelopes.items()})
    document, secrets = seal_pairs(greeting.hello, transcript, documents, random_bytes)
    return Offer(document, seal_document(document, (signer,)), secrets, transcript)


def agree(
    greeting: Greeting, own: Offer, pair_keys: Sequence[Envelope], keys: Mapping[str, PublicKey]
) -> tuple[str, dict[str, LinkKeys]]:
    """T2 and the keys of every link, from all parties' pair keys.

    Raises ProtocolAbort ``parties/greeting`` and ``transport/pair-keys``.
    """
    documents, envelopes = _by_party(pair_keys, PairKeys, keys)
    if envelopes[greeting.hello.party] != own.envelope:
        raise _refused("the pair keys shown as this node's own are not those that it signed")
    transcript = second_transcript(
        own.transcript, {party: envelope.to_bytes() for party, envelope in envelopes.items()}
    )
    return transcript, derive(greeting.hello, greeting.private, own.secrets, (own.transcript, transcript), documents)


def _by_party(
    envelopes: Sequence[Envelope], kind: type[D], keys: Mapping[str, PublicKey]
) -> tuple[dict[str, D], dict[str, Envelope]]:
    documents: dict[str, D] = {}
    found: dict[str, Envelope] = {}
    for envelope in envelopes:
        party = _claimed_party(envelope, kind)
        if party not in keys or party in documents:
            raise _refused(f"`{party}` is not a party of the run, or spoke twice")
        try:
            documents[party] = verify_by_one(envelope, kind, party, keys[party])
        except ConsortiaError as error:
            raise _refused(f"a message of `{party}` is not signed by its node: {error.message}") from error
        found[party] = envelope
    missing = sorted(set(keys) - set(documents))
    if missing:
        raise _refused(f"the message of {', '.join(missing)} is missing")
    return documents, found


def _claimed_party(envelope: Envelope, kind: type[Hello] | type[PairKeys]) -> str:
    try:
        return kind.parse(envelope.payload_bytes()).party
    except ConsortiaError as error:
        raise _refused(f"a message is malformed: {error.message}") from error


def _refused(why: str) -> ProtocolAbort:
    return ProtocolAbort(
        "parties/greeting",
        f"the parties could not agree on keys: {why}",
        remedy="nothing was shared; if it happens again the coordinator, or somebody on the way, changes messages",
    )
