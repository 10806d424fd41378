"""Logistic regression on shares against the same descent in floating point; what it can't be asked; its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.counting import CountedArithmetic, CountingEngine
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.learning.regression import Descent, fit, limits, scores
from consortia.protocols.learning.scaling import CLIP, FRACTION
from tests.learning_world import average_precision, numbers, real_values, regression_plainly, signed_values
from tests.world import World

LIMIT = CLIP << FRACTION


def drawn(seed, rows, features=4):
    draw = np.random.default_rng([seed, rows])
    matrix = np.clip(draw.normal(size=(features, rows)), -CLIP, CLIP)
    odds = matrix.T @ np.linspace(-1, 1.5, features) - 0.5
    labels = (odds + draw.logistic(size=rows) > 0).astype(int)
    return np.rint(matrix * 2**FRACTION) / 2**FRACTION, labels, (draw.random(rows) < 0.7).astype(int)


def fitted(matrix, labels, counted, spec):
    engine = ClearEngine()
    carried = numbers(engine, np.rint(matrix * 2**FRACTION).astype(int).reshape(-1))
    fixed = Fixed(carried, FRACTION, LIMIT)
    weights = fit(engine.narrow("fit"), fixed, numbers(engine, labels), numbers(engine, counted), spec)
    found = scores(engine.narrow("score"), fixed, weights, len(labels))
    return real_values(weights, 1)[:, 0], real_values(found, len(labels))[0]


@pytest.mark.parametrize(
    ("rows", "spec"),
    [
        (200, Descent(epochs=4, batch=32, rate=0.5, l2=0)),
        (200, Descent(epochs=4, batch=33, rate=0.5, l2=0.1, positive_weight=5)),
        (7, Descent(epochs=2, batch=3, rate=0.3, l2=0.01)),
        (50, Descent(epochs=3, batch=1000, rate=1, l2=0)),
        (9, Descent(epochs=2, batch=1, rate=0.1, l2=1)),
    ],
)
def test_weights_and_scores_are_those_of_the_same_descent_in_floating_point(rows, spec):
    matrix, labels, counted = drawn(1, rows)
    weights, odds = fitted(matrix, labels, counted, spec)
    want = regression_plainly(matrix, labels, counted, spec)
    # each step takes the sigmoid's error (3.5e-4) times the mean size of a feature and the rate
    steps = spec.epochs * spec.batches(rows)
    assert np.abs(weights - want).max() < 3.5e-4 * spec.rate * steps + 2e-3
    assert np.abs(odds - (weights[:-1] @ matrix + weights[-1])).max() < 1e-4


def test_rows_that_do_not_count_change_nothing_whatever_their_label_and_features_are():
    matrix, labels, counted = drawn(2, 60)
    spec = Descent(epochs=2, batch=16, rate=0.5, l2=0.01, positive_weight=3)
    other = np.where(counted, matrix, -matrix)
    found, changed = (
        fitted(x, y, counted, spec)[0] for x, y in ((matrix, labels), (other, np.where(counted, labels, 1 - labels)))
    )
    # roundings are drawn, so that equal sums may differ by a unit a step
    assert np.abs(found - changed).max() < 1e-4


def test_padding_to_twice_the_rows_leaves_the_size_of_a_step_as_it_was():
    matrix, labels, _ = drawn(3, 256)
    ones = np.ones(256, int)
    # the same rows fall into the same batches: padded rows stand behind them
    spec, padded = (Descent(epochs=3, batch=batch, rate=0.5, l2=0.01) for batch in (32, 64))
    alone, _ = fitted(matrix, labels, ones, spec)
    none = np.zeros((len(matrix), 256))
    beside, _ = fitted(
        np.concatenate([matrix, none], axis=1),
        np.concatenate([labels, ones]),
        np.concatenate([ones, 0 * ones]),
        padded,
    )
    assert np.abs(alone - beside).max() < 1e-3


@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize("label", [0, 1])
def test_no_row_one_row_and_labels_all_alike_give_finite_weights(counted, label):
    spec = Descent(epochs=3, batch=4, rate=1, l2=0.1, positive_weight=2)
    for rows in (1, 6):
        matrix, _, _ = drawn(4, rows)
        weights, odds = fitted(matrix, np.full(rows, label), np.full(rows, counted), spec)
        assert np.isfinite(odds).all()
        if counted:
            assert (weights[-1] > 0) == label
        else:
            assert not weights.any()


FEATURE = st.sampled_from([-CLIP, CLIP, 0, 1, -1])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(FEATURE, FEATURE, st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=8),
    st.sampled_from([0.01, 1.0, 64.0, 1024.0]),
    st.integers(1, 8),
    st.sampled_from([1, 3, 1000]),
    st.booleans(),
)
def test_weights_never_leave_their_bound_however_large_the_rate(rows, rate, batch, positive, pulled):
    spec = Descent(epochs=2, batch=batch, rate=rate, l2=1 / rate if pulled else 0, positive_weight=positive)
    table = np.array(rows)
    # the clear engine raises where a number reaches a bound that was declared
    weights, _ = fitted(table[:, :2].T.astype(float), table[:, 2], table[:, 3], spec)
    assert np.abs(weights).max() <= 64


def test_a_classifier_of_rare_labels_ranks_as_the_one_in_floating_point():
    draw = np.random.default_rng(5)
    matrix = np.clip(draw.normal(size=(6, 1500)), -CLIP, CLIP)
    odds = matrix.T @ np.array([1.5, -1, 0.7, 0, 0, 0.3]) - 3.5
    labels = (odds + draw.logistic(size=1500) > 0).astype(int)
    assert 0.02 < labels.mean() < 0.2
    spec = Descent(epochs=5, batch=128, rate=0.5, l2=0.001, positive_weight=10)
    _, found = fitted(matrix, labels, np.ones(1500, int), spec)
    weights = regression_plainly(matrix, labels, np.ones(1500, int), spec)
    want = weights[:-1] @ matrix + weights[-1]
    assert abs(average_precision(labels, found) - average_precision(labels, want)) < 0.005


def test_limits_hold_up_to_many_features_and_rows_and_refuse_what_they_can_not_prove():
    limits(Descent(epochs=10, batch=1 << 14, rate=0.5, l2=0.01, positive_weight=100), 500, 1 << 24)
    limits(Descent(epochs=10, batch=1024, rate=0.5, l2=0.01, positive_weight=1000), 30, 100_000)
    for spec, features, rows in (
        (Descent(1, 1, 1024, 0), 500, 1 << 20),
        (Descent(1, 1 << 24, 1, 0, positive_weight=1 << 12), 500, 1 << 24),
        (Descent(1, 1 << 20, 1e-6, 0), 5, 1 << 20),
    ):
        with pytest.raises(InternalError, match="learning/range"):
            limits(spec, features, rows)


def permitted(spec, features, rows):
    try:
        limits(spec, features, rows)
    except InternalError:
        return False
    return True


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("rate", [0.01, 1, 1024])
def test_what_limits_permit_the_protocol_can_do(batch, rate):
    """Every fixed-point number checks its own limit, also on shapes alone."""
    engine = CountingEngine(World.computers)
    spec = Descent(epochs=1, batch=batch, rate=rate, l2=1 / rate, positive_weight=1000)
    rows = 128
    features = max(count for count in range(1, 501) if permitted(spec, count, rows))
    assert features == 500 or rate == 1024
    matrix = Fixed(CountedArithmetic(rows * features), FRACTION, LIMIT)
    weights = fit(engine, matrix, CountedArithmetic(rows), CountedArithmetic(rows), spec)
    scores(engine.narrow("score"), matrix, weights, rows)
    assert weights.limit == 64 << 20


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch": 0}, {"rate": 0}, {"rate": 2000}, {"l2": -0.1}, {"l2": 3}, {"positive_weight": 0}],
)
def test_a_descent_without_sense_is_refused(wrong):
    with pytest.raises(InternalError, match="learning/range"):
        Descent(**{"epochs": 1, "batch": 8, "rate": 0.5, "l2": 0.0} | wrong)


def test_average_precision_is_the_textbooks():
    labels, ranked = np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert average_precision(labels, ranked) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(labels, np.zeros(4)) == pytest.approx(0.5)


def test_weights_of_one_batch_and_epoch_are_one_step_along_the_mean_gradient():
    matrix, labels = np.array([[2.0, -2.0]]), np.array([1, 0])
    weights, _ = fitted(matrix, labels, np.array([1, 1]), Descent(1, 2, 0.5, 0))
    assert np.abs(weights - [0.5, 0]).max() < 1e-3
    assert signed_values(numbers(ClearEngine(), [-1])).tolist() == [-1]
