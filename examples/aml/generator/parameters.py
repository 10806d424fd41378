"""What the generated data looks like: sizes, shares, rhythms, and how much of each pattern is planted."""

from dataclasses import dataclass
from datetime import UTC, datetime

COUNTRIES = ("AT", "BE", "DE", "ES", "FI", "FR", "IE", "IT", "NL", "PT")
COUNTRY_BELOW, COUNTRY_AT = "LI", "MT"
SEGMENTS = ("private", "business", "premium")
SEGMENT_SHARES = (0.8, 0.15, 0.05)
RISK_CLASSES = ("low", "medium", "high")
RISK_SHARES = (0.8, 0.15, 0.05)
CURRENCIES = ("EUR", "USD", "GBP")
CURRENCY_SHARES = (0.94, 0.04, 0.02)
FORMATS = ("transfer", "card", "cheque")
CHANNELS = ("online", "mobile", "branch")
CASH_CHANNELS = ("branch", "atm")
TYPOLOGIES = (
    "fan-in",
    "fan-out",
    "cycle",
    "bipartite",
    "stack",
    "random",
    "scatter-gather",
    "gather-scatter",
    "mule",
)
LARGEST = 1_000_000_000
"""Ten million in minor units: the bound that the catalogue declares for an amount."""


@dataclass(frozen=True)
class Rhythms:
    """Shares of the background's rows that are no cash: wages and bills come monthly, the rest at any time."""

    wages: float = 0.08
    bills: float = 0.20
    own_accounts: float = 0.02
    """Between two accounts of one customer, at two banks."""
    same_account: float = 0.001
    """From an account to itself, as real books hold them."""


@dataclass(frozen=True)
class Parameters:
    """``threshold`` is in minor units; the window is half-open; numbers are for a bank unless they say otherwise."""

    banks: tuple[str, ...] = ("bank-a", "bank-b", "bank-c")
    customers_per_bank: int = 8_000
    transactions_per_bank: int = 50_000
    deposits_per_bank: int = 9_000
    withdrawals_per_bank: int = 3_000
    transfers_per_pair: int = 4_000
    shared_customers: float = 0.25
    start: datetime = datetime(2026, 8, 1, tzinfo=UTC)
    days: int = 92
    window_start: datetime = datetime(2026, 10, 1, tzinfo=UTC)
    window_end: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    threshold: int = 1_000_000
    structuring: int = 40
    single_bank: int = 10
    one_below: int = 10
    minimum_entities: int = 10
    rings: int = 8
    """Rings of each typology, over all banks."""
    suspects: float = 0.25
    """Share of the rings' accounts that their own bank knows already: a risk score from 95 on, and reported."""
    rhythms: Rhythms = Rhythms()
    popularity: float = 1.2
    """Shape of the Pareto weights by which receivers are chosen: the smaller, the more some accounts stand out."""
    seed: int = 2026

    @classmethod
    def of_size(
        cls, customers: int, transactions: int, banks: tuple[str, ...] = banks, seed: int = seed
    ) -> "Parameters":
        """As many customers and transactions a bank, the kinds of transactions in the default's proportions."""
        scale = transactions / cls.transactions_per_bank
        return cls(
            banks=banks,
            customers_per_bank=customers,
            transactions_per_bank=transactions,
            deposits_per_bank=round(cls.deposits_per_bank * scale),
            withdrawals_per_bank=round(cls.withdrawals_per_bank * scale),
            transfers_per_pair=round(cls.transfers_per_pair * scale * 2 / max(1, len(banks) - 1)),
            rings=max(2, round(cls.rings * scale * len(banks) / len(cls.banks))),
            seed=seed,
        )
