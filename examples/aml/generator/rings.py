"""Rings of launderers, planted with their truth: the eight patterns of the literature, and mules.

A pattern is a list of payments among a ring's accounts; who is who is drawn over all banks, two of them at least. Money
moves on within hours or days, less a fee of one to five per cent at each hop. The eight patterns are those that Altman
et al. (NeurIPS 2023, AMLworld) name; amounts, times, sizes and fees are ours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from examples.aml.generator.books import DAY
from examples.aml.generator.parameters import TYPOLOGIES, Parameters

HOUR = 3_600
LONGEST_DAYS = 25
"""A ring's last payment is at most so long after its first."""


@dataclass(frozen=True)
class Payment:
    """From and to are numbers of the ring's accounts; seconds count from the ring's first payment."""

    sender: int
    receiver: int
    seconds: int
    amount: int


@dataclass(frozen=True)
class Ring:
    """A planted ring: number, typology, how many accounts it has, and its payments."""

    number: int
    typology: str
    size: int
    payments: tuple[Payment, ...]


class _Drawing:
    """Draws times, fees and amounts of one ring."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.principal = int(np.exp(random.uniform(np.log(300_000), np.log(5_000_000))))

    def number(self, lowest: int, highest: int) -> int:
        """A whole number, both ends included."""
        return int(self.random.integers(lowest, highest + 1))

    def after(self, seconds: int) -> int:
        """One to thirty-six hours later."""
        return seconds + self.number(HOUR, 36 * HOUR)

    def less_fee(self, amount: int) -> int:
        """What is left after a hop."""
        return max(1, int(amount * self.random.uniform(0.95, 0.99)))

    def parted(self, amount: int, count: int) -> list[int]:
        """The amount in unequal parts that add up to it."""
        cuts = np.sort(self.random.integers(1, amount, count - 1)) if count > 1 else np.zeros(0, np.int64)
        evened = (np.diff(np.concatenate(([0], cuts, [amount]))) + amount // count) // 2
        return [max(1, int(part)) for part in evened]


def _fan_in(draw: _Drawing) -> tuple[int, list[Payment]]:
    count = draw.number(4, 9)
    parts = draw.parted(draw.principal, count)
    return count + 1, [Payment(place, count, draw.number(0, 5 * DAY), part) for place, part in enumerate(parts)]


def _fan_out(draw: _Drawing) -> tuple[int, list[Payment]]:
    count = draw.number(4, 9)
    parts = draw.parted(draw.principal, count)
    return count + 1, [Payment(count, place, draw.number(0, 5 * DAY), part) for place, part in enumerate(parts)]


def _cycle(draw: _Drawing) -> tuple[int, list[Payment]]:
    count = draw.number(3, 6)
    amount, seconds, made = draw.principal, 0, []
    for place in range(count):
        made.append(Payment(place, (place + 1) % count, seconds, amount))
        amount, seconds = draw.less_fee(amount), draw.after(seconds)
    return count, made


def _layers(draw: _Drawing, sizes: Sequence[int]) -> tuple[int, list[Payment]]:
    """Layers of accounts, each account paying most of what it holds to two or more of the next layer."""
    first = 0
    held = draw.parted(draw.principal, sizes[0])
    made, begin = [], 0
    for size, following in pairwise(sizes):
        received = [0] * following
        latest = begin
        for place in range(size):
            targets = _targets(draw, place, size, following)
            for target, part in zip(targets, draw.parted(held[place], len(targets)), strict=True):
                seconds = begin + draw.number(0, DAY)
                latest = max(latest, seconds)
                made.append(Payment(first + place, first + size + target, seconds, part))
                received[target] += part
        held = [draw.less_fee(amount) for amount in received]
        first, begin = first + size, draw.after(latest)
    return sum(sizes), made


def _targets(draw: _Drawing, place: int, size: int, following: int) -> list[int]:
    """Whom the account at ``place`` pays: two or more, so that everybody in the next layer is paid by somebody."""
    needed = {target for target in range(following) if target % size == place} | {place % following}
    others = draw.random.permutation(following)[: draw.number(1, following)]
    return sorted(needed | {int(other) for other in others})


def _bipartite(draw: _Drawing) -> tuple[int, list[Payment]]:
    return _layers(draw, (draw.number(2, 4), draw.number(2, 4)))


def _stack(draw: _Drawing) -> tuple[int, list[Payment]]:
    return _layers(draw, (draw.number(2, 3), draw.number(2, 3), draw.number(2, 3)))


def _random(draw: _Drawing) -> tuple[int, list[Payment]]:
    """A walk that reaches every account, then goes on anywhere."""
    count, amount, seconds, made = draw.number(4, 7), draw.principal, 0, []
    places = list(range(count))
    for _ in range(draw.number(0, count)):
        places.append((places[-1] + draw.number(1, count - 1)) % count)
    for place, following in pairwise(places):
        made.append(Payment(place, following, seconds, amount))
        amount, seconds = draw.less_fee(amount), draw.after(seconds)
    return count, made


def _scatter_gather(draw: _Drawing) -> tuple[int, list[Payment]]:
    count = draw.number(3, 7)
    source, target, made = count, count + 1, []
    for place, part in enumerate(draw.parted(draw.principal, count)):
        sent = draw.number(0, 2 * DAY)
        made.append(Payment(source, place, sent, part))
        made.append(Payment(place, target, draw.after(sent), draw.less_fee(part)))
    return count + 2, made


def _gather_scatter(draw: _Drawing) -> tuple[int, list[Payment]]:
    before, behind = draw.number(3, 6), draw.number(3, 6)
    hub = before + behind
    made = [
        Payment(place, hub, draw.number(0, 3 * DAY), part)
        for place, part in enumerate(draw.parted(draw.principal, before))
    ]
    left = draw.less_fee(sum(payment.amount for payment in made))
    for place, part in enumerate(draw.parted(left, behind)):
        made.append(Payment(hub, before + place, draw.after(3 * DAY), part))
    return hub + 1, made


def _mule(draw: _Drawing) -> tuple[int, list[Payment]]:
    """Several payers each send to one mule, who passes all of it on within a day."""
    mules = draw.number(2, 4)
    collector, place, made = 0, 1 + mules, []
    for mule in range(1, 1 + mules):
        for part in draw.parted(draw.principal // mules, draw.number(2, 4)):
            sent = draw.number(0, 10 * DAY)
            made.append(Payment(place, mule, sent, part))
            made.append(Payment(mule, collector, sent + draw.number(HOUR, DAY), draw.less_fee(part)))
            place += 1
    return place, made


_MAKERS: dict[str, Callable[[_Drawing], tuple[int, list[Payment]]]] = dict(
    zip(
        TYPOLOGIES,
        (_fan_in, _fan_out, _cycle, _bipartite, _stack, _random, _scatter_gather, _gather_scatter, _mule),
        strict=True,
    )
)


def rings_of(parameters: Parameters, random: np.random.Generator) -> list[Ring]:
    """``parameters.rings`` of each typology."""
    made: list[Ring] = []
    for typology in TYPOLOGIES:
        for _ in range(parameters.rings):
            size, payments = _MAKERS[typology](_Drawing(random))
            made.append(Ring(len(made), typology, size, tuple(payments)))
    return made
