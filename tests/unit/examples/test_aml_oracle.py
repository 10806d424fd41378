"""The oracle: exact, by other means than the product, and honest about what a recipient may see."""

import ast
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from examples.aml import oracle

Deposit = tuple[str, str, int]
"""Customer, country, amount."""


def bank(folder: Path, name: str, deposits: list[Deposit]) -> None:
    (folder / name).mkdir()
    customers = list(dict.fromkeys((customer, country) for customer, country, _ in deposits))
    pl.DataFrame(
        {
            "account_id": [f"{name}/{customer}" for customer, _ in customers],
            "customer_key": [customer for customer, _ in customers],
            "bank": [name] * len(customers),
            "opened": [date(2020, 1, 1)] * len(customers),
            "country": [country for _, country in customers],
        }
    ).write_parquet(folder / name / "accounts.parquet")
    count = len(deposits)
    pl.DataFrame(
        {
            "ts": [datetime(2026, 10, 5, tzinfo=UTC)] * count,
            "from_bank": pl.Series([None] * count, dtype=pl.String),
            "to_bank": [name] * count,
            "to_account": [f"{name}/{customer}" for customer, _, _ in deposits],
            "amount_minor": [amount for _, _, amount in deposits],
            "currency": ["EUR"] * count,
            "format": ["cash"] * count,
        }
    ).write_parquet(folder / name / "transactions.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bank(tmp_path, "bank-a", [("c1", "AT", 1), ("c1", "AT", 1), ("c2", "AT", 2**53)])
    bank(tmp_path, "bank-b", [("c1", "AT", 2), ("c3", "DE", 7)])
    bank(tmp_path, "bank-c", [("c4", "AT", 2**53 + 1), ("c5", "DE", 6), ("c5", "DE", 6)])
    return tmp_path


def test_sums_and_means_are_exact_beyond_floating_point(folder: Path) -> None:
    sql = "SELECT country, SUM(amount_minor) AS s, AVG(amount_minor) AS m FROM deposits GROUP BY country ORDER BY 1"
    total = 2**54 + 5
    assert oracle.answer(oracle.pooled(folder), sql) == [
        ("AT", total, Decimal((total * 10**6 * 2 + 5) // 10).scaleb(-6)),
        ("DE", 19, Decimal("6.333333")),
    ]


@pytest.mark.parametrize(
    ("amounts", "mean"),
    [([1, 2], "1.500000"), ([-1, -2], "-1.500000"), ([1] + [0] * 127, "0.007813"), ([-1] + [0] * 127, "-0.007813")],
)
def test_a_mean_is_rounded_half_away_from_zero(tmp_path: Path, amounts: list[int], mean: str) -> None:
    bank(tmp_path, "bank-a", [("c1", "AT", amount) for amount in amounts])
    ((found,),) = oracle.answer(oracle.pooled(tmp_path), "SELECT AVG(amount_minor) AS m FROM deposits")
    assert found == Decimal(mean)


def test_a_recipient_counts_customers_of_the_others_alone(folder: Path) -> None:
    sql = "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country ORDER BY country"
    pooled = oracle.pooled(folder)
    assert oracle.shown(pooled, sql, "bank-a", 2, 3) == ([("AT", 5), ("DE", 3)], 0)
    assert oracle.shown(pooled, sql, "bank-b", 2, 3) == ([("AT", 5)], 1)
    assert oracle.shown(pooled, sql, "bank-a", 3, 3) == ([], 2)


def test_an_alert_goes_to_every_member_that_holds_a_row_and_to_no_other(folder: Path) -> None:
    sql = (
        "SELECT customer_key FROM deposits WHERE currency = 'EUR' GROUP BY customer_key "
        "HAVING SUM(amount_minor) >= 4 AND COUNT(DISTINCT member()) >= 2"
    )
    assert oracle.alerts(oracle.pooled(folder), sql) == {"bank-a": ["c1"], "bank-b": ["c1"], "bank-c": []}


def test_a_member_alone_is_asked_without_the_condition_on_several_members(folder: Path) -> None:
    sql = (
        "SELECT customer_key FROM deposits WHERE currency = 'EUR' GROUP BY customer_key "
        "HAVING SUM(amount_minor) >= 4 AND COUNT(DISTINCT member()) >= 2 ORDER BY customer_key"
    )
    assert oracle.found_alone(oracle.pooled(folder), sql) == {
        "bank-a": ["c2"],
        "bank-b": ["c3"],
        "bank-c": ["c4", "c5"],
    }


def test_the_oracle_imports_nothing_of_the_product() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert imported == {"argparse", "math", "re", "decimal", "fractions", "pathlib", "duckdb"}
