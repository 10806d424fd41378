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
@pytest.mark.parametrize(("seeds", "shared"), [((1, 8, 16, 19, 23, 25, 31, 33), False), ((12, 23, 36), True)])
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
