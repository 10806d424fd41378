"""Risk over several periods in one spec, on TNO's networks of three banks: the formula on the union, period by period.

The data is not in the repository: CONSORTIA_TEST_DATA names its folder.
"""

import os
from pathlib import Path

import pytest

from consortia.plans.catalogue import Catalogue
from consortia.plans.types import ColumnType
from examples.aml import plain, public
from tests.fixtures_catalogue import BANKS, CUSTOMER, INT, column, table
from tests.payments_world import NUMBERS
from tests.pooled_relations import Pool, Row

DIGITS = 6
PARTS_OF_A_MILLION = 10**DIGITS


def network(name: str) -> public.Network:
    folder = Path(os.environ.get("CONSORTIA_TEST_DATA", ""))
    if not (folder / "tno-risk-propagation-tests").is_dir() or not os.environ.get("CONSORTIA_TEST_DATA"):
        pytest.skip("CONSORTIA_TEST_DATA names no folder with tno-risk-propagation-tests")
    return public.tno(folder, name)


def pool(folder: Path, found: public.Network) -> Pool:
    """Each bank lists its own accounts and the payments that these send, of all periods in one table."""
    accounts: dict[str, list[Row]] = {bank: [] for bank in BANKS}
    payments: dict[str, list[Row]] = {bank: [] for bank in BANKS}
    for account, score in found.scores.items():
        accounts[found.bank[account]].append({"id": account, "score": round(score * PARTS_OF_A_MILLION)})
    for period, paid in enumerate(found.periods):
        for each in paid:
            row: Row = {"payer": each.source, "payee": each.target, "amount": each.amount, "period": period}
            payments[found.bank.get(each.source, BANKS[0])].append(row)
    score = column("score", ColumnType(kind="decimal", scale=DIGITS), 0, PARTS_OF_A_MILLION)
    ends = [column(end, CUSTOMER, max_distinct=400) for end in ("payer", "payee")]
    numbers = [column("amount", INT, 0, 10**9), column("period", INT, 0, 9)]
    catalogue = Catalogue(
        consortium="testers", version=1, previous="0" * 64, purposes=("aml-detection",), key_domains=(NUMBERS,),
        tables=(
            table("accounts", column("id", CUSTOMER, max_distinct=60), score, max_rows=60),
            table("payments", *ends, *numbers, max_rows=max(len(rows) for rows in payments.values())),
        ),
    )  # fmt: skip
    return Pool(folder, {"accounts": accounts, "payments": payments}, catalogue)


def spec(periods: int) -> str:
    queries = "".join(
        f"- SELECT payer AS source, payee AS target, amount FROM payments WHERE period = {place}\n"
        for place in range(periods)
    )
    return (
        "analysis: risk-propagation\n"
        "accounts: SELECT id AS account, MAX(score) AS score FROM accounts GROUP BY id\n"
        f"payments:\n{queries}iterations: 2\nscale: 1\n"
    )


def check(folder: Path, name: str, *, shared: bool) -> None:
    found = network(name)
    assert len(found.periods) > 1
    expected = dict(found.scores)
    for paid in found.periods:
        expected = plain.risk(expected, paid, 2)
    banks = pool(folder, found)
    told = banks.answers(banks.plan(spec(len(found.periods))), shared=shared)
    rows = [(who, str(row["account"]), row["risk"] / PARTS_OF_A_MILLION) for who, own in told.items() for row in own]
    assert {(who, account) for who, account, _ in rows} == {(found.bank[account], account) for account in found.scores}
    assert {account: risk for _, account, risk in rows} == pytest.approx(expected, abs=1e-5)
    assert max(abs(expected[account] - score) for account, score in found.scores.items()) > 0.1


@pytest.mark.parametrize("name", ["small_multi_period", "small_multi_period_test", "missing_nodes"])
def test_scores_after_all_periods_are_those_of_the_formula_on_the_union(tmp_path: Path, name: str) -> None:
    check(tmp_path, name, shared=False)


@pytest.mark.parametrize("name", ["small_multi_period", "missing_nodes"])
def test_three_computers_find_the_same_scores_after_all_periods(tmp_path: Path, name: str) -> None:
    check(tmp_path, name, shared=True)
