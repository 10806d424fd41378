"""Complementary suppression over three banks' files equals plain Python over the pooled rows; also two queries at once.

The whole path but the network: snapshots, DuckDB at each owner, shares, control, release, decoding. Seeds are fixed.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from consortia.parties.simulation import run_clear
from consortia.plans.model import Control, Plan
from consortia.plans.obligations import Obligations
from tests.fixtures_catalogue import BANKS, BOOL, CUSTOMER, INT, column
from tests.fixtures_catalogue import ColumnType as Type
from tests.plain_rules import Row, cells_of, passes
from tests.plain_suppression import Attacker, hidden_cells
from tests.pooled_banks import Banks

DOMAINS: dict[str, tuple[Any, ...]] = {"c": ("DE", "FR", "NL", None), "f": (False, True)}
COLUMNS = (
    column("k", CUSTOMER, nullable=True),
    column("c", Type(kind="enum", domain="country", values=("DE", "FR", "NL")), nullable=True),
    column("f", BOOL),
    column("y", INT, 0, 60),
)
RULES = Obligations(entity="k", minimum_entities=3, minimum_members=2, complementary=True)
QUERIES = {
    (): "SELECT SUM(y) AS s FROM t",
    ("c",): "SELECT c, SUM(y) AS s FROM t GROUP BY c",
    ("c", "f"): "SELECT c, f, SUM(y) AS s FROM t GROUP BY c, f",
}


def drawn_rows(draw: random.Random, bank: str, size: int) -> list[dict[str, Any]]:
    return [
        {
            "member": bank,
            "k": f"{draw.randrange(12):03d}",
            "c": draw.choice((None, "DE", "DE", "FR", "FR", "FR", "NL")),
            "f": draw.random() < 0.6,
            "y": draw.randrange(61),
        }
        for _ in range(size)
    ]


def wanted(rows: Sequence[Row], keys: Sequence[str], rules: Obligations) -> dict[tuple[Any, ...], int]:
    """What is shown of each cell."""
    cells = cells_of(rows, keys)
    domains = [DOMAINS[key] for key in keys]

    def place(cell: tuple[Any, ...]) -> tuple[int, ...]:
        return tuple(domain.index(value) for domain, value in zip(domains, cell, strict=True))

    passing = {place(cell) for cell in cells if passes(cells, cell, (lambda row: row["y"],), rules)}
    closed = hidden_cells([len(domain) for domain in domains], passing)
    return {cell: sum(row["y"] for row in cells[cell]) for cell in cells if place(cell) not in closed}


def shown(frame_rows: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
    return {row[:-2]: row[-2] for row in frame_rows if not row[-1]}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_is_what_plain_python_shows(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    banks = Banks(tmp_path, *COLUMNS, max_rows=40)
    rows = [row for bank in BANKS for row in drawn_rows(draw, bank, draw.choice((12, 25, 40)))]
    banks.register(rows)
    for keys, sql in QUERIES.items():
        rules = replace_rules(RULES, pre_aggregate=draw.random() < 0.5)
        assert shown(banks.ask(sql, rules).rows()) == wanted(rows, keys, rules), sql


def replace_rules(rules: Obligations, **changes: Any) -> Obligations:
    return rules.model_copy(update=changes)


def clear(banks: Banks, plan: Plan) -> dict[tuple[Any, ...], int]:
    ((_, frame),) = run_clear(plan, banks.frames(plan)).items()
    return shown(frame.rows())


@pytest.mark.parametrize("complementary", [True, False])
def test_no_suppressed_cell_follows_from_the_table_its_coarser_one_and_the_total(
    tmp_path: Path, *, complementary: bool
) -> None:
    """An attacker who knows which cells are empty solves for what failed; without complementary suppression it does."""
    found = 0
    for seed in range(4):
        draw = random.Random(100 + seed)
        banks = Banks(tmp_path / str(seed), *COLUMNS, max_rows=40)
        rows = [row for bank in BANKS for row in drawn_rows(draw, bank, 40)]
        banks.register(rows)
        rules = replace_rules(RULES, complementary=complementary)
        finest = cells_of(rows, ("c", "f"))
        attacker = Attacker(list(finest))
        failing: list[list[tuple[Any, ...]]] = []
        for keys, sql in QUERIES.items():
            cells = cells_of(rows, keys)
            under = {cell: [fine for fine in finest if fine[: len(keys)] == cell] for cell in cells}
            for cell in clear(banks, banks.plan(sql, rules)):
                attacker.learn(under[cell])
            failing += [under[c] for c in cells if not passes(cells, c, (lambda row: row["y"],), rules)]
        found += sum(attacker.knows(cells) for cells in failing)
    assert (found == 0) == complementary


def test_without_a_public_domain_nothing_further_is_hidden(tmp_path: Path) -> None:
    banks = Banks(tmp_path, *COLUMNS, max_rows=40)
    for sql in (
        "SELECT y, COUNT(*) AS n FROM t GROUP BY y",
        "SELECT c, COUNT(*) AS n FROM t GROUP BY c HAVING COUNT(*) > 3",
        "SELECT c, COUNT(*) AS n FROM t GROUP BY c ORDER BY n LIMIT 2",
    ):
        [control] = [step for step in banks.plan(sql, RULES).steps if isinstance(step, Control)]
        assert control.complementary is None
