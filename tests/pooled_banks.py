"""Three banks with registered files and no network: file -> snapshot -> DuckDB -> shares -> release -> decoded frame.

    banks = Banks(tmp_path, column("k", CUSTOMER), column("x", INT, 0, 9))
    banks.csv("bank-a", "k,x\\n007,1\\n")
    frame = banks.ask("SELECT SUM(x) AS s FROM t")

Every step is the product's own; a bank for which no file was given registers an empty one. The one table is ``t``.
Policies and approvals are not part of it: ``obligations`` are what policies would have merged to.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from consortia.execution.estimate import estimate
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.parties.simulation import SimulatedRun, simulate
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable, KeyDomain
from consortia.plans.model import Plan, Share
from consortia.plans.obligations import NO_OBLIGATIONS, Obligations
from consortia.plans.sql import bind
from consortia.trust.domain_keys import HashDomain, hash_keys
from tests.fixtures_catalogue import AS_OF, BANKS, environment
from tests.world_data import Desk, Rows, domain_key, registered

CUSTOMERS = KeyDomain(name="customer", id_type="number", key_id="aa")


class Banks:
    """The three banks' desks, and questions over their pooled rows."""

    def __init__(
        self,
        folder: Path,
        *columns: CatalogueColumn,
        max_rows: int = 20,
        domain: KeyDomain = CUSTOMERS,
        canonical: str = "",
    ) -> None:
        table = CatalogueTable(name="t", columns=columns, holders=BANKS, max_rows=max_rows, canonical=canonical)
        self.catalogue = Catalogue(
            consortium="testers",
            version=1,
            previous="0" * 64,
            purposes=("aml-detection",),
            key_domains=(domain,),
            tables=(table,),
        )
        self.desks: dict[str, Desk] = {}
        for bank in BANKS:
            (folder / bank).mkdir(parents=True)
            self.desks[bank] = Desk(folder / bank, self.catalogue)

    def csv(self, bank: str, text: str | bytes, **schema: str) -> None:
        """Register a CSV file; ``schema`` as for ``Desk``."""
        self.desks[bank].csv(text, **schema)

    def parquet(self, bank: str, frame: pl.DataFrame, **schema: str) -> None:
        """Register a Parquet file."""
        self.desks[bank].parquet(frame, **schema)

    def rows(self, bank: str, rows: Rows) -> None:
        """Register rows of carried values as a Parquet file."""
        registered(self.desks[bank].store, self.catalogue, "t", rows, self.desks[bank].folder)

    def register(self, rows: Rows) -> None:
        """Register pooled rows, each at the bank that it names as ``member``; a bank without rows has an empty file."""
        for bank in BANKS:
            own = [{name: row[name] for name in row if name != "member"} for row in rows if row["member"] == bank]
            self.rows(bank, own)

    def key(self, identifier: str) -> bytes:
        """What the result holds for an identifier."""
        domain = self.catalogue.key_domains[0]
        space = HashDomain(self.catalogue.consortium, domain.name, domain.id_type, domain.normal_form, 96)
        (hashed,) = hash_keys(domain_key(domain.name, domain.key_id), space, [identifier])
        assert hashed is not None
        return hashed

    def plan(self, sql: str, obligations: Obligations = NO_OBLIGATIONS) -> Plan:
        """The plan of a query by an analyst of bank-a."""
        units = [column.name for column in self.catalogue.tables[0].columns if column.type.kind == "key"]
        surroundings = environment(self.catalogue, entities={"t": units[0]} if units else {})
        return build_plan(bind(sql, self.catalogue, AS_OF), surroundings, obligations)

    def frames(self, plan: Plan) -> Mapping[str, pl.DataFrame]:
        """Every owner's local stages by share step, on its current snapshots."""
        return {step.id: self._local(plan, step) for step in plan.steps if isinstance(step, Share)}

    def _local(self, plan: Plan, step: Share) -> pl.DataFrame:
        desk = self.desks[step.owner]
        if not (desk.store.folder / "t").exists():
            self.rows(step.owner, [])
        roots = committed_snapshots(desk.store, plan, step.owner, self.catalogue)
        return run_local(plan, step.id, desk.store, roots, self.catalogue)

    def run(self, sql: str, obligations: Obligations = NO_OBLIGATIONS) -> SimulatedRun:
        """A run on shares, which must have cost exactly what was declared."""
        plan = self.plan(sql, obligations)
        made = simulate(plan, self.frames(plan))
        assert made.measured == estimate(plan)
        return made

    def ask(self, sql: str, obligations: Obligations = NO_OBLIGATIONS) -> pl.DataFrame:
        """The result of a query with one recipient."""
        ((_, frame),) = self.run(sql, obligations).results.items()
        return frame

    def alerts(self, sql: str, obligations: Obligations = NO_OBLIGATIONS) -> dict[str, Sequence[tuple[object, ...]]]:
        """What each member receives."""
        return {member: frame.rows() for (_, member), frame in self.run(sql, obligations).results.items()}
