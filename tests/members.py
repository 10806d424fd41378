"""A consortium in memory for tests of the control plane and of nodes: keys, certificates, manifest and cards."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from consortia.control.identity import TlsIdentity
from consortia.coordinator.directory import Directory
from consortia.trust.certificates import Identity, TlsPair, issue, make_root
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keys import PrivateKey
from consortia.trust.manifest import Card, CoordinatorEntry, Manifest, Member, PersonEntry

# Logs of nodes and coordinator would stand between the dots of a test run; what matters of them is asserted.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

CONSORTIUM = "test"
NOW = datetime.now(UTC).replace(microsecond=0)
EARLIER, LATER = NOW - timedelta(days=1), NOW + timedelta(days=30)


@dataclass(frozen=True)
class MemberKeys:
    id: str
    root: PrivateKey
    node: PrivateKey
    kem: KemPrivateKey
    people: dict[str, PrivateKey]
    tls: TlsPair
    card: Card


@dataclass(frozen=True)
class Consortium:
    members: dict[str, MemberKeys]
    coordinator_root: TlsPair
    manifest: Manifest
    directory: Directory

    def tls(self, name: str, days: int = 30, after: datetime = EARLIER, issuer: str = "") -> TlsIdentity:
        """The TLS identity of a member or person; ``issuer``: another member whose root issues it."""
        kind = "person" if "@" in name else "node"
        identity = Identity(CONSORTIUM, kind, name)
        pair = issue(self.members[issuer or identity.member].tls, identity, after, after + timedelta(days=days))
        return TlsIdentity(identity, pair.certificate, pair.key_pem(), self.coordinator_root.certificate)

    def coordinator_tls(self, root: TlsPair | None = None, until: datetime = LATER) -> TlsIdentity:
        identity = Identity(CONSORTIUM, "coordinator", "coordinator")
        pair = issue(root or self.coordinator_root, identity, EARLIER, until)
        return TlsIdentity(identity, pair.certificate, pair.key_pem(), self.directory.roots().decode())

    def at(self, endpoint: str) -> "Consortium":
        """The same with the coordinator's endpoint in the manifest."""
        entry = CoordinatorEntry(endpoint=endpoint, tls_root=self.coordinator_root.certificate)
        manifest = self.manifest.model_copy(update={"coordinator": entry})
        return replace(self, manifest=manifest, directory=Directory(manifest, self.directory.cards))


def make_member(name: str, endpoint: str = "") -> MemberKeys:
    root, node = PrivateKey.generate("ecdsa-p256"), PrivateKey.generate("ecdsa-p256")
    kem = KemPrivateKey.generate()
    tls = make_root(CONSORTIUM, name, EARLIER, LATER)
    people = {f"ana@{name}": PrivateKey.generate("ecdsa-p256"), f"olga@{name}": PrivateKey.generate("ecdsa-p256")}
    card = Card(
        consortium=CONSORTIUM,
        member=name,
        version=1,
        not_after=LATER,
        people=tuple(
            PersonEntry(
                id=person,
                roles=("analyst",) if person.startswith("ana") else ("operator",),
                suite=key.suite,
                key=key.public.hex,
            )
            for person, key in people.items()
        ),
        node_suite=node.suite,
        node_key=node.public.hex,
        kem_key=kem.public,
        tls_root=tls.certificate,
        endpoint=endpoint,
    )
    return MemberKeys(name, root, node, kem, people, tls, card)


def make_consortium(*names: str, endpoint: str = "127.0.0.1:1") -> Consortium:
    members = {name: make_member(name) for name in names}
    coordinator_root = make_root(CONSORTIUM, "coordinator", EARLIER, LATER)
    manifest = Manifest(
        consortium=CONSORTIUM,
        version=1,
        previous="0" * 64,
        coordinator=CoordinatorEntry(endpoint=endpoint, tls_root=coordinator_root.certificate),
        members=tuple(
            Member(
                id=name, display_name=name, suite=member.root.suite, root_key=member.root.public.hex, may_compute=True
            )
            for name, member in sorted(members.items())
        ),
        computers=tuple(sorted(names)[:3]),
    )
    directory = Directory(manifest, {name: member.card for name, member in members.items()})
    return Consortium(members, coordinator_root, manifest, directory)
