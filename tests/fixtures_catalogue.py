"""A small consortium of three banks for tests: its catalogue, and the surroundings of a plan.

Tables: ``accounts``, ``transactions`` (with the canonical predicate), ``deposits`` (a local table) and ``numbers``
(every type, nullable, for expressions).
"""

from datetime import UTC, datetime

from consortia.plans.catalogue import Catalogue, CatalogueColumn, CatalogueTable, KeyDomain
from consortia.plans.draft import Environment
from consortia.plans.types import Bounds, ColumnType

BANKS = ("bank-a", "bank-b", "bank-c")
MEMBERS = BANKS
COUNTRIES = ("DE", "FR", "NL", "AT", "BE")
CURRENCIES = ("EUR", "USD", "CHF")
AS_OF = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ANALYST = "ana@bank-a"
PURPOSE = "aml-detection"
ZEROS = "0" * 64

BOOL, INT, TEXT = ColumnType(kind="bool"), ColumnType(kind="int"), ColumnType(kind="text")
DATE, TIMESTAMP = ColumnType(kind="date"), ColumnType(kind="timestamp")
CUSTOMER = ColumnType(kind="key", domain="customer", bits=96)
ACCOUNT = ColumnType(kind="key", domain="account", bits=96)
COUNTRY = ColumnType(kind="enum", domain="country", values=COUNTRIES)
CURRENCY = ColumnType(kind="enum", domain="currency", values=CURRENCIES)
BANK = ColumnType(kind="enum", domain="bank", values=BANKS)
AMOUNT = ColumnType(kind="int", unit="currency")


def column(
    name: str,
    kind: ColumnType,
    lo: int | None = None,
    hi: int | None = None,
    *,
    nullable: bool = False,
    max_distinct: int = 0,
) -> CatalogueColumn:
    """A catalogue column; bounds only if both are given."""
    bounds = None if lo is None or hi is None else Bounds(lo=lo, hi=hi)
    return CatalogueColumn(name=name, type=kind, bounds=bounds, nullable=nullable, max_distinct=max_distinct)


def table(
    name: str,
    *columns: CatalogueColumn,
    max_rows: int = 1000,
    holders: tuple[str, ...] = BANKS,
    canonical: str = "",
    definition: str = "",
) -> CatalogueTable:
    """A catalogue table held by all three banks unless said otherwise."""
    return CatalogueTable(
        name=name, columns=columns, holders=holders, max_rows=max_rows, canonical=canonical, definition=definition
    )


ACCOUNTS = table(
    "accounts",
    column("account_id", ACCOUNT, max_distinct=9000),
    column("customer_key", CUSTOMER, max_distinct=8000),
    column("bank", BANK),
    column("opened", DATE),
    column("country", COUNTRY),
    column("risk_score", INT, 0, 100, nullable=True),
    column("sar_flag", BOOL, nullable=True),
    max_rows=9000,
)
TRANSACTIONS = table(
    "transactions",
    column("tx_id", TEXT),
    column("ts", TIMESTAMP),
    column("from_bank", BANK, nullable=True),
    column("from_account", ACCOUNT, nullable=True, max_distinct=9000),
    column("to_bank", BANK, nullable=True),
    column("to_account", ACCOUNT, nullable=True, max_distinct=9000),
    column("amount_minor", AMOUNT, 0, 10**12),
    column("currency", CURRENCY),
    column("format", ColumnType(kind="enum", domain="format", values=("cash", "wire", "card"))),
    max_rows=50_000,
    canonical="coalesce(from_bank, to_bank) = member()",
)
DEPOSITS = table(
    "deposits",
    column("customer_key", CUSTOMER, max_distinct=8000),
    column("ts", TIMESTAMP),
    column("amount_minor", AMOUNT, 0, 10**10),
    column("currency", CURRENCY),
    column("country", COUNTRY),
    max_rows=20_000,
    definition="SELECT a.customer_key, t.ts, t.amount_minor, t.currency, a.country FROM transactions AS t "
    "JOIN accounts AS a ON a.account_id = t.to_account WHERE t.format = 'cash' AND t.from_account IS NULL",
)
NUMBERS = table(
    "numbers",
    column("a", INT, -1000, 1000, nullable=True),
    column("b", INT, -20, 20, nullable=True),
    column("c", INT, 0, 10),
    column("price", ColumnType(kind="decimal", scale=2), -(10**6), 10**6, nullable=True),
    column("big", ColumnType(kind="decimal", scale=2), -(10**18 - 1), 10**18 - 1),
    column("huge", ColumnType(kind="decimal"), -(10**38 - 1), 10**38 - 1),
    column("flag", BOOL, nullable=True),
    column("country", COUNTRY, nullable=True),
    column("day", DATE, nullable=True),
    column("ts", TIMESTAMP, nullable=True),
    column("note", TEXT, nullable=True),
    column("unbounded", INT),
    column("person", CUSTOMER, nullable=True, max_distinct=500),
    max_rows=10_000,
)
CATALOGUE = Catalogue(
    consortium="testers",
    version=1,
    previous=ZEROS,
    purposes=(PURPOSE, "statistics"),
    key_domains=(
        KeyDomain(name="account", id_type="iban", key_id="aa"),
        KeyDomain(name="customer", id_type="national-id", key_id="aa"),
    ),
    tables=(ACCOUNTS, DEPOSITS, NUMBERS, TRANSACTIONS),
)
ENTITIES = {"accounts": "customer_key", "deposits": "customer_key", "numbers": "person"}

STRUCTURING = (
    "SELECT customer_key FROM deposits WHERE ts >= TIMESTAMP '2026-03-01 00:00:00' "
    "AND ts < TIMESTAMP '2026-04-01 00:00:00' AND currency = 'EUR' AND amount_minor < 1000000 "
    "GROUP BY customer_key HAVING SUM(amount_minor) >= 1000000 AND COUNT(DISTINCT member()) >= 2 "
    "ORDER BY customer_key"
)
STATISTICS = (
    "SELECT country, COUNT(*) AS deposits, SUM(amount_minor) AS total, AVG(amount_minor) AS mean "
    "FROM deposits WHERE currency = 'EUR' GROUP BY country ORDER BY country"
)


def environment(catalogue: Catalogue = CATALOGUE, **changes: object) -> Environment:
    """The surroundings of a plan: analyst of bank-a, three banks compute, everything in force."""
    values: dict[str, object] = {
        "manifest": "1" * 64,
        "catalogue": catalogue,
        "catalogue_digest": catalogue.digest(),
        "computers": BANKS,
        "members": MEMBERS,
        "purpose": PURPOSE,
        "as_of": AS_OF,
        "submitter": ANALYST,
        "entities": ENTITIES,
    }
    return Environment(**(values | changes))  # type: ignore[arg-type] # a keyword each, checked by the dataclass
