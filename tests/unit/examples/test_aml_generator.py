"""The generator: the same seed gives the same files, and what it plants is what a plain count finds."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from consortia.parties.data.register import prepare
from consortia.plans.catalogue import Catalogue
from consortia.plans.catalogue_file import read_catalogue
from examples.aml import oracle, statistics
from examples.aml.consortium import BANKS, HERE
from examples.aml.generate import generate
from examples.aml.generator.parameters import TYPOLOGIES, Parameters
from examples.aml.generator.planted import RingTruth, Truth

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


def transactions_of(folder: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(folder / bank / "transactions.parquet") for bank in BANKS]).unique("tx_id")


def payments_of(ring: RingTruth, rows: pl.DataFrame) -> list[tuple[str, str, int, int]]:
    """Sender, receiver, microseconds and amount by time."""
    own = rows.filter(pl.col("tx_id").is_in(ring.transactions)).sort("ts")
    assert own.height == len(ring.transactions)
    return list(own.select("from_account", "to_account", pl.col("ts").dt.epoch("us"), "amount_minor").iter_rows())


def test_every_typology_has_its_rings_each_over_two_banks_and_of_accounts_of_its_own(made: Made) -> None:
    folder, truth = made
    assert [ring.typology for ring in truth.rings] == [name for name in TYPOLOGIES for _ in range(PARAMETERS.rings)]
    accounts = [account for ring in truth.rings for _, account, _ in ring.accounts]
    assert len(accounts) == len(set(accounts))
    rows = transactions_of(folder)
    for ring in truth.rings:
        assert len({bank for bank, _, _ in ring.accounts}) >= 2
        moved = {end for payment in payments_of(ring, rows) for end in payment[:2]}
        assert moved == {account for _, account, _ in ring.accounts}


@dataclass(frozen=True)
class Shape:
    """All accounts, how many others each pays and is paid by, and who does both."""

    ends: set[str]
    out: dict[str, int]
    into: dict[str, int]
    middles: set[str]


def shape_of(payments: list[tuple[str, str, int, int]]) -> Shape:
    pairs = {(by, to) for by, to, _, _ in payments}
    out, into = Counter(by for by, _ in pairs), Counter(to for _, to in pairs)
    return Shape({*out, *into}, dict(out), dict(into), {*out} & {*into})


def check_cycle(payments: list[tuple[str, str, int, int]], _: Shape) -> None:
    chain = [payment[0] for payment in payments] + [payments[-1][1]]
    assert chain[0] == chain[-1]
    assert [payment[1] for payment in payments] == chain[1:]
    assert all(late > early for (*_, early, _), (*_, late, _) in pairwise(payments))
    amounts = [payment[3] for payment in payments]
    assert amounts == sorted(amounts, reverse=True)


def check_mule(payments: list[tuple[str, str, int, int]], shape: Shape) -> None:
    collectors = shape.ends - set(shape.out)
    assert len(collectors) == 1
    assert all(to in collectors for by, to, _, _ in payments if by in shape.middles)


SHAPES: dict[str, Callable[[Shape], bool]] = {
    "fan-in": lambda s: (len(s.into), len(s.out)) == (1, len(s.ends) - 1),
    "fan-out": lambda s: (len(s.out), len(s.into)) == (1, len(s.ends) - 1),
    "cycle": lambda s: s.middles == s.ends,
    "bipartite": lambda s: not s.middles and min(len(s.out), len(s.into)) >= 2,
    "stack": lambda s: bool(s.middles) and min(len(s.ends - set(s.into)), len(s.ends - set(s.out))) >= 2,
    "random": lambda s: len(s.ends - set(s.into)) <= 1,
    "scatter-gather": lambda s: (
        len(s.middles) == len(s.ends) - 2 >= 3
        and sum(count > 1 for count in s.out.values()) == sum(count > 1 for count in s.into.values()) == 1
    ),
    "gather-scatter": lambda s: len(s.middles) == 1 and min(max(s.out.values()), max(s.into.values())) >= 3,
    "mule": lambda s: 2 <= len(s.middles) <= 4,
}


def test_each_ring_has_the_shape_that_its_typology_says(made: Made) -> None:
    folder, truth = made
    rows = transactions_of(folder)
    assert SHAPES.keys() == set(TYPOLOGIES)
    for ring in truth.rings:
        payments = payments_of(ring, rows)
        shape = shape_of(payments)
        assert SHAPES[ring.typology](shape), ring
        if ring.typology in ("cycle", "mule"):
            (check_cycle if ring.typology == "cycle" else check_mule)(payments, shape)


def test_nothing_but_the_pattern_tells_a_laundered_payment(made: Made) -> None:
    folder, truth = made
    rows = transactions_of(folder).filter(pl.col("format") != "cash")
    laundered = pl.col("tx_id").is_in([number for ring in truth.rings for number in ring.transactions])
    for column in ("format", "channel", "currency"):
        planted, usual = (
            dict(frame[column].value_counts(normalize=True).iter_rows())
            for frame in (rows.filter(laundered), rows.filter(~laundered))
        )
        assert all(abs(planted.get(word, 0) - share) < 0.12 for word, share in usual.items()), column


def test_any_number_of_banks_gets_its_books(tmp_path: Path) -> None:
    for banks in (("bank-a",), ("bank-a", "bank-b"), tuple(f"bank-{letter}" for letter in "abcde")):
        truth = generate(Parameters.of_size(600, 4_000, banks), tmp_path / str(len(banks)))
        for bank in banks:
            rows = pl.read_parquet(tmp_path / str(len(banks)) / bank / "transactions.parquet")
            assert rows.height == 4_000
            assert rows["tx_id"].n_unique() == 4_000
            assert ((rows["from_bank"] == bank) | (rows["to_bank"] == bank)).fill_null(value=False).all()
        assert len(truth.rings) >= 2 * len(TYPOLOGIES)


@pytest.mark.parametrize("table", ["accounts", "transactions", "watchlist"])
def test_the_export_of_a_core_banking_system_registers_to_the_very_rows_of_the_parquet_file(
    made: Made, catalogue: Catalogue, table: str
) -> None:
    def rows(bank: str, file: str) -> list[bytes]:
        schema = HERE / "schemas" / bank / f"{table}.yaml"
        prepared = prepare(schema, made[0] / "bank-b" / file, catalogue, lambda *_: bytes(32))
        return prepared.rows

    assert rows("bank-b", f"{table}.csv") == rows("bank-a", f"{table}.parquet")


@pytest.mark.parametrize("bank", ["bank-a", "bank-c"])
@pytest.mark.parametrize("table", ["accounts", "transactions", "watchlist"])
def test_every_bank_s_file_fits_its_schema(made: Made, catalogue: Catalogue, bank: str, table: str) -> None:
    schema = HERE / "schemas" / bank / f"{table}.yaml"
    prepared = prepare(schema, made[0] / bank / f"{table}.parquet", catalogue, lambda *_: bytes(32))
    assert prepared.table.name == table
    assert prepared.frame.height == pl.read_parquet(made[0] / bank / f"{table}.parquet").height


def test_lists_hold_customers_of_every_bank_and_strangers_some_of_them_twice_or_expired(made: Made) -> None:
    folder, _ = made
    lists = {bank: pl.read_parquet(folder / bank / "watchlist.parquet") for bank in BANKS}
    customers = {bank: set(pl.read_parquet(folder / bank / "accounts.parquet")["customer_key"]) for bank in BANKS}
    for bank, frame in lists.items():
        others = set().union(*(people for other, people in customers.items() if other != bank))
        listed = set(frame["customer_key"])
        assert len(listed) < frame.height <= 128
        assert listed & customers[bank]
        assert listed & (others - customers[bank])
        assert listed - others - customers[bank]
        assert 0 < frame.filter(pl.col("expires") < pl.date(2026, 11, 1)).height < frame.height
        assert (frame["expires"] > frame["added"]).all()
    shared = set.intersection(*(set(frame["customer_key"]) for frame in lists.values()))
    assert shared


def test_the_page_of_statistics_is_what_the_generator_makes() -> None:
    assert statistics.PAGE.read_text(encoding="utf-8") == statistics.page(), "run python -m examples.aml.statistics"


def test_suspects_are_a_share_of_the_rings_accounts_and_change_nothing_else(made: Made, tmp_path: Path) -> None:
    folder, truth = made
    generate(replace(PARAMETERS, suspects=0.0), tmp_path)
    on_rings = {(bank, account) for ring in truth.rings for bank, account, _ in ring.accounts}
    assert set(truth.suspects) < on_rings
    assert len(truth.suspects) == round(PARAMETERS.suspects * len(on_rings))
    for bank in BANKS:
        suspects = [account for holder, account in truth.suspects if holder == bank]
        with_them, without = (pl.read_parquet(place / bank / "accounts.parquet") for place in (folder, tmp_path))
        known = with_them.filter(pl.col("account_id").is_in(suspects))
        assert known.height == len(suspects)
        assert known["sar_flag"].all()
        assert known["risk_score"].min() >= 95
        assert set(known["risk_class"]) == {"high"}
        others = ~pl.col("account_id").is_in(suspects)
        assert with_them.filter(others).equals(without.filter(others))
        payments = [(place / bank / "transactions.parquet").read_bytes() for place in (folder, tmp_path)]
        assert payments[0] == payments[1]
