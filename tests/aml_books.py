"""Small books of the example's three banks, made by hand, so that bad rows can be put in and their effect seen by eye.

Accounts are named after their bank: ``a1`` is kept by bank-a. In the books as they are:

- ``k1`` pays cash in at two banks and reaches the threshold together, ``k2`` does not;
- a2 -> b2 -> c2 -> a2 is a cycle; a3 sends money through b3, c3 and a4 to c4; a1 is risky and pays b4.

Both banks hold a transfer between them, as the generator's books do.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from examples.aml.consortium import BANKS
from examples.aml.export import exported_accounts, exported_transactions, exported_watchlist

START = datetime(2026, 10, 5, tzinfo=UTC)
Payment = tuple[str, str, float, int]
"""From, to ("" for the counter), hours after the start, amount in minor units."""
BANK_OF = {name[-1]: name for name in BANKS}
CUSTOMERS = {"a1": "k1", "b1": "k1", "c1": "k1", "a4": "k4", "c4": "k4"}
RISK = {"a1": 90, "c1": 40}
PAYMENTS: tuple[Payment, ...] = (
    ("", "a1", 1, 600_000), ("", "b1", 2, 500_000), ("", "a2", 1, 300_000), ("", "b2", 2, 300_000),
    ("a2", "b2", 0, 500_000), ("b2", "c2", 5, 490_000), ("c2", "a2", 10, 480_000),
    ("a3", "b3", 1, 40_000), ("a3", "c3", 2, 40_000), ("a3", "a4", 3, 40_000),
    ("b3", "c4", 10, 39_000), ("c3", "c4", 11, 39_000), ("a4", "c4", 12, 39_000),
    ("a1", "b4", 20, 20_000), ("c1", "b4", 21, 10_000),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A payment as a bank's book holds it; ``holders`` are the banks that hold it (None: those of both ends)."""

    number: str
    payment: Payment
    currency: str = "EUR"
    holders: tuple[str, ...] | None = None
    outside: tuple[str, ...] = ()
    """Ends, ``from`` or ``to``, that are of no bank of the consortium."""

    def banks(self) -> dict[str, str | None]:
        """The bank of each end; None where there is none."""
        ends = dict(zip(("from", "to"), self.payment[:2], strict=True))
        return {end: None if not name or end in self.outside else BANK_OF[name[0]] for end, name in ends.items()}

    def held_by(self) -> set[str]:
        """The banks in whose books it stands."""
        return set(self.holders) if self.holders is not None else {bank for bank in self.banks().values() if bank}


@dataclass(frozen=True)
class Books:
    """Accounts by bank, and payments."""

    accounts: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {bank: tuple(f"{bank[-1]}{number}" for number in range(1, 5)) for bank in BANKS}
    )
    rows: tuple[Row, ...] = tuple(Row(f"t{place:02d}", payment) for place, payment in enumerate(PAYMENTS))

    def without_account(self, bank: str, account: str) -> "Books":
        """``bank`` does not list ``account``."""
        kept = tuple(each for each in self.accounts[bank] if each != account)
        return replace(self, accounts={**self.accounts, bank: kept})

    def with_account(self, bank: str, account: str) -> "Books":
        """``bank`` lists ``account`` too."""
        return replace(self, accounts={**self.accounts, bank: (*self.accounts[bank], account)})

    def with_rows(self, *rows: Row) -> "Books":
        """More payments."""
        return replace(self, rows=(*self.rows, *rows))

    def write(self, folder: Path) -> None:
        """The files of every bank, as ``examples.aml.generate`` writes them."""
        for bank in BANKS:
            (folder / bank).mkdir(parents=True)
            accounts, transactions, listed = self._accounts(bank), self._transactions(bank), _nobody()
            for name, frame, exported in (
                ("accounts", accounts, exported_accounts(accounts, tuple(BANKS))),
                ("transactions", transactions, exported_transactions(transactions, tuple(BANKS))),
                ("watchlist", listed, exported_watchlist(listed)),
            ):
                frame.write_parquet(folder / bank / f"{name}.parquet")
                exported.write_csv(folder / bank / f"{name}.csv")

    def _accounts(self, bank: str) -> pl.DataFrame:
        names = self.accounts[bank]
        columns = {
            "account_id": (names, pl.String),
            "customer_key": ([CUSTOMERS.get(name, f"k{name}") for name in names], pl.String),
            "bank": ([bank] * len(names), pl.String),
            "opened": ([date(2020, 1, 1)] * len(names), pl.Date),
            "country": (["AT"] * len(names), pl.String),
            "segment": (["private"] * len(names), pl.String),
            "risk_class": (["low"] * len(names), pl.String),
            "risk_score": ([RISK.get(name, 10) for name in names], pl.Int64),
            "cash_intensive": ([False] * len(names), pl.Boolean),
            "sar_flag": ([False] * len(names), pl.Boolean),
        }
        return pl.DataFrame([pl.Series(name, list(values), dtype=kind) for name, (values, kind) in columns.items()])

    def _transactions(self, bank: str) -> pl.DataFrame:
        rows = [row for row in self.rows if bank in row.held_by()]
        ends = [row.banks() for row in rows]
        cash = ["cash" if "" in row.payment[:2] else "transfer" for row in rows]
        columns = {
            "tx_id": ([row.number for row in rows], pl.String),
            "ts": ([START + timedelta(hours=row.payment[2]) for row in rows], pl.Datetime("us", "UTC")),
            "from_bank": ([each["from"] for each in ends], pl.String),
            "from_account": ([row.payment[0] or None for row in rows], pl.String),
            "to_bank": ([each["to"] for each in ends], pl.String),
            "to_account": ([row.payment[1] or None for row in rows], pl.String),
            "amount_minor": ([row.payment[3] for row in rows], pl.Int64),
            "currency": ([row.currency for row in rows], pl.String),
            "format": (cash, pl.String),
            "channel": (["branch"] * len(rows), pl.String),
        }
        return pl.DataFrame([pl.Series(name, values, dtype=kind) for name, (values, kind) in columns.items()])


def _nobody() -> pl.DataFrame:
    kinds = {"customer_key": pl.String, "reason_code": pl.String, "added": pl.Date, "expires": pl.Date}
    return pl.DataFrame(schema=kinds)
