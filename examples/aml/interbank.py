"""Payments between banks as a table of their own, so that risk over them has their size and not that of whole books.

It is a local table of the catalogue: each bank computes from its own rows what it sends to other banks.
"""

from datetime import date
from pathlib import Path

import duckdb
import yaml

from examples.aml import plain
from examples.aml.findings import RISK
from examples.aml.render import policy_bytes

_TABLE = """
  interbank:                              # a local table: what a bank's accounts send to those of others
    holders: [bank-a, bank-b, bank-c]
    max-rows: {rows}
    columns:
      from_account: {{type: key(account), max-distinct: {accounts}}}
      to_account: {{type: key(account), max-distinct: {all_accounts}}}
      amount_minor: {{type: int, lo: 1, hi: 1_000_000_000, unit: currency}}
      currency: enum(currency)
    definition: |
      SELECT t.from_account, t.to_account, t.amount_minor, t.currency FROM transactions AS t
      WHERE t.from_bank = member() AND t.to_bank <> member()
"""
_PERMITTED = """\
    interbank:
      rows: all
      privacy-unit: from_account
      operations: [compare]
      columns:
        from_account: {class: identifier, operations: [join, trace]}
        to_account: {class: identifier, operations: [join, trace]}
        amount_minor: {class: sensitive, operations: [filter, compare, score, trace]}
        currency: {class: free, operations: [filter]}
"""
_CONDITION = "currency = 'EUR'"


def with_interbank(catalogue: str, rows: int, accounts: int) -> str:
    """The catalogue's text, whose last part are its tables, with this table of ``rows`` a bank."""
    return catalogue.rstrip("\n") + "\n" + _TABLE.format(rows=rows, accounts=accounts, all_accounts=3 * accounts)


def spec() -> str:
    """Risk propagation as in ``specs/risk.yaml``, over this table, which has no cash."""
    text = RISK.file.read_text()
    return text.replace("FROM transactions", "FROM interbank").replace(f"{_CONDITION} AND format <> 'cash'", _CONDITION)


def interbank_policy(owner: str, today: date, purpose: str, consortium: str) -> bytes:
    """The bank's policy, which permits of this table what it permits of transactions."""
    text = policy_bytes(owner, today, purpose, consortium).decode()
    before, tables, after = text.partition("\n  tables:\n")
    if not tables:
        raise ValueError(f"the policy of {owner} has no `tables:` where one is to be added")
    return (before + tables + _PERMITTED + after).encode()


def held(data: Path) -> duckdb.DuckDBPyConnection:
    """All banks' rows, with this table among them."""
    rows = plain.held(data)
    rows.execute("CREATE VIEW interbank AS FROM transactions WHERE from_bank <> to_bank")
    return rows


def payments(rows: duckdb.DuckDBPyConnection) -> list[plain.Payment]:
    """The spec's payments, in plain DuckDB, from ``held`` rows."""
    return plain.payments(rows, plain.Spec("risk", yaml.safe_load(spec())))


def rows_within(rows: duckdb.DuckDBPyConnection) -> int:
    """How many payments the spec's condition keeps, before any are added up."""
    found = rows.execute(f"SELECT count(*) FROM interbank WHERE {_CONDITION}").fetchall()  # noqa: S608  # own text
    return int(found[0][0])
