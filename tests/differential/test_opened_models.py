"""A joint regression over three banks, its weights opened with noise: from registered files to the asker's frame."""

from collections.abc import Sequence
from decimal import Decimal
from math import log
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from consortia.errors import RequestError
from consortia.execution.noise import drawn as draws_of
from consortia.parties.simulation import run_clear, simulate
from consortia.plans.bounded import largest_rate, schedule, sensitivity
from consortia.plans.build import build_plan
from consortia.plans.model import Plan
from consortia.plans.obligations import ClipBounds, NoiseTerms, Obligations
from consortia.plans.specs.bind import bind_analysis
from consortia.plans.steps_of_models import Weights
from consortia.plans.steps_of_noise import Noise
from consortia.plans.zcdp import Release, cost
from tests.differential.test_learning import CATALOGUE, EXAMPLES, Data, drawn, pooled
from tests.fixtures_catalogue import AS_OF, BANKS, environment
from tests.pooled_relations import Pool, Row

BOUNDED = EXAMPLES.replace("a.age, s.spent", "a.age, LEAST(s.spent, 3000) AS spent")
MODEL = f"analysis: logistic-regression{BOUNDED}epochs: 6\nbatch: 80\nl2: 0.01\npositive-weight: 2\ngive: model\n"
RANGES = ((0.0, 120.0), (0.0, 3000.0))
NETWORK = (
    "accounts: SELECT id AS account FROM accounts GROUP BY id\n"
    "payments: SELECT payer AS source, payee AS target, amount FROM payments\niterations: 1\n"
)


def plain(data: Data, plan: Plan) -> NDArray[np.float64]:
    """The weights of the features and the intercept in floating point, all rows in one batch."""
    (step,) = (each for each in plan.steps if isinstance(each, Weights))
    method = step.method
    _, features, labels, counted = pooled(data)
    scaled = [(2 * x - lo - hi) / (hi - lo) for x, (lo, hi) in zip(features.T, RANGES, strict=True)]
    x = np.stack([*scaled, np.ones(len(labels))])
    weight = counted * (1 + (method.positive_weight - 1) * labels)
    found, rate = np.zeros(3), method.rate / 10**6
    for _ in range(method.epochs):
        p = 1 / (1 + np.exp(-found @ x))
        pull = rate * method.penalty / 10**6 * found
        found = found - rate / method.batch * (x @ (weight * (p - labels))) - pull
    return found


def weights_of(rows: Sequence[Row]) -> NDArray[np.float64]:
    """In the order of the parameters' codes, which is that of the features, the intercept last."""
    by_place = {row["parameter"]: int(row["weight"] or 0) for row in rows}
    return np.array([by_place[place] / 10**6 for place in range(len(by_place))])


def obliged(rho: int = 10**8, clips: tuple[ClipBounds, ...] = ()) -> Obligations:
    return Obligations(entity="id", noise=NoiseTerms(rho=rho, cells=1, rows=1, clips=clips))


def noisy(pool: Pool, text: str = MODEL, obligations: Obligations | None = None) -> tuple[Plan, Noise]:
    """The plan with noise; accounts and spending name their customers by columns that the examples join."""
    surroundings = environment(CATALOGUE, entities={"accounts": "id", "spending": "who", "payments": "payer"})
    plan = build_plan(bind_analysis(text, CATALOGUE, AS_OF), surroundings, obligations or obliged())
    (noise,) = (step for step in plan.steps if isinstance(step, Noise))
    return plan, noise


def test_without_noise_the_weights_are_those_of_the_plain_algorithm_on_shares_and_on_plain_values(
    tmp_path: Path,
) -> None:
    data = drawn(1)
    pool = Pool(tmp_path, data, CATALOGUE)
    plan = pool.plan(MODEL)
    expected = plain(data, plan)
    assert max(abs(expected)) > 0.05
    for shared in (True, False):
        ((recipient, rows),) = pool.answers(plan, shared=shared).items()
        assert recipient == "ana@bank-a"
        assert np.max(np.abs(weights_of(rows) - expected)) < 5e-4


def test_the_frame_names_each_parameter_and_the_range_that_its_weight_is_of(tmp_path: Path) -> None:
    pool = Pool(tmp_path, drawn(2), CATALOGUE)
    plan = pool.plan(MODEL)
    ((_, frame),) = run_clear(plan, pool.frames(plan)).items()
    assert frame.columns == ["parameter", "weight", "low", "high"]
    assert frame.select("parameter", "low", "high").rows() == [
        ("age", 0, 120), ("intercept", None, None), ("spent", 0, 3000),
    ]  # fmt: skip


def test_ranges_of_decimals_and_whole_numbers_are_shown_in_one_unit(tmp_path: Path) -> None:
    pool = Pool(tmp_path, drawn(2), CATALOGUE)
    plan = pool.plan(MODEL.replace("a.age,", "LN(1 + a.age) AS age,"))
    ((_, frame),) = run_clear(plan, pool.frames(plan)).items()
    ((_, low, high), _, spent) = frame.select("parameter", "low", "high").rows()
    assert abs(low) < Decimal("0.01")
    assert log(121) <= float(high) < log(121) + 0.01  # as far as the function is exact
    assert spent == ("spent", Decimal(0), Decimal(3000))


def test_what_is_opened_are_the_weights_and_the_noise_of_every_computer(tmp_path: Path) -> None:
    data = drawn(3)
    pool = Pool(tmp_path, data, CATALOGUE)
    plan, noise = noisy(pool)
    draws = draws_of(plan, BANKS)
    assert {member for _, member in draws} == set(BANKS)
    added = sum(values[0].astype(np.int64) for values in draws.values())
    frames = pool.frames(plan)
    exact = pool.answers(pool.plan(MODEL), shared=False)["ana@bank-a"]
    wanted = {row["parameter"]: int(row["weight"] or 0) + int(added[int(row["parameter"] or 0)]) for row in exact}
    assert max(abs(added)) > noise.noised[0].variance ** 0.5 / 10
    ((_, on_plain),) = run_clear(plan, frames, draws).items()
    ((_, on_shares),) = simulate(plan, frames, draws=draws).results.items()
    words = next(step for step in plan.steps if isinstance(step, Weights)).columns[0].type.values
    for frame in (on_plain, on_shares):
        found = {
            words.index(name): int(weight.scaleb(6)) for name, weight in frame.select("parameter", "weight").rows()
        }
        # each run truncates in its own places
        assert max(abs(found[place] - wanted[place]) for place in wanted) <= 30


def test_noise_on_weights_has_the_variance_that_is_stated(tmp_path: Path) -> None:
    plan, noise = noisy(Pool(tmp_path, {}, CATALOGUE))
    found = np.concatenate([
        sum(values[0].astype(np.int64) for values in draws_of(plan, BANKS).values()) for _ in range(500)
    ])  # fmt: skip
    # of 1,500 numbers the variance lies within a sixth of its own with a probability of one in 10^5
    assert abs(found.var() / (1.5 * noise.noised[0].variance) - 1) < 1 / 6


def test_one_sensitivity_is_charged_for_the_whole_vector_of_weights(tmp_path: Path) -> None:
    plan, noise = noisy(Pool(tmp_path, {}, CATALOGUE))
    (step,) = (each for each in plan.steps if isinstance(each, Weights))
    rows = plan.step(step.inputs[0]).rows
    (noised,) = noise.noised
    assert noised.sensitivity == sensitivity(schedule(step.method, 2, rows))
    assert noise.rows == 3
    assert cost(Release(noised.sensitivity, noised.variance, 3)) <= 10**8
    assert cost(Release(noised.sensitivity, noised.variance - 1, 3)) > 10**8


@pytest.mark.parametrize("gone", [0, 7, 29])
def test_a_customer_who_is_gone_from_all_banks_changes_the_weights_by_no_more_than_that(
    tmp_path: Path, gone: int
) -> None:
    data = drawn(4)
    person = [row["id"] for rows in data["accounts"].values() for row in rows][gone]
    without: Data = {
        table: {
            bank: [row for row in rows if person not in (row.get("id"), row.get("who"))] for bank, rows in held.items()
        }
        for table, held in data.items()
    }
    _, noise = noisy(Pool(tmp_path / "plan", {}, CATALOGUE))
    found = []
    for number, each in enumerate((data, without)):
        pool = Pool(tmp_path / str(number), each, CATALOGUE)
        found.append(weights_of(pool.answers(pool.plan(MODEL), shared=False)["ana@bank-a"]))
    apart = float(((found[0] - found[1]) ** 2).sum()) * 10**12
    assert apart <= noise.noised[0].sensitivity


def test_clip_bounds_of_the_policies_are_the_ranges_of_what_one_contributor_has_of_a_column(tmp_path: Path) -> None:
    data = drawn(5)
    pool = Pool(tmp_path, data, CATALOGUE)
    clips = (ClipBounds(table="spending", column="spent", lo=500, hi=1500),)
    text = MODEL.replace("LEAST(s.spent, 3000) AS spent", "s.spent")
    plan, _ = noisy(pool, text, obliged(clips=clips))
    (step,) = (each for each in plan.steps if isinstance(each, Weights))
    assert [(each.lo, each.hi) for each in step.ranges] == [(0, 120), (500, 1500)]
    written = pool.plan(MODEL.replace("LEAST(s.spent, 3000)", "GREATEST(500, LEAST(s.spent, 1500))"))
    exact = {row["parameter"]: int(row["weight"] or 0) for row in pool.answers(written, shared=False)["ana@bank-a"]}
    none = {key: [np.zeros(3, np.uint64)] for key in draws_of(plan, BANKS)}
    ((_, frame),) = run_clear(plan, pool.frames(plan), none).items()
    found = {step.columns[0].type.values.index(name): int(weight.scaleb(6))
             for name, weight in frame.select("parameter", "weight").rows()}  # fmt: skip
    assert max(abs(found[place] - exact[place]) for place in exact) <= 30


def test_a_rate_that_is_not_written_is_lowered_to_the_largest_permitted_one_and_a_larger_one_refused(
    tmp_path: Path,
) -> None:
    pool = Pool(tmp_path, {}, CATALOGUE)
    heavy = MODEL.replace("positive-weight: 2", "positive-weight: 50")
    (step,) = (each for each in pool.plan(heavy).steps if isinstance(each, Weights))
    most = largest_rate(2, 50, 10_000)
    assert step.method.rate == most < 500_000
    with pytest.raises(RequestError) as refused:
        pool.plan(heavy.replace("batch: 80", "batch: 80\nrate: 0.5"))
    assert refused.value.code == "plans/spec"
    assert f"{most / 10**6:f}" in refused.value.remedy


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("give: model", "give: model\nby: held"), "plans/spec"),
        (("give: model", "give: model\nbands: [5]"), "plans/spec"),
        (("give: model", "give: model\nat-least: 0.5"), "plans/spec"),
        (("give: model", f"give: model\n{NETWORK}"), "plans/spec"),
        (("a.age,", "a.age AS intercept,"), "plans/spec"),
        (("a.age,", "0 * a.age AS age,"), "plans/spec"),
        (("MAX(suspect) AS label", "MAX(age) AS label"), "plans/spec"),
        (("MAX(age) AS age", "MAX(CASE WHEN age > 5 THEN age END) AS age"), "plans/unsupported"),
        (("AS subject", "AS subject, a.id AS other"), "plans/spec"),
        (("LEAST(s.spent, 3000)", "s.spent * 1000000000000000"), "plans/capacity"),
        (("batch: 80", "batch: 80\nrate: 0.000001\nbatch-size: 1"), "plans/spec"),
        (("batch: 80", "batch: 1000000\nrate: 0.000001"), "plans/capacity"),
    ],
)
def test_what_can_not_be_opened_so_is_refused_with_a_remedy(tmp_path: Path, change: tuple[str, str], code: str) -> None:
    assert change[0] in MODEL
    with pytest.raises(RequestError) as refused:
        Pool(tmp_path, {}, CATALOGUE).plan(MODEL.replace(*change))
    assert refused.value.code == code
    assert refused.value.remedy


def test_trees_are_not_opened(tmp_path: Path) -> None:
    text = f"analysis: boosted-trees{BOUNDED}trees: 1\ndepth: 1\ngive: model\n"
    with pytest.raises(RequestError) as refused:
        Pool(tmp_path, {}, CATALOGUE).plan(text)
    assert "model" in refused.value.message


def test_examples_that_are_not_grouped_by_the_privacy_unit_are_refused(tmp_path: Path) -> None:
    text = (
        "analysis: logistic-regression\nexamples: |\n"
        "  SELECT payee AS subject, MAX(CASE WHEN amount > 500 THEN 1 ELSE 0 END) AS label, MAX(amount) AS amount\n"
        "  FROM payments GROUP BY payee\nepochs: 1\ngive: model\n"
    )
    pool = Pool(tmp_path, {}, CATALOGUE)
    with pytest.raises(RequestError) as refused:
        noisy(pool, text)
    assert refused.value.code == "plans/entity-lost"
    noisy(pool, text.replace("payee", "payer"))
