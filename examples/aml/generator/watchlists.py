"""Each bank's watchlist: people whom it reported, parted with or was warned of, for a typology and until a day.

Some are its customers, some are of other banks, some are nobody's; a person can stand in several lists, and twice in
one. Drawn from a stream of their own: lists of another length leave every other value of the data as it is.
"""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import polars as pl

from examples.aml.generator.parameters import TYPOLOGIES, Parameters

STREAM = 3
REASONS = ("structuring", *TYPOLOGIES, "fraud")
CUSTOMERS = 0.8
"""Share of the people listed who are customers of some bank."""
SECOND = 0.25
"""How likely each further bank lists a person too."""
TWICE = 0.1
"""How likely a bank lists a person a second time, for another reason."""
OLDEST_DAYS, VALID_DAYS = 1500, (365, 1825)


def watchlists(parameters: Parameters, accounts: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The list of each bank: ``customer_key``, ``reason_code``, ``added`` and ``expires``; some have expired."""
    random = np.random.default_rng((parameters.seed, STREAM))
    everybody = sorted({key for frame in accounts.values() for key in frame["customer_key"]})
    people = _people(everybody, max(60, len(everybody) // 20), random)
    entries: dict[str, list[str]] = {bank: [] for bank in parameters.banks}
    for person in people:
        first = int(random.integers(len(parameters.banks)))
        for place, bank in enumerate(parameters.banks):
            if place == first or random.random() < SECOND:
                entries[bank] += [person] * (1 + int(random.random() < TWICE))
    return {bank: _list(parameters, listed, random) for bank, listed in entries.items()}


def _people(everybody: list[str], count: int, random: np.random.Generator) -> list[str]:
    """Customers, and people with numbers that no customer has."""
    customers = random.permutation(len(everybody))[: round(CUSTOMERS * count)]
    known = set(everybody)
    strangers: list[str] = []
    while len(strangers) < count - len(customers):
        number = f"{random.integers(10**9):09d}"
        if number not in known:
            known.add(number)
            strangers.append(number)
    return [*(everybody[place] for place in customers), *strangers]


def _list(parameters: Parameters, people: list[str], random: np.random.Generator) -> pl.DataFrame:
    end = parameters.start.date() + timedelta(days=parameters.days)
    added = [end - timedelta(days=int(days)) for days in random.integers(1, OLDEST_DAYS, len(people))]
    valid = random.integers(*VALID_DAYS, len(people))
    return pl.DataFrame(
        {
            "customer_key": pl.Series(people, dtype=pl.String),
            "reason_code": [REASONS[code] for code in random.integers(len(REASONS), size=len(people))],
            "added": pl.Series(added, dtype=pl.Date),
            "expires": pl.Series(
                [day + timedelta(days=int(days)) for day, days in zip(added, valid, strict=True)], dtype=pl.Date
            ),
        },
        schema_overrides={"reason_code": pl.String},
    )
