"""Dominance, p%, zeros and full cells over three banks' files equal a plain computation over the pooled rows.

The whole path but the network: snapshots, DuckDB at each owner, shares, control, release, decoding. Seeds are fixed.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from consortia.plans.obligations import DominanceLimit, Obligations
from tests.fixtures_catalogue import BANKS, BOOL, CUSTOMER, INT, column
from tests.fixtures_catalogue import ColumnType as Type
from tests.plain_rules import Row, Value, cells_of, passes, rounded
from tests.pooled_banks import Banks

COUNTRIES = ("DE", "FR", "NL")
COLUMNS = (
    column("k", CUSTOMER, nullable=True),
    column("c", Type(kind="enum", domain="country", values=COUNTRIES), nullable=True),
    column("f", BOOL),
    column("x", INT, -40, 40, nullable=True),
    column("y", INT, 0, 60),
)


@dataclass(frozen=True)
class Question:
    """A query, its keys, and what a row adds to each sum and count that it opens; ``shown`` is what a cell shows."""

    sql: str
    keys: tuple[str, ...]
    values: tuple[Value, ...]
    shown: Any


def known(name: str) -> Value:
    return lambda row: 0 if row[name] is None else 1


def total(rows: Sequence[Row], name: str) -> int | None:
    values = [row[name] for row in rows if row[name] is not None]
    return sum(values) if values else None


QUESTIONS = (
    Question("SELECT c, SUM(y) AS s FROM t GROUP BY c", ("c",), (lambda row: row["y"],), lambda r: (total(r, "y"),)),
    Question(
        "SELECT c, SUM(x) AS s, COUNT(x) AS n FROM t GROUP BY c", ("c",), (lambda row: row["x"], known("x")),
        lambda rows: (total(rows, "x"), sum(row["x"] is not None for row in rows)),
    ),
    Question(
        "SELECT c, f, COUNT(*) AS n FROM t GROUP BY c, f", ("c", "f"), (lambda _: 1,), lambda rows: (len(rows),)
    ),
    Question("SELECT SUM(x) AS s FROM t", (), (lambda row: row["x"],), lambda rows: (total(rows, "x"),)),
    Question(
        "SELECT c, MAX(y) AS m, SUM(y) AS s FROM t GROUP BY c", ("c",), (lambda row: row["y"],),
        lambda rows: (max(row["y"] for row in rows), total(rows, "y")),
    ),
)  # fmt: skip


def drawn_rules(draw: random.Random) -> Obligations:
    return Obligations(
        entity="k",
        minimum_entities=draw.choice((2, 3)),
        minimum_members=draw.choice((2, 3)),
        dominance=draw.choice(((), (DominanceLimit(largest=2, percent=70),), (
            DominanceLimit(largest=1, percent=50), DominanceLimit(largest=2, percent=80)))),
        p_percent=draw.choice((None, 10, 60)),
        zeros_and_full_cells=draw.random() < 0.6,
        rounding=draw.choice((None, 2, 5, 1000)),
        pre_aggregate=draw.random() < 0.5,
    )  # fmt: skip


def drawn_rows(draw: random.Random, bank: str, size: int) -> list[dict[str, Any]]:
    amounts = draw.choice(((0,), (7,), tuple(range(61)), (0, 0, 1, 60)))
    return [
        {
            "member": bank,
            "k": None if draw.random() < 0.1 else f"{draw.randrange(9):03d}",
            "c": draw.choice((None, "DE", "FR", "FR", "NL", "NL")),
            "f": draw.random() < 0.8,
            "x": draw.choice((None, -40, -3, 0, 5, 40)),
            "y": draw.choice(amounts),
        }
        for _ in range(size)
    ]


def registered(banks: Banks, rows: Sequence[Row]) -> None:
    for bank in BANKS:
        own = [{name: row[name] for name in row if name != "member"} for row in rows if row["member"] == bank]
        banks.rows(bank, own)


def answered(banks: Banks, question: Question, rules: Obligations) -> list[tuple[Any, ...]]:
    frame = banks.ask(question.sql, rules)
    return [row[:-1] for row in frame.rows() if not row[-1]]


def wanted(rows: Sequence[Row], question: Question, rules: Obligations) -> list[tuple[Any, ...]]:
    cells = cells_of(rows, question.keys)
    open_cells = [cell for cell in cells if passes(cells, cell, question.values, rules)]
    found = [(*cell, *(rounded(value, rules.rounding) for value in question.shown(cells[cell]))) for cell in open_cells]
    return sorted(found, key=lambda row: [(value is None, value) for value in row])


@pytest.mark.parametrize("seed", range(12))
def test_cells_that_miss_a_rule_are_suppressed_and_all_others_shown(tmp_path, seed: int) -> None:
    draw = random.Random(seed)
    banks = Banks(tmp_path, *COLUMNS, max_rows=24)
    rows = [row for bank in BANKS for row in drawn_rows(draw, bank, draw.choice((0, 10, 20, 24)))]
    registered(banks, rows)
    for question in QUESTIONS:
        rules = drawn_rules(draw)
        assert answered(banks, question, rules) == wanted(rows, question, rules), (question.sql, rules)
