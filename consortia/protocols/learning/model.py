"""Joint models as one flat vector of shares: what is fitted, how long it is, and the probabilities that it gives.

A method is public: it says all of a model's shape. A model is a scaling (``scaling``) and, behind it, the weights of a
regression (``regression``) or the trees, one after the other (``trees``: choices level by level, then leaves). Scores
go through the same steps whether or not a row was trained on.
Assumption and view: those of the engine's operations; nothing is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed, stacked
from consortia.protocols.fixed.sigmoid import sigmoid
from consortia.protocols.learning import cuts, regression, scaling, trees
from consortia.protocols.learning.scaling import Column
from consortia.protocols.shares import Arithmetic

SCORE_FRACTION: Final = 20
"""Fraction bits of scores, which are probabilities."""


@dataclass(frozen=True, slots=True)
class Regression:
    """Logistic regression."""

    descent: regression.Descent


@dataclass(frozen=True, slots=True)
class Trees:
    """Boosted trees that split at public cuts of standardised features, ascending, within -8 to 8."""

    boosting: trees.Boosting
    cuts: tuple[float, ...]

    def __post_init__(self) -> None:
        cuts.check_cuts(self.cuts)


Method = Regression | Trees


def check(method: Method, features: int, rows: int) -> None:
    """Raises InternalError ``learning/range`` where this can't be fitted within 62 bits: before anything is shared."""
    if features < 1:
        raise InternalError("learning/range", "a model needs at least one feature")
    scaling.units_of(rows)
    match method:
        case Regression():
            regression.limits(method.descent, features, rows)
        case Trees():
            trees.sum_bits(rows * method.boosting.positive_weight)


def parameters(method: Method, features: int) -> int:
    """Length of the flat model."""
    match method:
        case Regression():
            own = features + 1
        case Trees():
            own = method.boosting.trees * trees.flat_length(method.boosting.depth, features * len(method.cuts))
    return scaling.flat_length(features) + own


def fit(
    engine: Engine, columns: Sequence[Column], labels: Arithmetic, counted: Arithmetic, method: Method
) -> Arithmetic:
    """The flat model of the rows in which ``counted`` is 1; what stands in the others changes nothing.

    ``labels`` and ``counted``: 0 or 1 a row. Columns without any counted row, or labels all alike, give a model too.
    """
    check(method, len(columns), counted.length)
    found = scaling.learned(engine.narrow("scaling"), columns, counted)
    matrix = scaling.standardised(engine.narrow("standardised"), columns, found)
    match method:
        case Regression():
            own = regression.fit(engine.narrow("fit"), matrix, labels, counted, method.descent).carried
        case Trees():
            below = cuts.features(engine.narrow("cuts"), matrix, counted.length, method.cuts)
            grown = trees.train(engine.narrow("fit"), below, labels, counted, method.boosting)
            own = stacked([tree.flat() for tree in grown])
    return stacked([found.flat(), own])


def score(engine: Engine, columns: Sequence[Column], valid: Arithmetic, model: Arithmetic, method: Method) -> Fixed:
    """The probability of label 1 in each row, from 0 to 1, ``SCORE_FRACTION`` fraction bits; 0 where valid is 0."""
    features, rows = len(columns), valid.length
    if model.length != parameters(method, features):
        raise InternalError("protocol/shape", f"a model of {features} features is no vector of {model.length} numbers")
    if not rows:
        return Fixed(valid, SCORE_FRACTION, 1 << SCORE_FRACTION)
    start = scaling.flat_length(features)
    learned, own = scaling.from_flat(model.rows(0, start)), model.rows(start, model.length)
    matrix = scaling.standardised(engine.narrow("standardised"), columns, learned)
    match method:
        case Regression():
            weights = regression.from_flat(own)
            odds = regression.scores(engine.narrow("scores"), matrix, weights, rows)
        case Trees():
            below = cuts.features(engine.narrow("cuts"), matrix, rows, method.cuts)
            grown = trees.from_flat(own, below.cuts, method.boosting)
            odds = trees.scores_of(engine.narrow("scores"), below, grown)
    probability = sigmoid(engine.narrow("probability"), odds)
    return Fixed(engine.narrow("valid").multiply(probability.carried, valid), SCORE_FRACTION, 1 << SCORE_FRACTION)
