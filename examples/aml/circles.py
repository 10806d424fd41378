"""Planted circles of money that no bank can see: plain checks on each bank's own files, nothing of the product."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.aml import plain
from examples.aml.generator.planted import Truth

BOOKED = "SELECT tx_id FROM transactions WHERE tx_id IN ?"


@dataclass(frozen=True)
class Circle:
    """One planted cycle: how many payments, the accounts that each bank keeps, and how many payments its book has."""

    payments: int
    accounts: Mapping[str, tuple[str, ...]]
    booked: Mapping[str, int]

    @property
    def size(self) -> int:
        """How many accounts are on it."""
        return sum(map(len, self.accounts.values()))


def hidden(data: Path, truth: Truth, banks: tuple[str, ...], spec: plain.Spec) -> list[Circle]:
    """Planted cycles over all of ``banks`` which ``spec`` finds in the pooled rows, and no bank in its own.

    No bank's book holds all payments of such a circle, and the spec's rule over a bank's own rows, which are its own
    accounts' payments with every other bank, finds none of its accounts.
    """
    pooled = plain.held(data)
    together = plain.cycles(plain.payments(pooled, spec), spec) & set(plain.accounts(pooled, spec))
    books = {bank: plain.held(data, bank) for bank in banks}
    alone = {bank: plain.cycles(plain.payments(book, spec), spec) for bank, book in books.items()}
    found = []
    for ring in truth.rings:
        accounts = {account for _, account, _ in ring.accounts}
        seen = any(accounts & own for own in alone.values())
        if ring.typology != "cycle" or seen or not accounts <= together:
            continue
        circle = Circle(
            len(ring.transactions),
            {bank: tuple(account for holder, account, _ in ring.accounts if holder == bank) for bank in banks},
            {
                bank: len(
                    book.execute("SELECT tx_id FROM transactions WHERE tx_id IN ?", [ring.transactions]).fetchall()
                )
                for bank, book in books.items()
            },
        )
        if all(circle.accounts.values()) and max(circle.booked.values()) < circle.payments:
            found.append(circle)
    return found
