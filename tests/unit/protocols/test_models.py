"""Joint models: one flat vector from columns, labels and counted rows; probabilities from it; on every engine."""

import numpy as np
import pytest

from consortia.protocols.learning import model
from consortia.protocols.learning.model import SCORE_FRACTION, Regression, Trees
from consortia.protocols.learning.regression import Descent
from consortia.protocols.learning.scaling import Column
from consortia.protocols.learning.trees import Boosting
from consortia.protocols.relational.table import SharedColumn, SharedTable
from tests.relations_world import Col, Given, check_declared, declared, on_clear, on_ring3
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


@METHODS
def test_every_engine_gives_the_same_probabilities_and_sends_what_is_declared(method):
    program, given = fitted_and_scored(method), given_rows(drawn_rows(1, 24))
    clear = probabilities(on_clear(program, given))
    world = World(1)
    assert np.abs(probabilities(on_ring3(program, given, world=world)) - clear).max() < 2e-3
    check_declared(world, declared(program, given))
