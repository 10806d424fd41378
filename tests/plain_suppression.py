"""Complementary suppression in plain Python, and an attacker who solves linear equations: no code of the engine's."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, product

Cell = tuple[int, ...]


def cells_of(sizes: Sequence[int]) -> list[Cell]:
    """All combinations, in order."""
    return list(product(*(range(size) for size in sizes)))


def hidden_cells(sizes: Sequence[int], passing: Iterable[Cell], *, partner: bool = True) -> set[Cell]:
    """Every cell that stays closed: what fails, and all combinations of its keys' values and the first other ones."""
    failing = set(cells_of(sizes)) - set(passing)
    if not failing or not sizes:
        return failing
    if not partner:
        return failing
    lines = []
    for key, size in enumerate(sizes):
        values = {cell[key] for cell in failing}
        others = [value for value in range(size) if value not in values]
        lines.append(values | set(others[:1]))
    return failing | {cell for cell in cells_of(sizes) if all(cell[key] in line for key, line in enumerate(lines))}


def margin(table: Mapping[Cell, int], keys: Sequence[int]) -> dict[Cell, int]:
    """The table summed to ``keys``."""
    found: dict[Cell, int] = {}
    for cell, number in table.items():
        place = tuple(cell[key] for key in keys)
        found[place] = found.get(place, 0) + number
    return found


def subsets(keys: int, *, proper: bool = True) -> list[tuple[int, ...]]:
    """All choices of keys, the empty one first; ``proper``: without all of them."""
    return [chosen for size in range(keys + (not proper)) for chosen in combinations(range(keys), size)]


class Attacker:
    """Knows sums over sets of unknowns; ``knows`` says whether another sum follows from them."""

    def __init__(self, unknowns: Sequence[Cell]) -> None:
        self._places = {cell: place for place, cell in enumerate(unknowns)}
        self._rows: dict[int, list[Fraction]] = {}

    def learn(self, cells: Iterable[Cell]) -> None:
        """The sum over ``cells``; those that are no unknowns are known to be zero."""
        left = self._left(cells)
        pivot = next((place for place, number in enumerate(left) if number), None)
        if pivot is not None:
            self._rows[pivot] = [number / left[pivot] for number in left]

    def knows(self, cells: Iterable[Cell]) -> bool:
        """Whether the sum over ``cells`` is a linear combination of what was learned."""
        return not any(self._left(cells))

    def _left(self, cells: Iterable[Cell]) -> list[Fraction]:
        row = [Fraction(0)] * len(self._places)
        for cell in cells:
            if cell in self._places:
                row[self._places[cell]] += 1
        for pivot in sorted(self._rows):
            factor = row[pivot]
            if factor:
                row = [number - factor * known for number, known in zip(row, self._rows[pivot], strict=True)]
        return row
