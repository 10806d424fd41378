"""Bad rows in the example's books: what happens is what docs/aml.md says, and what the plain version makes of them.

Each case changes the small books of ``tests/aml_books.py``; structuring (SQL), risk propagation, cycles and
scatter-gather are answered from registered files, under the example's policies, and by DuckDB and loops over the same
files; on shares in the slow suite, else on plain values by the same plan. What changes is asserted beside it, by eye.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import polars as pl
import pytest
import yaml

from consortia.errors import ConsortiaError, OperatorError, RequestError
from consortia.plans.catalogue_file import read_catalogue
from examples.aml import oracle, plain
from examples.aml.consortium import BANKS, HERE
from examples.aml.plain import SPECS, Spec
from tests.aml_banks import QUERIES, AmlBanks
from tests.aml_books import CUSTOMERS, Books, Row

STRUCTURING = (QUERIES / "structuring.sql").read_text()
TRACING = "money-tracing"
BASE = Books()
Told = Mapping[str, set[str]]
"""Identifiers by bank."""


def spec_text(name: str) -> str:
    """A spec of the example with bounds for a few paths."""
    text = (SPECS / f"{name}.yaml").read_text()
    return re.sub(r"(?m)^(paths|closed): .*$", lambda found: re.sub(r"\d+", "60", found[0]), text)


def catalogue_text() -> str:
    """The example's catalogue for a few rows."""
    return re.sub(r"(max-rows|max-distinct): \d+", r"\1: 24", (HERE / "catalogue.yaml").read_text())


@dataclass(frozen=True)
class Answers:
    """What each bank is told: customers who structure, accounts on patterns, accounts with their risk."""

    structuring: Told
    cycles: Told
    between: Told
    risk: Mapping[str, Mapping[str, float]]


def registered(folder: Path, books: Books, catalogue: str | None = None) -> AmlBanks:
    books.write(folder / "data")
    keys = {"customer": "aa", "account": "bb"}
    return AmlBanks(folder, read_catalogue(catalogue or catalogue_text(), key_ids=keys))


def secure(banks: AmlBanks, books: Books, specs: Callable[[str], str], *, shared: bool) -> Answers:
    """From registered files to decoded frames."""

    def run(text: str, purpose: str = TRACING) -> Mapping[str, pl.DataFrame]:
        return banks.run(text, purpose, shared=shared)

    accounts = banks.hashed(sorted({each for own in books.accounts.values() for each in own}), "account")
    customers = banks.hashed(sorted({CUSTOMERS.get(account, f"k{account}") for account in accounts.values()}))
    cash = run(STRUCTURING, "aml-detection")
    risk = run(specs("risk"))
    return Answers(
        {bank: {customers[key] for key in cash[bank]["customer_key"]} for bank in BANKS},
        _accounts(run(specs("cycles")), accounts),
        _accounts(run(specs("scatter_gather")), accounts),
        {
            bank: {accounts[key]: float(score) for key, score in risk[bank].select("account", "risk").rows()}
            for bank in BANKS
        },
    )


def _accounts(frames: Mapping[str, pl.DataFrame], accounts: Mapping[bytes, str]) -> Told:
    return {bank: {accounts[key] for key in frames[bank]["account"]} for bank in BANKS}


def pooled(banks: AmlBanks, books: Books, specs: Callable[[str], str]) -> Answers:
    """The same from the files, by DuckDB and loops."""
    held = plain.held(banks.data)

    def spec(name: str) -> Spec:
        return Spec(name, yaml.safe_load(specs(name)))

    def own(found: set[str]) -> Told:
        return {bank: found & set(books.accounts[bank]) for bank in BANKS}

    cash = oracle.alerts(oracle.pooled(banks.data), STRUCTURING)
    scores = plain.risk(plain.scores(held, spec("risk")), plain.payments(held, spec("risk")), 2)
    return Answers(
        {bank: set(cash.get(bank, [])) for bank in BANKS},
        own(plain.cycles(plain.payments(held, spec("cycles")), spec("cycles"))),
        own(plain.scatter_gather(plain.payments(held, spec("scatter_gather")), spec("scatter_gather"))),
        {bank: {each: score for each, score in scores.items() if each in books.accounts[bank]} for bank in BANKS},
    )


class Same(Protocol):
    """Registers the books, and gives the secure answers, which are the plain ones."""

    def __call__(
        self, folder: Path, books: Books, specs: Callable[[str], str] = ..., catalogue: str | None = ...
    ) -> Answers: ...


@pytest.fixture(scope="module", params=["plain values", pytest.param("shares", marks=pytest.mark.slow)])
def same(request: pytest.FixtureRequest) -> Same:
    def answered(
        folder: Path, books: Books, specs: Callable[[str], str] = spec_text, catalogue: str | None = None
    ) -> Answers:
        banks = registered(folder, books, catalogue)
        found = secure(banks, books, specs, shared=request.param == "shares")
        assert_equal(found, pooled(banks, books, specs))
        return found

    return answered


def assert_equal(found: Answers, expected: Answers) -> None:
    """Keys exactly, risks within 1e-4."""
    assert (found.structuring, found.cycles, found.between) == (
        expected.structuring, expected.cycles, expected.between,
    )  # fmt: skip
    for bank in BANKS:
        assert found.risk[bank].keys() == expected.risk[bank].keys()
        for account, score in found.risk[bank].items():
            assert math.isclose(score, expected.risk[bank][account], abs_tol=1e-4), account


def everybody(told: Told) -> set[str]:
    return set().union(*told.values())


def risks(answers: Answers) -> dict[str, float]:
    return {account: score for own in answers.risk.values() for account, score in own.items()}


@pytest.fixture(scope="module")
def base(same: Same, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return same(tmp_path_factory.mktemp("base"), BASE)


def test_the_books_as_they_are_hold_one_of_each(base: Answers) -> None:
    assert base.structuring == {"bank-a": {"k1"}, "bank-b": {"k1"}, "bank-c": set()}
    assert base.cycles == {"bank-a": {"a2"}, "bank-b": {"b2"}, "bank-c": {"c2"}}
    assert everybody(base.between) == {"a3", "b3", "c3", "a4", "c4"}
    assert risks(base)["b4"] > risks(base)["b1"]


def test_an_account_that_no_bank_lists_is_followed_and_told_to_nobody(
    same: Same, tmp_path: Path, base: Answers
) -> None:
    books = BASE.without_account("bank-c", "c2").without_account("bank-b", "b1").without_account("bank-a", "a1")
    found = same(tmp_path, books)
    assert everybody(found.cycles) == {"a2", "b2"}
    assert found.structuring["bank-a"] == set()  # cash into an account that its bank does not list is no deposit
    assert "a1" not in risks(found)
    assert risks(found)["b4"] < risks(base)["b4"]  # what a1 paid counts for nothing


def test_payments_to_and_from_accounts_of_no_bank_are_followed_in_patterns_and_carry_no_risk(
    same: Same, tmp_path: Path, base: Answers
) -> None:
    out = Row("u1", ("a4", "x9", 1, 400_000), outside=("to",))
    back = Row("u2", ("x9", "b4", 3, 400_000), outside=("from",))
    home = Row("u3", ("b4", "a4", 5, 400_000))
    found = same(tmp_path, BASE.with_rows(out, back, home))
    assert everybody(found.cycles) == {"a2", "b2", "c2", "a4", "b4"}
    assert risks(found)["b4"] == pytest.approx(risks(base)["b4"])


def test_a_payment_to_the_same_account_counts_in_risk_and_is_no_step_of_a_pattern(
    same: Same, tmp_path: Path, base: Answers
) -> None:
    found = same(tmp_path, BASE.with_rows(Row("s1", ("a1", "a1", 1, 500_000)), Row("s2", ("a1", "a1", 3, 490_000))))
    assert (found.cycles, found.between, found.structuring) == (base.cycles, base.between, base.structuring)
    assert risks(base)["a1"] < risks(found)["a1"] == pytest.approx(90)


def test_an_id_that_stands_twice_in_a_book_is_refused_and_at_two_banks_is_one_payment(tmp_path: Path) -> None:
    twice = BASE.with_rows(replace(BASE.rows[0], payment=("", "a1", 3, 1)))
    with pytest.raises(OperatorError) as found:
        registered(tmp_path / "payment", twice)
    assert (found.value.code, "tx_id" in found.value.place) == ("data/duplicate", True)
    with pytest.raises(OperatorError) as found:
        registered(tmp_path / "account", BASE.with_account("bank-c", "c1"))
    assert (found.value.code, "account_id" in found.value.place) == ("data/duplicate", True)


def test_rows_that_were_booked_twice_under_two_ids_count_twice(same: Same, tmp_path: Path, base: Answers) -> None:
    below = Row("d1", ("", "a3", 1, 500_000)), Row("d2", ("", "a3", 1, 500_000))
    again = Row("d3", ("a1", "b4", 20, 20_000))
    found = same(tmp_path, BASE.with_rows(*below, again))
    assert found.structuring == base.structuring  # at one bank alone
    assert risks(found)["b4"] > risks(base)["b4"]


def test_an_account_that_two_banks_list_is_one_and_both_are_told(same: Same, tmp_path: Path, base: Answers) -> None:
    found = same(tmp_path, BASE.with_account("bank-b", "a2"))
    assert found.cycles == {"bank-a": {"a2"}, "bank-b": {"a2", "b2"}, "bank-c": {"c2"}}
    assert found.risk["bank-a"]["a2"] == found.risk["bank-b"]["a2"] == pytest.approx(risks(base)["a2"])


ZEROS = BASE.with_rows(
    Row("z1", ("a4", "b4", 1, 0)), Row("z2", ("b4", "a4", 3, 0)), Row("z3", ("a1", "c3", 1, 0)),
    Row("z4", ("", "c4", 1, 999_999)), Row("z5", ("", "c4", 2, 1)), Row("z6", ("", "a4", 2, 0)),
)  # fmt: skip


def test_an_amount_of_zero_is_refused_by_the_bounds_of_the_catalogue(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as found:
        registered(tmp_path, ZEROS)
    assert found.value.code == "data/bounds"


def test_where_the_catalogue_allows_zero_it_is_a_payment_that_weighs_nothing(
    same: Same, tmp_path: Path, base: Answers
) -> None:
    def without_floor(name: str) -> str:
        return re.sub(r"amount_minor >= \d+ AND ", "", spec_text(name))

    catalogue = catalogue_text().replace("amount_minor: {type: int, lo: 1,", "amount_minor: {type: int, lo: 0,")
    found = same(tmp_path, ZEROS, without_floor, catalogue)
    assert everybody(found.cycles) == {"a2", "b2", "c2", "a4", "b4"}  # a payment of 0 is followed by one of 0
    assert risks(found)["c3"] == pytest.approx(risks(base)["c3"])  # a mean by amounts does not notice it
    assert everybody(found.structuring) == {"k1", "k4"}  # 0 paid in at a second bank is a deposit there


def test_another_currency_is_left_out_by_the_condition_and_never_added_up(
    same: Same, tmp_path: Path, base: Answers
) -> None:
    dollars = [
        replace(row, number=f"e{row.number}", currency="USD", payment=(*row.payment[:3], row.payment[3] + 7))
        for row in BASE.rows
    ]
    books = BASE.with_rows(*dollars)
    found = same(tmp_path, books)
    assert_equal(found, base)
    banks = registered(tmp_path / "again", books)
    for text, purpose in (
        (STRUCTURING.replace("AND currency = 'EUR' ", ""), "aml-detection"),
        (spec_text("risk").replace("currency = 'EUR' AND ", ""), TRACING),
        (spec_text("cycles").replace(" AND currency = 'EUR'", ""), TRACING),
    ):
        with pytest.raises(RequestError) as refused:
            banks.compiled(text, purpose)
        assert refused.value.code == "plans/units"


def test_of_the_two_ends_of_a_payment_the_sender_s_row_counts_whatever_the_receiver_s_says(
    same: Same, tmp_path: Path, base: Answers
) -> None:
    """The receiver books b2 -> c2 two days late and with a fee off, and does not hold c2 -> a2 at all."""
    sent, received = BASE.rows[5], replace(BASE.rows[5], payment=("b2", "c2", 53, 450_000), holders=("bank-c",))
    rows = [*BASE.rows[:5], replace(sent, holders=("bank-b",)), received, replace(BASE.rows[6], holders=("bank-c",))]
    found = same(tmp_path, replace(BASE, rows=(*rows, *BASE.rows[7:])))
    assert_equal(found, base)


def test_a_payment_that_its_sender_s_bank_does_not_hold_is_none(same: Same, tmp_path: Path) -> None:
    rows = [*BASE.rows[:5], replace(BASE.rows[5], holders=("bank-c",)), *BASE.rows[6:]]
    assert everybody(same(tmp_path, replace(BASE, rows=tuple(rows))).cycles) == set()


def test_payments_are_in_the_order_of_their_senders_clocks(same: Same, tmp_path: Path) -> None:
    """bank-b's clock is six hours slow, so that what b2 passes on seems to leave before it came."""
    slow = [
        replace(row, payment=(*row.payment[:2], row.payment[2] - 6, row.payment[3]))
        if row.payment[0].startswith("b")
        else row
        for row in BASE.rows
    ]
    found = same(tmp_path, replace(BASE, rows=tuple(slow)))
    assert everybody(found.cycles) == set()
    assert everybody(found.between) == {"a3", "b3", "c3", "a4", "c4"}  # there a day passed in between


def test_a_bank_with_no_row_has_nothing_and_the_others_get_theirs(same: Same, tmp_path: Path, base: Answers) -> None:
    ends = [row for row in BASE.rows if "c" not in {name[:1] for name in row.payment[:2]}]
    books = Books({**BASE.accounts, "bank-c": ()}, tuple(ends))
    found = same(tmp_path, books)
    assert found.structuring == base.structuring
    assert found.risk["bank-c"] == {}
    assert everybody(found.cycles) == set()


def test_a_bank_that_has_registered_nothing_ends_the_run(tmp_path: Path) -> None:
    banks = registered(tmp_path, BASE)
    (tmp_path / "bank-c" / "snapshots" / "accounts" / "current").unlink()
    with pytest.raises(ConsortiaError) as found:
        banks.run(STRUCTURING, "aml-detection")
    assert found.value.code == "data/no-snapshot"
