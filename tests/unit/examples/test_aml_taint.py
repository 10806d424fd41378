"""The example's taint spec from generated files to what each bank is told: the accounts that plain Python finds."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from consortia.execution.estimate import estimate
from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from consortia.plans.model import Plan, Share
from consortia.plans.obligations import NO_OBLIGATIONS
from consortia.plans.specs.bind import bind_analysis
from consortia.trust.domain_keys import HashDomain, hash_keys
from examples.aml import plain
from examples.aml.consortium import BANKS, HERE
from examples.aml.generate import generate
from examples.aml.generator.parameters import Parameters
from examples.aml.plain import Payment, Spec
from tests.fixtures_catalogue import environment
from tests.unit.examples.test_aml_plain import START, paid
from tests.world_data import NOW, domain_key

TAINT = Spec.read("taint")
SPEC = Spec("made", {"window": "36 hours", "part": "0.5", "hops": "3"})
MOST_ROWS = 3_000


def small_catalogue() -> Catalogue:
    """The example's, of tables of a few thousand rows."""
    text = (HERE / "catalogue.yaml").read_text()
    whole = read_catalogue(text, key_ids={"account": "aa", "customer": "aa"})
    tables = tuple(table.model_copy(update={"max_rows": min(table.max_rows, MOST_ROWS)}) for table in whole.tables)
    return whole.model_copy(update={"tables": tables})


def stores_of(catalogue: Catalogue, data: Path, folder: Path) -> dict[str, SnapshotStore]:
    stores = {}
    for bank in BANKS:
        stores[bank] = SnapshotStore(folder / bank)
        for table in ("accounts", "transactions"):
            file = data / bank / f"{table}.{'csv' if bank == 'bank-b' else 'parquet'}"
            register(stores[bank], HERE / "schemas" / bank / f"{table}.yaml", file, catalogue, domain_key, NOW)
    return stores


def told(catalogue: Catalogue, plan: Plan, stores: dict[str, SnapshotStore]) -> dict[str, set[bytes]]:
    """Hashed accounts that each bank is told, on shares at the declared cost and on plain values."""

    def frame(step: Share) -> pl.DataFrame:
        roots = committed_snapshots(stores[step.owner], plan, step.owner, catalogue)
        return run_local(plan, step.id, stores[step.owner], roots, catalogue)

    frames = {step.id: frame(step) for step in plan.steps if isinstance(step, Share)}
    run = simulate(plan, frames)
    assert run.measured == estimate(plan)
    results = run_clear(plan, frames)
    found, on_shares = (
        {bank: {account for (account,) in rows.select("account").rows()} for (_, bank), rows in told.items()}
        for told in (results, run.results)
    )
    assert on_shares == found
    return found


def test_the_example_s_taint_tells_each_bank_the_accounts_that_plain_python_finds(tmp_path: Path) -> None:
    generate(Parameters.of_size(300, 2_000), tmp_path / "data")
    pooled = plain.held(tmp_path / "data")
    reached = plain.taint(plain.payments(pooled, TAINT), plain.seeds(pooled, TAINT), TAINT)
    expected = reached & set(plain.accounts(pooled, TAINT))
    one_hop = Spec("made", {**TAINT.fields, "hops": "1"})
    assert expected > plain.taint(plain.payments(pooled, one_hop), plain.seeds(pooled, one_hop), one_hop) & expected

    catalogue = small_catalogue()
    query = bind_analysis(TAINT.file.read_text(), catalogue, NOW)
    plan = build_plan(query, environment(catalogue, purpose="money-tracing", entities={}), NO_OBLIGATIONS)
    found = told(catalogue, plan, stores_of(catalogue, tmp_path / "data", tmp_path / "snapshots"))
    domain = next(each for each in catalogue.key_domains if each.name == "account")
    space = HashDomain(catalogue.consortium, domain.name, domain.id_type, domain.normal_form, domain.bits)
    for bank in BANKS:
        own = sorted(set(plain.accounts(plain.held(tmp_path / "data", bank), TAINT)) & expected)
        assert found[bank] == set(hash_keys(domain_key(domain.name, domain.key_id), space, own))
        assert own


@pytest.mark.parametrize(
    ("payments", "reached"),
    [
        ([paid("s", "a", 0, 1000), paid("a", "b", 36, 2000), paid("b", "c", 37, 2000)], {"a", "b", "c"}),
        ([paid("s", "a", 0, 1000), paid("a", "b", 36, 2001)], {"a"}),
        ([paid("s", "a", 0, 1000), paid("a", "b", 37, 1000), paid("a", "c", 0, 10)], {"a"}),
        ([paid("s", "a", 0, 1), paid("a", "b", 1, 1), paid("b", "c", 2, 1), paid("c", "d", 3, 1)], {"a", "b", "c"}),
        ([paid("s", "a", 0, 500), paid("s", "b", 0, 500), paid("b", "a", 1, 500), paid("a", "c", 2, 2000)], {*"abc"}),
        ([paid("s", "a", 0, 1000), paid("a", "s", 1, 700)], {"a", "s"}),
        ([paid("s", "s", 0, 1000), paid("x", "y", 1, 700)], set()),
    ],
    ids=["half of it is enough", "less is not", "too late or at once", "three hops", "added up", "back", "to oneself"],
)
def test_money_is_followed_in_time_as_far_as_it_makes_up_a_payment(payments: list[Payment], reached: set[str]) -> None:
    assert plain.taint(payments, ["s"], SPEC) == reached
    later = [replace(each, time=(each.time or START) + timedelta(days=9)) for each in payments]
    assert plain.taint([*payments, *later], ["s"], SPEC) == reached
