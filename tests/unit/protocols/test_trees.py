"""Boosted trees on shares against the same trees in floating point."""

import math

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.counting import CountedArithmetic, CountingEngine
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.learning.choice import best
from consortia.protocols.learning.trees import FRACTION, Boosting, Features, scores_of, sum_bits, train
from consortia.protocols.relational.table import SharedColumn, SharedTable
from tests.learning_world import leaf_of, trees_plainly
from tests.relations_world import Col, Given, check_declared, declared, on_clear, on_ring3, trace
from tests.world import World

UNIT = 1 << FRACTION
SPEC = Boosting(trees=3, depth=2, rate=0.5)


def drawn_rows(seed, rows, features=3, cuts=4):
    """Bits below the cuts, row by row, labels that follow from two features, and padded rows."""
    draw = np.random.default_rng([seed, rows])
    values = draw.normal(size=(rows, features))
    edges = np.quantile(values, np.linspace(0.1, 0.9, cuts), axis=0)
    below = (values[:, :, None] <= edges.T[None]).reshape(rows, features * cuts)
    odds = 2 * values[:, 0] * (values[:, 1] > 0) - values[:, 1] + 0.3 * draw.normal(size=rows)
    return below.astype(int), (odds > 0).astype(int), draw.random(rows) > 0.15


# --- on shares ------------------------------------------------------------------------------------------


def given_rows(below, labels, valid):
    columns = [Col("label", 0, 1, domain="arithmetic"), Col("kept", 0, 1, domain="arithmetic")]
    columns += [Col(f"c{place}", 0, 1, domain="arithmetic") for place in range(below.shape[1])]
    rows = [
        {"label": int(label), "kept": int(kept), **{f"c{place}": int(bit) for place, bit in enumerate(bits)}}
        for label, kept, bits in zip(labels, valid, below, strict=True)
    ]
    return Given(tuple(columns), rows)


def blocks_of(columns):
    """Rows in two blocks of unequal length."""
    middle, end = columns[0].length // 3, columns[0].length
    spans = [(0, middle), (middle, end)] if middle else [(0, end)]
    parts = [[column.rows(start, stop) for column in columns] for start, stop in spans]
    return tuple(part[0].concatenated(part[1:]) for part in parts)


def features_of(table):
    columns = [table.column(name).value for name in table.columns if name.startswith("c")]
    return Features(blocks_of(columns), len(columns))


def scored(spec):
    def program(engine, table):
        features = features_of(table)
        trees = train(engine.narrow("train"), features, table.column("label").value, table.column("kept").value, spec)
        found = scores_of(engine.narrow("score"), features, trees)
        return SharedTable(table.length, {"score": SharedColumn(found.carried, -found.limit, found.limit)}, table.valid)

    return program


@pytest.mark.parametrize("spec", [SPEC, Boosting(2, 3, 0.3, l2=2, minimum_weight=0, positive_weight=3)])
def test_scores_are_those_of_the_same_trees_in_floating_point_on_every_engine(spec):
    below, labels, valid = drawn_rows(1, 120)
    given = given_rows(below, labels, valid)
    expected = trees_plainly(below, labels, valid, spec)[0]
    world = World(1)
    secret = on_ring3(scored(spec), given, world=world)
    check_declared(world, declared(scored(spec), given))
    for rows in (secret, on_clear(scored(spec), given)):
        got = np.array([row["score"] / UNIT for row in rows])
        # rows left out of the training are scored too
        total = sum(np.array([leaves[leaf_of(choices, bits)] for bits in below]) for choices, leaves in expected)
        assert np.abs(got - total).max() < 0.01


@pytest.mark.parametrize("minimum", [1, 1000, 10**6])
def test_a_minimum_that_no_side_reaches_leaves_no_cut_better_than_another(minimum):
    below, labels, valid = drawn_rows(6, 10)
    spec = Boosting(trees=1, depth=1, rate=0.5, minimum_weight=minimum)
    engine = ClearEngine()
    bits, y, kept = (
        engine.constant_arithmetic(np.asarray(rows, dtype=np.uint64).reshape(-1)) for rows in (below.T, labels, valid)
    )
    (tree,) = train(engine, Features((bits,), below.shape[1]), y, kept, spec)
    expected, _ = trees_plainly(below, labels, valid, spec)
    assert [list(level.values) for level in tree.choices] == [
        [int(cut == chosen) for cut in range(below.shape[1])] for (chosen,) in expected[0][0]
    ]


def test_trees_learn_a_label_that_depends_on_two_features():
    below, labels, valid = drawn_rows(2, 600)
    spec = Boosting(trees=8, depth=3, rate=0.5)
    given = given_rows(below, labels, valid)
    rows = on_clear(scored(spec), given)
    right = np.mean([(row["score"] > 0) == label for row, label in zip(rows, labels, strict=True)])
    assert right > 0.85


def test_rows_that_are_not_valid_change_nothing():
    below, labels, valid = drawn_rows(3, 80)
    other = np.where(valid, labels, 1 - labels)
    first, second = (on_clear(scored(SPEC), given_rows(below, y, valid)) for y in (labels, other))
    assert first == second


def test_one_class_alone_and_one_row_give_finite_scores():
    below, labels, valid = drawn_rows(4, 30)
    for rows in (slice(0, 30), slice(0, 1)):
        given = given_rows(below[rows], labels[rows] * 0 + 1, valid[rows] | True)
        for row in on_clear(scored(SPEC), given):
            assert 0 <= row["score"] / UNIT < 10


def test_traffic_is_the_same_whatever_the_rows_are():
    below, labels, valid = drawn_rows(5, 40)
    zeros = trace(scored(SPEC), given_rows(below * 0, labels * 0, valid & False))
    assert len(zeros) >= 3
    assert trace(scored(SPEC), given_rows(below, labels, valid)) == zeros


@pytest.mark.parametrize("candidates", [1, 2, 3, 7, 8])
def test_the_choice_is_the_first_greatest_of_each_column(candidates):
    for seed in range(4):
        values = np.random.default_rng([seed, candidates]).integers(-3, 4, size=(candidates, 5))
        engine = ClearEngine()
        shared = engine.constant_arithmetic(values.reshape(-1).astype(np.int64).view(np.uint64))
        got = best(engine, Fixed(shared, 0, 3), candidates).values.reshape(candidates, 5)
        assert (got.argmax(axis=0) == values.argmax(axis=0)).all()
        assert (got.sum(axis=0) == 1).all()


def test_sums_keep_fewer_fraction_bits_the_more_rows_there_are_and_too_many_rows_are_refused():
    assert sum_bits(1000) == 16
    assert [sum_bits(2**power) for power in (18, 20, 21)] == [9, 7, 6]
    with pytest.raises(InternalError, match="learning/range"):
        sum_bits(2**23)


@pytest.mark.parametrize(
    "wrong",
    [
        {"trees": 0}, {"depth": 0}, {"rate": 0}, {"rate": 1.5}, {"l2": 0}, {"positive_weight": 0},
        {"trees": 1 << 20}, {"depth": 17}, {"l2": 1 << 21}, {"minimum_weight": 1 << 21}, {"minimum_weight": -1},
    ],
)  # fmt: skip
def test_a_training_without_sense_is_refused(wrong):
    with pytest.raises(InternalError, match="learning/range"):
        Boosting(**{"trees": 1, "depth": 1, "rate": 0.5} | wrong)


@pytest.mark.parametrize("rows", [1, 1000, (1 << 21) - 1])
def test_the_largest_penalty_and_minimum_stay_within_62_bits(rows):
    """Every fixed-point number checks its own limit, also on shapes alone."""
    spec = Boosting(trees=1, depth=2, rate=1, l2=1 << 20, minimum_weight=1 << 20)
    bits, row = CountedArithmetic(rows), CountedArithmetic(rows)
    (tree,) = train(CountingEngine(World.computers), Features((bits,), 1), row, row, spec)
    assert tree.leaves.limit == 16 << FRACTION


def test_the_plain_twin_is_newton_boosting():
    below, labels, valid = np.array([[1], [1], [0], [0]]), np.array([1, 1, 0, 0]), np.ones(4, bool)
    ((choices, leaves),), _ = trees_plainly(below, labels, valid, Boosting(1, 1, 1.0, minimum_weight=0))
    assert choices == [[0]]
    assert math.isclose(leaves[0], 1 / 1.5)
