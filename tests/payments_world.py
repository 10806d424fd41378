"""Accounts and payments over three banks, drawn with edge cases, and specs asked of them on shares and on values."""

import random
from collections import defaultdict
from pathlib import Path

from consortia.plans.catalogue import Catalogue, KeyDomain
from tests.fixtures_catalogue import BANKS, CUSTOMER, INT, column, table
from tests.pooled_relations import Pool, Row

NUMBERS = KeyDomain(name="customer", id_type="number", key_id="aa")
ACCOUNTS = table("accounts", column("id", CUSTOMER, max_distinct=20), column("score", INT, 0, 100), max_rows=6)
PAYMENTS = table(
    "payments",
    column("payer", CUSTOMER, nullable=True, max_distinct=30),
    column("payee", CUSTOMER, nullable=True, max_distinct=30),
    column("day", INT, 0, 60),
    column("amount", INT, 0, 10_000),
    max_rows=16,
)
CATALOGUE = Catalogue(
    consortium="testers", version=1, previous="0" * 64, purposes=("aml-detection",), key_domains=(NUMBERS,),
    tables=(ACCOUNTS, PAYMENTS),
)  # fmt: skip
FOLLOWED = """
accounts: SELECT id AS account FROM accounts GROUP BY id
payments: |
  SELECT payer AS source, payee AS target, day AS time, amount FROM payments WHERE payer IS NOT NULL
window: 20
part: 0.8
"""
"""What patterns have in common."""


def drawn(seed: int, nodes: int = 6) -> dict[str, dict[str, list[Row]]]:
    """Accounts spread over the banks; payments held by the payer's bank; strangers, NULL ends, payments to oneself."""
    draw = random.Random(seed)
    ids = [str(draw.randrange(1000)) for _ in range(nodes)]
    ids = list(dict.fromkeys(ids))
    home = {name: BANKS[place % 3] for place, name in enumerate(ids)}
    data: dict[str, dict[str, list[Row]]] = {"accounts": defaultdict(list), "payments": defaultdict(list)}
    for name in ids[:-1]:
        data["accounts"][home[name]].append({"id": name, "score": draw.choice([0, 100, draw.randint(0, 100)])})
    for _ in range(30):
        payer = draw.choice([*ids, None])
        row: Row = {
            "payer": payer,
            "payee": draw.choice([*ids, None]),
            "day": draw.randint(0, 40),
            "amount": draw.choice([900, 950, 1000, 0]),
        }
        bank = home.get(payer or "", "bank-a")
        if len(data["payments"][bank]) < 16:
            data["payments"][bank].append(row)
    return data


def edges_of(data: dict[str, dict[str, list[Row]]], *, listed: bool = True) -> list[Row]:
    known = {row["id"] for rows in data["accounts"].values() for row in rows}
    found = [row for rows in data["payments"].values() for row in rows if row["payer"] and row["payee"]]
    return [row for row in found if not listed or {row["payer"], row["payee"]} <= known]


def homes(data: dict[str, dict[str, list[Row]]]) -> dict[str, str]:
    return {str(row["id"]): bank for bank, rows in data["accounts"].items() for row in rows}


def asked(folder: Path, data: dict[str, dict[str, list[Row]]], text: str) -> dict[str, list[Row]]:
    """What each bank is told, equal on shares at the declared cost and on plain values."""
    pool = Pool(folder, data, CATALOGUE)
    plan = pool.plan(text)
    on_shares = pool.answers(plan)
    on_values = pool.answers(plan, shared=False)
    assert {who: [row["account"] for row in rows] for who, rows in on_values.items()} == {
        who: [row["account"] for row in rows] for who, rows in on_shares.items()
    }
    return on_shares
