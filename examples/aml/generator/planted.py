"""Planted cash: customers who split their deposits over banks, those who don't, and two countries at the minimum."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from examples.aml.generator.customers import Customers
from examples.aml.generator.parameters import COUNTRY_AT, COUNTRY_BELOW, Parameters


@dataclass(frozen=True)
class RingTruth:
    """One ring: what it is, its accounts as (bank, account, customer), and the ids of its transactions."""

    ring: int
    typology: str
    accounts: tuple[tuple[str, str, str], ...]
    transactions: tuple[str, ...]


@dataclass
class Truth:
    """Customer ids by what was planted, and the rings."""

    structuring: list[str] = field(default_factory=list)
    single_bank: list[str] = field(default_factory=list)
    one_below: list[str] = field(default_factory=list)
    country_below: str = COUNTRY_BELOW
    country_at: str = COUNTRY_AT
    rings: list[RingTruth] = field(default_factory=list)
    suspects: list[tuple[str, str]] = field(default_factory=list)
    """(bank, account) of the rings' accounts that their own bank knows already."""


def plant(parameters: Parameters, customers: Customers) -> tuple[Truth, dict[str, list[tuple[str, int]]]]:
    """Choose the planted customers; returns the truth and, by customer id, deposits as (bank, amount).

    A single bank gets only customers who reach the threshold there: all else needs two.
    """
    banks = parameters.banks
    threshold = parameters.threshold
    single = [place for place, held in enumerate(customers.banks) if len(held) == 1]
    shared = [place for place, held in enumerate(customers.banks) if len(held) == 2]
    needed = parameters.structuring + parameters.one_below if len(banks) > 1 else 0
    if len(shared) < needed:
        raise SystemExit(f"{len(shared)} customers have two banks and {needed} are to be planted: more customers")
    truth, deposits = Truth(), {}
    for number in range(parameters.structuring if needed else 0):
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
    for _ in range(parameters.one_below if needed else 0):
        place = shared.pop()
        held = customers.banks[place]
        truth.one_below.append(customers.ids[place])
        deposits[customers.ids[place]] = _split([(held[0], threshold // 2), (held[1], threshold // 2 - 1)], 0)
    if needed:
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
