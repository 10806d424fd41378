"""Deterministic test data of an AML consortium: accounts and transactions of any number of banks, and the truth.

    python -m examples.aml.generate --out build/aml

Every bank gets ``accounts`` and ``transactions`` as it would hold them: both banks hold an interbank row. Parquet
files have the catalogue's words, the same rows as CSV those of a core banking system (``export``). A quarter of the
customers have a second bank. Amounts are heavy-tailed integers in minor units.

Planted, and written to ``truth.json``: customers whose cash deposits in the window reach the threshold over two or
three banks and at no single one (``structuring``), customers who reach it at one bank alone (``single_bank``),
customers who stay one unit below it over two banks (``one_below``); a country with one customer too few at the other
banks to be shown (``country_below``) and one with exactly enough (``country_at``), seen from the first bank.
No other customer of two banks comes near the threshold: the generator lowers the deposits of those who would.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from examples.aml.export import exported_accounts, exported_transactions

COUNTRIES = ("AT", "BE", "DE", "ES", "FI", "FR", "IE", "IT", "NL", "PT")
COUNTRY_BELOW, COUNTRY_AT = "LI", "MT"
SEGMENTS = ("private", "business", "premium")
RISK_CLASSES = ("low", "medium", "high")
CURRENCIES = ("EUR", "USD", "GBP")
CURRENCY_SHARES = (0.94, 0.04, 0.02)


@dataclass(frozen=True)
class Parameters:
    """What the data looks like. ``threshold`` is in minor units; the window is half-open."""

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
            seed=seed,
        )


@dataclass
class Truth:
    """Customer ids by what was planted."""

    structuring: list[str] = field(default_factory=list)
    single_bank: list[str] = field(default_factory=list)
    one_below: list[str] = field(default_factory=list)
    country_below: str = COUNTRY_BELOW
    country_at: str = COUNTRY_AT


@dataclass(frozen=True)
class Customers:
    """Column by column: id, country code, banks (one or two; the planted ones up to three)."""

    ids: list[str]
    countries: list[str]
    banks: list[tuple[str, ...]]


def make_customers(parameters: Parameters, random: np.random.Generator) -> Customers:
    """Customers of all banks: ids with leading zeros, a country, a home bank and for a share of them a second one."""
    banks = parameters.banks
    homes = round(parameters.customers_per_bank / (1 + parameters.shared_customers))
    total = homes * len(banks)
    numbers = random.permutation(10 * total)[:total]
    ids = [f"{number:09d}" for number in numbers]
    countries = [COUNTRIES[code] for code in random.choice(len(COUNTRIES), total, p=_country_shares())]
    second = random.random(total) < parameters.shared_customers
    steps = random.integers(1, max(2, len(banks)), total)
    held = []
    for place in range(total):
        home = place % len(banks)
        others = (banks[(home + int(steps[place])) % len(banks)],) if second[place] and len(banks) > 1 else ()
        held.append((banks[home], *others))
    return Customers(ids, countries, held)


def _country_shares() -> list[float]:
    weights = 1 / np.arange(1, len(COUNTRIES) + 1)
    return list(weights / weights.sum())


def plant(parameters: Parameters, customers: Customers) -> tuple[Truth, dict[str, list[tuple[str, int]]]]:
    """Choose the planted customers; returns the truth and, by customer id, deposits as (bank, amount)."""
    banks = parameters.banks
    threshold = parameters.threshold
    single = [place for place, held in enumerate(customers.banks) if len(held) == 1]
    shared = [place for place, held in enumerate(customers.banks) if len(held) == 2]
    truth, deposits = Truth(), {}
    for number in range(parameters.structuring):
        place = shared.pop()
        held = customers.banks[place] if number % 2 or len(banks) < 3 else banks[:3]
        customers.banks[place] = held
        share = threshold // len(held)
        parts = [(bank, share + (threshold - share * len(held) if bank == held[0] else 0)) for bank in held]
        extra = 0 if number == 0 else 137 * number  # the first reaches the threshold to the unit
        truth.structuring.append(customers.ids[place])
        deposits[customers.ids[place]] = _split(parts, extra)
    for number in range(parameters.single_bank):
        place = single.pop()
        truth.single_bank.append(customers.ids[place])
        deposits[customers.ids[place]] = _split([(customers.banks[place][0], threshold + 1000 * number)], 0)
    for _ in range(parameters.one_below):
        place = shared.pop()
        held = customers.banks[place]
        truth.one_below.append(customers.ids[place])
        deposits[customers.ids[place]] = _split([(held[0], threshold // 2), (held[1], threshold // 2 - 1)], 0)
    _plant_countries(parameters, customers, single, deposits)
    return truth, deposits


def _split(parts: Sequence[tuple[str, int]], extra: int) -> list[tuple[str, int]]:
    """Each part as two deposits below the reporting line, ``extra`` added to the first part."""
    out = []
    for number, (bank, amount) in enumerate(parts):
        whole = amount + (extra if number == 0 else 0)
        out += [(bank, whole // 2), (bank, whole - whole // 2)]
    return out


def _plant_countries(
    parameters: Parameters, customers: Customers, single: list[int], deposits: dict[str, list[tuple[str, int]]]
) -> None:
    """Seen from the first bank: one country with ``minimum - 1`` customers at the others, one with ``minimum``."""
    for country, count in (
        (COUNTRY_BELOW, parameters.minimum_entities - 1),
        (COUNTRY_AT, parameters.minimum_entities),
    ):
        for bank_number, bank in enumerate(parameters.banks):
            wanted = 4 if bank_number == 0 else _shares(count, len(parameters.banks) - 1)[bank_number - 1]
            chosen = [place for place in single if customers.banks[place] == (bank,)][-wanted:] if wanted else []
            for place in chosen:
                single.remove(place)
                customers.countries[place] = country
                deposits[customers.ids[place]] = [(bank, 50_000 + place % 1000)]


def _shares(count: int, parts: int) -> list[int]:
    return [count // parts + (number < count % parts) for number in range(parts)]


def make_accounts(parameters: Parameters, customers: Customers, random: np.random.Generator) -> dict[str, pl.DataFrame]:
    """One account a customer and bank, by bank."""
    frames = {}
    for bank_number, bank in enumerate(parameters.banks):
        places = [place for place, held in enumerate(customers.banks) if bank in held]
        count = len(places)
        risk = random.choice(len(RISK_CLASSES), count, p=(0.8, 0.15, 0.05))
        opened = parameters.start.date() - timedelta(days=1)
        frames[bank] = pl.DataFrame(
            {
                "account_id": [f"{bank_number:02d}{place:010d}" for place in places],
                "customer_key": [customers.ids[place] for place in places],
                "bank": [bank] * count,
                "opened": [opened - timedelta(days=int(days)) for days in random.integers(0, 7000, count)],
                "country": [customers.countries[place] for place in places],
                "segment": [SEGMENTS[code] for code in random.choice(len(SEGMENTS), count, p=(0.8, 0.15, 0.05))],
                "risk_class": [RISK_CLASSES[code] for code in risk],
                "risk_score": random.integers(0, 34, count) + 33 * risk,
                "cash_intensive": random.random(count) < 0.05,
                "sar_flag": random.random(count) < 0.01,
            }
        )
    return frames


def make_transactions(
    parameters: Parameters,
    accounts: Mapping[str, pl.DataFrame],
    planted: Mapping[str, list[tuple[str, int]]],
    random: np.random.Generator,
) -> dict[str, pl.DataFrame]:
    """All that each bank holds: its own rows, cash, and both directions of the interbank transfers."""
    held: dict[str, list[pl.DataFrame]] = {bank: [] for bank in parameters.banks}
    for bank in parameters.banks:
        numbers = accounts[bank]["account_id"].to_list()
        cash_in = _cash_deposits(parameters, bank, accounts[bank], planted, random)
        cash_out = _rows(parameters, random, parameters.withdrawals_per_bank, (bank, numbers), None, "cash")
        held[bank] += [cash_in, cash_out]
        for other in parameters.banks:
            if other != bank:
                there = accounts[other]["account_id"].to_list()
                rows = _rows(
                    parameters, random, parameters.transfers_per_pair, (bank, numbers), (other, there), "transfer"
                )
                held[bank].append(rows)
                held[other].append(rows)
    frames = {}
    for bank in parameters.banks:
        missing = parameters.transactions_per_bank - sum(frame.height for frame in held[bank])
        if missing < 0:
            raise SystemExit(f"{bank}: more cash and interbank rows than transactions_per_bank allows")
        numbers = accounts[bank]["account_id"].to_list()
        inside = _rows(parameters, random, missing, (bank, numbers), (bank, numbers), "transfer")
        frames[bank] = pl.concat([*held[bank], inside]).sort("ts", "tx_id")
    return frames


def _rows(
    parameters: Parameters,
    random: np.random.Generator,
    count: int,
    sender: tuple[str, list[str]] | None,
    receiver: tuple[str, list[str]] | None,
    kind: str,
) -> pl.DataFrame:
    """``count`` background rows; a None side is cash over the counter."""
    seconds = random.integers(0, parameters.days * 86_400, count)
    formats = ["cash"] * count if kind == "cash" else _choice(random, ("transfer", "card", "cheque"), count)
    channels = ("branch", "atm") if kind == "cash" else ("online", "mobile", "branch")

    def side(pair: tuple[str, list[str]] | None) -> tuple[list[str | None], list[str | None]]:
        if pair is None:
            return [None] * count, [None] * count
        bank, numbers = pair
        return [bank] * count, [numbers[place] for place in random.integers(0, len(numbers), count)]

    from_bank, from_account = side(sender)
    to_bank, to_account = side(receiver)
    return pl.DataFrame(
        {
            "tx_id": [f"{number:016x}" for number in random.integers(0, 1 << 62, count)],
            "ts": [parameters.start + timedelta(seconds=int(second)) for second in seconds],
            "from_bank": from_bank,
            "from_account": from_account,
            "to_bank": to_bank,
            "to_account": to_account,
            "amount_minor": _amounts(random, count),
            "currency": _choice(random, CURRENCIES, count, CURRENCY_SHARES),
            "format": formats,
            "channel": _choice(random, channels, count),
        },
        schema_overrides={
            "ts": pl.Datetime("us", "UTC"),
            **dict.fromkeys(("from_bank", "from_account", "to_bank", "to_account"), pl.String),
        },
    )


def _amounts(random: np.random.Generator, count: int) -> np.ndarray:
    """Heavy-tailed amounts in minor units, at most ten million."""
    return np.minimum(np.exp(random.normal(9.5, 1.1, count)).astype(np.int64) + 100, 1_000_000_000)


def _choice(
    random: np.random.Generator, words: Sequence[str], count: int, shares: Sequence[float] | None = None
) -> list[str]:
    return [words[code] for code in random.choice(len(words), count, p=shares)]


def _cash_deposits(
    parameters: Parameters,
    bank: str,
    accounts: pl.DataFrame,
    planted: Mapping[str, list[tuple[str, int]]],
    random: np.random.Generator,
) -> pl.DataFrame:
    """Background deposits of unplanted customers, small enough in the window, and the planted ones exactly."""
    own = [
        (customer, amount) for customer, parts in planted.items() for part_bank, amount in parts if part_bank == bank
    ]
    account_of = dict(zip(accounts["customer_key"], accounts["account_id"], strict=True))
    unplanted = [account for customer, account in account_of.items() if customer not in planted]
    background = _rows(parameters, random, parameters.deposits_per_bank - len(own), None, (bank, unplanted), "cash")
    # A third of the threshold over all of a customer's deposits at one bank: two banks can't reach it.
    cap = parameters.threshold // 3
    background = background.with_columns(
        (
            pl.col("amount_minor")
            * cap
            // pl.max_horizontal(pl.col("amount_minor").sum().over("to_account"), pl.lit(cap))
        ).alias("amount_minor")
    )
    planted_rows = _rows(parameters, random, len(own), None, (bank, unplanted), "cash")
    span = int((parameters.window_end - parameters.window_start).total_seconds())
    stamps = [parameters.window_start + timedelta(seconds=int(second)) for second in random.integers(0, span, len(own))]
    planted_rows = planted_rows.with_columns(
        pl.Series("ts", stamps, dtype=pl.Datetime("us", "UTC")),
        pl.Series("to_account", [account_of[customer] for customer, _ in own], dtype=pl.String),
        pl.Series("amount_minor", [amount for _, amount in own], dtype=pl.Int64),
        pl.lit("EUR").alias("currency"),
    )
    return pl.concat([background, planted_rows])


def generate(parameters: Parameters, out: Path) -> Truth:
    """Write ``out/BANK/{accounts,transactions}.{parquet,csv}`` and ``out/truth.json``; returns the truth."""
    random = np.random.default_rng(parameters.seed)
    customers = make_customers(parameters, random)
    truth, planted = plant(parameters, customers)
    accounts = make_accounts(parameters, customers, random)
    transactions = make_transactions(parameters, accounts, planted, random)
    for bank in parameters.banks:
        folder = out / bank
        folder.mkdir(parents=True, exist_ok=True)
        accounts[bank].write_parquet(folder / "accounts.parquet")
        transactions[bank].write_parquet(folder / "transactions.parquet")
        exported_accounts(accounts[bank], parameters.banks).write_csv(folder / "accounts.csv")
        exported_transactions(transactions[bank], parameters.banks).write_csv(folder / "transactions.csv")
    (out / "truth.json").write_text(json.dumps(asdict(truth), indent=1) + "\n")
    return truth


def main() -> None:
    """Write the data and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("build/aml"))
    parser.add_argument("--seed", type=int, default=Parameters.seed)
    parser.add_argument("--banks", default=",".join(Parameters.banks))
    parser.add_argument("--customers", type=int, default=Parameters.customers_per_bank, help="a bank")
    parser.add_argument("--transactions", type=int, default=Parameters.transactions_per_bank, help="a bank")
    given = parser.parse_args()
    banks = tuple(given.banks.split(","))
    parameters = Parameters.of_size(given.customers, given.transactions, banks, given.seed)
    truth = generate(parameters, given.out)
    print(f"{len(parameters.banks)} banks in {given.out}, {len(truth.structuring)} structuring customers planted")


if __name__ == "__main__":
    main()
