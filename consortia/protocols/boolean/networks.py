"""Prefix networks: which neighbouring blocks of planes are joined, level by level. Public functions of a width.

A network over m positions ends with position i holding the block 0..i. ``sklansky`` has the fewest levels,
``brent-kung`` about twice as many and few joins, ``ripple`` as many levels as positions and the fewest joins.
Sources: Sklansky 1960; Brent and Kung 1982.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from consortia.errors import InternalError

Network = Literal["sklansky", "brent-kung", "ripple"]
Circuits = Literal["few-rounds", "few-bytes"]
"""Which of two circuits for one function an engine takes: part of a plan, chosen from the link (``policies``)."""

ADDER_FROM = 8
"""Planes from which an adder by ripple makes a number of them with fewer bytes than two rounds do."""


def adder(circuits: Circuits) -> Network:
    """The network of an addition or of running ORs: fewest levels, or fewest gates."""
    return "sklansky" if circuits == "few-rounds" else "ripple"


def composition(bits: int, circuits: Circuits) -> Network | None:
    """The adder that makes a number of ``bits`` planes; None: in two rounds."""
    return "ripple" if circuits == "few-bytes" and bits >= ADDER_FROM else None


@dataclass(frozen=True, slots=True)
class Level:
    """Joins that are made at the same time: block ``high[t]`` takes in block ``low[t]``, which ends just below it."""

    high: tuple[int, ...]
    low: tuple[int, ...]
    open_below: tuple[bool, ...]
    """Whether the joined block does not reach position 0 yet."""

    @property
    def joins(self) -> int:
        """Number of joins."""
        return len(self.high)

    @property
    def open_joins(self) -> int:
        """Number of joins whose block does not reach position 0 yet."""
        return sum(self.open_below)


@lru_cache(maxsize=256)
def prefix_network(positions: int, network: Network) -> tuple[Level, ...]:
    """The levels of a network. Raises InternalError ``protocol/network`` for a name that is none."""
    match network:
        case "sklansky":
            pairs = _sklansky(positions)
        case "brent-kung":
            pairs = _brent_kung(positions)
        case "ripple":
            pairs = [[(i, i - 1)] for i in range(1, positions)]
        case _:
            raise InternalError("protocol/network", f"`{network}` is none of {', '.join(get_args(Network))}")
    starts = list(range(positions))
    levels = []
    for joins in pairs:
        reached = [starts[low] for _, low in joins]
        levels.append(
            Level(
                tuple(high for high, _ in joins), tuple(low for _, low in joins), tuple(start > 0 for start in reached)
            )
        )
        for (high, _), start in zip(joins, reached, strict=True):
            starts[high] = start
    return tuple(levels)


def _sklansky(positions: int) -> list[list[tuple[int, int]]]:
    levels = []
    size = 1
    while size < positions:
        levels.append([(i, i // size * size - 1) for i in range(positions) if (i // size) % 2 == 1])
        size *= 2
    return levels


def _brent_kung(positions: int) -> list[list[tuple[int, int]]]:
    levels = []
    size = 1
    while size < positions:
        levels.append([(i, i - size) for i in range(2 * size - 1, positions, 2 * size)])
        size *= 2
    while size > 1:
        size //= 2
        levels.append([(i, i - size) for i in range(3 * size - 1, positions, 2 * size)])
    return [joins for joins in levels if joins]
