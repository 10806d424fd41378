"""The example's three banks without network: generated files, registered by the example's schemas, asked in its SQL.

    banks = generated(folder)
    rows = banks.ask((QUERIES / "peer_norms.sql").read_text(), "peer-norms")

Every owner's policy of ``examples/aml/policies`` decides, rows go the whole way (file, snapshot, DuckDB, shares,
release), and the run costs what was declared. The catalogue is the example's with sizes for a tenth of the customers,
since what is padded to them takes as long as if it were full.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from consortia.execution.estimate import estimate
from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from consortia.plans.model import Plan, Share
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.policies.language.parse import read_policy
from consortia.policies.questions import supposed
from consortia.policies.world import PolicyWorld
from consortia.trust.domain_keys import HashDomain, hash_keys
from examples.aml.consortium import BANKS, HERE, TABLES
from examples.aml.generate import generate
from examples.aml.generator.parameters import Parameters
from examples.aml.render import policy_bytes
from tests.world_data import domain_key

QUERIES = HERE / "queries"
DAY = "2026-11-01"
"""The day that the watchlist queries name."""
NOW = datetime(2026, 11, 25, tzinfo=UTC)
PARAMETERS = Parameters.of_size(800, 5_000)
SMALLER = (
    ("max-rows: 9000", "max-rows: 900"),
    ("max-distinct: 9000", "max-distinct: 900"),
    ("max-distinct: 27000", "max-distinct: 2700"),
    ("max-rows: 65536", "max-rows: 6000"),
    ("max-rows: 10240", "max-rows: 1200"),
    ("max-rows: 1024", "max-rows: 128"),
    ("max-distinct: 1024", "max-distinct: 128"),
)
Row = tuple[object, ...]
Edits = Sequence[tuple[str, str]]
"""Old and new text of every owner's policy."""


def small_catalogue() -> Catalogue:
    """The example's catalogue for ``PARAMETERS``."""
    text = (HERE / "catalogue.yaml").read_text()
    for old, new in SMALLER:
        assert old in text, old
        text = text.replace(f"{old}\n", f"{new}\n").replace(f"{old}}}", f"{new}}}")
    return read_catalogue(text, key_ids={"customer": "aa", "account": "bb"})


def generated(folder: Path) -> "AmlBanks":
    """The banks with the files of ``PARAMETERS``, under ``folder``."""
    generate(PARAMETERS, folder / "data")
    return AmlBanks(folder, small_catalogue())


class AmlBanks:
    """The banks with the files under ``folder / "data"``, all registered."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        self.data, self.catalogue = folder / "data", catalogue
        self._stores = {bank: SnapshotStore(folder / bank / "snapshots") for bank in BANKS}
        for bank, store in self._stores.items():
            for table in TABLES:
                file = self.data / bank / f"{table}.{'csv' if bank == 'bank-b' else 'parquet'}"
                schema = HERE / "schemas" / bank / f"{table}.yaml"
                register(store, schema, file, self.catalogue, domain_key, NOW)

    def world(self, purpose: str, edits: Edits = ()) -> PolicyWorld:
        """The example's policies for ``purpose``, of all three banks, with ``edits``."""
        policies = tuple(read_policy(_edited(policy_bytes(bank, NOW.date(), purpose), edits)) for bank in BANKS)
        people = [f"ana@{bank}" for bank in BANKS]
        found = supposed([each.policy for each in policies], self.catalogue, people)
        return replace(found, policies=policies)

    def compiled(self, sql: str, purpose: str, submitter: str = "ana@bank-a", edits: Edits = ()) -> Compiled:
        """What ``sql`` compiles to under these policies."""
        return compile_analysis(sql, purpose, submitter, NOW, self.world(purpose, edits), estimate, NOW)

    def run(
        self, sql: str, purpose: str, submitter: str = "ana@bank-a", edits: Edits = (), *, shared: bool = True
    ) -> dict[str, pl.DataFrame]:
        """What each recipient gets, computed on shares at exactly the declared cost, or else on plain values."""
        found = self.compiled(sql, purpose, submitter, edits)
        assert found.permitted, found.decision.denials()
        frames = self._frames(found.plan)
        if not shared:
            return {recipient: frame for (_, recipient), frame in run_clear(found.plan, frames).items()}
        made = simulate(found.plan, frames)
        assert made.measured == found.estimate
        return {recipient: frame for (_, recipient), frame in made.results.items()}

    def ask(self, sql: str, purpose: str, submitter: str = "ana@bank-a", edits: Edits = ()) -> tuple[list[Row], int]:
        """The rows of an answer that goes to the submitter, and how many cells are marked as suppressed."""
        frame = self.run(sql, purpose, submitter, edits)[submitter]
        if "suppressed" not in frame.columns:
            return frame.rows(), 0
        hidden = pl.col("suppressed")
        return frame.filter(~hidden).drop("suppressed").rows(), frame.filter(hidden).height

    def hashed(self, identifiers: Sequence[str], domain_name: str = "customer") -> dict[bytes, str]:
        """What results hold for these customer or account numbers, with the number."""
        domain = next(each for each in self.catalogue.key_domains if each.name == domain_name)
        space = HashDomain(self.catalogue.consortium, domain.name, domain.id_type, domain.normal_form, domain.bits)
        made = hash_keys(domain_key(domain.name, domain.key_id), space, list(identifiers))
        return {key: number for key, number in zip(made, identifiers, strict=True) if key is not None}

    def _frames(self, plan: Plan) -> dict[str, pl.DataFrame]:
        shares = [step for step in plan.steps if isinstance(step, Share)]
        return {step.id: self._local(plan, step) for step in shares}

    def _local(self, plan: Plan, step: Share) -> pl.DataFrame:
        store = self._stores[step.owner]
        roots = committed_snapshots(store, plan, step.owner, self.catalogue)
        return run_local(plan, step.id, store, roots, self.catalogue)


def _edited(policy: bytes, edits: Edits) -> bytes:
    text = policy.decode()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()
