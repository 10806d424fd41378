"""Names that the planner makes up: readable, unique within the plan, the same on every run."""

import re

from consortia.ids import NAME_PATTERN

LONGEST = 31
"""Characters of a legal name."""


def is_legal(name: str) -> bool:
    """Whether ``name`` may be a column's name."""
    return re.fullmatch(NAME_PATTERN.strip("^$"), name) is not None


class NamePool:
    """Gives out names; each differs from all ``taken`` and from those given before."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = set(taken)

    def fresh(self, base: str) -> str:
        """``base`` if it is free, else ``base_2``, ``base_3`` and so on, cut to the length of a legal name."""
        name, number = base[:LONGEST], 1
        while name in self._taken:
            number += 1
            suffix = f"_{number}"
            name = base[: LONGEST - len(suffix)] + suffix
        self._taken.add(name)
        return name
