"""What members do with the folder that they exchange: collect, sign, accept.

The folder (a shared drive, a repository, files sent by mail) is trusted with nothing: everything that comes out of it
goes through ``TrustedSet``. Signatures are appended, so members sign one after the other in any order.
"""

import hashlib
from datetime import datetime
from pathlib import Path

from consortia.errors import OperatorError, RequestError
from consortia.ids import member_of
from consortia.trust.documents import Document
from consortia.trust.domain_keys import DomainKeyGrant, grant, new_key, open_grant
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.folder import TrustFolder, read_plain
from consortia.trust.home import CoordinatorHome, Home, Profile
from consortia.trust.keyfiles import write_new
from consortia.trust.keys import PublicKey
from consortia.trust.manifest import Card, Introduction, Manifest
from consortia.trust.setup import next_manifest
from consortia.trust.trusted import TrustedSet
from consortia.trust.verify import verify_by_one

Believer = Home | Profile | CoordinatorHome


def collect_member(exchange: TrustFolder, public: Path) -> Introduction:
    """Put a member's public folder (what ``consortia init`` and ``member card`` made) into the exchange folder.

    Raises OperatorError ``trust/missing``, ``trust/file``, and as ``verify`` does if the card is not signed with the
    root key of the introduction.
    """
    introduction = read_plain(public / "member.json", Introduction)
    member = introduction.member
    card = TrustFolder(public).card(member.id)
    root = PublicKey.from_hex(member.suite, member.root_key)
    document = verify_by_one(card, Card, member.id, root)
    if (document.consortium, document.member) != (introduction.consortium, member.id):
        raise OperatorError(
            "trust/file",
            "introduction and card are not of the same member and consortium",
            place=str(public),
            remedy="run `consortia member card` in that home again",
        )
    exchange.write_introduction(introduction)
    exchange.write_card(member.id, card)
    return introduction


def draft_manifest(exchange: TrustFolder, believer: Believer, computers: tuple[str, ...] = ()) -> Manifest:
    """Write the next manifest of all members collected in ``exchange``, unsigned; it follows the one held, if any.

    Raises OperatorError ``trust/signed-draft`` if a signed manifest lies there that is not the one held here, and as
    ``next_manifest`` does.
    """
    held = believer.trusted().manifest if believer.trust.accepted() is not None else None
    _refuse_signed_draft(exchange, "manifest.json", None if held is None else held.digest())
    manifest = next_manifest(held, exchange.coordinator(), exchange.introductions(), computers)
    exchange.write_manifest(unsigned(manifest))
    return manifest


def draft_catalogue(exchange: TrustFolder, catalogue: Document, held_digest: str | None) -> None:
    """Write an unsigned catalogue; ``held_digest`` is that of the catalogue which it follows, if any.

    Raises OperatorError ``trust/signed-draft``.
    """
    _refuse_signed_draft(exchange, "catalogue.json", held_digest)
    exchange.write_catalogue(unsigned(catalogue))


def sign_manifest(exchange: TrustFolder, profile: Profile) -> Manifest:
    """Append the signature of the operator ``profile`` to the manifest in ``exchange``.

    Raises RequestError ``trust/role``, ``trust/unknown-person``, and ProtocolAbort ``trust/envelope`` if it has
    signed already.
    """
    envelope = exchange.manifest()
    manifest = Manifest.parse(envelope.payload_bytes())
    check_is_operator(exchange, profile)
    exchange.write_manifest(envelope.with_signature(profile.signing_key()))
    return manifest


def sign_catalogue(exchange: TrustFolder, profile: Profile) -> Envelope:
    """Append the signature of the operator ``profile`` to the catalogue in ``exchange``; as ``sign_manifest``."""
    check_is_operator(exchange, profile)
    envelope = exchange.catalogue().with_signature(profile.signing_key())
    exchange.write_catalogue(envelope)
    return envelope


def accept_manifest(believer: Believer, exchange: TrustFolder, fingerprint: str, at: datetime) -> TrustedSet:
    """Accept the manifest in ``exchange`` with the cards beside it, and store them.

    The first one needs ``fingerprint``; a later one is checked against what is held. The same manifest again only
    takes up newer cards. Raises RequestError ``trust/fingerprint-missing`` and as ``TrustedSet`` does.
    """
    envelope = exchange.manifest()
    manifest = Manifest.parse(envelope.payload_bytes())
    cards = _cards_of(exchange, manifest)
    if believer.trust.accepted() is None:
        if not fingerprint:
            raise RequestError(
                "trust/fingerprint-missing",
                "the first manifest is accepted by its fingerprint only",
                remedy="ask its author for the fingerprint over another channel and give it with --fingerprint",
            )
        trusted = TrustedSet.first(envelope, cards, fingerprint, at)
        believer.keep(trusted, envelope, cards, None)
        return trusted
    held = believer.trusted()
    if manifest.digest() == held.manifest.digest():
        return accept_cards(believer, exchange, at)
    trusted = held.with_manifest(envelope, cards, at)
    believer.keep(trusted, envelope, cards, None)
    return trusted


def accept_cards(believer: Believer, exchange: TrustFolder, at: datetime) -> TrustedSet:
    """Take up every card in ``exchange`` that is newer than the one held; raises as ``TrustedSet.with_card``."""
    trusted = believer.trusted()
    newer = []
    for envelope in _cards_of(exchange, trusted.manifest):
        card = Card.parse(envelope.payload_bytes())
        held = trusted.cards.get(card.member)
        if held is None or card.digest() != held.digest():
            trusted = trusted.with_card(envelope, at)
            newer.append(envelope)
    if newer:
        believer.keep(trusted, None, newer, None)
    return trusted


def accept_catalogue(believer: Believer, exchange: TrustFolder, at: datetime) -> TrustedSet:
    """Accept the catalogue in ``exchange`` and store it; raises as ``TrustedSet.with_catalogue``."""
    envelope = exchange.catalogue()
    trusted = believer.trusted().with_catalogue(envelope, at)
    believer.keep(trusted, None, [], envelope)
    return trusted


def create_domain_key(home: Home, exchange: TrustFolder, domain: str, owners: tuple[str, ...], at: datetime) -> str:
    """Draw the hashing key of ``domain``, keep it, and seal it to ``owners``; returns its id for the catalogue.

    Raises OperatorError ``trust/exists`` if a sealed key of this domain lies in ``exchange``, and as ``TrustedSet``
    does.
    """
    trusted = home.trusted()
    if domain in exchange.domain_keys():
        raise OperatorError(
            "trust/exists",
            f"a sealed key of `{domain}` is there already",
            place=str(exchange.path),
            remedy="use it; a new key means a new catalogue version and new snapshots at every owner",
        )
    consortium = trusted.manifest.consortium
    key = new_key()
    document = grant(key, consortium, domain, home.member, {owner: trusted.kem_key(owner, at) for owner in owners})
    _keep_domain_key(home, domain, document.key_id, key)
    exchange.write_domain_key(domain, seal_document(document, (home.node_key(),)))
    return document.key_id


def accept_domain_key(home: Home, exchange: TrustFolder, domain: str, at: datetime) -> str:
    """Open the sealed key of ``domain`` and keep it; returns its id. Accepting it again changes nothing.

    Raises OperatorError ``trust/domain-key``, ProtocolAbort ``trust/domain-key-receiver`` or ``trust/sealed``, and as
    ``verify`` and ``TrustedSet`` do.
    """
    trusted = home.trusted()
    envelope = exchange.domain_key(domain)
    claimed = DomainKeyGrant.parse(envelope.payload_bytes())
    document = verify_by_one(envelope, DomainKeyGrant, claimed.sender, trusted.node_key(claimed.sender, at))
    if (document.consortium, document.domain) != (trusted.manifest.consortium, domain):
        raise OperatorError(
            "trust/domain-key",
            f"the sealed key is of the domain `{document.domain}` in `{document.consortium}`",
            remedy=f"ask `{document.sender}` for the key of `{domain}`",
        )
    _keep_domain_key(home, domain, document.key_id, open_grant(document, home.member, home.kem_key()))
    return document.key_id


def unsigned(document: Document) -> Envelope:
    """The document before anybody signs it."""
    return Envelope(payload_type=document.type, payload=document.canonical().hex(), signatures=())


def check_is_operator(exchange: TrustFolder, profile: Profile) -> None:
    """Raise RequestError ``trust/role`` or ``trust/unknown-person`` unless the card in ``exchange`` says operator."""
    person = profile.person
    card = Card.parse(exchange.card(member_of(person)).payload_bytes())
    entry = card.person(person)
    if entry is None or entry.key != profile.signing_key().public.hex:
        raise RequestError(
            "trust/unknown-person",
            f"`{person}` does not stand with this key in the card of `{card.member}`",
            place=str(exchange.path),
            remedy="sign a new card with `consortia member card`, then `consortia member add` it to the folder",
        )
    if "operator" not in entry.roles:
        raise RequestError(
            "trust/role",
            f"`{person}` is not an operator but {' and '.join(entry.roles)}",
            place=person,
            remedy="an operator of the member must sign",
        )


def _cards_of(exchange: TrustFolder, manifest: Manifest) -> list[Envelope]:
    """The cards of the manifest's members; those of members not yet in it wait in the folder."""
    return [card for card in exchange.cards() if manifest.member(Card.parse(card.payload_bytes()).member) is not None]


def _keep_domain_key(home: Home, domain: str, key_id: str, key: bytes) -> None:
    path = home.domain_key_path(domain, key_id)
    if path.exists():
        home.domain_key(domain, key_id)  # raises if it is another key
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_new(path, key.hex().encode() + b"\n", 0o600)


def _refuse_signed_draft(exchange: TrustFolder, name: str, held_digest: str | None) -> None:
    path = exchange.path / name
    if not path.exists():
        return
    envelope = exchange.manifest() if name == "manifest.json" else exchange.catalogue()
    if envelope.signatures and _digest(envelope) != held_digest:
        raise OperatorError(
            "trust/signed-draft",
            "a signed version that was not accepted here lies in the folder, and a new draft would discard it",
            place=str(path),
            remedy="accept it first, or remove the file if its signers agree",
        )


def _digest(envelope: Envelope) -> str:
    return hashlib.sha256(envelope.payload_bytes()).hexdigest()
