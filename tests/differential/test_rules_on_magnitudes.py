"""Dominance, p%, zeros and full cells over three banks' files equal a plain computation over the pooled rows.

The whole path but the network: snapshots, DuckDB at each owner, shares, control, release, decoding. Seeds are fixed.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from consortia.errors import RequestError
from consortia.parties.simulation import run_clear
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
        "SELECT c, MAX(y) AS m, SUM(y) AS s, COUNT(x) AS n FROM t GROUP BY c", ("c",),
        (lambda row: row["y"], known("x")),
        lambda rows: (max(row["y"] for row in rows), total(rows, "y"), sum(row["x"] is not None for row in rows)),
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
    banks.register(rows)
    for question in QUESTIONS:
        rules = drawn_rules(draw)
        assert answered(banks, question, rules) == wanted(rows, question, rules), (question.sql, rules)


@pytest.mark.parametrize("seed", range(2))
def test_nothing_that_the_recipient_puts_in_opens_or_closes_a_cell(tmp_path, seed: int) -> None:
    draw = random.Random(f"own rows {seed}")
    others = [row for bank in BANKS[1:] for row in drawn_rows(draw, bank, 20)]
    asked = [(question, drawn_rules(draw)) for question in QUESTIONS]
    opened = []
    for number in range(3):
        banks = Banks(tmp_path / f"{number}", *COLUMNS, max_rows=24)
        banks.register([*drawn_rows(draw, "bank-a", (0, 24, 24)[number]), *others])
        plans = [banks.plan(question.sql, rules) for question, rules in asked]
        results = [next(iter(run_clear(plan, banks.frames(plan)).values())) for plan in plans]
        keys = [len(question.keys) for question, _ in asked]
        opened.append(
            [{row[:n] for row in frame.rows() if not row[-1]} for n, frame in zip(keys, results, strict=True)]
        )
    assert opened[0] == opened[1] == opened[2]
    assert any(opened[0])


# --- large bounds ----------------------------------------------------------------------------------------------------


MOST = 10**16


@pytest.mark.parametrize(
    ("amounts", "is_open"),
    [
        # the two largest of the four hold a little less than 80 %, and a little more
        ((MOST, MOST, MOST // 4, MOST // 4 + 10**4), True),
        ((MOST, MOST, MOST // 4, MOST // 4 - 1), False),
        ((40, 40, 10, 10), False),  # at the limit, but sums are compared without their lowest bits
        ((4000, 4000, 3000, 3000), True),
    ],
)
def test_sums_that_could_reach_2_to_63_times_a_percentage_are_compared_to_a_cells_disadvantage(
    tmp_path, amounts: tuple[int, ...], *, is_open: bool
) -> None:
    banks = Banks(tmp_path, column("k", CUSTOMER), column("y", INT, 0, MOST), max_rows=24)
    for place, bank in enumerate(("bank-b", "bank-c")):
        rows = [{"k": f"{number}", "y": amount} for number, amount in enumerate(amounts) if number % 2 == place]
        banks.rows(bank, rows)
    rules = Obligations(
        entity="k", minimum_entities=2, minimum_members=2, dominance=(DominanceLimit(largest=2, percent=80),)
    )
    assert banks.ask("SELECT SUM(y) AS s FROM t", rules).rows() == [(sum(amounts), False) if is_open else (None, True)]


def test_a_sum_beyond_2_to_62_is_refused_with_its_place(tmp_path) -> None:
    banks = Banks(tmp_path, column("k", CUSTOMER), column("y", INT, 0, 10**17), max_rows=24)
    rules = Obligations(entity="k", minimum_entities=2, p_percent=10)
    with pytest.raises(RequestError) as caught:
        banks.plan("SELECT SUM(y) AS s FROM t", rules)
    assert (caught.value.code, caught.value.place) == ("plans/wide-comparison", "sum_y")
    with pytest.raises(RequestError) as caught:
        banks.plan("SELECT SUM(y) AS s FROM t", Obligations(entity="k", minimum_entities=2, rounding=5))
    assert (caught.value.code, caught.value.place) == ("plans/capacity", "sum_y")


# --- rounding ---------------------------------------------------------------------------------------------------------


ROUNDED = Obligations(entity="k", minimum_entities=2, minimum_members=2, rounding=10)
FEW = [
    {"member": bank, "k": f"{number:03d}", "c": country, "f": True, "x": x, "y": y}
    for bank, number, country, x, y in (
        ("bank-a", 1, "DE", -40, 7), ("bank-b", 2, "DE", 3, 8), ("bank-c", 3, "DE", None, 9),
        ("bank-b", 4, "FR", -25, 60), ("bank-c", 5, "FR", 0, 1), ("bank-c", 6, "FR", 10, 60),
        ("bank-b", 7, "NL", 5, 20), ("bank-c", 8, "NL", 0, 6),
    )
]  # fmt: skip


def asked(tmp_path, sql: str, rules: Obligations = ROUNDED) -> list[tuple[Any, ...]]:
    banks = Banks(tmp_path, *COLUMNS, max_rows=24)
    banks.register(FEW)
    return banks.ask(sql, rules).rows()


def test_the_first_cells_are_chosen_by_rounded_numbers(tmp_path) -> None:
    # the exact sums are 24, 121 and 26: rounded, DE and NL are 20 and 30
    sql = "SELECT c, SUM(y) AS s FROM t GROUP BY c ORDER BY s DESC LIMIT 2"
    assert asked(tmp_path, sql) == [("FR", 120), ("NL", 30)]


def test_an_average_is_made_of_rounded_numbers_and_null_if_its_count_is_rounded_to_zero(tmp_path) -> None:
    sql = "SELECT c, AVG(y) AS a, SUM(x) AS s FROM t GROUP BY c"
    # three rows each of DE and FR, two of NL: all counts are rounded to 0
    assert asked(tmp_path, sql) == [
        ("DE", None, -40, False), ("FR", None, -10, False), ("NL", None, 10, False), (None, None, None, True),
    ]  # fmt: skip


def test_a_distinct_count_an_extreme_and_a_negative_half_are_rounded_too(tmp_path) -> None:
    sql = "SELECT COUNT(DISTINCT k) AS n, MAX(y) AS m, MIN(x) AS l, SUM(x) AS s FROM t"
    assert asked(tmp_path, sql, ROUNDED.model_copy(update={"rounding": 50})) == [(0, 50, -50, -50, False)]


def test_alerts_are_not_rounded(tmp_path) -> None:
    banks = Banks(tmp_path, *COLUMNS, max_rows=24)
    banks.register(FEW)
    found = banks.alerts("SELECT k, SUM(y) AS s FROM t WHERE k IS NOT NULL GROUP BY k", ROUNDED)
    assert sorted(row[1] for row in found["bank-c"]) == [1, 6, 9, 60]


# --- contributors counted by each owner -------------------------------------------------------------------------------

BY_OWNERS = Obligations(entity="k", minimum_entities=4, minimum_members=3, lower_bound=True, rounding=2)


@pytest.mark.parametrize("seed", range(4))
def test_entities_that_owners_count_are_at_least_the_most_that_one_other_has(tmp_path, seed: int) -> None:
    draw = random.Random(f"by owners {seed}")
    banks = Banks(tmp_path, *COLUMNS, max_rows=24)
    rows = [row for bank in BANKS for row in drawn_rows(draw, bank, draw.choice((0, 12, 24)))]
    banks.register(rows)
    for question in QUESTIONS[:4]:
        plan = banks.plan(question.sql, BY_OWNERS)
        assert {step.rows for step in plan.steps if step.kind == "share"} <= {1, 4, 8}, "one row a cell"
        cells = cells_of(rows, question.keys)
        open_cells = []
        for cell, held in cells.items():
            customers = {bank: {row["k"] for row in held if row["member"] == bank} - {None} for bank in BANKS[1:]}
            members = {row["member"] for row in held} - {"bank-a"}
            if max(map(len, customers.values())) >= 4 and len(members) >= 2:
                open_cells.append((*cell, *(rounded(value, 2) for value in question.shown(held))))
        found = [row[:-1] for row in banks.ask(question.sql, BY_OWNERS).rows() if not row[-1]]
        assert sorted(found, key=repr) == sorted(open_cells, key=repr)


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("SELECT c, COUNT(DISTINCT k) AS n FROM t GROUP BY c", {}),
        ("SELECT c, MAX(y) AS m FROM t GROUP BY c", {}),
        ("SELECT c, SUM(y) AS s FROM t GROUP BY c", {"p_percent": 10}),
        ("SELECT c, SUM(y) AS s FROM t GROUP BY c", {"pre_aggregate": False}),
    ],
)
def test_entities_are_counted_over_all_owners_where_something_else_must_tell_them_apart(tmp_path, sql, change) -> None:
    plan = Banks(tmp_path, *COLUMNS, max_rows=24).plan(sql, BY_OWNERS.model_copy(update=change))
    groups = next(step for step in plan.steps if step.kind == "aggregate" and step.at == "shared")
    assert "count-entities" in {made.function for made in groups.aggregates}
