"""The shared stage of a plan against plain Python, on the clear engine and on three computers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from consortia.execution.estimate import estimate
from consortia.parties.simulation import run_clear, simulate
from tests.shared_plans import Case, Row, expected, frame_of, plan_of, random_rows, released_columns, rows_of
from tests.unit.execution.cases import ALERTS, CASES, STATISTICS, WHOLE

Tables = Mapping[str, Sequence[Row]]


def frames(case: Case, rows: Tables):
    return {f"s{place}": frame_of(case.columns, rows[owner]) for place, owner in enumerate(case.owners)}


def answers(case: Case, results) -> dict[str, list[Row]]:
    columns = released_columns(plan_of(case))
    return {recipient: rows_of(columns, frame) for (_, recipient), frame in results.items()}


SHAPES_OF_DATA = {
    "mixed": {},
    "full": {"fill": 1.0, "distinct": 8},
    "one group": {"distinct": 1, "nulls": 0.0},
    "all null": {"nulls": 1.0},
    "one row each": {"fill": 0.05},
    "empty": {"fill": 0.0},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("data", SHAPES_OF_DATA)
def test_the_clear_engine_answers_as_plain_python(name: str, data: str) -> None:
    case = CASES[name]
    for seed in range(6):
        rows = random_rows(case, seed, **SHAPES_OF_DATA[data])
        assert answers(case, run_clear(plan_of(case), frames(case, rows))) == expected(case, rows)


@pytest.mark.parametrize("name", CASES)
def test_three_computers_answer_as_plain_python_at_the_declared_cost(name: str) -> None:
    case = CASES[name]
    plan = plan_of(case)
    declared = estimate(plan)
    for seed, data in enumerate(("mixed", "empty", "one group")):
        rows = random_rows(case, seed, **SHAPES_OF_DATA[data])
        run = simulate(plan, frames(case, rows))
        assert answers(case, run.results) == expected(case, rows)
        assert run.measured == declared


def test_a_plan_of_few_bytes_gives_the_same_answers_at_its_own_declared_cost() -> None:
    case = CASES["statistics"]
    plan = plan_of(case)
    thrifty = plan.model_copy(update={"circuits": "few-bytes"})
    rows = random_rows(case, 3)
    run = simulate(thrifty, frames(case, rows))
    assert answers(case, run.results) == expected(case, rows)
    assert run.measured == estimate(thrifty)
    assert estimate(thrifty).bytes < estimate(plan).bytes
    assert estimate(thrifty).rounds > estimate(plan).rounds


def test_an_owner_that_does_not_compute_takes_part_at_the_declared_cost() -> None:
    case = replace(STATISTICS, owners=("alpha", "outside", "gamma"))
    rows = random_rows(case, 5)
    run = simulate(plan_of(case), frames(case, rows))
    assert answers(case, run.results) == expected(case, rows)
    assert run.measured == estimate(plan_of(case))
    outside = {entry.member: entry.sent for entry in run.measured.bytes_by_party}["outside"]
    assert outside > 0


def test_two_owners_and_a_computer_without_data() -> None:
    case = replace(ALERTS, owners=("alpha", "beta"), membership={"alpha": "has_alpha", "beta": "has_beta"})
    case = replace(case, aggregates=case.aggregates[:-1])
    rows = random_rows(case, 9)
    run = simulate(plan_of(case), frames(case, rows))
    assert answers(case, run.results) == expected(case, rows)
    assert run.measured == estimate(plan_of(case))


def test_a_lone_row_of_the_recipient_does_not_count_as_a_contributor() -> None:
    others = [
        {"country": 0, "customer": 10, "amount": 1, "rows": 1},
        {"country": 0, "customer": 11, "amount": 1, "rows": 1},
    ]
    third = [{"country": 0, "customer": 11, "amount": 1, "rows": 1}]
    own = [{"country": 0, "customer": customer, "amount": 1, "rows": 1} for customer in range(12, 18)]
    case = STATISTICS
    found = answers(case, run_clear(plan_of(case), frames(case, {"alpha": own, "beta": others, "gamma": third})))
    assert found == {"ana@alpha": []}
    third.append({"country": 0, "customer": 12, "amount": 1, "rows": 1})
    found = answers(case, run_clear(plan_of(case), frames(case, {"alpha": own, "beta": others, "gamma": third})))
    assert [row["entities"] for row in found["ana@alpha"]] == [8]


def test_an_empty_whole_is_one_row_of_zero_counts_and_a_null_sum() -> None:
    nothing: Tables = {owner: [] for owner in WHOLE.owners}
    found = answers(WHOLE, simulate(plan_of(WHOLE), frames(WHOLE, nothing)).results)
    assert found == {"ana@alpha": [{"total": None, "known": 0, "lines": 0, "others": 0, "members": 0}]}


def test_count_of_a_column_skips_null() -> None:
    rows = {owner: [{"amount": None, "customer": 1}, {"amount": 0, "customer": 2}] for owner in WHOLE.owners}
    (row,) = answers(WHOLE, simulate(plan_of(WHOLE), frames(WHOLE, rows)).results)["ana@alpha"]
    assert (row["known"], row["lines"], row["total"]) == (3, 6, 0)
