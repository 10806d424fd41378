"""Sets up the example's consortium in folders: three banks, their people, trust, policies and data.

It calls the very functions that the commands call, in one process, and tells the commands, so that a reader learns
them. In real life every bank does its part on its own hosts, and fingerprints are compared over another channel.
"""

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path

import yaml

from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from consortia.policies.language.parse import read_policy
from consortia.policies.signed import POLICY_TYPE, accept, require_may_sign
from consortia.trust.envelope import Envelope
from consortia.trust.exchange import (
    Believer,
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
from consortia.trust.home import CoordinatorHome, Home
from consortia.trust.manifest import Role
from consortia.trust.setup import add_person, init_coordinator, init_home, make_card
from examples.aml.render import policy_bytes

HERE = Path(__file__).parent
CATALOGUE = HERE / "catalogue.yaml"
NAME = "example-aml"
PURPOSE = "aml-detection"
BANKS = {"bank-a": "Bank A", "bank-b": "Bank B", "bank-c": "Bank C"}
PEOPLE: Mapping[str, tuple[Role, ...]] = {
    "olga": ("operator",),
    "dora": ("officer",),  # writes the policy, so she can't sign it
    "petra": ("officer",),
    "otto": ("officer",),
    "ana": ("analyst",),
}
OFFICERS = ("petra", "otto")
HOST = "127.0.0.1"
TABLES = ("accounts", "transactions", "watchlist")
"""What each bank registers."""

Tell = Callable[[str], None]
"""Takes one line: a command, or what it did."""
Render = Callable[[str, date, str, str], bytes]
"""From a bank, a day, a purpose and the consortium's name to the text of the bank's policy, valid on that day."""


@dataclass(frozen=True)
class Consortium:
    """The folders, and the ports on which its processes will listen."""

    root: Path
    homes: Mapping[str, Home]
    coordinator: CoordinatorHome
    exchange: TrustFolder
    ports: Mapping[str, int]
    health: Mapping[str, int]

    def profile(self, person: str) -> Path:
        """The profile folder of ``name@member``."""
        name, member = person.split("@")
        return self.homes[member].path / "people" / name


def set_up(root: Path, tell: Tell, catalogue: str | None = None) -> Consortium:
    """Everything up to the point where processes can start, under the empty folder ``root``.

    ``catalogue`` is the text of another catalogue than ``catalogue.yaml``.
    """
    now = datetime.now(UTC)
    ports = _free_ports((*BANKS, "coordinator"))
    consortium = Consortium(
        root=root,
        homes={bank: Home(root / bank) for bank in BANKS},
        coordinator=CoordinatorHome(root / "coordinator"),
        exchange=TrustFolder(root / "exchange"),
        ports=ports,
        health=_free_ports((*BANKS, "coordinator")),
    )
    _make_members(consortium, now, tell)
    _agree_on_manifest(consortium, now, tell)
    _agree_on_catalogue(consortium, catalogue or CATALOGUE.read_text(), now, tell)
    return consortium


def _make_members(consortium: Consortium, now: datetime, tell: Tell) -> None:
    tell(f'$ consortia init --consortium {NAME} --member bank-a --display-name "Bank A" --home bank-a')
    tell("$ consortia person add petra --role officer --home bank-a      (olga, dora, otto, ana alike)")
    tell(f"$ consortia member card --endpoint {HOST}:{consortium.ports['bank-a']} --home bank-a")
    tell("$ consortia member add exchange bank-a/public                  (bank-b and bank-c alike)")
    for bank, display_name in BANKS.items():
        home = consortium.homes[bank]
        init_home(home, NAME, bank, display_name, now)
        for person, roles in PEOPLE.items():
            add_person(home, person, roles, now)
        make_card(home, f"{HOST}:{consortium.ports[bank]}", now)
        collect_member(consortium.exchange, home.path / "public")
        settings = {
            "home": ".",
            "listen": f"{HOST}:{consortium.ports[bank]}",
            "health": f"{HOST}:{consortium.health[bank]}",
        }
        (home.path / "party.yaml").write_text(yaml.safe_dump(settings))


def _agree_on_manifest(consortium: Consortium, now: datetime, tell: Tell) -> None:
    endpoint = f"{HOST}:{consortium.ports['coordinator']}"
    exchange = consortium.exchange
    tell(f"$ consortia coordinator init --consortium {NAME} --endpoint {endpoint} --coordinator-home coordinator")
    init_coordinator(consortium.coordinator, NAME, endpoint, now)
    exchange.write_coordinator(consortium.coordinator.entry())
    tell("$ consortia manifest new exchange --coordinator coordinator/coordinator.json --home bank-a")
    manifest = draft_manifest(exchange, consortium.homes["bank-a"])
    tell("$ consortia manifest sign exchange --profile bank-a/people/olga")
    for home in consortium.homes.values():
        sign_manifest(exchange, home.profile("olga"))
    tell(f"$ consortia manifest accept exchange --fingerprint {manifest.digest()[:16]} --home bank-a")
    for believer in _believers(consortium):
        accept_manifest(believer, exchange, manifest.digest(), now)


def _agree_on_catalogue(consortium: Consortium, text: str, now: datetime, tell: Tell) -> None:
    exchange, homes = consortium.exchange, consortium.homes
    tell("$ consortia domain-key create exchange customer --owner bank-a --owner bank-b --owner bank-c --home bank-a")
    tell("$ consortia domain-key accept exchange customer --home bank-b")
    key_ids = {
        domain: create_domain_key(homes["bank-a"], exchange, domain, tuple(BANKS), now)
        for domain in ("customer", "account")
    }
    for home in homes.values():
        for domain in key_ids:
            accept_domain_key(home, exchange, domain, now)
    tell("$ consortia catalogue new exchange catalogue.yaml --home bank-a")
    tell("$ consortia catalogue sign exchange --profile bank-a/people/olga")
    tell("$ consortia catalogue accept exchange --home bank-a")
    draft_catalogue(exchange, read_catalogue(text, key_ids=key_ids), None)
    for home in homes.values():
        sign_catalogue(exchange, home.profile("olga"))
    for believer in _believers(consortium):
        accept_catalogue(believer, exchange, now)


def _believers(consortium: Consortium) -> list[Believer]:
    return [*consortium.homes.values(), consortium.coordinator]


def sign_policies(
    consortium: Consortium, tell: Tell, purpose: str = PURPOSE, render: Render = policy_bytes
) -> dict[str, tuple[str, ...]]:
    """Two officers of each bank sign its policy, everybody accepts all of them; who signed, by bank."""
    now = datetime.now(UTC)
    signed_by = {}
    for bank, home in consortium.homes.items():
        content = render(bank, now.date(), purpose, NAME)
        loaded = read_policy(content)
        envelope = Envelope(payload_type=POLICY_TYPE, payload=content.hex(), signatures=())
        for officer in OFFICERS:
            profile = home.profile(officer)
            require_may_sign(loaded, profile.person, home.trusted(), now)
            envelope = envelope.with_signature(profile.signing_key())
            tell(
                f"$ consortia policy approve {bank}.yaml --fingerprint {loaded.digest[:16]} "
                f"--profile {bank}/people/{officer}"
            )
        consortium.exchange.write_policy(bank, purpose, envelope)
        signed_by[bank] = tuple(f"{officer}@{bank}" for officer in OFFICERS)
    tell("$ consortia policy accept exchange --home bank-a                (bank-b and bank-c alike)")
    for home in consortium.homes.values():
        for bank in BANKS:
            envelope = consortium.exchange.policy(bank, purpose)
            accept(envelope, None, home.trusted(), now)
            home.trust.write_policy(bank, purpose, envelope)
    return signed_by


def register_data(consortium: Consortium, data: Path, tell: Tell) -> dict[str, int]:
    """Every bank registers its three files, the banks at the same time; rows by ``bank.table``."""
    for bank in BANKS:
        ending = "csv" if bank == "bank-b" else "parquet"
        tell(
            f"$ consortia data register {bank}/transactions.{ending} "
            f"--schema schemas/{bank}/transactions.yaml --home {bank}"
        )
    # Spawned, not forked: a fork of a process whose libraries run threads can hang.
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        counted = list(pool.map(register_bank, BANKS, [consortium.root] * len(BANKS), [data] * len(BANKS)))
    return {
        f"{bank}.{table}": rows for bank, tables in zip(BANKS, counted, strict=True) for table, rows in tables.items()
    }


def register_bank(bank: str, root: Path, data: Path) -> dict[str, int]:
    """Register the files of one bank; rows by table."""
    home = Home(root / bank)
    catalogue = Catalogue.parse(home.trust.catalogue().payload_bytes())
    store = SnapshotStore(home.path / "snapshots")
    rows = {}
    for table in TABLES:
        file = data / bank / f"{table}.{'csv' if bank == 'bank-b' else 'parquet'}"
        schema = HERE / "schemas" / bank / f"{table}.yaml"
        stored, _ = register(store, schema, file, catalogue, home.domain_key, datetime.now(UTC))
        rows[table] = int(stored.document.rows)
    return rows


def _free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each name, all different."""
    sockets = [socket.socket() for _ in names]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return {name: int(one.getsockname()[1]) for name, one in zip(names, sockets, strict=True)}
    finally:
        for one in sockets:
            one.close()
