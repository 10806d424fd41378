"""A whole consortium in folders, for tests and the demo: set up by the very functions that the commands call.

    world = make_consortium(tmp_path)                            three banks that compute, people, keys, manifest, cards
    world = make_consortium(tmp_path, owners_only=("bank-d",), catalogue=CATALOGUE)
    world.home("bank-a").trusted(), world.profile("ana@bank-a"), world.exchange, world.coordinator

Every member has the people ``olga`` (operator), ``petra`` and ``otto`` (officers) and ``ana`` (analyst). With a
catalogue, its consortium, version and key ids are filled in, its key domains' keys are drawn by the first member and
opened by all, and it is signed and accepted by all.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from consortia.plans.catalogue import Catalogue
from consortia.trust.exchange import (
    accept_catalogue,
    accept_domain_key,
    accept_manifest,
    collect_member,
    create_domain_key,
    draft_catalogue,
    draft_manifest,
    sign_catalogue,
    sign_manifest,
)
from consortia.trust.folder import TrustFolder
from consortia.trust.home import CoordinatorHome, Home, Profile
from consortia.trust.manifest import Manifest, Role
from consortia.trust.setup import add_person, init_coordinator, init_home, make_card
from consortia.trust.suites import DEFAULT_SUITE
from consortia.trust.trusted import NO_DIGEST

CONSORTIUM = "test-aml"
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PEOPLE: Mapping[str, tuple[Role, ...]] = {
    "olga": ("operator",),
    "petra": ("officer",),
    "otto": ("officer",),
    "ana": ("analyst",),
}


@dataclass(frozen=True)
class Consortium:
    """Folders: ``root/MEMBER`` is a member's home, ``root/coordinator``, and ``root/exchange`` the one they share."""

    root: Path
    homes: Mapping[str, Home]
    coordinator: CoordinatorHome
    exchange: TrustFolder
    manifest: Manifest
    catalogue: Catalogue | None
    now: datetime

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(self.homes)

    def home(self, member: str) -> Home:
        return self.homes[member]

    def profile(self, person: str) -> Profile:
        """The profile of ``name@member``."""
        name, member = person.split("@")
        return self.homes[member].profile(name)


def make_consortium(
    root: Path,
    members: Sequence[str] = ("bank-a", "bank-b", "bank-c"),
    owners_only: Sequence[str] = (),
    people: Mapping[str, tuple[Role, ...]] = PEOPLE,
    *,
    catalogue: Catalogue | None = None,
    endpoints: Mapping[str, str] | None = None,
    coordinator: str = "localhost:7400",
    consortium: str = CONSORTIUM,
    suite: str = DEFAULT_SUITE,
    computers: tuple[str, ...] = (),
    now: datetime = NOW,
) -> Consortium:
    """Set up ``members`` (they may compute) and ``owners_only`` (they may not) under ``root``.

    ``endpoints`` are the nodes' data-plane addresses by member. ``now`` is when everything is made and accepted: give
    the real time where certificates are used on real connections.
    """
    exchange = TrustFolder(root / "exchange")
    homes = {name: Home(root / name) for name in sorted((*members, *owners_only))}
    for name, home in homes.items():
        init_home(home, consortium, name, name.title(), now, may_compute=name not in owners_only, suite=suite)
        for person, roles in people.items():
            add_person(home, person, roles, now, suite=suite)
        make_card(home, (endpoints or {}).get(name, ""), now)
        collect_member(exchange, home.path / "public")
    coordinator_home = CoordinatorHome(root / "coordinator")
    init_coordinator(coordinator_home, consortium, coordinator, now)
    exchange.write_coordinator(coordinator_home.entry())
    manifest = draft_manifest(exchange, next(iter(homes.values())), computers)
    for home in homes.values():
        sign_manifest(exchange, _operator(home))
    for believer in (*homes.values(), coordinator_home):
        accept_manifest(believer, exchange, manifest.digest(), now)
    world = Consortium(root, homes, coordinator_home, exchange, manifest, None, now)
    return world if catalogue is None else with_catalogue(world, catalogue)


def with_catalogue(world: Consortium, catalogue: Catalogue) -> Consortium:
    """``world`` after everybody signed and accepted ``catalogue`` (version and key ids are filled in)."""
    first = next(iter(world.homes.values()))
    held = first.trusted().catalogue
    domains = []
    for domain in catalogue.key_domains:
        if domain.name not in world.exchange.domain_keys():
            create_domain_key(first, world.exchange, domain.name, world.members, world.now)
        key_ids = [accept_domain_key(home, world.exchange, domain.name, world.now) for home in world.homes.values()]
        domains.append(domain.model_copy(update={"key_id": key_ids[0]}))
    ready = catalogue.model_copy(
        update={
            "consortium": world.manifest.consortium,
            "version": 1 if held is None else held.version + 1,
            "previous": NO_DIGEST if held is None else held.digest,
            "key_domains": tuple(domains),
        }
    )
    draft_catalogue(world.exchange, ready, None if held is None else held.digest)
    for home in world.homes.values():
        sign_catalogue(world.exchange, _operator(home))
    for believer in (*world.homes.values(), world.coordinator):
        accept_catalogue(believer, world.exchange, world.now)
    return Consortium(world.root, world.homes, world.coordinator, world.exchange, world.manifest, ready, world.now)


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _operator(home: Home) -> Profile:
    return next(profile for profile in home.people() if "operator" in profile.settings().person.roles)
