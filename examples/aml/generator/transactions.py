"""All that each bank holds: cash, its own rows, interbank rows in both books, and the rings' payments among them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from examples.aml.generator.background import background
from examples.aml.generator.books import DAY, Book, amounts, rows, side
from examples.aml.generator.parameters import CASH_CHANNELS, Parameters
from examples.aml.generator.planted import RingTruth
from examples.aml.generator.rings import LONGEST_DAYS, Ring, rings_of

Deposits = Mapping[str, Sequence[tuple[str, int]]]
"""Planted deposits by customer: bank and amount."""


def make_transactions(
    parameters: Parameters, books: Sequence[Book], planted: Deposits, random: np.random.Generator
) -> tuple[dict[str, pl.DataFrame], list[RingTruth]]:
    """Every bank's rows by time, exactly ``transactions_per_bank`` of them, and the truth about the rings."""
    laundered, truth = _laundered(parameters, books, planted, random)
    held: dict[str, list[pl.DataFrame]] = {book.bank: [_of_bank(laundered, book.bank)] for book in books}
    for book in books:
        held[book.bank] += [_cash_in(parameters, book, planted, random), _cash_out(parameters, book, random)]
        for other in books:
            if other is not book:
                between = background(parameters, random, book, other, parameters.transfers_per_pair)
                held[book.bank].append(between)
                held[other.bank].append(between)
    frames = {}
    for book in books:
        missing = parameters.transactions_per_bank - sum(frame.height for frame in held[book.bank])
        if missing < 0:
            raise SystemExit(f"{book.bank}: more cash, ring and interbank rows than transactions_per_bank allows")
        inside = background(parameters, random, book, book, missing)
        frames[book.bank] = pl.concat([*held[book.bank], inside]).sort("ts", "tx_id")
    return frames, truth


def _of_bank(frame: pl.DataFrame, bank: str) -> pl.DataFrame:
    return frame.filter((pl.col("from_bank") == bank) | (pl.col("to_bank") == bank))


# --- rings ----------------------------------------------------------------------------------------------


def _laundered(
    parameters: Parameters, books: Sequence[Book], planted: Deposits, random: np.random.Generator
) -> tuple[pl.DataFrame, list[RingTruth]]:
    """The payments of all rings, each ring of accounts of its own, and who they are."""
    rings = rings_of(parameters, random)
    members = _members(books, planted, rings, random)
    senders, receivers, seconds, sums, whose = [], [], [], [], []
    for ring, accounts in zip(rings, members, strict=True):
        begin = int(random.integers(0, max(1, parameters.days - LONGEST_DAYS) * DAY))
        for payment in ring.payments:
            senders.append(accounts[payment.sender])
            receivers.append(accounts[payment.receiver])
            seconds.append(begin + payment.seconds)
            sums.append(payment.amount)
            whose.append(ring.number)
    sides = [
        (np.array([end[0] for end in ends], dtype=object), np.array([end[1] for end in ends], dtype=object))
        for ends in (senders, receivers)
    ]
    frame = rows(parameters, random, sides[0], sides[1], np.array(seconds, np.int64), np.array(sums, np.int64))
    ids = frame["tx_id"].to_list()
    numbers = np.array(whose)
    truth = [
        RingTruth(ring.number, ring.typology, accounts, tuple(ids[at] for at in np.flatnonzero(numbers == ring.number)))
        for ring, accounts in zip(rings, members, strict=True)
    ]
    return frame, truth


def _members(
    books: Sequence[Book], planted: Deposits, rings: Sequence[Ring], random: np.random.Generator
) -> list[tuple[tuple[str, str, str], ...]]:
    """For each ring its accounts, each account in one ring, in turns from the banks as shuffled: two banks at least."""
    free = []
    for book in books:
        places = [place for place in random.permutation(len(book.accounts)) if book.customers[place] not in planted]
        free.append([(book.bank, str(book.accounts[place]), str(book.customers[place])) for place in places])
    chosen = []
    for ring in rings:
        order = random.permutation(len(books))
        first = [order[place % len(books)] for place in range(min(2, ring.size))]
        banks = random.permutation([*first, *random.integers(0, len(books), ring.size - len(first))])
        if any(not free[bank] for bank in banks):
            raise SystemExit("more accounts in rings than a bank has: fewer rings, or more customers")
        chosen.append(tuple(free[bank].pop() for bank in banks))
    return chosen


# --- cash -----------------------------------------------------------------------------------------------


def _cash_out(parameters: Parameters, book: Book, random: np.random.Generator) -> pl.DataFrame:
    count = parameters.withdrawals_per_bank
    payers = random.integers(0, len(book.accounts), count)
    return _cash(parameters, random, side(book, payers), None, random.integers(0, parameters.days * DAY, count))


def _cash_in(parameters: Parameters, book: Book, planted: Deposits, random: np.random.Generator) -> pl.DataFrame:
    """Background deposits of unplanted customers, small enough in the window, and the planted ones exactly."""
    own = [(customer, amount) for customer, parts in planted.items() for bank, amount in parts if bank == book.bank]
    unplanted = np.flatnonzero([str(customer) not in planted for customer in book.customers])
    count = parameters.deposits_per_bank - len(own)
    receivers = unplanted[random.integers(0, len(unplanted), count)]
    usual = _cash(parameters, random, None, side(book, receivers), random.integers(0, parameters.days * DAY, count))
    # A third of the threshold over all of a customer's deposits at one bank: two banks can't reach it.
    cap = parameters.threshold // 3
    lowered = (
        pl.col("amount_minor") * cap // pl.max_horizontal(pl.col("amount_minor").sum().over("to_account"), pl.lit(cap))
    )
    usual = usual.with_columns(pl.max_horizontal(lowered, pl.lit(1)).alias("amount_minor"))
    place_of = book.place_of()
    places = np.array([place_of[customer] for customer, _ in own], np.int64)
    begin = int((parameters.window_start - parameters.start) / timedelta(seconds=1))
    span = int((parameters.window_end - parameters.window_start) / timedelta(seconds=1))
    special = _cash(parameters, random, None, side(book, places), begin + random.integers(0, span, len(own)))
    exact = pl.Series("amount_minor", [amount for _, amount in own], dtype=pl.Int64)
    return pl.concat([usual, special.with_columns(exact, pl.lit("EUR").alias("currency"))])


def _cash(
    parameters: Parameters,
    random: np.random.Generator,
    sender: tuple[np.ndarray, np.ndarray] | None,
    receiver: tuple[np.ndarray, np.ndarray] | None,
    seconds: np.ndarray,
) -> pl.DataFrame:
    return rows(
        parameters,
        random,
        sender,
        receiver,
        seconds,
        amounts(random, len(seconds)),
        formats=("cash",),
        channels=CASH_CHANNELS,
    )
