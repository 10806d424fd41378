"""What a pack shows of the run itself: approvals, officers' reviews, hellos, closing statements. Pure.

The checks are those that every party made before it went on; here they are made again on the recorded envelopes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consortia.audit.believed import Believed, asked_in
from consortia.control.messages import End, Fault, decode
from consortia.errors import ConsortiaError, ProtocolAbort
from consortia.evidence.cosigning import check_split, continued
from consortia.evidence.pack import Opened
from consortia.parties.approval import Terms, build_approval, check_reservations, verify_approvals
from consortia.parties.checks import concerned_cards
from consortia.parties.ending import NO_DIGEST
from consortia.parties.holding import JOURNAL_KIND, verified_word
from consortia.parties.transport.key_schedule import check_hellos, digest_of_envelopes
from consortia.parties.work import Documents, Review
from consortia.plans.concerned import outputs_of, parties_of
from consortia.policies.compiling import Compiled
from consortia.policies.own import tables_needed
from consortia.policies.own.budget import charges_of
from consortia.policies.review import reviewers
from consortia.trust.certificates import COORDINATOR
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Approval, Denial, Hello, MemberDigest, Seal, Submission
from consortia.trust.statements import ReviewDecision
from consortia.trust.verify import verify_by_one


@dataclass(frozen=True, slots=True)
class Run:
    """The verified statements of all parties, by party, as far as the run came, and the officers' reviews."""

    approvals: Mapping[str, Approval]
    hellos: Mapping[str, Hello]
    seals: Mapping[str, Seal]
    reviews: tuple[ReviewDecision, ...]
    uncounted: tuple[str, ...] = ()
    """Journalled words of officers that do not count, each with the reason."""
    denials: tuple[Denial, ...] = ()
    faults: tuple[Fault, ...] = ()
    """Why the run failed, as this member or the coordinator said it: unsigned, but journalled."""


def approvals_of(opened: Opened, believed: Believed, compiled: Compiled, submission: Submission) -> dict[str, Approval]:
    """All parties' approvals, by party: each signed by its node, each of exactly what the pack's documents say.

    Every owner's states the reservation of what the plan costs it. Of a run that ended before all had approved, the
    member's own alone.

    Raises ProtocolAbort ``audit/approval`` and as ``verify_approvals`` and ``check_reservations`` do.
    """
    plan, trusted = compiled.plan, believed.trusted
    own = Approval.parse(Envelope.from_bytes(opened.first("approval").document.encode()).payload_bytes())
    policies = {owner: believed.policies[owner].digest for owner in plan.owners() if owner in believed.policies}
    documents = Documents(trusted, believed.catalogue.digest(), ())
    terms = Terms(
        session=opened.pack.session,
        submission=asked_in(opened).digest(),
        plan=plan,
        leakage=submission.leakage,
        manifest=trusted.manifest.digest(),
        catalogue=believed.catalogue.digest(),
        cards=concerned_cards(documents, plan, submission),
        policies=tuple(MemberDigest(member=owner, digest=digest) for owner, digest in sorted(policies.items())),
    )
    due = build_approval(
        terms,
        party=opened.pack.member,
        not_after=own.not_after,
        snapshots=own.snapshots,
        result_key=own.result_key,
        reservation=own.reservation,
    )
    if own != due:
        raise ProtocolAbort(
            "audit/approval",
            f"the approval of `{opened.pack.member}` does not state what the pack's documents say",
            place="approval",
            remedy="the pack is not genuine, or was made by another version of consortia",
        )
    keys = {party: trusted.node_key(party, believed.at) for party in parties_of(plan)}
    if not opened.released and not opened.has("verified-approval"):
        envelope = Envelope.from_bytes(opened.first("approval").document.encode())
        return {own.party: verify_by_one(envelope, Approval, own.party, keys[own.party])}
    tables = {owner: tables_needed(plan, owner, believed.catalogue) for owner in plan.owners()}
    envelopes = [Envelope.from_bytes(document) for document in opened.documents("verified-approval")]
    approvals = verify_approvals(own, tables, envelopes, keys, believed.at)
    charges = {
        owner: charges_of(plan, owner, believed.policies[owner].policy, believed.catalogue) for owner in plan.owners()
    }
    check_reservations(approvals, charges)
    return approvals


def reviews_of(
    opened: Opened, believed: Believed, compiled: Compiled, submission: Submission
) -> tuple[tuple[ReviewDecision, ...], tuple[str, ...]]:
    """The officers' words that count, and why others do not; of every owner whose policy asks, one approves the run.

    A word counts as it does at a node, and if it was journalled before the own approval; one that does not is no
    fault of the member, since anybody may send one. Raises ProtocolAbort ``audit/review`` naming the owner without one.
    """
    asked = asked_in(opened)
    documents = Documents(believed.trusted, believed.catalogue.digest(), ())
    due = reviewers(compiled.plan, believed.world)
    review = Review(documents, compiled.plan, submission.leakage, reviewers=due)
    end = opened.first("approval").leaf.index if opened.has("approval") else None
    words: list[ReviewDecision] = []
    uncounted = []
    for entry in opened.pack.entries:
        if entry.leaf.kind != JOURNAL_KIND:
            continue
        try:
            word = verified_word(Envelope.from_bytes(entry.document.encode()), asked, review, believed.at)
        except ConsortiaError as error:
            uncounted.append(f"entry {entry.leaf.index}: {error.message} [{error.code}]")
            continue
        if end is not None and entry.leaf.index > end:
            uncounted.append(f"entry {entry.leaf.index}: the word of `{word.person}` came after the approval")
        else:
            words.append(word)
    agreed = {word.member for word in words if word.decision == "approve"}
    missing = [owner for owner in due if owner not in agreed]
    if missing and end is not None:
        raise _review(f"no officer of {', '.join(missing)} approved the run before it, and the policy asks for it")
    return tuple(words), tuple(uncounted)


def hellos_of(opened: Opened, believed: Believed, approvals: Mapping[str, Approval]) -> dict[str, Hello]:
    """All parties' hellos, by party: each signed, each of this run and these approvals; no heads contradict.

    Raises ProtocolAbort ``audit/hello``, ``transport/hello`` and as ``check_split`` does.
    """
    hellos: dict[str, Hello] = {}
    for document in opened.documents("hello"):
        envelope = Envelope.from_bytes(document)
        party = Hello.parse(envelope.payload_bytes()).party
        if party not in approvals or party in hellos:
            raise _hello(f"`{party}` is no party of the run, or spoke twice")
        hellos[party] = verify_by_one(envelope, Hello, party, believed.trusted.node_key(party, believed.at))
    own = hellos.get(opened.pack.member)
    if own is None:
        raise _hello(f"the hello of `{opened.pack.member}` is missing")
    check_hellos(own, hellos, frozenset(approvals))
    digests = {
        Approval.parse(Envelope.from_bytes(document).payload_bytes()).party: document
        for document in opened.documents("verified-approval")
    }
    approval = approvals[own.party]
    stated = (own.session, own.plan, own.leakage, own.manifest, own.catalogue, own.approvals, own.computers)
    if stated != (
        approval.session,
        approval.plan,
        approval.leakage,
        approval.manifest,
        approval.catalogue,
        digest_of_envelopes("consortia/approvals/v1", digests),
        approval.computers,
    ):
        raise _hello("the hellos are of another run than the approvals")
    check_split((), hellos)
    return hellos


def seals_of(
    opened: Opened, believed: Believed, compiled: Compiled, submission: Submission, hellos: Mapping[str, Hello]
) -> dict[str, Seal]:
    """The closing statements that the pack holds, by party: signed, of one run, each continuing every head named.

    Raises ProtocolAbort ``audit/seal`` and ``evidence/split-view``.
    """
    seals: dict[str, Seal] = {}
    for envelope in (opened.pack.seal, *opened.pack.seals):
        party = Seal.parse(envelope.payload_bytes()).party
        if party not in (hellos or {opened.pack.member}) or party in seals:
            raise _seal(f"`{party}` is no party of the run, or spoke twice", party)
        seal = verify_by_one(envelope, Seal, party, believed.trusted.node_key(party, believed.at))
        own = seals.get(opened.pack.member, seal)
        ran = submission.plan if opened.has("approval") else NO_DIGEST
        if (seal.session, seal.attempt, seal.plan, seal.transcript, seal.outcome) != (
            opened.pack.session,
            own.attempt,
            ran,
            own.transcript,
            own.outcome,
        ):
            raise _seal(f"the closing statement of `{party}` is of another run", party)
        computes = opened.released and party in compiled.plan.computers
        outputs = len(outputs_of(compiled.plan)) if computes else 0
        if len(seal.commitments) != outputs:
            raise _seal(f"`{party}` released {len(seal.commitments)} parts, and the plan has {outputs} for it", party)
        for hello in hellos.values():
            continued(hello.heads, seal)
        seals[party] = seal
    ordered = [Seal.parse(envelope.payload_bytes()).party for envelope in opened.pack.seals]
    if ordered != sorted(ordered):
        raise _seal("the closing statements stand out of order", "seals")
    return seals


def denials_of(opened: Opened, believed: Believed) -> tuple[Denial, ...]:
    """The signed denials that the member wrote or was told of, each verified."""
    envelopes = [Envelope.from_bytes(document) for document in opened.documents("denial")]
    envelopes += [envelope for end in _ends(opened) for envelope in end.denials]
    found: dict[str, Denial] = {}
    for envelope in envelopes:
        party = Denial.parse(envelope.payload_bytes()).party
        denial = verify_by_one(envelope, Denial, party, believed.trusted.node_key(party, believed.at))
        if denial.session != opened.pack.session:
            raise ProtocolAbort("audit/seal", f"the denial of `{party}` is of another session", place=party)
        found[party] = denial
    return tuple(denial for _, denial in sorted(found.items()))


def faults_of(opened: Opened) -> tuple[Fault, ...]:
    """Why the run failed, as the journal has it: the member's own words first."""
    own = [decode(Fault, document, "abort", opened.pack.member) for document in opened.documents("abort")]
    return (*own, *(end.fault for end in _ends(opened) if end.fault is not None))


def _ends(opened: Opened) -> list[End]:
    return [decode(End, document, "end", COORDINATOR) for document in opened.documents("end")]


def _review(what: str) -> ProtocolAbort:
    return ProtocolAbort("audit/review", what, place="review", remedy="ask the owner's officers")


def _hello(what: str) -> ProtocolAbort:
    return ProtocolAbort("audit/hello", what, place="hello", remedy="the pack is not genuine; ask its member")


def _seal(what: str, place: str) -> ProtocolAbort:
    return ProtocolAbort("audit/seal", what, place=place, remedy="the pack is not genuine; ask its member")
