"""Ordinary life: wages, bills, transfers between own accounts, and payments among people, by pair of banks.

Wages and bills come on a fixed day of the month from or to a fixed business, in nearly the same amount each time. All
other payments go from anybody to receivers chosen by their popularity, at any time, in heavy-tailed amounts.
"""

import numpy as np
import polars as pl

from examples.aml.generator.books import DAY, Array, Book, Payments, amounts, rows_of
from examples.aml.generator.parameters import Parameters

WAGE_DAY, WAGE_HOURS = 24, (6, 10)


def background(
    parameters: Parameters, random: np.random.Generator, sender: Book, receiver: Book, count: int
) -> pl.DataFrame:
    """``count`` rows from one bank's accounts to another's (or its own)."""
    rhythms = parameters.rhythms
    wages = round(count * rhythms.wages)
    bills = round(count * rhythms.bills)
    own = _own_accounts(sender, receiver)
    between_own = round(count * rhythms.own_accounts) if len(own[0]) else 0
    to_itself = round(count * rhythms.same_account) if sender is receiver else 0
    made = [
        _wages(parameters, random, sender, receiver, wages),
        _bills(parameters, random, sender, receiver, bills),
        _between_own(parameters, random, own, between_own),
        _to_itself(parameters, random, sender, to_itself),
        _people(parameters, random, sender, receiver, count - wages - bills - between_own - to_itself),
    ]
    return pl.concat([rows_of(parameters, random, payments, sender, receiver) for payments in made])


def _wages(parameters: Parameters, random: np.random.Generator, sender: Book, receiver: Book, count: int) -> Payments:
    employees = random.integers(0, len(receiver.accounts), count)
    employers = sender.business[_hashed(employees, 7) % len(sender.business)]
    hours = random.integers(WAGE_HOURS[0] * 3600, WAGE_HOURS[1] * 3600, count)
    wage = 150_000 + _hashed(employees, 11) % 450_000
    return Payments(employers, employees, _months(parameters, random, count) + WAGE_DAY * DAY + hours, wage)


def _bills(parameters: Parameters, random: np.random.Generator, sender: Book, receiver: Book, count: int) -> Payments:
    payers = random.integers(0, len(sender.accounts), count)
    contract = _hashed(payers, 13)
    creditors = receiver.business[contract % len(receiver.business)]
    days = _hashed(payers, 17) % 28
    usual = 1_500 + contract % 20_000
    paid = (usual * random.uniform(0.97, 1.03, count)).astype(np.int64)
    return Payments(
        payers, creditors, _months(parameters, random, count) + days * DAY + random.integers(0, DAY, count), paid
    )


def _between_own(parameters: Parameters, random: np.random.Generator, own: tuple[Array, Array], count: int) -> Payments:
    chosen = random.integers(0, max(1, len(own[0])), count)
    rounded = (amounts(random, count) // 10_000 + 1) * 10_000
    return Payments(own[0][chosen], own[1][chosen], _any_time(parameters, random, count), rounded)


def _to_itself(parameters: Parameters, random: np.random.Generator, book: Book, count: int) -> Payments:
    chosen = random.integers(0, len(book.accounts), count)
    return Payments(chosen, chosen, _any_time(parameters, random, count), amounts(random, count))


def _people(parameters: Parameters, random: np.random.Generator, sender: Book, receiver: Book, count: int) -> Payments:
    payers = random.integers(0, len(sender.accounts), count)
    receivers = random.choice(len(receiver.accounts), count, p=receiver.popularity)
    if sender is receiver:
        receivers = np.where(receivers == payers, (receivers + 1) % len(receiver.accounts), receivers)
    return Payments(payers, receivers, _any_time(parameters, random, count), amounts(random, count))


def _own_accounts(sender: Book, receiver: Book) -> tuple[Array, Array]:
    """Places of the accounts of customers of both banks; none if it is one bank."""
    if sender is receiver:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    _, first, second = np.intersect1d(
        sender.customers.astype(str), receiver.customers.astype(str), assume_unique=True, return_indices=True
    )
    return first, second


def _months(parameters: Parameters, random: np.random.Generator, count: int) -> Array:
    """Seconds from the start to the beginning of a month of 30 days that lies within the time span."""
    return random.integers(0, max(1, parameters.days // 30), count) * 30 * DAY


def _any_time(parameters: Parameters, random: np.random.Generator, count: int) -> Array:
    return random.integers(0, parameters.days * DAY, count)


def _hashed(values: Array, salt: int) -> Array:
    """A fixed number below 2^31 for each value: who pays whom, and how much, stays the same all year."""
    mixed = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed += np.uint64(salt * 0xC2B2AE3D27D4EB4F & (1 << 64) - 1)
    return ((mixed ^ (mixed >> np.uint64(29))) >> np.uint64(33)).astype(np.int64)
