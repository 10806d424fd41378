"""A bank's accounts as arrays, and rows of its book made from arrays."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from examples.aml.generator.parameters import CHANNELS, CURRENCIES, CURRENCY_SHARES, FORMATS, LARGEST, Parameters

Array = np.ndarray
DAY = 86_400


@dataclass(frozen=True)
class Book:
    """One bank: account ids and their customers, places of the businesses, and how likely each receives a payment."""

    bank: str
    accounts: Array
    customers: Array
    business: Array
    popularity: Array

    def place_of(self) -> dict[str, int]:
        """The place of each customer's account."""
        return {str(customer): place for place, customer in enumerate(self.customers)}


def book_of(bank: str, accounts: pl.DataFrame, parameters: Parameters, random: np.random.Generator) -> Book:
    """The book of ``bank``; popularity follows a Pareto law, so that a few accounts receive very often."""
    weights = random.pareto(parameters.popularity, accounts.height) + 1
    business = np.flatnonzero((accounts["segment"] == "business").to_numpy())
    return Book(
        bank,
        accounts["account_id"].to_numpy(),
        accounts["customer_key"].to_numpy(),
        business if business.size else np.arange(accounts.height),
        weights / weights.sum(),
    )


@dataclass(frozen=True)
class Payments:
    """Rows without their banks: places of the accounts, seconds after the start, amounts in minor units."""

    sender: Array
    receiver: Array
    seconds: Array
    amounts: Array


def rows_of(
    parameters: Parameters, random: np.random.Generator, payments: Payments, sender: Book, receiver: Book
) -> pl.DataFrame:
    """Payments from one book to another (or the same) as rows."""
    return rows(
        parameters,
        random,
        side(sender, payments.sender),
        side(receiver, payments.receiver),
        payments.seconds,
        payments.amounts,
    )


Side = tuple[Array, Array]
"""Banks and accounts of one side of rows."""


def side(book: Book, places: Array) -> Side:
    """Accounts of one book at those places."""
    return np.full(len(places), book.bank, dtype=object), book.accounts[places]


def rows(
    parameters: Parameters,
    random: np.random.Generator,
    sender: Side | None,
    receiver: Side | None,
    seconds: Array,
    amounts: Array,
    *,
    formats: tuple[str, ...] = FORMATS,
    channels: tuple[str, ...] = CHANNELS,
) -> pl.DataFrame:
    """Rows of a book; a None side is cash over the counter.

    Id, currency, format and channel are drawn alike for all, so that none of them tells a laundered payment.
    """
    count = len(seconds)

    def ends(name: str, end: Side | None) -> list[pl.Series]:
        banks, accounts = ([None] * count, [None] * count) if end is None else end
        return [
            pl.Series(f"{name}_bank", banks, dtype=pl.String),
            pl.Series(f"{name}_account", accounts, dtype=pl.String),
        ]

    start = np.datetime64(parameters.start.replace(tzinfo=None), "us")
    stamps = start + np.asarray(seconds, np.int64) * np.timedelta64(1_000_000, "us")
    columns = [
        pl.Series("tx_id", [f"{number:016x}" for number in random.integers(0, 1 << 62, count)], dtype=pl.String),
        pl.Series("ts", stamps).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        *ends("from", sender),
        *ends("to", receiver),
        pl.Series("amount_minor", np.minimum(amounts, LARGEST), dtype=pl.Int64),
        pl.Series("currency", _choice(random, CURRENCIES, count, CURRENCY_SHARES), dtype=pl.String),
        pl.Series("format", _choice(random, formats, count), dtype=pl.String),
        pl.Series("channel", _choice(random, channels, count), dtype=pl.String),
    ]
    return pl.DataFrame(columns)


def amounts(random: np.random.Generator, count: int) -> Array:
    """Heavy-tailed amounts in minor units."""
    return np.minimum(np.exp(random.normal(9.5, 1.1, count)).astype(np.int64) + 100, LARGEST)


def _choice(
    random: np.random.Generator, words: tuple[str, ...], count: int, shares: tuple[float, ...] | None = None
) -> Array:
    return np.array(words, dtype=object)[random.choice(len(words), count, p=shares)]
