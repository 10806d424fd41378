"""Alerts as an investigator takes them up: one file a bank, with ids that several banks can quote.

A case id is made of a session of the run and of the pseudonym under which the account (or, for cash, the customer)
takes part: the first 80 bits of a SHA-256, in base 32. Every bank that has the account in its books, as its own or as
the other end of a payment, can make the same id, and quote it to the account's bank without naming anybody. Whoever
lacks the consortium's hashing key can't test guesses of account numbers, and ids of two runs can't be linked.
"""

import base64
import csv
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path

import duckdb
import rfc8785

from consortia.plans.catalogue import Catalogue
from consortia.trust.domain_keys import HashDomain, hash_keys
from consortia.trust.home import Home
from examples.aml import plain
from examples.aml.oracle import condition_of

NOTICE = (
    "Do not tip off: neither the customer nor any third party may learn of this case, of the alert or of a report "
    "(Regulation (EU) 2024/1624, Article 73). Partners under Article 75 get the case id, nothing of the customer."
)
Pseudonym = Callable[[str, str], str]
"""From a key domain and an identifier to the pseudonym, in hexadecimal."""


@dataclass(frozen=True)
class Source:
    """The analysis that an alert comes from.

    ``run`` is the session of which all ids of the run are made, whatever analysis a case comes from: two banks may file
    one account under different ones, and quote the same id still.
    """

    analysis: str
    run: str
    session: str
    plan: str
    policy: str


@dataclass(frozen=True)
class Booked:
    """A row of the bank's own book that belongs to a case; ``other`` is the account at its other end, if it has one."""

    time: datetime
    incoming: bool
    amount: int
    other: str | None


@dataclass(frozen=True)
class Case:
    """One alert. Amounts are in minor units of ``currency``, and of this bank's own rows, like times and counts."""

    case_id: str
    typology: str
    bank: str
    account: str
    customer: str
    risk: float | None
    """What risk propagation told of the account; None for customers."""
    window_from: str
    window_to: str
    payments_in: int
    amount_in: int
    payments_out: int
    amount_out: int
    currency: str
    other_ends: tuple[str, ...]
    """Case ids of the accounts at the other ends, as far as other banks keep them."""
    session: str
    plan_sha256: str
    policy: str
    notice: str = NOTICE


def pseudonyms(home: Home) -> Pseudonym:
    """How a bank makes pseudonyms, from the hashing keys that it holds."""
    catalogue = Catalogue.parse(home.trust.catalogue().payload_bytes())
    domains = {
        domain.name: (
            home.domain_key(domain.name, domain.key_id),
            HashDomain(catalogue.consortium, domain.name, domain.id_type, domain.normal_form, domain.bits),
        )
        for domain in catalogue.key_domains
    }

    def pseudonym(domain: str, identifier: str) -> str:
        key, space = domains[domain]
        (hashed,) = hash_keys(key, space, [identifier])
        if hashed is None:
            raise ValueError("an identifier that is NULL has no pseudonym")
        return hashed.hex()

    return pseudonym


def case_id(run: str, pseudonym: str) -> str:
    """Four groups of four letters and digits; equal for equal runs and pseudonyms."""
    digest = hashlib.sha256(rfc8785.dumps(["consortia-example/case/v1", run, pseudonym])).digest()
    text = base64.b32encode(digest[:10]).decode("ascii")
    return "-".join(text[place : place + 4] for place in range(0, len(text), 4))


class Book:
    """One bank's own rows, asked for what belongs to a case."""

    def __init__(self, folder: Path, bank: str) -> None:
        self.bank = bank
        self._rows = plain.held(folder, bank)
        pairs = self._rows.execute("SELECT account_id, customer_key FROM accounts").fetchall()
        self.customer_of: dict[str, str] = dict(pairs)
        self.account_of = {customer: account for account, customer in self.customer_of.items()}

    def payments(self, account: str, spec: plain.Spec) -> list[Booked]:
        """Payments of the account that the spec goes over, by time."""
        found = self._rows.execute(
            "SELECT ts, to_account = $account, amount_minor, "  # noqa: S608  # the example's own text
            "CASE WHEN to_account = $account THEN from_account ELSE to_account END "
            "FROM transactions WHERE from_account <> to_account AND (from_account = $account OR to_account = $account) "
            f"AND ({spec.condition()}) ORDER BY ts",
            {"account": account},
        )
        return _booked(found)

    def deposits(self, customer: str, sql: str) -> list[Booked]:
        """Cash that the customer paid in, as far as the query's condition on rows keeps it, by time."""
        found = self._rows.execute(
            "SELECT ts, true, amount_minor, NULL FROM transactions WHERE to_account = $account "  # noqa: S608  # as above
            f"AND format = 'cash' AND from_bank IS NULL AND ({condition_of(sql)}) ORDER BY ts",
            {"account": self.account_of[customer]},
        )
        return _booked(found)


def _booked(found: duckdb.DuckDBPyConnection) -> list[Booked]:
    return [Booked(time, incoming, int(amount), other) for time, incoming, amount, other in found.fetchall()]


def account_case(
    book: Book,
    account: str,
    typology: str,
    risk: float,
    spec: plain.Spec,
    source: Source,
    pseudonym: Pseudonym,
) -> Case:
    """The case of an account that an analysis of payments alerts."""
    booked = book.payments(account, spec)
    others = sorted({each.other for each in booked if each.other and each.other not in book.customer_of})
    return _case(
        book, account, typology, risk, booked, source, case_id(source.run, pseudonym("account", account)),
        tuple(case_id(source.run, pseudonym("account", other)) for other in others),
    )  # fmt: skip


def customer_case(book: Book, customer: str, sql: str, source: Source, pseudonym: Pseudonym) -> Case:
    """The case of a customer whose cash deposits an analysis alerts."""
    booked = book.deposits(customer, sql)
    account = book.account_of[customer]
    own_id = case_id(source.run, pseudonym("customer", customer))
    return _case(book, account, source.analysis, None, booked, source, own_id, ())


def _case(
    book: Book,
    account: str,
    typology: str,
    risk: float | None,
    booked: Sequence[Booked],
    source: Source,
    own_id: str,
    others: tuple[str, ...],
) -> Case:
    incoming = [each.amount for each in booked if each.incoming]
    outgoing = [each.amount for each in booked if not each.incoming]
    return Case(
        own_id,
        typology,
        book.bank,
        account,
        book.customer_of[account],
        risk,
        booked[0].time.isoformat() if booked else "",
        booked[-1].time.isoformat() if booked else "",
        len(incoming),
        sum(incoming),
        len(outgoing),
        sum(outgoing),
        "EUR",
        others,
        source.session,
        source.plan,
        source.policy,
    )


def write(folder: Path, cases: Sequence[Case]) -> None:
    """``cases.json`` and ``cases.csv``; the list in a cell of the CSV is separated by blanks."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cases.json").write_text(json.dumps([asdict(case) for case in cases], indent=1) + "\n")
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Case)])
        writer.writeheader()
        for case in cases:
            writer.writerow({**asdict(case), "other_ends": " ".join(case.other_ends)})
