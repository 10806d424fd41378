"""From a pack's documents to what was believed when the session was approved: trust, policies, and the compiled query.

Everything begins with the manifest, whose fingerprint a person compares: its root keys verify the cards, these the
keys of nodes and people. Pure but for ``Memory``, which its caller hands from pack to pack.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from consortia.errors import ConsortiaError, ProtocolAbort
from consortia.evidence.pack import BASIS, Opened, broken
from consortia.execution.estimate import estimate
from consortia.parties.agreement import verified_submission
from consortia.parties.past import DENIED_KIND
from consortia.plans.catalogue import Catalogue
from consortia.plans.differ import first_difference
from consortia.plans.model import Plan
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.signed import policy_in_force, signatures_of
from consortia.policies.world import PolicyWorld
from consortia.trust.checks import check_fingerprint
from consortia.trust.documents import Document
from consortia.trust.envelope import Envelope
from consortia.trust.keys import PublicKey
from consortia.trust.manifest import Card, Manifest
from consortia.trust.sessions import MemberDigest, Submission
from consortia.trust.trusted import Accepted, TrustedSet
from consortia.trust.verify import verify


@dataclass(frozen=True, slots=True)
class Believed:
    """The documents in force ``at`` the time of the approval; ``signers`` of manifest, catalogue and policies by name.

    Signers of manifest and catalogue are those whose keys the cards still list: others may have left since they signed.
    """

    at: datetime
    trusted: TrustedSet
    catalogue: Catalogue
    policies: Mapping[str, LoadedPolicy]
    signers: Mapping[str, tuple[str, ...]]

    @property
    def world(self) -> PolicyWorld:
        """What decisions are made from."""
        policies = tuple(policy for _, policy in sorted(self.policies.items()))
        return PolicyWorld(self.trusted.manifest, self.catalogue, self.trusted.cards, policies)


Key = tuple[tuple[str, str, bytes], ...]


@dataclass(slots=True)
class Memory:
    """Documents that were verified before: sessions of one consortium rest on the same ones.

    They are valid from some instant to another, so what was found good at two instants is good between them: nothing
    is remembered of any other time.
    """

    _held: dict[Key, tuple[Believed, datetime, datetime]] = field(default_factory=dict)

    def recall(self, key: Key, at: datetime) -> Believed | None:
        """What the documents of ``key`` were found to be, if ``at`` lies between two instants at which they were."""
        held = self._held.get(key)
        return replace(held[0], at=at) if held is not None and held[1] <= at <= held[2] else None

    def keep(self, key: Key, believed: Believed) -> None:
        """Remember that they were verified at ``believed.at``."""
        _, first, last = self._held.get(key, (believed, believed.at, believed.at))
        self._held[key] = (believed, min(first, believed.at), max(last, believed.at))


def believe(opened: Opened, fingerprint: str, memory: Memory) -> Believed:
    """Trust set, catalogue and policies in force of a pack, each signature verified; ``fingerprint`` "" compares none.

    Raises ProtocolAbort ``evidence/pack`` if no operator that the cards list signed the catalogue, or a policy is not
    of the owner that the basis names, and as ``check_fingerprint``, ``TrustedSet.restore`` and ``policy_in_force`` do.
    """
    at = opened.first(BASIS).leaf.time
    key: Key = tuple(
        (part, name, hashlib.sha256(content).digest())
        for (part, name), content in sorted(opened.files.items())
        if part in ("manifest", "catalogue", "card", "policy")
    )
    believed = memory.recall(key, at)
    if believed is None:
        believed = _verified(opened, at)
        memory.keep(key, believed)
    if fingerprint:
        check_fingerprint(believed.trusted.manifest.digest(), fingerprint)
    return believed


def _verified(opened: Opened, at: datetime) -> Believed:
    manifest = Envelope.from_bytes(opened.file("manifest"))
    catalogue = Envelope.from_bytes(opened.file("catalogue"))
    document = Manifest.parse(manifest.payload_bytes())
    cards = {name: Envelope.from_bytes(content) for name, content in opened.named("card").items()}
    tables = Catalogue.parse(catalogue.payload_bytes())
    accepted = Accepted(
        manifest=document.digest(),
        cards=tuple(
            MemberDigest(member=name, digest=Card.parse(card.payload_bytes()).digest())
            for name, card in sorted(cards.items())
        ),
        catalogue=tables.digest(),
    )
    trusted = TrustedSet.restore(accepted, manifest, list(cards.values()), catalogue)
    signers = {"manifest": _operators(manifest, document, trusted), "catalogue": _operators(catalogue, tables, trusted)}
    if not signers["catalogue"]:
        raise broken("no operator that the cards list signed the catalogue", "catalogue")
    policies = {}
    for owner, content in opened.named("policy").items():
        envelope = Envelope.from_bytes(content)
        policies[owner] = policy_in_force(envelope, trusted, at)
        if policies[owner].policy.identity.owner != owner:
            raise broken(f"the policy is one of `{policies[owner].policy.identity.owner}`", f"policy {owner}")
        signers[owner] = signatures_of(envelope, policies[owner], trusted, at).signed
    return Believed(at, trusted, tables, policies, signers)


def _operators(envelope: Envelope, document: Document, trusted: TrustedSet) -> tuple[str, ...]:
    """Who of the operators that the cards list signed; every signature under a key that they list is verified."""
    keys = {
        person.id: PublicKey.from_hex(person.suite, person.key)
        for card in trusted.cards.values()
        for person in card.people
        if "operator" in person.roles
    }
    known = {key.key_id for key in keys.values()}
    listed = tuple(signature for signature in envelope.signatures if signature.key_id in known)
    if not listed:
        return ()
    return verify(envelope.model_copy(update={"signatures": listed}), document.type, keys).signers


def asked_in(opened: Opened) -> Envelope:
    """The signed submission, which is journalled under another kind if it was denied."""
    kind = "submission" if opened.has("submission") else DENIED_KIND
    return Envelope.from_bytes(opened.first(kind).document.encode())


def submission_of(opened: Opened, believed: Believed) -> Submission:
    """What was asked, signed by an analyst of a member; its hash is the session's id.

    The check is the one of every party before it approved. Raises ProtocolAbort ``evidence/pack`` if it was
    approved and names another manifest or catalogue than the pack's, and as ``verified_submission`` does.
    """
    submission = verified_submission(asked_in(opened), opened.pack.session, believed.trusted, believed.at)
    held = (believed.trusted.manifest.digest(), believed.catalogue.digest())
    if opened.has("approval") and (submission.manifest, submission.catalogue) != held:
        raise broken("manifest and catalogue are not those that the submission names", "files")
    return submission


def compiled_again(opened: Opened, believed: Believed, submission: Submission) -> Compiled:
    """The submission compiled and decided here, found to be what the member found, to the last byte.

    Of a plan that is permitted, the digests are those that the analyst signed. Raises ProtocolAbort
    ``audit/recompiled`` naming what differs.
    """
    compiled = compile_analysis(
        submission.sql,
        submission.purpose,
        submission.submitter,
        submission.as_of,
        believed.world,
        estimate,
        believed.at,
        submission.circuits,
        submission.errors,
    )
    made: list[tuple[str, Document, str]] = [("decision", compiled.decision, opened.digest("decision"))]
    if compiled.leakage is None:
        made.append(("plan", compiled.plan, opened.digest("plan")))
    else:
        made += [("plan", compiled.plan, submission.plan), ("leakage", compiled.leakage, submission.leakage)]
    for part, document, digest in made:
        if document.canonical() != opened.file(part) or opened.digest(part) != digest:
            difference = _difference(compiled, opened) if part == "plan" else ""
            raise ProtocolAbort(
                "audit/recompiled",
                f"the submission compiles to another {part} than the one in the pack{difference}",
                place=part,
                remedy="verify with the version of consortia that the parties' hellos name; with the same version, "
                "the pack is not genuine",
            )
    return compiled


def _difference(compiled: Compiled, opened: Opened) -> str:
    try:
        found = first_difference(compiled.plan, Plan.parse(opened.file("plan")))
    except ConsortiaError:
        return ""
    return f"; the first difference is {found}" if found else ""
