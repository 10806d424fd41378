"""The output control in plain Python over pooled rows: the reference for the rules on what contributors hold.

It follows the words of docs/limits.md and the page of ``policy explain``, and shares no code with plan or engine.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consortia.plans.obligations import Obligations

Row = Mapping[str, Any]
Value = Callable[[Row], int | None]
Cells = Mapping[tuple[Any, ...], Sequence[Row]]


def cells_of(rows: Sequence[Row], keys: Sequence[str]) -> Cells:
    """Rows by the values of ``keys``; without keys one cell, of no rows too."""
    cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    if not keys:
        cells[()] = []
    for row in rows:
        cells[tuple(row[key] for key in keys)].append(row)
    return cells


def passes(
    cells: Cells, cell: tuple[Any, ...], values: Sequence[Value], rules: Obligations, recipient: str = "bank-a"
) -> bool:
    """Whether ``cell`` may be opened to ``recipient``; ``values`` are what a row adds to each number that is opened."""
    others = [row for row in cells[cell] if row["member"] != recipient]
    if len(_entities(others)) < rules.minimum_entities:
        return False
    if len({row["member"] for row in others}) < rules.minimum_members - 1:
        return False
    if rules.zeros_and_full_cells and not _shares_its_lines(cells, cell, recipient):
        return False
    return all(_spread(others, value, rules) for value in values)


def rounded(value: int | None, base: int | None) -> int | None:
    """The nearest multiple of ``base``, of two equally near ones the upper one."""
    return value if value is None or base is None else (2 * value + base) // (2 * base) * base


def _entities(rows: Sequence[Row]) -> set[Any]:
    return {row["k"] for row in rows} - {None}


def _shares_its_lines(cells: Cells, cell: tuple[Any, ...], recipient: str) -> bool:
    """Along every key, some other cell with the same other keys holds an entity."""
    for place in range(len(cell)):
        line = [
            rows
            for other, rows in cells.items()
            if other != cell and other[:place] + other[place + 1 :] == cell[:place] + cell[place + 1 :]
        ]
        if not any(_entities([row for row in rows if row["member"] != recipient]) for rows in line):
            return False
    return True


def _spread(others: Sequence[Row], value: Value, rules: Obligations) -> bool:
    for by, part in (("entity", "k"), ("member", "member")):
        held: dict[Any, int] = defaultdict(int)
        for row in others:
            held[row[part]] += value(row) or 0
        sizes = sorted((abs(size) for size in held.values()), reverse=True)
        total = sum(sizes)
        if by == "entity" and rules.zeros_and_full_cells and total == 0:
            return False
        for limit in rules.dominance:
            count = limit.largest if by == "entity" else max(limit.largest - 1, 1)
            if 100 * sum(sizes[:count]) > limit.percent * total:
                return False
        if rules.p_percent is not None:
            known = sum(sizes[: 2 if by == "entity" else 1])
            if 100 * (total - known) < rules.p_percent * sum(sizes[:1]):
                return False
    return True
