"""The trusted set: what one party believes about the consortium, and the only way in for manifest, cards, catalogue.

Pure: documents and the time are arguments, every accepting method returns a new set, and nothing is believed by halves.
Rules, in the order in which they are checked:

1. A first manifest is accepted by its fingerprint, compared out of band, together with the cards of all members.
2. A card is signed by its member's root key in the manifest and by nobody else; it has not expired; its version does
   not fall, and one version has one content; its keys decode and no key serves two people or two purposes.
3. Every manifest, the first included, is signed by one operator of every member that stays or joins. Who is operator
   of a member that stays says the card known before; a joining member brings its card along. Version +1, and it names
   the digest of the manifest before.
4. A catalogue is signed by one operator of every member; version +1 over the catalogue before, whose digest it names
   (a member that holds none yet takes the first that it is shown: its own operator has signed it).

Digests here are those of documents (``Document.digest``): who signed beyond the quorum changes nothing.
Validity is judged with 300 s tolerance; expired cards stay in the set, and every look-up of a key refuses them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from consortia.errors import OperatorError, PeerError, ProtocolAbort, RequestError
from consortia.ids import member_of
from consortia.trust.certificates import TOLERANCE
from consortia.trust.checks import (
    Head,
    check_card,
    check_deputies,
    check_fingerprint,
    check_head,
    check_manifest,
    check_unshared,
)
from consortia.trust.documents import Digest, Frozen, instant_text
from consortia.trust.envelope import Envelope
from consortia.trust.keys import PublicKey
from consortia.trust.manifest import Card, Manifest, Member, PersonEntry, Role
from consortia.trust.sessions import MemberDigest
from consortia.trust.verify import verify, verify_by_one

NO_DIGEST = "0" * 64
"""``previous`` of a first version."""
MANIFEST_TYPE = "consortia/manifest/v1"
CATALOGUE_TYPE = "consortia/catalogue/v1"


class Accepted(Frozen):
    """The digests of what a set holds: kept apart by its owner, so that what lies on disk can't be exchanged."""

    manifest: Digest
    cards: tuple[MemberDigest, ...]
    catalogue: Digest | None = None


@dataclass(frozen=True, slots=True)
class TrustedSet:
    """A manifest, the cards of its members, and a catalogue (``None`` before the first)."""

    manifest: Manifest
    cards: Mapping[str, Card]
    catalogue: Head | None = None

    # --- the ways in ------------------------------------------------------------------------------------------------

    @classmethod
    def first(cls, manifest: Envelope, cards: Sequence[Envelope], fingerprint: str, at: datetime) -> "TrustedSet":
        """The set that begins with ``manifest``, whose digest begins with ``fingerprint`` (32 digits or more).

        Raises ProtocolAbort ``trust/fingerprint`` and as ``with_manifest`` does.
        """
        document = Manifest.parse(manifest.payload_bytes())
        check_fingerprint(document.digest(), fingerprint)
        check_manifest(document)
        believed = _with_cards(cls(document, MappingProxyType({})), cards, at)
        _signed_by_all(manifest, MANIFEST_TYPE, document, believed.cards, at)
        return believed

    def with_manifest(self, manifest: Envelope, cards: Sequence[Envelope], at: datetime) -> "TrustedSet":
        """This set under the next manifest; ``cards`` holds those of joining members and of those with a new root key.

        Raises RequestError ``trust/manifest`` (it contradicts itself), ProtocolAbort ``trust/version`` or
        ``trust/previous``, OperatorError ``trust/quorum`` or ``trust/no-card``, and as ``verify`` and ``with_card`` do.
        """
        document = Manifest.parse(manifest.payload_bytes())
        check_manifest(document)
        check_head(_head(document), _head(self.manifest), self.manifest.consortium)
        kept = {
            member.id: self.cards[member.id]
            for member in document.members
            if member.id in self.cards and _same_root(self.manifest.member(member.id), member)
        }
        believed = _with_cards(replace(self, manifest=document, cards=MappingProxyType(kept)), cards, at)
        # Members that stay speak through the operators known so far: a new root key can't approve itself.
        _signed_by_all(manifest, MANIFEST_TYPE, document, {**believed.cards, **self.cards}, at)
        return believed

    def with_card(self, card: Envelope, at: datetime) -> "TrustedSet":
        """This set with a newer card of a member (or the same card again).

        Raises RequestError ``trust/card`` or ``trust/unknown-member``, ProtocolAbort ``trust/version`` (older, or two
        contents under one version), PeerError ``trust/card-expired``, RequestError ``trust/shared-key``, and as
        ``verify`` does.
        """
        claimed = Card.parse(card.payload_bytes())
        member = self.member(claimed.member)
        root = PublicKey.from_hex(member.suite, member.root_key)
        document = verify_by_one(card, Card, member.id, root)
        check_card(document, self.manifest, root)
        check_deputies(document, at)
        _check_unexpired(document, at)
        held = self.cards.get(member.id)
        if held is not None and (document.version < held.version or _forked(document, held)):
            raise ProtocolAbort(
                "trust/version",
                f"the card of `{member.id}` is of version {document.version} and version {held.version} is held here"
                + (" with another content" if document.version == held.version else ""),
                place=member.id,
                remedy=f"ask an operator of `{member.id}` for its newest card, with a higher version",
            )
        cards = {**self.cards, member.id: document}
        check_unshared(self.manifest, cards)
        return replace(self, cards=MappingProxyType(cards))

    def with_catalogue(self, catalogue: Envelope, at: datetime) -> "TrustedSet":
        """This set with the next catalogue (or the same again). What the tables say is checked by ``plans.catalogue``.

        Raises ProtocolAbort ``trust/version`` or ``trust/previous``, OperatorError ``trust/quorum``, and as
        ``verify`` does.
        """
        payload = _signed_by_all(catalogue, CATALOGUE_TYPE, self.manifest, self.cards, at)
        head = Head.of(payload)
        if self.catalogue is not None and head.digest == self.catalogue.digest:
            return self
        check_head(head, self.catalogue, self.manifest.consortium)
        return replace(self, catalogue=head)

    @classmethod
    def restore(
        cls, accepted: Accepted, manifest: Envelope, cards: Sequence[Envelope], catalogue: Envelope | None
    ) -> "TrustedSet":
        """The set that was accepted before and stored: every document must be the accepted one, to the last byte.

        The signatures of manifest and catalogue were checked then, by operators who may have left since; the digests
        stand for that. Raises OperatorError ``trust/altered``.
        """
        document = Manifest.parse(manifest.payload_bytes())
        _check_digest("manifest", document.digest(), accepted.manifest)
        held: dict[str, Card] = {}
        expected = {entry.member: entry.digest for entry in accepted.cards}
        for envelope in cards:
            card = Card.parse(envelope.payload_bytes())
            member = document.member(card.member)
            if member is None or card.member not in expected:
                continue  # the card of a member that left, or one not accepted yet
            _check_digest(f"card of `{card.member}`", card.digest(), expected[card.member])
            held[card.member] = verify_by_one(
                envelope, Card, member.id, PublicKey.from_hex(member.suite, member.root_key)
            )
        for name in sorted(set(expected) - set(held)):
            _check_digest(f"card of `{name}`", "absent", expected[name])
        head = None
        if accepted.catalogue is not None:
            head = None if catalogue is None else Head.of(catalogue.payload_bytes())
            _check_digest("catalogue", "absent" if head is None else head.digest, accepted.catalogue)
        return cls(document, MappingProxyType(held), head)

    # --- what it holds ----------------------------------------------------------------------------------------------

    def accepted(self) -> Accepted:
        """The digests of all that is held, for ``restore``."""
        return Accepted(
            manifest=self.manifest.digest(),
            cards=self.card_digests(),
            catalogue=None if self.catalogue is None else self.catalogue.digest,
        )

    def card_digests(self) -> tuple[MemberDigest, ...]:
        """The digest of every member's card, sorted by member, as approvals state them."""
        return tuple(MemberDigest(member=name, digest=card.digest()) for name, card in sorted(self.cards.items()))

    def require_catalogue(self) -> Head:
        """The catalogue; raises OperatorError ``trust/no-catalogue`` before the first."""
        if self.catalogue is None:
            raise OperatorError(
                "trust/no-catalogue",
                "no catalogue has been accepted here yet",
                remedy="run `consortia catalogue accept`",
            )
        return self.catalogue

    def member(self, member_id: str) -> Member:
        """The manifest's entry; raises RequestError ``trust/unknown-member``."""
        member = self.manifest.member(member_id)
        if member is None:
            raise RequestError(
                "trust/unknown-member",
                f"`{member_id}` is no member of `{self.manifest.consortium}`",
                remedy="members are " + ", ".join(entry.id for entry in self.manifest.members),
            )
        return member

    def card(self, member_id: str, at: datetime) -> Card:
        """The valid card of a member; raises ``trust/unknown-member``, ``trust/no-card``, ``trust/card-expired``."""
        self.member(member_id)
        card = self.cards.get(member_id)
        if card is None:
            raise OperatorError(
                "trust/no-card",
                f"there is no card of `{member_id}`",
                place=member_id,
                remedy=f"get the signed card from an operator of `{member_id}` and accept it",
            )
        _check_unexpired(card, at)
        return card

    def person(self, person_id: str, at: datetime) -> PersonEntry:
        """A person's entry in a valid card; raises RequestError ``trust/unknown-person`` and as ``card`` does."""
        person = self.card(member_of(person_id), at).person(person_id)
        if person is None:
            raise RequestError(
                "trust/unknown-person",
                f"`{person_id}` does not stand in the card of its member",
                place=person_id,
                remedy="an operator of the member adds a person with `consortia person add` and publishes a new card",
            )
        return person

    def person_key(self, person_id: str, at: datetime, role: Role | None = None) -> PublicKey:
        """A person's key; raises RequestError ``trust/role`` if the person has not ``role``, and as ``person`` does."""
        person = self.person(person_id, at)
        if role is not None and role not in person.roles and not (role == "officer" and _is_deputy(person, at)):
            raise RequestError(
                "trust/role",
                f"`{person_id}` is not an {role} but {' and '.join(person.roles)}",
                place=person_id,
                remedy="roles stand in the card of the member; a person with that role must do it",
            )
        return PublicKey.from_hex(person.suite, person.key)

    def people(self, role: Role, at: datetime, members: Iterable[str] | None = None) -> dict[str, PublicKey]:
        """The keys of all people with ``role``, of ``members`` (all members' if None) whose cards are valid.

        Among officers are those who act for one ``at`` this time.
        """
        wanted = [member.id for member in self.manifest.members] if members is None else members
        found = {}
        for member_id in sorted(wanted):
            for person in self.card(member_id, at).people:
                if role in person.roles or (role == "officer" and _is_deputy(person, at)):
                    found[person.id] = PublicKey.from_hex(person.suite, person.key)
        return found

    def acts_for(self, person_id: str, at: datetime) -> str:
        """The officer for whom a deputy acts ``at`` this time, and otherwise the person; raises as ``person`` does."""
        person = self.person(person_id, at)
        return person.deputy.officer if person.deputy is not None and _is_deputy(person, at) else person_id

    def node_key(self, member_id: str, at: datetime) -> PublicKey:
        """The key under which the member's node signs; raises as ``card`` does."""
        card = self.card(member_id, at)
        return PublicKey.from_hex(card.node_suite, card.node_key)

    def kem_key(self, member_id: str, at: datetime) -> str:
        """The member's HPKE public key, hexadecimal; raises as ``card`` does."""
        return self.card(member_id, at).kem_key

    def tls_roots(self) -> dict[str, str]:
        """The TLS root (PEM) of every member with a card, for ``certificates.authenticate``."""
        return {name: card.tls_root for name, card in sorted(self.cards.items())}


def _is_deputy(person: PersonEntry, at: datetime) -> bool:
    return person.deputy is not None and at < person.deputy.until


def _with_cards(believed: TrustedSet, cards: Sequence[Envelope], at: datetime) -> TrustedSet:
    for card in cards:
        believed = believed.with_card(card, at)
    for member in believed.manifest.members:
        believed.card(member.id, at)
    return believed


def _signed_by_all(
    envelope: Envelope, payload_type: str, manifest: Manifest, cards: Mapping[str, Card], at: datetime
) -> bytes:
    """The payload, signed by an operator (as ``cards`` say) of every member of ``manifest``; others may have signed."""
    check_unshared(manifest, cards)
    needed = [member.id for member in manifest.members]
    operators: dict[str, PublicKey] = {}
    for card in cards.values():
        if card.member in needed:
            _check_unexpired(card, at)
        for person in card.people:
            if "operator" in person.roles:
                operators[person.id] = PublicKey.from_hex(person.suite, person.key)
    verified = verify(envelope, payload_type, operators)
    spoken = {member_of(person) for person in verified.signers}
    missing = [member for member in needed if member not in spoken]
    if missing:
        noun = payload_type.split("/")[1]
        raise OperatorError(
            "trust/quorum",
            f"the {noun} is not signed by an operator of {', '.join(missing)}",
            remedy=f"every member must sign: an operator of each runs `consortia {noun} sign`",
        )
    return verified.payload


def _head(manifest: Manifest) -> Head:
    return Head.of(manifest.canonical())


def _same_root(old: Member | None, new: Member) -> bool:
    return old is not None and (old.suite, old.root_key) == (new.suite, new.root_key)


def _forked(new: Card, held: Card) -> bool:
    return new.version == held.version and new.digest() != held.digest()


def _check_unexpired(card: Card, at: datetime) -> None:
    if at >= card.not_after + TOLERANCE:
        raise PeerError(
            "trust/card-expired",
            f"the card of `{card.member}` expired on {instant_text(card.not_after)}",
            place=card.member,
            remedy=f"an operator of `{card.member}` signs a new one with `consortia member card`",
        )


def _check_digest(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise OperatorError(
            "trust/altered",
            f"the {what} on disk is not the one that was accepted here ({found[:16]} instead of {expected[:16]})",
            remedy="restore the trust folder from its backup, or accept the document again with the command for it",
        )
