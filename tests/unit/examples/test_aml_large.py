"""The large runs' data, catalogue, spec and policy fit together at a small size; the page says what was measured."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from consortia.plans.catalogue_file import read_catalogue
from consortia.plans.specs.bind import bind_analysis
from consortia.policies.language.parse import read_policy
from examples.aml import interbank, plain
from examples.aml.asked import Timing
from examples.aml.consortium import BANKS
from examples.aml.findings import RISK
from examples.aml.generate import generate
from examples.aml.large import WORKLOADS, Workload, kept_from, numbers
from examples.aml.large_page import Measured, page

NOW = datetime(2026, 11, 25, tzinfo=UTC)
KEYS = {"customer": "aa", "account": "bb"}
SMALL = Workload("risk-propagation", 3_000, 400, 10.0)
MEASURED = Measured(
    "structuring, 5,000,000", 5_000_000, 400_000, 30_000, 20.0,
    Timing(400_000, 7.5, {"bank-a": 4_000_000, "bank-b": 5_000_000, "bank-c": 4_000_000}, 321, 30.0, 0.0),
    2**30, 0.0, NOW, (0.2, 3.0),
)  # fmt: skip


@pytest.mark.parametrize("workload", WORKLOADS)
def test_what_the_catalogue_states_holds_the_data_with_little_to_spare(workload: Workload) -> None:
    parameters = workload.parameters()
    catalogue = read_catalogue(workload.catalogue(parameters), key_ids=KEYS)
    sizes = {table.name: int(table.max_rows) for table in catalogue.tables}
    assert parameters.transactions_per_bank <= sizes["transactions"] < 1.4 * parameters.transactions_per_bank
    if workload.whole:
        assert parameters.transactions_per_bank * len(BANKS) >= workload.n
        assert parameters.deposits_per_bank <= sizes["deposits"]
    else:
        sent = 2 * parameters.transfers_per_pair
        assert workload.n / len(BANKS) <= sent <= sizes["interbank"] < 1.05 * sent


def test_payments_between_banks_are_as_many_as_asked_for_and_those_of_the_risk_spec(tmp_path: Path) -> None:
    parameters = SMALL.parameters()
    generate(parameters, tmp_path)
    rows = interbank.held(tmp_path)
    assert SMALL.n * 0.97 < interbank.rows_within(rows) < SMALL.n * 1.05
    everything = plain.payments(plain.held(tmp_path), RISK)
    # all money there is moves between banks, so leaving out the rest changes no payment
    assert sorted(map(repr, interbank.payments(rows))) == sorted(map(repr, everything))


def test_spec_and_policy_are_read_with_the_table_and_permit_of_it_what_they_permit_of_transactions() -> None:
    text = SMALL.catalogue(SMALL.parameters())
    catalogue = read_catalogue(text, key_ids=KEYS)
    assert bind_analysis(interbank.spec(), catalogue, NOW) is not None
    for bank in BANKS:
        policy = read_policy(interbank.interbank_policy(bank, date(2026, 11, 25), "money-tracing", "example-aml"))
        tables = policy.policy.data.tables
        assert tables["interbank"].rows == tables["transactions"].rows
        both = tables["interbank"].columns.keys() & tables["transactions"].columns.keys()
        assert both == {"from_account", "to_account", "amount_minor", "currency"} == tables["interbank"].columns.keys()
        for name in both:
            assert set(tables["interbank"].columns[name].operations) <= set(
                tables["transactions"].columns[name].operations
            )


def test_the_page_names_the_load_and_what_misses_its_goal() -> None:
    text = page([MEASURED])
    assert "Nothing else ran" in text
    assert "Over the goal" not in text
    assert "| structuring, 5,000,000 | 5,000,000 | 400,000 | 30,000 | 7.5 | 20 | 30.0 | 5.0 | 321 | 1,024 | 0 |" in text
    late = replace(MEASURED, timing=replace(MEASURED.timing, seconds=21.0), load=(4.0, 3.0))
    assert "Over the goal: structuring, 5,000,000." in page([MEASURED, late])
    assert "the machine was shared" in page([MEASURED, late])
    assert "| 4.0 |\n" in page([late])


def test_the_numbers_are_by_analysis_with_rows_seconds_bytes_and_rounds() -> None:
    timing = numbers([MEASURED])["timings"]["structuring, 5,000,000"]
    assert (timing["n"], timing["seconds"], timing["rounds"]) == (5_000_000, 7.5, 321)
    assert set(timing["bytes_per_party"]) == set(BANKS)


def test_what_one_run_wrote_a_later_one_of_another_analysis_keeps(tmp_path: Path) -> None:
    file = tmp_path / "gains-large.json"
    assert kept_from(file) == {}
    file.write_text(json.dumps(numbers([MEASURED])))
    assert kept_from(file) == {MEASURED.name: MEASURED}


def test_a_part_of_a_workload_has_no_goal() -> None:
    assert WORKLOADS[0].times(1) == WORKLOADS[0]
    assert WORKLOADS[0].times(0.01) == Workload("structuring", 50_000, 300, None)
