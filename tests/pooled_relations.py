"""Several tables at three banks, and questions over them: registered file -> DuckDB -> shares -> decoded frame.

``Pool`` registers rows of carried integers (identifiers of any kind) and answers SQL in the same form, so that answers
compare with those of ``naive_relations``. Every step is the product's own; policies and approvals are left out.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from consortia.execution.estimate import estimate
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue, CatalogueTable, KeyDomain
from consortia.plans.columns import Column
from consortia.plans.model import Plan, Share
from consortia.plans.obligations import NO_OBLIGATIONS, Obligations
from consortia.plans.specs.bind import bind_analysis
from consortia.plans.types import ColumnType
from consortia.trust.domain_keys import HashDomain, hash_keys
from tests.fixtures_catalogue import AS_OF, BANKS, BOOL, COUNTRY, CUSTOMER, DATE, INT, column, environment, table
from tests.world_data import domain_key, registered

CUSTOMERS = KeyDomain(name="customer", id_type="number", key_id="aa")
PRICE = ColumnType(kind="decimal", scale=2)
SALES = table(
    "sales",
    column("who", CUSTOMER, nullable=True, max_distinct=30),
    column("shop", INT, 1, 6, nullable=True),
    column("paid", PRICE, -99_999, 99_999, nullable=True),
    column("pieces", INT, -9, 40),
    column("land", COUNTRY, nullable=True),
    column("day", DATE, nullable=True),
    max_rows=12,
)
SHOPS = table(
    "shops",
    column("shop", INT, 0, 9, nullable=True),
    column("land", COUNTRY),
    column("size", INT, 1, 500, nullable=True),
    column("open", BOOL, nullable=True),
    max_rows=8,
    holders=("bank-b",),
)
PEOPLE = table(
    "people",
    column("who", CUSTOMER, nullable=True, max_distinct=30),
    column("born", INT, 1990, 2009, nullable=True),
    column("risk", PRICE, 0, 10_000, nullable=True),
    max_rows=10,
)
POOL = Catalogue(
    consortium="testers",
    version=1,
    previous="0" * 64,
    purposes=("aml-detection",),
    key_domains=(CUSTOMERS,),
    tables=(PEOPLE, SALES, SHOPS),
)

_EPOCH = date(1970, 1, 1)
Row = dict[str, int | str | None]
Data = Mapping[str, Mapping[str, Sequence[Row]]]
"""Rows by table and member."""


class Pool:
    """The banks' snapshots of ``data``; tables of which a holder has no rows are registered empty."""

    def __init__(self, folder: Path, data: Data, catalogue: Catalogue = POOL) -> None:
        self.catalogue = catalogue
        self._stores: dict[str, SnapshotStore] = {}
        for bank in BANKS:
            (folder / bank).mkdir(parents=True)
            self._stores[bank] = SnapshotStore(folder / bank / "snapshots")
        for held in catalogue.tables:
            for bank in held.holders:
                rows = [_written(held, row) for row in data.get(held.name, {}).get(bank, ())]
                registered(self._stores[bank], catalogue, held.name, rows, folder / bank)
        identifiers = {
            row[each.name]
            for held in catalogue.tables
            for rows in data.get(held.name, {}).values()
            for row in rows
            for each in held.columns
            if each.type.kind == "key" and row[each.name] is not None
        }
        (domain,) = catalogue.key_domains
        space = HashDomain(catalogue.consortium, domain.name, domain.id_type, domain.normal_form, 96)
        hashed = hash_keys(domain_key(domain.name, domain.key_id), space, [str(each) for each in identifiers])
        self._identifiers = dict(zip(hashed, identifiers, strict=True))

    def plan(self, sql: str, obligations: Obligations = NO_OBLIGATIONS) -> Plan:
        """The plan of a query by an analyst of bank-a; the key of a table is its privacy unit if a rule counts it."""
        keys = {
            held.name: each.name for held in self.catalogue.tables for each in held.columns if each.type.kind == "key"
        }
        entities = keys if obligations.entity else {}
        query = bind_analysis(sql, self.catalogue, AS_OF)
        return build_plan(query, environment(self.catalogue, entities=entities), obligations)

    def frames(self, plan: Plan) -> dict[str, pl.DataFrame]:
        """Every owner's local stages by share step."""
        return {step.id: self._local(plan, step) for step in plan.steps if isinstance(step, Share)}

    def _local(self, plan: Plan, step: Share) -> pl.DataFrame:
        store = self._stores[step.owner]
        roots = committed_snapshots(store, plan, step.owner, self.catalogue)
        return run_local(plan, step.id, store, roots, self.catalogue)

    def ask(self, sql: str, obligations: Obligations = NO_OBLIGATIONS, *, shared: bool = True) -> list[Row]:
        """The result of the one recipient."""
        ((_, rows),) = self.answers(self.plan(sql, obligations), shared=shared).items()
        return rows

    def answers(self, plan: Plan, *, shared: bool = True) -> dict[str, list[Row]]:
        """The result of each recipient: on shares at exactly the declared cost, or else on plain values."""
        frames = self.frames(plan)
        if not shared:
            results = run_clear(plan, frames)
        else:
            run = simulate(plan, frames)
            assert run.measured == estimate(plan)
            results = run.results
        return {recipient: self._carried(plan, frame) for (_, recipient), frame in results.items()}

    def _carried(self, plan: Plan, frame: pl.DataFrame) -> list[Row]:
        """Released rows; cells that the recipient marks as suppressed are left out."""
        columns = plan.steps[-1].columns
        if plan.complete_domain is not None:
            frame = frame.filter(~pl.col(frame.columns[-1]))
        return [
            {each.name: self._value(each, value) for each, value in zip(columns, row, strict=True)}
            for row in frame.select([each.name for each in columns]).rows()
        ]

    def _value(self, declared: Column, value: object) -> int | str | None:
        if value is None:
            return None
        match declared.type.kind:
            case "key":
                return self._identifiers[value]
            case "enum":
                return declared.type.values.index(str(value))
            case "decimal":
                return int(value.scaleb(declared.type.scale))
            case "date":
                return (value - _EPOCH).days
            case _:
                return int(value)


def _written(held: CatalogueTable, row: Row) -> dict[str, object]:
    """A row as ``world_data`` takes it: enum words in place of codes, identifiers as text."""
    return {each.name: None if row[each.name] is None else _source(each.type, row[each.name]) for each in held.columns}


def _source(kind: ColumnType, value: int | str) -> int | str:
    match kind.kind:
        case "enum":
            return kind.values[int(value)]
        case "key":
            return str(value)
        case _:
            return value
