"""A small consortium as separate processes: coordinator, nodes, and analysts' clients; faults can be injected.

One table ``visits(person, amount, country, flag)``; every owner registers a CSV file of its own rows. ``oracle`` is
the pooled rows, for plain Python to count on.
"""

import contextlib
import csv
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from consortia.client.consortium import Consortium as Client
from consortia.client.consortium import connect
from consortia.control.limits import ControlLimits
from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.store import Store
from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable, KeyDomain
from consortia.plans.types import Bounds, ColumnType
from consortia.policies.language.parse import read_policy
from consortia.policies.signed import POLICY_TYPE
from consortia.trust.envelope import Envelope, seal_envelope
from consortia.trust.sessions import Seal
from consortia.trust.suites import DEFAULT_SUITE
from tests.consortium import Consortium, free_port, make_consortium

PURPOSE = "care-study"
COUNTRIES = ("DE", "FR", "NL", "LU")
ZEROS = "0" * 64

POLICY = """\
format: consortia/policy/v1
identity:
  id: {owner}.care-study
  owner: {owner}
  consortium: test-aml
  version: 1
  previous: none
  author: olga@{owner}
purpose:
  code: care-study
  legal-basis: [consent]
  dpia: DPIA-1
  register-entry: ROPA-1
validity:
  not-before: {begin}
  not-after: {end}
  review: {end}
parties:
  compute: [{computers}]
  not-together: []
  threat-model: semi-honest
  collusion: {collusion}
  signatures: post-quantum
  submit: [{members}]
data:
  tables:
    visits:
      rows: all
      privacy-unit: person
      operations: [count, compare, count-members, compare-members]
      columns:
        person: {{class: identifier, operations: [alert, count, join]}}
        amount: {{class: sensitive, operations: [filter, sum, count, compare, rank]}}
        country: {{class: quasi, operations: [filter, group]}}
        flag: {{class: free, operations: [filter, group, count]}}
outputs:
  alert:
    recipients: owner-of-row
    maximum-rows: off
    human-review: off
    retention-days: off
    onward-sharing: off
  score: never
  count: never
  aggregate:
    recipients: [{members}]
    minimum-entities: {minimum}
    minimum-members: 3
    contributors: exact
    maximum-rows: off
    dominance: off
    p-percent: off
    zeros-and-full-cells: off
    complementary-suppression: off
    rounding: off
    noise: off
    differencing: {guard}
    human-review: off
    retention-days: off
    onward-sharing: off
  model: never
leaks:
  sizes: closed
  group-count: closed
  match-count: closed
  filter-mask: closed
  suppressed-count: closed
rates:
  queries-per-analyst-and-day: off
  queries-per-day: off
  queries-per-period: off
  templates-without-review: off
"""

Row = tuple[str, int, str, bool | None]


def catalogue(owners: Sequence[str], max_rows: int) -> Catalogue:
    visits = CatalogueTable(
        name="visits",
        columns=(
            CatalogueColumn(
                name="person", type=ColumnType(kind="key", domain="person", bits=96), max_distinct=max_rows
            ),
            CatalogueColumn(name="amount", type=ColumnType(kind="int"), bounds=Bounds(lo=-(10**6), hi=10**6)),
            CatalogueColumn(name="country", type=ColumnType(kind="enum", domain="country", values=COUNTRIES)),
            CatalogueColumn(name="flag", type=ColumnType(kind="bool"), nullable=True),
        ),
        holders=tuple(sorted(owners)),
        max_rows=max_rows,
    )
    return Catalogue(
        consortium="test-aml",
        version=1,
        previous=ZEROS,
        purposes=(PURPOSE,),
        key_domains=(KeyDomain(name="person", id_type="national-id", key_id="00"),),
        tables=(visits,),
    )


SCHEMA = """\
type: consortia/schema/v1
table: visits
format: csv
columns: {person: person, amount: amount, country: country, flag: {from: flag, codes: {"yes": "true", "no": "false"}}}
"""


def make_rows(owners: Sequence[str], count: int, seed: int = 7) -> dict[str, list[Row]]:
    """Rows by owner: a third of the persons visit several members; amounts reach both ends of the range."""
    chance = random.Random(seed)
    rows = {}
    for number, owner in enumerate(sorted(owners)):
        people = [f"{value:05d}" for value in (*range(40), *range(100 * (number + 1), 100 * (number + 1) + 60))]
        rows[owner] = [
            (
                chance.choice(people),
                chance.choice((0, 1, -1, 10**6, -(10**6), chance.randint(-999, 999))),
                chance.choice(COUNTRIES[:3]),
                chance.choice((True, False, None)),
            )
            for _ in range(count)
        ]
    return rows


@dataclass
class Cluster:
    """The running processes. ``kill`` and ``start`` take a member's id, or ``coordinator``."""

    world: Consortium
    rows: dict[str, list[Row]]
    folder: Path
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def pooled(self) -> list[tuple[str, Row]]:
        """Every row with its holder."""
        return [(owner, row) for owner, rows in sorted(self.rows.items()) for row in rows]

    def client(self, person: str = "ana@bank-a", silence: float = 60) -> Client:
        limits = ControlLimits(silence_seconds=silence)
        return connect(self.world.profile(person).path, limits=limits)

    def start(self, name: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        command = [sys.executable, "-m", "consortia.cli"]
        if name == "coordinator":
            command += ["coordinator", "serve", "--coordinator-home", str(self.world.coordinator.path)]
            command += ["--closed-seconds", "4", "--unseen-seconds", "4"]
        else:
            command += ["party", "serve", "--config", str(self.world.home(name).path / "party.yaml")]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1"}
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        log.close()

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(timeout=20)

    def seals(self, session: str) -> dict[str, Seal]:
        """The closing statement of every party, from its own journal."""
        found = {}
        for member in self.world.members:
            store = Store(self.world.home(member).path / "node.sqlite")
            with store.begin() as transaction:
                entries = store.journal.entries(transaction, session)
            store.close()
            envelopes = [payload for leaf, payload in entries if leaf.kind == "seal" and payload]
            found[member] = Seal.parse(Envelope.from_bytes(envelopes[-1]).payload_bytes())
        return found

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def wait_ready(self, seconds: float = 40) -> None:
        """Until the data-plane port of every running node and the coordinator's port accept connections."""
        deadline = time.monotonic() + seconds
        for name in tuple(self.processes):
            while True:
                if self.processes[name].poll() is not None:
                    raise AssertionError(f"{name} ended at once:\n{self.log(name)}")
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[name]), 1):
                    break
                if time.monotonic() > deadline:
                    raise AssertionError(f"{name} is not ready:\n{self.log(name)}")
                time.sleep(0.05)

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            process.wait()


def prepare(
    folder: Path,
    *,
    owners_only: Sequence[str] = (),
    count: int = 120,
    max_rows: int = 200,
    minimum: int = 5,
    rows: dict[str, list[Row]] | None = None,
    members: tuple[str, ...] = ("bank-a", "bank-b", "bank-c"),
    collusion: int = 1,
    guard: str = "off",
    edits: Sequence[tuple[str, str]] = (),
    suite: str = DEFAULT_SUITE,
) -> Cluster:
    """Homes, documents, policies and data (``rows``, else drawn) of a consortium; nothing runs yet.

    ``edits`` change the text of every policy, each old text to the new one.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    everybody = (*members, *owners_only)
    ports = {name: free_port() for name in (*everybody, "coordinator")}
    world = make_consortium(
        folder / "homes",
        members,
        owners_only,
        catalogue=catalogue(everybody, max_rows),
        endpoints={name: f"127.0.0.1:{ports[name]}" for name in everybody},
        coordinator=f"127.0.0.1:{ports['coordinator']}",
        computers=members,
        suite=suite,
        now=now,
    )
    rows = rows or make_rows(everybody, count)
    (folder / "schema.yaml").write_text(SCHEMA)
    for owner in everybody:
        register_rows(world, owner, rows[owner], folder)
        _sign_policy(world, owner, members, everybody, minimum, collusion, guard, edits)
        settings = {"home": ".", "listen": f"127.0.0.1:{ports[owner]}", "limits": {"silence_seconds": 20}}
        (world.home(owner).path / "party.yaml").write_text(yaml.safe_dump(settings))
    return Cluster(world, rows, folder, ports)


@contextlib.contextmanager
def running(cluster: Cluster, *, without: Sequence[str] = ()) -> Iterator[Cluster]:
    """``cluster`` with all its processes up, but those in ``without``; everything is ended afterwards."""
    try:
        for name in ("coordinator", *cluster.world.members):
            if name not in without:
                cluster.start(name)
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()


def register_rows(world: Consortium, owner: str, rows: list[Row], folder: Path) -> None:
    """Write the rows of ``owner`` into a file and register it."""
    file = folder / f"{owner}.csv"
    words = {True: "yes", False: "no", None: ""}
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("person", "amount", "country", "flag"))
        writer.writerows((person, amount, country, words[flag]) for person, amount, country, flag in rows)
    home = world.home(owner)
    signed = Catalogue.parse(home.trust.catalogue().payload_bytes())
    store = SnapshotStore(home.path / "snapshots")
    register(store, folder / "schema.yaml", file, signed, home.domain_key, world.now)


def _sign_policy(
    world: Consortium,
    owner: str,
    computers: Sequence[str],
    everybody: Sequence[str],
    minimum: int,
    collusion: int,
    guard: str,
    edits: Sequence[tuple[str, str]],
) -> None:
    text = POLICY.format(
        owner=owner,
        computers=", ".join(computers),
        members=", ".join(sorted(everybody)),
        minimum=minimum,
        collusion=collusion,
        guard=guard,
        begin=(world.now - timedelta(days=1)).date(),
        end=(world.now + timedelta(days=60)).date(),
    )
    for old, new in edits:
        if old not in text:
            raise ValueError(f"`{old}` does not stand in the policy")
        text = text.replace(old, new, 1)
    officers = [world.profile(f"{name}@{owner}").signing_key() for name in ("petra", "otto")]
    read_policy(text.encode())
    envelope = seal_envelope(POLICY_TYPE, text.encode(), officers)
    for member in world.members:
        world.home(member).trust.write_policy(owner, PURPOSE, envelope)
