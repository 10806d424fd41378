"""Who may connect: members and people as manifest and cards list them, each under its own member's TLS root.

gRPC alone would accept any certificate under any member's root; here the name in the certificate decides which root
must have issued it, so no member can connect under another's name. Pure: certificates and time are arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from consortia.errors import PeerError
from consortia.trust.certificates import authenticate
from consortia.trust.manifest import Card, Manifest


@dataclass(frozen=True, slots=True)
class Directory:
    """The manifest and the cards that the coordinator holds, by member."""

    manifest: Manifest
    cards: Mapping[str, Card]

    def roots(self) -> bytes:
        """The TLS roots of all members, PEM."""
        return "\n".join(self.cards[member].tls_root.strip() for member in sorted(self.cards)).encode() + b"\n"

    def is_member(self, peer: str) -> bool:
        """Whether ``peer`` is a member (else it is a person)."""
        return self.manifest.member(peer) is not None

    def is_officer(self, peer: str) -> bool:
        """Whether ``peer`` is a person that a card lists as an officer, or as one who acts for an officer."""
        card = self.cards.get(peer.partition("@")[2])
        person = None if card is None else card.person(peer)
        return person is not None and ("officer" in person.roles or person.deputy is not None)

    def identify(self, certificate: str, now: datetime) -> str:
        """The id of the member or person that shows ``certificate`` (PEM).

        Raises PeerError as ``certificates.authenticate`` does, and ``coordinator/unknown-person`` if the card of
        the member does not list the person (any more).
        """
        roots = {member: card.tls_root for member, card in self.cards.items() if self.is_member(member)}
        identity = authenticate(certificate, self.manifest.consortium, roots, now)
        if identity.kind == "person" and self.cards[identity.member].person(identity.id) is None:
            raise PeerError(
                "coordinator/unknown-person",
                f"the card of `{identity.member}` that this coordinator holds does not list `{identity.id}`",
                remedy="send the coordinator's operator the present card",
            )
        return identity.id
