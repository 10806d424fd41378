"""A spec's own plan over files that the example's banks register, run on shares in one process, without the network.

Registration, hashing, the local stage, shares, protocols and release are those of the nodes. Policies and approvals are
not part of it: nothing is decided here, only computed.
"""

from datetime import UTC, datetime
from pathlib import Path

from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.parties.simulation import simulate
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue
from consortia.plans.draft import Environment
from consortia.plans.model import Plan, Share
from consortia.plans.obligations import NO_OBLIGATIONS
from consortia.plans.specs.bind import bind_analysis
from consortia.trust.home import Home
from examples.aml import plain
from examples.aml.cases import pseudonyms
from examples.aml.consortium import BANKS, HERE, Consortium
from examples.aml.findings import Rows

PURPOSE = "money-tracing"
SCHEMAS = HERE / "schemas" / "bank-a"
"""Whose files have the catalogue's own words, as all that is laid over the background has."""
TABLES = ("accounts", "transactions")
SILENCE = 600.0
"""Seconds that a party waits for another: all of them share this process."""


def plan_of(spec: str, catalogue: Catalogue, purpose: str, as_of: datetime) -> Plan:
    """The plan of a spec among the three banks, without any policy's obligations."""
    environment = Environment(
        manifest="0" * 64,
        catalogue=catalogue,
        catalogue_digest=catalogue.digest(),
        computers=tuple(BANKS),
        members=tuple(BANKS),
        purpose=purpose,
        as_of=as_of,
        submitter="ana@bank-a",
    )
    return build_plan(bind_analysis(spec, catalogue, as_of), environment, NO_OBLIGATIONS)


def register_tables(store: SnapshotStore, home: Home, folder: Path) -> None:
    """Register ``FOLDER/TABLE.parquet``, in the catalogue's own words, for each table."""
    catalogue = Catalogue.parse(home.trust.catalogue().payload_bytes())
    for table in TABLES:
        schema = SCHEMAS / f"{table}.yaml"
        register(store, schema, folder / f"{table}.parquet", catalogue, home.domain_key, datetime.now(UTC))


class Registered:
    """The files ``DATA/BANK/TABLE.parquet``, registered in stores of their own under ``stores``."""

    def __init__(self, consortium: Consortium, data: Path, stores: Path) -> None:
        home = consortium.homes["bank-a"]
        self._catalogue = Catalogue.parse(home.trust.catalogue().payload_bytes())
        self._stores = {bank: SnapshotStore(stores / bank) for bank in BANKS}
        for bank, store in self._stores.items():
            register_tables(store, consortium.homes[bank], data / bank)
        pseudonym = pseudonyms(home)
        listed = plain.held(data).execute("SELECT account_id FROM accounts").fetchall()
        self._accounts = {pseudonym("account", account): account for (account,) in listed}

    def answer(self, spec: plain.Spec) -> Rows:
        """What each bank is told by the spec's plan."""
        plan = plan_of(spec.file.read_text(), self._catalogue, PURPOSE, datetime.now(UTC))
        frames = {}
        for step in plan.steps:
            if isinstance(step, Share):
                store = self._stores[step.owner]
                roots = committed_snapshots(store, plan, step.owner, self._catalogue)
                frames[step.id] = run_local(plan, step.id, store, roots, self._catalogue)
        results = simulate(plan, frames, silence=SILENCE).results
        return {bank: self._told(frame.rows()) for (_, bank), frame in results.items()}

    def _told(self, rows: list[tuple[object, ...]]) -> dict[str, float | None]:
        told = {}
        for account, *score in rows:
            if not isinstance(account, bytes):
                raise TypeError("a result begins with the account's hashed key")
            told[self._accounts[account.hex()]] = float(str(score[0])) if score else None
        return told
