"""Quantiles with noise: bins, noisy counts, and what the recipient reads off; on every engine and in plain Python."""

import random

import pytest

from consortia.client.noise import noise_dict, noise_lines
from consortia.errors import RequestError
from consortia.execution.estimate import estimate
from consortia.execution.noise import drawn
from consortia.execution.quantiles import read_off
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.model import Plan
from consortia.plans.noised import Quantile
from consortia.plans.steps_of_noise import Noise, Quantiles
from tests.differential.test_queries_on_shares import frames
from tests.fixtures_catalogue import BANKS, COUNTRIES
from tests.unit.execution.test_noise_steps import HI, deposits, planned

ASKED = "MEDIAN(amount_minor) AS m, PERCENTILE_DISC(0.9) WITHIN GROUP (ORDER BY amount_minor) AS p"
QUERY = f"SELECT country, {ASKED} FROM deposits WHERE currency = 'EUR' GROUP BY country ORDER BY country"


def histogram(width: int = 10, lo: int = 0, hi: int = 99) -> Quantiles:
    asked = (
        Quantile(name="half", numerator=1, denominator=2, factor=10),
        Quantile(name="tenth", numerator=1, denominator=10, factor=1),
    )
    return Quantiles(
        id="s0", inputs=(), at="recipient", rows=1, columns=(), keys=("k",), bin="b", counts="n", lo=lo, hi=hi,
        width=width, quantiles=asked,
    )  # fmt: skip


def rows(*counts: int, key: int | None = 1) -> list[dict]:
    return [{"k": key, "b": place, "n": count} for place, count in enumerate(counts)]


def test_a_quantile_is_the_middle_of_the_first_bin_that_reaches_its_share() -> None:
    found = read_off(histogram(), rows(1, 0, 4, 5, 0, 0, 0, 0, 0, 0))
    assert found == [{"k": 1, "half": 245, "tenth": 4}]  # 5 of 10 by the bin from 20 to 29, 1 of 10 by the first
    assert read_off(histogram(width=30), rows(0, 0, 0, 1)) == [{"k": 1, "half": 945, "tenth": 94}]  # 90 to 99


def test_negative_noise_rows_without_a_bin_and_empty_cells_are_borne() -> None:
    none = {"k": None, "b": None, "n": 50}
    found = read_off(histogram(), [*rows(-3, 9, -2, 6), *rows(-1, 0, key=2), none])
    assert found == [
        {"k": 1, "half": 145, "tenth": 14},
        {"k": 2, "half": None, "tenth": None},
        {"k": None, "half": None, "tenth": None},
    ]


def quiet(plan: Plan):
    return {key: [each * 0 for each in words] for key, words in drawn(plan, plan.computers).items()}


def test_without_the_noise_quantiles_are_right_within_a_bin() -> None:
    plan, data = planned(QUERY, cells=320), deposits(6, 40)
    step = next(each for each in plan.steps if isinstance(each, Quantiles))
    assert (step.lo, step.hi, step.width) == (0, HI, 11)
    made = frames(plan, data)
    (frame,) = run_clear(raised(plan), made, quiet(plan)).values()
    found = {row["country"]: row for row in frame.rows(named=True)}
    assert set(found) == set(COUNTRIES)
    for code, country in enumerate(COUNTRIES[:4]):
        values = sorted(
            row["amount_minor"]
            for bank in BANKS for row in data[bank] if row["currency"] == 0 and row["country"] == code
        )  # fmt: skip
        assert abs(float(found[country]["m"]) - values[-(-len(values) // 2) - 1]) <= 11
        assert abs(found[country]["p"] - values[-(-len(values) * 9 // 10) - 1]) <= 11
    assert found[COUNTRIES[4]]["m"] is None


def raised(plan: Plan) -> Plan:
    """The plan without a bound on the rows of a customer."""
    steps = tuple(
        step.model_copy(update={"clips": tuple(clip.model_copy(update={"hi": 1000}) for clip in step.clips)})
        if step.kind == "bound" else step for step in plan.steps
    )  # fmt: skip
    return plan.model_copy(update={"steps": steps})


def test_three_computers_give_what_plain_values_give_at_the_declared_cost() -> None:
    plan, data = planned(QUERY, cells=320), deposits(2, 30)
    draws = drawn(plan, plan.computers, random.Random(5).randrange)
    run = simulate(plan, frames(plan, data), draws=draws)
    assert run.measured == estimate(plan)
    (frame,) = run.results.values()
    assert frame.equals(next(iter(run_clear(plan, frames(plan, data), draws).values())))
    assert frame.columns == ["country", "m", "p"]


def test_the_noise_of_a_quantile_is_told_as_a_rank_and_a_width() -> None:
    plan = planned(QUERY, cells=4)
    said = noise_dict(plan)
    assert said is not None
    assert [(each["output"], each["bin_width"]) for each in said["quantiles"]] == [("m", "11"), ("p", "11")]
    noise = next(each for each in plan.steps if isinstance(each, Noise))
    assert float(said["quantiles"][0]["rank_error_95"]) >= 1.96 * (64 * 1.5 * noise.noised[0].variance) ** 0.5
    assert any("of a rank" in line for line in noise_lines(plan))


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT country, {ASKED}, COUNT(*) AS n FROM deposits WHERE currency = 'EUR' GROUP BY country",
        "SELECT MEDIAN(amount_minor + 1) AS m FROM deposits WHERE currency = 'EUR'",
        "SELECT MEDIAN(amount_minor) AS m, COUNT(DISTINCT customer_key) AS n FROM deposits WHERE currency = 'EUR'",
        f"SELECT ts, {ASKED} FROM deposits WHERE currency = 'EUR' GROUP BY ts",
        f"{QUERY} LIMIT 2",
        "SELECT MEDIAN(ts) AS m FROM deposits",
    ],
)
def test_quantiles_that_no_histogram_gives_are_refused(sql: str) -> None:
    with pytest.raises(RequestError) as refused:
        planned(sql)
    assert refused.value.code in ("plans/noise", "plans/type")
