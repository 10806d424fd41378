"""The manifest and the cards: who the members are, and what each says of itself.

The manifest is signed by one operator of every member that stays or joins; a first copy is accepted by its
fingerprint, compared out of band. A card is signed with its member's root key alone, so staff, certificates and
ports change without the others.
"""

from typing import Annotated, Literal

from pydantic import Field

from consortia.trust.documents import Digest, Document, Frozen, Hex, Instant, Name, Person

Role = Literal["operator", "officer", "analyst"]
FEWEST_COMPUTERS, MOST_COMPUTERS = 3, 9


class Member(Frozen):
    """A member in the manifest: its id and root key (``keys.PublicKey`` encoded), and whether it may compute."""

    id: Name
    display_name: str
    suite: str
    root_key: Hex
    may_compute: bool


class Introduction(Frozen):
    """What an institution hands over to become a member: the consortium it means, and its entry for the manifest.

    It is unsigned: who takes it up compares the fingerprint of the root key with the institution, out of band.
    """

    consortium: Name
    member: Member


class CoordinatorEntry(Frozen):
    """Where the coordinator listens, and the TLS root under which its certificate stands."""

    endpoint: str
    tls_root: str


class Manifest(Document):
    """Version ``version`` of the consortium's manifest. ``computers`` are in order of rank, three to nine.

    The first three compute; all of them, as far as needed, where a policy asks for more that may collude than one.
    """

    type: Literal["consortia/manifest/v1"] = "consortia/manifest/v1"
    consortium: Name
    version: int
    previous: Digest
    coordinator: CoordinatorEntry
    members: tuple[Member, ...]
    computers: Annotated[tuple[Name, ...], Field(min_length=FEWEST_COMPUTERS, max_length=MOST_COMPUTERS)]

    def member(self, member_id: str) -> Member | None:
        """The entry of ``member_id``, if it is a member."""
        return next((member for member in self.members if member.id == member_id), None)


class Deputy(Frozen):
    """Until when a person acts for an officer of the same member, and why."""

    officer: Person
    until: Instant
    reason: Annotated[str, Field(min_length=1, max_length=300)]


class PersonEntry(Frozen):
    """A person of the member: a signing key and exactly one set of roles; ``deputy`` while the person acts for another.

    What a deputy signs counts as the officer's own word: both together are one of four eyes, and a deputy of the author
    can't approve the author's draft.
    """

    id: Person
    roles: tuple[Role, ...]
    suite: str
    key: Hex
    deputy: Deputy | None = None


class Card(Document):
    """What ``member`` says of itself. ``endpoint`` is its data-plane address; empty if it accepts no connection."""

    type: Literal["consortia/card/v1"] = "consortia/card/v1"
    consortium: Name
    member: Name
    version: int
    not_after: Instant
    people: tuple[PersonEntry, ...]
    node_suite: str
    node_key: Hex
    kem_key: Hex
    tls_root: str
    endpoint: str

    def person(self, person_id: str) -> PersonEntry | None:
        """The entry of ``person_id``, if the card lists it."""
        return next((person for person in self.people if person.id == person_id), None)
