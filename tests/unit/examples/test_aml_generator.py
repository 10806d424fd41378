"""The generator: the same seed gives the same files, and what it plants is what a plain count finds."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from consortia.parties.data.register import prepare
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from examples.aml import oracle
from examples.aml.consortium import BANKS, HERE
from examples.aml.generate import Parameters, Truth, generate

PARAMETERS = Parameters.of_size(800, 5_000)
STRUCTURING = (HERE / "queries" / "structuring.sql").read_text()
Made = tuple[Path, Truth]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("data")
    return folder, generate(PARAMETERS, folder)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return read_catalogue((HERE / "catalogue.yaml").read_text(), key_ids={"customer": "aa", "account": "bb"})


def digests(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_same_seed_gives_the_same_files_and_another_seed_others(made: Made, tmp_path: Path) -> None:
    generate(PARAMETERS, tmp_path / "again")
    generate(Parameters.of_size(800, 5_000, seed=1), tmp_path / "other")
    assert digests(tmp_path / "again") == digests(made[0])
    assert digests(tmp_path / "other").keys() == digests(made[0]).keys()
    assert digests(tmp_path / "other") != digests(made[0])


def test_the_planted_customers_and_nobody_else_reach_the_threshold_together(made: Made) -> None:
    folder, truth = made
    found = {row[0] for row in oracle.answer(oracle.pooled(folder), STRUCTURING)}
    assert (len(truth.structuring), len(truth.single_bank), len(truth.one_below)) == (40, 10, 10)
    assert found == set(truth.structuring)
    assert json.loads((folder / "truth.json").read_text())["structuring"] == truth.structuring


def test_no_bank_finds_a_planted_customer_alone_and_each_finds_its_own_single_ones(made: Made) -> None:
    folder, truth = made
    alone = oracle.found_alone(oracle.pooled(folder), STRUCTURING)
    found = {customer for customers in alone.values() for customer in customers}
    assert set(alone) == set(BANKS)
    assert found == set(truth.single_bank)


def test_those_planted_one_below_stay_one_unit_below_over_two_banks(made: Made) -> None:
    folder, truth = made
    pooled = oracle.pooled(folder)
    for customer in truth.one_below:
        ((total, banks),) = pooled.execute(
            "SELECT SUM(amount_minor)::HUGEINT, COUNT(DISTINCT holder) FROM deposits WHERE customer_key = ? "
            "AND ts >= TIMESTAMP '2026-10-01' AND ts < TIMESTAMP '2026-11-01' AND currency = 'EUR'",
            [customer],
        ).fetchall()
        assert (total, banks) == (PARAMETERS.threshold - 1, 2)


def test_one_country_has_exactly_the_minimum_at_the_other_banks_and_one_has_one_less(made: Made) -> None:
    folder, truth = made
    pooled = oracle.pooled(folder)
    counted = dict(
        pooled.execute(
            "SELECT country, COUNT(DISTINCT customer_key) FROM deposits WHERE holder <> 'bank-a' GROUP BY country"
        ).fetchall()
    )
    assert counted[truth.country_at] == PARAMETERS.minimum_entities
    assert counted[truth.country_below] == PARAMETERS.minimum_entities - 1


def test_every_bank_holds_as_many_rows_as_asked_and_both_banks_hold_a_transfer_between_them(made: Made) -> None:
    folder, _ = made
    held = {bank: pl.read_parquet(folder / bank / "transactions.parquet") for bank in BANKS}
    assert {bank: frame.height for bank, frame in held.items()} == dict.fromkeys(BANKS, 5_000)
    between = pl.col("from_bank").is_in(["bank-a", "bank-b"]) & pl.col("to_bank").is_in(["bank-a", "bank-b"])
    between &= pl.col("from_bank") != pl.col("to_bank")
    at_a, at_b = (held[bank].filter(between).sort("tx_id") for bank in ("bank-a", "bank-b"))
    assert at_a.height > 0
    assert at_a.equals(at_b)


@pytest.mark.parametrize("table", ["accounts", "transactions"])
def test_the_export_of_a_core_banking_system_registers_to_the_very_rows_of_the_parquet_file(
    made: Made, catalogue: Catalogue, table: str
) -> None:
    def rows(bank: str, file: str) -> list[bytes]:
        schema = HERE / "schemas" / bank / f"{table}.yaml"
        prepared = prepare(schema, made[0] / "bank-b" / file, catalogue, lambda *_: bytes(32))
        return prepared.rows

    assert rows("bank-b", f"{table}.csv") == rows("bank-a", f"{table}.parquet")


@pytest.mark.parametrize("bank", ["bank-a", "bank-c"])
@pytest.mark.parametrize("table", ["accounts", "transactions"])
def test_every_bank_s_file_fits_its_schema(made: Made, catalogue: Catalogue, bank: str, table: str) -> None:
    schema = HERE / "schemas" / bank / f"{table}.yaml"
    prepared = prepare(schema, made[0] / bank / f"{table}.parquet", catalogue, lambda *_: bytes(32))
    assert prepared.table.name == table
    assert prepared.frame.height == pl.read_parquet(made[0] / bank / f"{table}.parquet").height
