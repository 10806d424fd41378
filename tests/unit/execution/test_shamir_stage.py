"""Whole plans on the shamir engine against plain Python, at the declared cost: three and five computers."""

from dataclasses import replace

import pytest

from consortia.execution.estimate import estimate
from consortia.parties.simulation import simulate
from consortia.plans.model import Plan
from tests.shared_plans import Case, expected, plan_of, random_rows
from tests.unit.execution.cases import ALERTS, CASES, STATISTICS
from tests.unit.execution.test_shared_stage import answers, frames

FIVE = ("alpha", "beta", "gamma", "delta", "epsilon")


def colluding(case: Case, computers: tuple[str, ...], collusion: int) -> Plan:
    return plan_of(case).model_copy(update={"engine": "shamir", "computers": computers, "collusion": collusion})


@pytest.mark.parametrize("name", CASES)
def test_three_computers_of_which_one_may_collude(name: str) -> None:
    case = CASES[name]
    plan = colluding(case, FIVE[:3], 1)
    rows = random_rows(case, 3)
    run = simulate(plan, frames(case, rows))
    assert answers(case, run.results) == expected(case, rows)
    assert run.measured == estimate(plan)


@pytest.mark.parametrize("case", [STATISTICS, ALERTS], ids=["statistics", "alerts"])
def test_five_computers_of_which_two_may_collude(case: Case) -> None:
    """Three of them are owners too, and one owner of the statistics does not compute."""
    if not case.membership:
        case = replace(case, owners=("alpha", "outside", "gamma"))
    plan = colluding(case, FIVE, 2)
    rows = random_rows(case, 4)
    run = simulate(plan, frames(case, rows))
    assert answers(case, run.results) == expected(case, rows)
    assert run.measured == estimate(plan)
    assert len(run.parts) == 5
