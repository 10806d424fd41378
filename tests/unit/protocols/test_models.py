"""Joint models: one flat vector from columns, labels and counted rows; probabilities from it; on every engine."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.counting import CountedArithmetic, CountingEngine
from consortia.protocols.learning import cuts, model
from consortia.protocols.learning.model import SCORE_FRACTION, Regression, Trees
from consortia.protocols.learning.regression import Descent
from consortia.protocols.learning.scaling import Column, learned, standardised
from consortia.protocols.learning.trees import Boosting
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shamir.counting import ShamirCountingEngine
from tests.learning_world import (
    average_precision,
    best_regression,
    bits_plainly,
    columns_of,
    numbers,
    real_values,
    regression_plainly,
    signed_values,
    standardised_plainly,
    trees_plainly,
)
from tests.relations_world import Col, Given, check_declared, declared, on_clear, on_ring3, on_shamir, trace
from tests.shamir_world import ShamirWorld
from tests.world import World

BOUNDS = ((0, 100), (0, 1), (-(10**12), 10**12))
REGRESSION = Regression(Descent(epochs=2, batch=16, rate=0.5, l2=0.01, positive_weight=2))
TREES = Trees(Boosting(trees=2, depth=2, rate=0.5), (-1.0, 0.0, 1.0))
METHODS = pytest.mark.parametrize("method", [REGRESSION, TREES], ids=["regression", "trees"])


def drawn_rows(seed, rows, padding=0.1):
    """Features, label, counted, valid; a padded row is all zeros."""
    draw = np.random.default_rng([seed, rows])
    age, flag = draw.integers(0, 101, rows), draw.integers(0, 2, rows)
    amount = (draw.normal(size=rows) * 10**6).astype(int)
    odds = (age - 50) / 20 + 2 * flag - 1 + amount / 10**6
    label = (odds + draw.logistic(size=rows) > 0).astype(int)
    valid = draw.random(rows) >= padding
    counted = valid & (draw.random(rows) < 0.7)
    table = np.stack([age, flag, amount, label, counted, valid], axis=1).astype(int)
    table[~valid] = 0
    return table


def given_rows(table, bounds=BOUNDS):
    names = [f"x{place}" for place in range(len(bounds))]
    columns = [Col(name, lo, hi, domain="arithmetic") for name, (lo, hi) in zip(names, bounds, strict=True)]
    columns += [Col(name, 0, 1, domain="arithmetic") for name in ("label", "counted", "valid")]
    every = [*names, "label", "counted", "valid"]
    return Given(tuple(columns), [dict(zip(every, map(int, row), strict=True)) for row in table])


def fitted_and_scored(method, bounds=BOUNDS):
    def program(engine, table):
        value = {name: column.value for name, column in table.columns.items()}
        columns = [Column(value[f"x{place}"], lo, hi) for place, (lo, hi) in enumerate(bounds)]
        found = model.fit(engine.narrow("fit"), columns, value["label"], value["counted"], method)
        assert found.length == model.parameters(method, len(columns))
        score = model.score(engine.narrow("score"), columns, value["valid"], found, method)
        assert score.fraction == SCORE_FRACTION
        return SharedTable(table.length, {"score": SharedColumn(score.carried, 0, score.limit)}, table.valid)

    return program


def probabilities(rows):
    return np.array([row["score"] for row in rows]) / 2**SCORE_FRACTION


def in_clear(method, features, bounds, labels, counted, valid):
    """Probabilities on the clear engine, which raises where a number leaves its bounds."""
    engine = ClearEngine()
    columns = columns_of(engine, features, bounds)
    found = model.fit(engine.narrow("fit"), columns, numbers(engine, labels), numbers(engine, counted), method)
    score = model.score(engine.narrow("score"), columns, numbers(engine, valid), found, method)
    return real_values(score, len(labels))[0], signed_values(found)


def plainly(method, features, labels, counted):
    """Probabilities of the same method in floating point."""
    matrix = np.stack([standardised_plainly(x, counted)[0] for x in features])
    if isinstance(method, Regression):
        weights = regression_plainly(matrix, labels, counted, method.descent)
        odds = weights[:-1] @ matrix + weights[-1]
    else:
        odds = trees_plainly(bits_plainly(matrix, method.cuts), labels, counted, method.boosting)[1]
    return 1 / (1 + np.exp(-odds))


# --- engines --------------------------------------------------------------------------------------------


@METHODS
def test_every_engine_gives_the_same_probabilities_and_sends_what_is_declared(method):
    program, rows = fitted_and_scored(method), given_rows(drawn_rows(1, 24))
    clear = probabilities(on_clear(program, rows))
    world = World(1)
    assert np.abs(probabilities(on_ring3(program, rows, world=world)) - clear).max() < 2e-3
    check_declared(world, declared(program, rows))


@METHODS
def test_the_threshold_engine_gives_the_same_probabilities_too(method):
    program, rows = fitted_and_scored(method), given_rows(drawn_rows(2, 8))
    group = ShamirWorld()
    secret = probabilities(on_shamir(program, rows, world=group))
    assert np.abs(secret - probabilities(on_clear(program, rows))).max() < 2e-3
    check_declared(group, declared(program, rows, engine=ShamirCountingEngine(group.group)))


@METHODS
def test_traffic_is_the_same_whatever_the_rows_are(method):
    table = drawn_rows(3, 12)
    program = fitted_and_scored(method)
    nothing = trace(program, given_rows(table * 0))
    assert len(nothing) >= 3
    assert trace(program, given_rows(table)) == nothing


# --- what comes out -------------------------------------------------------------------------------------


@METHODS
def test_probabilities_are_those_of_the_same_method_in_floating_point(method):
    table = drawn_rows(4, 300)
    got, _ = in_clear(method, table[:, :3].T, BOUNDS, *table[:, 3:].T)
    want = plainly(method, table[:, :3].T, table[:, 3], table[:, 4])
    assert np.abs(got - want * table[:, 5]).max() < 0.01
    assert not got[table[:, 5] == 0].any()


@METHODS
def test_the_label_and_the_features_of_a_row_that_does_not_count_change_no_other_row(method):
    table = drawn_rows(5, 60)
    other = table.copy()
    out = (table[:, 4] == 0) & (table[:, 5] == 1)
    assert 5 < out.sum() < 40
    other[out, 3] = 1 - other[out, 3]
    other[out, 0] = 100 - other[out, 0]
    (one, _), (two, _) = (in_clear(method, x[:, :3].T, BOUNDS, *x[:, 3:].T) for x in (table, other))
    assert np.abs(one - two)[~out].max() < 1e-4
    # its score follows from its own features, so it is scored as any row
    assert np.abs(one - two)[out].max() > 0.01


@METHODS
@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("counted", [0, 1])
def test_one_row_labels_all_alike_and_no_row_that_counts_give_probabilities(method, rows, label, counted):
    draw = np.random.default_rng(6)
    features = [draw.integers(0, 101, rows), draw.integers(0, 2, rows), draw.integers(-(10**12), 10**12, rows)]
    got, _ = in_clear(method, features, BOUNDS, [label] * rows, [counted] * rows, [1] * rows)
    if counted:
        assert ((got > 0.5) == label).all()
    else:
        assert np.abs(got - 0.5).max() < 1e-3


@METHODS
def test_many_padded_rows_leave_the_probabilities_as_they_were(method):
    table = drawn_rows(7, 64, padding=0)
    method = Regression(Descent(epochs=2, batch=64, rate=0.5, l2=0)) if isinstance(method, Regression) else method
    padded = np.concatenate([table, np.zeros((192, 6), int)])
    wide = Regression(Descent(epochs=2, batch=256, rate=0.5, l2=0)) if isinstance(method, Regression) else method
    one, _ = in_clear(method, table[:, :3].T, BOUNDS, *table[:, 3:].T)
    two, _ = in_clear(wide, padded[:, :3].T, BOUNDS, *padded[:, 3:].T)
    assert np.abs(one - two[:64]).max() < 5e-3


@pytest.mark.parametrize("at_once", [1 << 22, 16, 1])
def test_cuts_are_at_or_below_feature_by_feature_whatever_the_blocks(monkeypatch, at_once):
    monkeypatch.setattr(cuts, "AT_ONCE", at_once)
    engine = ClearEngine()
    values = [[-3, -1, 0, 1, 3], [0, 10, 10, 10, 10]]
    columns = columns_of(engine, values, [(-10, 10), (0, 100)])
    scaling = learned(engine.narrow("learn"), columns, numbers(engine, [1] * 5))
    matrix = standardised(engine.narrow("use"), columns, scaling)
    edges = (-1.0, 0.0, 0.49, 1.0)
    found = cuts.features(engine.narrow("cuts"), matrix, 5, edges)
    assert (found.cuts, found.rows) == (8, 5)
    assert max(found.lengths) == {1 << 22: 5, 16: 2, 1: 1}[at_once]
    got = np.concatenate([signed_values(block).reshape(8, -1) for block in found.blocks], axis=1)
    want = bits_plainly(real_values(matrix, 5), edges)
    assert (want == got.T).all()
    assert got[0].tolist() == [1, 0, 0, 0, 0]


EDGES = ((7, 7), (0, 0), (-(2**61), 2**61), (10**9, 10**9 + 1), (-(2**37), 2**37 + 1), (0, 1))


@st.composite
def edge_rows(draw):
    """Columns at the ends of their bounds, or 0 in a row that is not valid."""
    rows = draw(st.integers(1, 5))
    flags = st.lists(st.integers(0, 1), min_size=rows, max_size=rows)
    bounds = draw(st.lists(st.sampled_from(EDGES), min_size=1, max_size=3))
    valid, labels = draw(flags), draw(flags)
    counted = [a * b for a, b in zip(valid, draw(flags), strict=True)]
    features = [[draw(st.sampled_from([lo, hi, (lo + hi) // 2])) if keep else 0 for keep in valid] for lo, hi in bounds]
    return features, bounds, labels, counted, valid


@METHODS
@settings(max_examples=25, deadline=None)
@given(edge_rows())
def test_edge_values_stay_within_the_limits_of_every_number(method, case):
    # the clear engine raises where a number reaches a bound that was declared
    got, _ = in_clear(method, *case)
    assert (got >= 0).all()
    assert (got <= np.array(case[-1])).all()


@METHODS
def test_no_row_to_score_gives_no_probability_and_sends_nothing(method):
    engine = CountingEngine(World.computers)
    columns = [Column(CountedArithmetic(0), *bounds) for bounds in BOUNDS]
    found = CountedArithmetic(model.parameters(method, 3))
    assert model.score(engine, columns, CountedArithmetic(0), found, method).length == 0
    assert not engine.counts.sent


# --- what can't be asked --------------------------------------------------------------------------------


def test_planning_can_ask_beforehand_what_a_fit_would_refuse():
    model.check(Regression(Descent(epochs=10, batch=1024, rate=0.5, l2=0.01)), 500, 1 << 20)
    model.check(TREES, 500, 1 << 20)
    heavy = Trees(Boosting(trees=1, depth=1, rate=0.5, positive_weight=8), (0.0,))
    for method, features, rows in (
        (REGRESSION, 0, 10),
        (REGRESSION, 500, 1 << 20),
        (REGRESSION, 3, 0),
        (REGRESSION, 3, (1 << 25) + 1),
        (TREES, 3, 1 << 22),
        (heavy, 3, 1 << 20),
    ):
        with pytest.raises(InternalError, match="learning/range"):
            model.check(method, features, rows)


@pytest.mark.parametrize("edges", [(), (1.0, 0.0), (0.0, 0.0), (-9.0,), (8.5,), (float("nan"),)])
def test_cuts_that_do_not_ascend_within_the_scale_are_refused(edges):
    with pytest.raises(InternalError, match="learning/range"):
        Trees(Boosting(1, 1, 0.5), edges)


@pytest.mark.parametrize(
    "method",
    [
        Regression(Descent(epochs=1, batch=1 << 17, rate=1, l2=0, positive_weight=50)),
        Trees(Boosting(trees=40, depth=2, rate=1, positive_weight=8), (0.0, 1.0)),
    ],
    ids=["regression", "trees"],
)
def test_many_rows_and_trees_stay_within_62_bits(method):
    """Every fixed-point number checks its own limit, also on shapes alone."""
    engine, rows = CountingEngine(World.computers), (1 << 18) - 1
    model.check(method, 1, rows)
    column = Column(CountedArithmetic(rows), -(2**61), 2**61)
    found = model.fit(engine, [column], CountedArithmetic(rows), CountedArithmetic(rows), method)
    assert model.score(engine.narrow("score"), [column], CountedArithmetic(rows), found, method).limit == 1 << 20


def test_a_model_of_another_shape_is_refused():
    engine = ClearEngine()
    columns = columns_of(engine, [[1], [0], [5]], BOUNDS)
    with pytest.raises(InternalError, match="protocol/shape"):
        model.score(engine, columns, numbers(engine, [1]), numbers(engine, [0] * 12), REGRESSION)


# --- public data ----------------------------------------------------------------------------------------

RATES = Regression(Descent(epochs=20, batch=256, rate=0.5, l2=0.0001))
FOREST = Trees(Boosting(trees=20, depth=3, rate=0.3), tuple(np.linspace(-2, 2, 9)))


def credit_card_frauds():
    """Features in thousandths, labels: all frauds and 1,230 other payments of the ULB set."""
    folder = os.environ.get("CONSORTIA_TEST_DATA")
    file = Path(folder or "", "ulb-creditcard-sample", "creditcard_sample.csv")
    if not folder or not file.exists():
        pytest.skip("CONSORTIA_TEST_DATA names no folder with ulb-creditcard-sample/creditcard_sample.csv")
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    names = [name for name in rows[0] if name not in {"", "Class"}]
    features = np.array([[round(float(row[name]) * 1000) for row in rows] for name in names])
    return features, np.array([int(row["Class"]) for row in rows])


def generated():
    draw = np.random.default_rng(8)
    features = np.rint(draw.normal(size=(8, 2000)) * 10_000).astype(int)
    odds = np.linspace(-1, 1, 8) @ features / 10_000 - 1.5
    return features, (odds + draw.logistic(size=2000) > 0).astype(int)


@pytest.fixture(
    params=[generated, pytest.param(credit_card_frauds, marks=pytest.mark.slow)], ids=["generated", "frauds"]
)
def held_out(request):
    """Features, the same standardised in floating point, labels, and the rows that count."""
    features, labels = request.param()
    kept = np.random.default_rng(9).random(labels.size) < 0.7
    return features, np.stack([standardised_plainly(x, kept)[0] for x in features]), labels, kept


def check_precision(held_out, method, theirs):
    features, _, labels, kept = held_out
    bounds = [(-(10**9), 10**9)] * len(features)
    got, _ = in_clear(method, features, bounds, labels, kept, np.ones_like(labels))
    want = average_precision(labels[~kept], theirs[~kept])
    assert want > 0.5
    assert abs(average_precision(labels[~kept], got[~kept]) - want) < 0.005


def test_average_precision_of_a_regression_on_other_rows_is_that_of_the_optimum(held_out):
    _, matrix, labels, kept = held_out
    weights = best_regression(matrix[:, kept], labels[kept], RATES.descent.l2)
    check_precision(held_out, RATES, weights[:-1] @ matrix + weights[-1])


def test_average_precision_of_a_regression_on_other_rows_is_that_of_scikit_learn(held_out):
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    _, matrix, labels, kept = held_out
    theirs = linear.LogisticRegression(C=1 / (RATES.descent.l2 * kept.sum()), max_iter=1000)
    theirs.fit(matrix.T[kept], labels[kept])
    check_precision(held_out, RATES, theirs.predict_proba(matrix.T)[:, 1])


def test_average_precision_of_trees_on_other_rows_is_that_of_the_same_in_floating_point(held_out):
    features, _, labels, kept = held_out
    check_precision(held_out, FOREST, plainly(FOREST, features, labels, kept.astype(int)))
