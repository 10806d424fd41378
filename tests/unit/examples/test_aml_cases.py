"""Case files: the bank's own rows, and ids that two banks make alike without naming a customer."""

import csv
import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from examples.aml import cases, oracle, plain
from examples.aml.asked import ANALYSES, STRUCTURING
from examples.aml.consortium import BANKS
from examples.aml.generate import generate
from examples.aml.generator.parameters import Parameters
from examples.aml.generator.planted import Truth

RUN = "5e55" * 8
SOURCE = cases.Source("cycles", RUN, "c1" * 16, "ab" * 32, "bank-a.money-tracing version 1, SHA-256 cd")
RISKS = cases.Source("risk-propagation", RUN, RUN, "ef" * 32, "bank-b.money-tracing version 1, SHA-256 cd")
CYCLES = plain.Spec.read("cycles")
SQL = ANALYSES[STRUCTURING][0].read_text()
Made = tuple[Path, Truth]


def pseudonym(domain: str, identifier: str) -> str:
    return hashlib.sha256(f"{domain} {identifier}".encode()).hexdigest()[:24]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("data")
    return folder, generate(Parameters.of_size(300, 2_000), folder)


def test_an_id_is_of_one_run_and_one_pseudonym() -> None:
    one = cases.case_id("aa", "01")
    assert one == cases.case_id("aa", "01")
    assert len({one, cases.case_id("ab", "01"), cases.case_id("aa", "02")}) == 3
    assert [len(part) for part in one.split("-")] == [4, 4, 4, 4]


def test_an_account_s_case_sums_the_rows_that_the_spec_goes_over(made: Made) -> None:
    folder, truth = made
    ring = next(ring for ring in truth.rings if ring.typology == "scatter-gather")
    for bank, account, customer in ring.accounts:
        book = cases.Book(folder, bank)
        case = cases.account_case(book, account, "cycles", 12.5, CYCLES, SOURCE, pseudonym)
        rows = pl.read_parquet(folder / bank / "transactions.parquet").filter(
            (pl.col("format") != "cash")
            & (pl.col("amount_minor") >= 100_000)
            & (pl.col("currency") == "EUR")
            & (pl.col("from_account") != pl.col("to_account"))
        )
        came, went = (rows.filter(pl.col(f"{end}_account") == account) for end in ("to", "from"))
        assert (case.payments_in, case.amount_in) == (came.height, came["amount_minor"].sum())
        assert (case.payments_out, case.amount_out) == (went.height, went["amount_minor"].sum())
        assert (case.account, case.customer, case.bank, case.risk) == (account, customer, bank, 12.5)
        times = sorted([*came["ts"], *went["ts"]])
        if times:
            assert case.window_from == times[0].replace(tzinfo=None).isoformat()
            assert case.window_to == times[-1].replace(tzinfo=None).isoformat()


def test_the_other_bank_of_a_payment_quotes_the_very_id(made: Made) -> None:
    folder, truth = made
    books = {bank: cases.Book(folder, bank) for bank in BANKS}
    own = {
        account: cases.account_case(books[bank], account, "cycles", 1.0, CYCLES, SOURCE, pseudonym)
        for ring in truth.rings
        for bank, account, _ in ring.accounts
    }
    quoted = {other for case in own.values() for other in case.other_ends}
    assert quoted & {case.case_id for case in own.values()}
    for account, case in own.items():
        text = " ".join((case.case_id, *case.other_ends))
        assert account not in text
        assert case.customer not in text
        assert case.case_id not in case.other_ends


def test_a_bank_quotes_the_id_of_a_case_that_another_files_under_another_analysis(made: Made) -> None:
    folder, truth = made
    books = {bank: cases.Book(folder, bank) for bank in BANKS}
    accounts = [(bank, account) for ring in truth.rings for bank, account, _ in ring.accounts]
    filed = {cases.account_case(books[bank], account, "", 1.0, CYCLES, RISKS, pseudonym) for bank, account in accounts}
    asked = {cases.account_case(books[bank], account, "", 1.0, CYCLES, SOURCE, pseudonym) for bank, account in accounts}
    assert {case.session for case in filed}.isdisjoint(case.session for case in asked)
    assert {other for case in asked for other in case.other_ends} & {case.case_id for case in filed}


def test_a_customer_s_case_has_the_same_id_at_every_bank_and_the_deposits_of_one(made: Made) -> None:
    folder, truth = made
    customer = truth.structuring[0]
    books = [book for book in (cases.Book(folder, bank) for bank in BANKS) if customer in book.account_of]
    found = [cases.customer_case(book, customer, SQL, SOURCE, pseudonym) for book in books]
    assert len(found) >= 2
    assert len({case.case_id for case in found}) == 1
    total = oracle.pooled(folder).execute(
        f"SELECT SUM(amount_minor)::BIGINT FROM deposits WHERE customer_key = ? AND ({oracle.condition_of(SQL)})",
        [customer],
    )
    assert sum(case.amount_in for case in found) == total.fetchall()[0][0] >= 1_000_000
    assert all(case.payments_out == 0 and case.risk is None for case in found)


def test_both_files_say_the_same_and_carry_the_notice(made: Made, tmp_path: Path) -> None:
    folder, truth = made
    bank, account, _ = truth.rings[0].accounts[0]
    case = cases.account_case(cases.Book(folder, bank), account, "cycles", 3.0, CYCLES, SOURCE, pseudonym)
    cases.write(tmp_path / bank, [case])
    (from_json,) = json.loads((tmp_path / bank / "cases.json").read_text())
    with (tmp_path / bank / "cases.csv").open(newline="") as file:
        (from_csv,) = csv.DictReader(file)
    assert {name: "" if value is None else str(value) for name, value in from_json.items() if name != "other_ends"} == {
        name: value for name, value in from_csv.items() if name != "other_ends"
    }
    assert from_csv["other_ends"].split() == from_json["other_ends"]
    assert "Do not tip off" in from_json["notice"]
