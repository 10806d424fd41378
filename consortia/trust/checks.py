"""What a manifest, a card and a version must satisfy by themselves, apart from signatures. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from consortia.errors import ProtocolAbort, RequestError
from consortia.ids import member_of
from consortia.trust import certificates, hpke
from consortia.trust.documents import Digest, Name, instant_text
from consortia.trust.keys import PublicKey
from consortia.trust.manifest import Card, Manifest, PersonEntry

SHORTEST_FINGERPRINT = 32
"""Hexadecimal digits (128 bits) that a person must compare at least."""
LONGEST_DEPUTATION = timedelta(days=31)
"""How long somebody may act for an officer, from the moment in which the card is accepted."""


class _HeadModel(BaseModel):
    model_config = ConfigDict(strict=True)

    consortium: Name
    version: int
    previous: Digest


@dataclass(frozen=True, slots=True)
class Head:
    """What manifest and catalogue have in common: consortium, version, digest of the version before, own digest."""

    consortium: str
    version: int
    previous: str
    digest: str

    @classmethod
    def of(cls, payload: bytes) -> "Head":
        """The head of the document in ``payload``; raises RequestError ``trust/document``."""
        try:
            model = _HeadModel.model_validate_json(payload)
        except ValidationError as error:
            raise RequestError(
                "trust/document",
                f"this is not a versioned document: {error.errors()[0]['msg']}",
                remedy="fetch it again from its author",
            ) from error
        return cls(model.consortium, model.version, model.previous, hashlib.sha256(payload).hexdigest())


def check_fingerprint(digest: str, fingerprint: str) -> None:
    """Raise unless ``digest`` begins with what a person compared (spaces, colons and capitals do not matter).

    RequestError ``trust/fingerprint-form`` if it is shorter than 32 digits, ProtocolAbort ``trust/fingerprint``.
    """
    typed = fingerprint.replace(" ", "").replace(":", "").lower()
    if not SHORTEST_FINGERPRINT <= len(typed) <= len(digest) or set(typed) - set("0123456789abcdef"):
        raise RequestError(
            "trust/fingerprint-form",
            f"`{fingerprint}` is not a fingerprint",
            remedy="give the 64 hexadecimal digits (at least the first 32) that the manifest's author read to you",
        )
    if not hmac.compare_digest(digest[: len(typed)], typed):
        raise ProtocolAbort(
            "trust/fingerprint",
            f"this manifest has the fingerprint {digest}, not the one given",
            remedy="do not accept it: compare the fingerprint with its author again, over another channel",
        )


def check_head(new: Head, held: Head | None, consortium: str) -> None:
    """Raise unless ``new`` is of ``consortium`` and directly follows ``held`` (anything follows nothing).

    ProtocolAbort ``trust/other-consortium``, ``trust/version`` or ``trust/previous``: an old version shown again, or a
    second one beside the first, may be an attack.
    """
    if new.consortium != consortium:
        raise ProtocolAbort(
            "trust/other-consortium",
            f"the document is of the consortium `{new.consortium}`, not of `{consortium}`",
            remedy="check that the right file was given",
        )
    if held is None:
        return
    if new.version != held.version + 1:
        raise ProtocolAbort(
            "trust/version",
            f"version {new.version} was shown and version {held.version + 1} comes next",
            remedy="accept the versions in their order; an older one than the one held is refused",
        )
    if new.previous != held.digest:
        raise ProtocolAbort(
            "trust/previous",
            f"version {new.version} does not follow the version {held.version} that is held here",
            remedy="two different versions have been signed: the operators must settle which one holds",
        )


def check_manifest(manifest: Manifest) -> None:
    """Raise RequestError ``trust/manifest`` if the manifest contradicts itself; keys and roots must decode."""

    def refuse(reason: str) -> RequestError:
        return RequestError(
            "trust/manifest",
            f"the manifest contradicts itself: {reason}",
            remedy="its author must correct it, and everybody sign it again",
        )

    ids = [member.id for member in manifest.members]
    if ids != sorted(set(ids)):
        raise refuse("members must be sorted by id and named once")
    if certificates.COORDINATOR in ids:
        raise refuse(f"no member may be called `{certificates.COORDINATOR}`")
    if manifest.version < 1 or (manifest.version == 1) != (manifest.previous == "0" * 64):
        raise refuse("version 1, and no other, has no version before it")
    if len(set(manifest.computers)) != len(manifest.computers):
        raise refuse("a computer is named twice")
    for computer in manifest.computers:
        member = manifest.member(computer)
        if member is None or not member.may_compute:
            raise refuse(f"`{computer}` is to compute and is not a member that may")
    roots = [PublicKey.from_hex(member.suite, member.root_key) for member in manifest.members]
    if len(set(roots)) != len(roots):
        raise refuse("two members have the same root key")
    certificates.check_root(manifest.coordinator.tls_root, certificates.COORDINATOR)


def check_card(card: Card, manifest: Manifest, root: PublicKey) -> None:
    """Raise RequestError ``trust/card`` if the card of a member is not of this consortium or contradicts itself."""

    def refuse(reason: str) -> RequestError:
        return RequestError(
            "trust/card",
            f"the card of `{card.member}` is wrong: {reason}",
            place=card.member,
            remedy=f"an operator of `{card.member}` must correct and sign it again",
        )

    if card.consortium != manifest.consortium:
        raise refuse(f"it is for the consortium `{card.consortium}`, not `{manifest.consortium}`")
    if card.version < 1:
        raise refuse("versions begin with 1")
    ids = [person.id for person in card.people]
    if ids != sorted(set(ids)):
        raise refuse("people must be sorted by id and named once")
    for person in card.people:
        if member_of(person.id) != card.member:
            raise refuse(f"`{person.id}` is not of this member")
        if not person.roles or list(person.roles) != sorted(set(person.roles)):
            raise refuse(f"the roles of `{person.id}` must be sorted, named once, and at least one")
        if person.deputy is not None and (why := _unfit(person, card)):
            raise refuse(f"`{person.id}` can't act for `{person.deputy.officer}`: {why}")
    keys = [PublicKey.from_hex(person.suite, person.key) for person in card.people]
    keys += [PublicKey.from_hex(card.node_suite, card.node_key), root]
    if len(set(keys)) != len(keys):
        raise refuse("two people share a key, or a person's key is also the node's or the root's")
    hpke.check_public(card.kem_key)
    certificates.check_root(card.tls_root, card.member)


def _unfit(person: PersonEntry, card: Card) -> str:
    """Why ``person`` must not be the deputy that the card says, empty if nothing is wrong."""
    officer = None if person.deputy is None else card.person(person.deputy.officer)
    if officer is None or "officer" not in officer.roles:
        return "that is no officer of this member"
    if set(person.roles) & {"officer", "analyst"}:
        return "an officer needs no deputation, and an analyst's key signs nothing for an officer"
    return ""


def check_deputies(card: Card, at: datetime) -> None:
    """Raise RequestError ``trust/deputy`` if somebody shall act for an officer longer than ``LONGEST_DEPUTATION``."""
    for person in card.people:
        if person.deputy is not None and person.deputy.until > at + LONGEST_DEPUTATION:
            raise RequestError(
                "trust/deputy",
                f"`{person.id}` would act for `{person.deputy.officer}` until {instant_text(person.deputy.until)},"
                f" more than {LONGEST_DEPUTATION.days} days from now",
                place=card.member,
                remedy="name an earlier day, or give the person the role",
            )


def check_unshared(manifest: Manifest, cards: Mapping[str, Card]) -> None:
    """Raise RequestError ``trust/shared-key`` if one key stands for two names, of any members."""
    names: dict[str, str] = {}
    for name, key in _all_keys(manifest, cards):
        if names.setdefault(key, name) != name:
            raise RequestError(
                "trust/shared-key",
                f"`{names[key]}` and `{name}` have the same key, so one could act as two",
                place=name,
                remedy="each makes a key of its own",
            )


def _all_keys(manifest: Manifest, cards: Mapping[str, Card]) -> list[tuple[str, str]]:
    keys = [(f"root of {member.id}", member.root_key) for member in manifest.members]
    for card in cards.values():
        keys.append((f"node of {card.member}", card.node_key))
        keys.extend((person.id, person.key) for person in card.people)
    return keys
