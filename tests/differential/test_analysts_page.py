"""The queries of the analysts' page: permitted where owners grant what they need, and with the answers of sqlite."""

import re
import sqlite3
from pathlib import Path

import pytest

from consortia.plans.catalogue import Catalogue, KeyDomain
from consortia.plans.cost import Estimate
from consortia.policies.compiling import compile_analysis
from tests.fixtures_catalogue import AMOUNT, BANKS, COUNTRIES, COUNTRY, CURRENCY, CUSTOMER, PURPOSE, column, table
from tests.policies_world import NOW, generous_world
from tests.pooled_relations import Pool, Row

PAGE = Path(__file__).parents[2] / "docs" / "analysts.md"
SECTION = PAGE.read_text().split("## Several tables, nested queries, orders")[1].split("\n## ")[0]
QUERIES = dict(
    zip(("join", "nested", "top", "window"), re.findall(r"```sql\n(.*?)```", SECTION, re.DOTALL), strict=True)
)
DEPOSITS = table(
    "deposits",
    column("customer_key", CUSTOMER, max_distinct=12),
    column("amount_minor", AMOUNT, 0, 1000),
    column("currency", CURRENCY),
    column("country", COUNTRY),
    max_rows=12,
)
ACCOUNTS = table("accounts", column("customer_key", CUSTOMER, max_distinct=12), max_rows=6)
CATALOGUE = Catalogue(
    consortium="testers",
    version=1,
    previous="0" * 64,
    purposes=(PURPOSE,),
    key_domains=(KeyDomain(name="customer", id_type="number", key_id="aa"),),
    tables=(DEPOSITS, ACCOUNTS),
)


def deposit(place: int, bank: int) -> Row:
    """Rows of which customers are shared between banks, amounts are all different, and most are in EUR."""
    amount = (place * 83 + bank * 331) % 997
    return {
        "customer_key": str((place + bank) % 7),
        "amount_minor": amount,
        "currency": int(place == 5),
        "country": (place + 2 * bank) % 3,
    }


DATA = {
    "deposits": {name: [deposit(place, bank) for place in range(10)] for bank, name in enumerate(BANKS)},
    "accounts": {name: [{"customer_key": str(key)} for key in range(bank, 5)] for bank, name in enumerate(BANKS)},
}


def by_sqlite(sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE deposits (customer_key, amount_minor, currency, country)")
    connection.execute("CREATE TABLE accounts (customer_key)")
    words = CURRENCY.values
    for rows in DATA["deposits"].values():
        for row in rows:
            cells = (row["customer_key"], row["amount_minor"], words[row["currency"]], COUNTRIES[row["country"]])
            connection.execute("INSERT INTO deposits VALUES (?, ?, ?, ?)", cells)
    for rows in DATA["accounts"].values():
        connection.executemany("INSERT INTO accounts VALUES (?)", [(row["customer_key"],) for row in rows])
    return connection.execute(sql).fetchall()


@pytest.mark.parametrize("sql", QUERIES.values(), ids=QUERIES.keys())
def test_a_query_of_the_page_has_the_answer_of_sqlite(tmp_path: Path, sql: str) -> None:
    found = Pool(tmp_path, DATA, CATALOGUE).ask(sql)
    named = [tuple(COUNTRIES[v] if key == "country" else v for key, v in row.items()) for row in found]
    assert sorted(named) == sorted(by_sqlite(sql))
    assert len(named) >= 2


@pytest.mark.parametrize("sql", QUERIES.values(), ids=QUERIES.keys())
def test_a_query_of_the_page_is_permitted_where_the_owners_grant_what_it_needs(sql: str) -> None:
    found = compile_analysis(sql, PURPOSE, "ana@bank-a", NOW, generous_world(), lambda _: Estimate(), NOW)
    assert found.permitted, found.decision.denials()
