"""Who banks where: customers with one to three banks, and one account a customer and bank."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from examples.aml.generator.parameters import (
    COUNTRIES,
    RISK_CLASSES,
    RISK_SHARES,
    SEGMENT_SHARES,
    SEGMENTS,
    Parameters,
)


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


def make_accounts(parameters: Parameters, customers: Customers, random: np.random.Generator) -> dict[str, pl.DataFrame]:
    """One account a customer and bank, by bank."""
    frames = {}
    for bank_number, bank in enumerate(parameters.banks):
        places = [place for place, held in enumerate(customers.banks) if bank in held]
        count = len(places)
        risk = random.choice(len(RISK_CLASSES), count, p=RISK_SHARES)
        opened = parameters.start.date() - timedelta(days=1)
        frames[bank] = pl.DataFrame(
            {
                "account_id": [f"{bank_number:02d}{place:010d}" for place in places],
                "customer_key": [customers.ids[place] for place in places],
                "bank": [bank] * count,
                "opened": [opened - timedelta(days=int(days)) for days in random.integers(0, 7000, count)],
                "country": [customers.countries[place] for place in places],
                "segment": [SEGMENTS[code] for code in random.choice(len(SEGMENTS), count, p=SEGMENT_SHARES)],
                "risk_class": [RISK_CLASSES[code] for code in risk],
                "risk_score": random.integers(0, 34, count) + 33 * risk,
                "cash_intensive": random.random(count) < 0.05,
                "sar_flag": random.random(count) < 0.01,
            }
        )
    return frames
