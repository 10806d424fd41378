"""Plans as text, beside the queries they come from (tests/golden/plans); ``CONSORTIA_GOLDEN=write`` rewrites them.

A second line ``-- obligations: ENTITY ENTITIES MEMBERS`` gives the minimum contributors, and may add ``and all rules on
magnitudes``.
"""

import os
import re
from pathlib import Path

import pytest

from consortia.plans.build import build_plan
from consortia.plans.cost import Estimate, Opening, StepCost, party_bytes
from consortia.plans.leakage import leakage_report
from consortia.plans.model import Plan
from consortia.plans.obligations import NO_OBLIGATIONS, DominanceLimit, Obligations
from consortia.plans.show import show_leakage, show_plan
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, CATALOGUE, environment

FOLDER = Path(__file__).parents[2] / "golden" / "plans"
QUERIES = sorted(FOLDER.glob("*.sql"))


MAGNITUDES = {
    "dominance": (DominanceLimit(largest=2, percent=90),), "p_percent": 10, "zeros_and_full_cells": True, "rounding": 5,
}  # fmt: skip


def plan_of(path: Path) -> Plan:
    text = path.read_text(encoding="utf-8")
    found = re.search(r"^-- obligations: (\S+) (\d+) (\d+)( and all rules on magnitudes)?$", text, re.MULTILINE)
    obligations = NO_OBLIGATIONS
    if found:
        entity, entities, members, more = found.groups()
        rules = MAGNITUDES if more else {}
        obligations = Obligations(entity=entity, minimum_entities=int(entities), minimum_members=int(members), **rules)
    return build_plan(bind(text, CATALOGUE, AS_OF), environment(), obligations)


def compare(path: Path, text: str) -> None:
    if os.environ.get("CONSORTIA_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_there_are_golden_queries() -> None:
    assert {"structuring", "statistics"} <= {path.stem for path in QUERIES}


@pytest.mark.parametrize("path", QUERIES, ids=[path.stem for path in QUERIES])
def test_a_query_compiles_to_the_plan_beside_it(path: Path) -> None:
    plan = plan_of(path)
    compare(path.with_suffix(".plan"), show_plan(plan))
    assert Plan.parse(plan.canonical()) == plan


def test_the_leakage_report_says_who_learns_what() -> None:
    plan = plan_of(FOLDER / "statistics.sql")
    sort = next(step.id for step in plan.steps if step.kind == "sort" and step.at == "shared")
    estimate = Estimate(
        steps=(StepCost(step=sort, rounds=12, bytes_by_party=party_bytes({"bank-b": 640, "bank-a": 512})),),
        openings=(Opening(step=sort, what="order bits of shuffled rows", elements=77, to=("bank-b", "bank-a")),),
    )
    compare(FOLDER / "statistics.leakage", show_leakage(leakage_report(plan, estimate)))
