"""What is opened: suppressed rows are zero and behind, nothing else is opened, traffic tells nothing of the data."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.execution import executor, steps
from consortia.execution.encode import encode
from consortia.execution.estimate import estimate
from consortia.execution.executor import run_shared
from consortia.parties import release, simulation
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.model import Control, Plan, Share
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.engine import Engine
from consortia.protocols.relational import group
from consortia.protocols.relational.complete import Domain
from consortia.protocols.relational.control import Bar
from consortia.protocols.relational.table import SharedTable
from consortia.protocols.sharing.opening import RECIPIENT
from tests.shared_plans import Row, frame_of, plan_of, random_rows, released_columns, rows_of
from tests.unit.execution.cases import ALERTS, CASES, STATISTICS, WHOLE, Case


def frames(case: Case, rows: Mapping[str, Sequence[Row]]):
    return {f"s{place}": frame_of(case.columns, rows[owner]) for place, owner in enumerate(case.owners)}


def answer(case: Case, rows: Mapping[str, Sequence[Row]]) -> list[Row]:
    ((_, frame),) = run_clear(plan_of(case), frames(case, rows)).items()
    return rows_of(released_columns(plan_of(case)), frame)


def spread(counts: Mapping[int, int]) -> dict[str, list[Row]]:
    """``counts`` customers in each country, alternately at beta and gamma, none at alpha."""
    rows: dict[str, list[Row]] = {"alpha": [], "beta": [], "gamma": []}
    for country, count in counts.items():
        for place in range(count):
            row: Row = {"country": country, "customer": 100 * country + place, "amount": None, "rows": 1}
            rows["beta" if place % 2 else "gamma"].append(row)
    return rows


def test_suppressed_rows_are_behind_the_released_ones_and_zero() -> None:
    case = STATISTICS
    plan = plan_of(case)
    tables = frames(case, spread({0: 2, 1: 3, 2: 8}))
    inputs = {step.id: encode(step, tables[step.id]) for step in plan.steps if isinstance(step, Share)}
    engine = ClearEngine()
    (table,) = run_shared(plan, engine, inputs)
    arrays = release.opened(engine, table)
    assert arrays[0][:, 0].tolist() == [1, 1, 0, 0]
    for array in arrays:
        assert not array[2:].any()


def test_a_cell_exactly_at_the_minimum_is_released_and_one_below_is_not() -> None:
    assert [row["country"] for row in answer(STATISTICS, spread({0: 2, 1: 3, 2: 8}))] == [1, 2]


def test_rows_of_a_null_measure_are_counted_as_rows_and_not_as_values() -> None:
    (row,) = answer(STATISTICS, spread({1: 4}))
    assert (row["known"], row["lines"], row["total"]) == (0, 4, None)


def released_without_control(
    engine: Engine, table: SharedTable, rules: Sequence[Bar], keep: Sequence[str], public: Sequence[Domain]
) -> SharedTable:
    return table.only(keep)


def null_counted(table: SharedTable, column: str) -> tuple[str, str]:
    return ("rows", "")


def own_rows_not_cleared(engine: Engine, table: SharedTable, membership: str, keep: Sequence[str]) -> SharedTable:
    return table.only(keep)


def test_alerts_go_to_contributing_members_only() -> None:
    rows: dict[str, list[Row]] = {
        "alpha": [{"customer": 1, "amount": 9000}, {"customer": 2, "amount": 9000}],
        "beta": [{"customer": 1, "amount": 9000}],
        "gamma": [{"customer": 2, "amount": 2000}, {"customer": 3, "amount": 10_000}],
    }
    results = run_clear(plan_of(ALERTS), frames(ALERTS, rows))
    found = {name: rows_of(released_columns(plan_of(ALERTS)), frame) for (_, name), frame in results.items()}
    assert found == {"alpha": [{"customer": 1}], "beta": [{"customer": 1}], "gamma": []}


MUTANTS: list[tuple[object, str, Callable, Callable[[], None]]] = [
    (
        steps,
        "control",
        released_without_control,
        test_a_cell_exactly_at_the_minimum_is_released_and_one_below_is_not,
    ),
    (group, "_known", null_counted, test_rows_of_a_null_measure_are_counted_as_rows_and_not_as_values),
    (executor, "own_rows", own_rows_not_cleared, test_alerts_go_to_contributing_members_only),
]


@pytest.mark.parametrize(
    ("module", "name", "mutant", "killer"), MUTANTS, ids=[mutant[2].__name__ for mutant in MUTANTS]
)
def test_mutants_are_killed(module, name: str, mutant, killer, monkeypatch: pytest.MonkeyPatch) -> None:
    killer()
    monkeypatch.setattr(module, name, mutant)
    with pytest.raises(AssertionError):
        killer()


def traced(plan: Plan, tables) -> tuple[list[tuple[str, str, str, int]], list]:
    """Every message of a run (step, sender, receiver, size) by sender in order, and every opening by step."""
    messages: dict[str, list[tuple[str, str, str, int]]] = {}
    transcripts = []

    class Network(simulation.MemoryNetwork):
        def __init__(self, names, **more):
            def listen(step, sender, receiver, payload):
                messages.setdefault(sender, []).append((step, sender, receiver, len(payload)))
                return payload

            super().__init__(names, interceptor=listen, **more)

    class Recorded(simulation.Transcript):
        def __init__(self):
            super().__init__()
            transcripts.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "MemoryNetwork", Network)
        patch.setattr(simulation, "Transcript", Recorded)
        simulate(plan, tables)
    openings = [(each.step, each.what, each.elements, each.to) for each in transcripts[0].opened]
    return [message for sender in sorted(messages) for message in messages[sender]], openings


@pytest.mark.parametrize("name", ["alerts", "statistics", "whole", "wide"])
def test_traces_are_equal_for_different_data_of_equal_public_size(name: str) -> None:
    case = CASES[name]
    first = traced(plan_of(case), frames(case, random_rows(case, 1)))
    second = traced(plan_of(case), frames(case, random_rows(case, 2, fill=0.3, distinct=1)))
    assert first == second
    assert len(first[0]) > 50


@pytest.mark.parametrize("name", CASES)
def test_every_opening_is_declared_or_is_a_released_column(name: str) -> None:
    case = CASES[name]
    plan = plan_of(case)
    _, openings = traced(plan, frames(case, random_rows(case, 3)))
    inside = Counter()
    released = Counter()
    for step, what, elements, to in openings:
        if to == (RECIPIENT,):
            released[step.split("/")[0]] += elements
        else:
            inside[step.split("/")[0], what, tuple(sorted(to))] += elements
    declared = {(each.step, each.what, each.to): each.elements for each in estimate(plan).openings}
    assert dict(inside) == declared
    last = plan.steps[-1]
    vectors = 1 + sum(1 + column.nullable for column in last.columns)
    assert released == {last.id: vectors * last.rows * max(len(case.membership), 1)}


def test_a_release_without_an_output_control_is_refused() -> None:
    plan = plan_of(WHOLE)
    skipped = tuple(step for step in plan.steps if not isinstance(step, Control))
    last = skipped[-1].model_copy(update={"inputs": (skipped[-2].id,)})
    renumbered = {step.id: f"s{place}" for place, step in enumerate((*skipped[:-1], last))}
    steps = tuple(
        step.model_copy(update={"id": renumbered[step.id], "inputs": tuple(renumbered[name] for name in step.inputs)})
        for step in (*skipped[:-1], last)
    )
    rows = random_rows(WHOLE, 1)
    with pytest.raises(InternalError, match="execution/uncontrolled"):
        run_clear(plan.model_copy(update={"steps": steps}), frames(WHOLE, rows))


def test_each_part_alone_is_fresh_in_every_run() -> None:
    rows = random_rows(STATISTICS, 1)
    runs = [simulate(plan_of(STATISTICS), frames(STATISTICS, rows)) for _ in range(2)]
    payloads = {part.payload for run in runs for (part,) in run.parts}
    assert len(payloads) == 6
    bodies = [np.frombuffer(payload[-64:], np.uint64) for payload in payloads]
    assert all(body.all() for body in bodies)
