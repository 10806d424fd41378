"""Rules on what contributors hold, over joins, unions and nested groups: rows of which hold data of several members.

The reference is the plan run step by step over rows that know whose data they hold (``naive_plan``).
"""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from consortia.plans.obligations import DominanceLimit, Obligations
from tests import naive_plan
from tests.pooled_relations import Pool, Row
from tests.small_tables import SMALL, random_data, unit_query


def canonical(rows: Sequence[Row]) -> Counter:
    return Counter(tuple(sorted(row.items())) for row in rows)


def drawn_rules(draw: random.Random) -> Obligations:
    return Obligations(
        entity="k",
        minimum_entities=2,
        minimum_members=2,
        dominance=draw.choice(((), (DominanceLimit(largest=2, percent=80),), (DominanceLimit(largest=3, percent=95),))),
        p_percent=draw.choice((None, 10)),
        zeros_and_full_cells=draw.random() < 0.5,
        rounding=draw.choice((None, 3)),
    )


# of seeds 0 to 39 those whose cells have enough contributors and some rule to meet
@pytest.mark.parametrize(("seeds", "shared"), [((1, 16, 19, 23, 31, 33), False), ((12, 23, 36), True)])
def test_cells_over_several_relations_pass_as_the_rules_say(
    seeds: Sequence[int], *, shared: bool, tmp_path: Path
) -> None:
    released = suppressed = 0
    for seed in seeds:
        sql, data = unit_query(seed), random_data(seed, full=True)
        pool = Pool(tmp_path / f"{seed}", data, SMALL)
        rules = drawn_rules(random.Random(seed))
        plan = pool.plan(sql, rules)
        wanted = naive_plan.run(plan, data)
        found = pool.answers(plan, shared=shared)
        assert {name: canonical(rows) for name, rows in found.items()} == {
            name: canonical(rows) for name, rows in wanted.items()
        }, sql
        without = rules.model_copy(update={"dominance": (), "p_percent": None, "zeros_and_full_cells": False})
        before = naive_plan.run(pool.plan(sql, without), data)
        released += sum(map(len, found.values()))
        suppressed += sum(map(len, before.values())) - sum(map(len, found.values()))
    assert released
    assert suppressed


# --- what a recipient adds to a join ----------------------------------------------------------------------------------

PEOPLE = [{"who": f"{number}", "born": 1990, "risk": 250} for number in range(30)]
JOINED = "SELECT SUM(s.pieces) AS n FROM sales s JOIN people p ON s.who = p.who WHERE s.pieces IS NOT NULL"
RULES = Obligations(
    entity="k", minimum_entities=3, minimum_members=3, dominance=(DominanceLimit(largest=1, percent=60),)
)


def sales(*rows: tuple[int, int]) -> list[Row]:
    return [{"who": f"{who}", "shop": 1, "paid": 0, "pieces": pieces, "land": 0, "day": 19_000} for who, pieces in rows]


def asked_of(folder: Path, own: dict[str, list[Row]], person_1_at: str) -> list[Row]:
    """The joined sum, where person 1 makes up nearly all of it; ``own`` are the rows of the recipient's member."""
    people = {"bank-c": [row for row in PEOPLE[:10] if row["who"] != "1"], "bank-a": own.get("people", [])}
    people.setdefault(person_1_at, []).append(PEOPLE[1])
    data = {
        "sales": {
            "bank-a": own.get("sales", []),
            "bank-b": sales((1, 40), (2, 1), (3, 1), (4, 1)),
            "bank-c": sales((2, 2), (5, 1), (6, 1)),
        },
        "people": people,
    }
    return Pool(folder, data).ask(JOINED, RULES, shared=False)


@pytest.mark.parametrize(
    ("own", "person_1_at"),
    [
        ({}, "bank-c"),
        ({}, "bank-a"),  # every row of the largest contributor holds data of the recipient's member
        ({"sales": sales((1, -9), (1, -9), (1, -9), (1, -9))}, "bank-c"),  # which cancel what it holds
        ({"sales": sales((2, 40), (3, 40), (5, 40), (6, 40))}, "bank-c"),  # which make up for others
        ({"sales": sales((1, -9), (2, 40), (3, 40))}, "bank-a"),
    ],
)
def test_rows_of_the_recipient_do_not_hide_a_dominating_customer(
    tmp_path: Path, own: dict[str, list[Row]], person_1_at: str
) -> None:
    assert asked_of(tmp_path, own, person_1_at) == []


def test_without_the_rule_the_same_sum_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "RULES", RULES.model_copy(update={"dominance": ()}))
    assert asked_of(tmp_path, {}, "bank-c") == [{"n": 47}]
