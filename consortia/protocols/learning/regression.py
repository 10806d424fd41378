"""Logistic regression by mini-batches on shares, on any engine; every number stays below a proven limit.

Functionality: from standardised features, labels and counted rows on shares, shares of the weights after ``epochs``
passes of gradient descent from zero. A step on batch b of B is

    w <- w - rate ((B / W) X_b^T v_b (p_b - y_b) + l2 w),    p = 1 / (1 + e^-(w X))

v is 1, or ``positive_weight`` where the label is 1, and 0 where a row does not count; W is the sum of all v. So W / B
is what a batch weighs on average, and the gradient is that of the mean loss, however many rows are padding or do not
count. W is secret; rate B / W is made once. The intercept stands last and is not drawn towards zero by ``l2``.

How: batch b holds the rows b, b + B, b + 2B and so on, so members' rows, which stand one after the other, mix. Batches
are laid out once, locally. A step is two products of matrices, the sigmoid (``fixed.sigmoid``: maximum error 3.5e-4),
the rows' weights and the step's size.
Limits: features are at most 8, so all gradients of an epoch together are at most 8 W, and the weights move by at most
8 rate B in it; after each epoch they are clipped to [-64, 64]. So nothing reaches 2^62, whatever the data are, and
``limits`` refuses numbers for which that is not so. A rate that is too large gives poor weights, never wrapped ones.
Assumption and view: those of the engine's operations; nothing is opened.
Rounds: 25 a step (of 32 features; more with the bits of scores), 9 an epoch and about 60; bytes a row, epoch and party:
about 200. ``learning.logistic`` takes 2 rounds a step, on three computers only, and proves no limits.
Source: stochastic gradient descent; the scale by the secret weight and the proof of limits are ours.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.choose import clipped
from consortia.protocols.fixed.divide import divide
from consortia.protocols.fixed.numbers import CAPACITY, Fixed, public, stacked, unstacked, with_fraction
from consortia.protocols.fixed.sigmoid import sigmoid
from consortia.protocols.learning.scaling import CLIP, FRACTION
from consortia.protocols.learning.vectors import row_sums, spread
from consortia.protocols.shares import Arithmetic

WEIGHT_FRACTION: Final = 20
LARGEST_WEIGHT: Final = 64
"""What weights are clipped to after each epoch."""
SCORE_FRACTION: Final = 20
"""Fraction bits of scores."""
_TRAINED_FRACTION: Final = 16
"""Fraction bits of scores and probabilities within the training, and of gradients."""
_MOST_SIZE_BITS: Final = 40
_LEAST_SIZE: Final = 1 << 6
"""The least size of a step, carried: if all rows count, it is right to 2^-6 of itself."""


@dataclass(frozen=True, slots=True)
class Descent:
    """What is public of a training: ``batch`` is the largest number of rows of a step, ``rate`` its size."""

    epochs: int
    batch: int
    rate: float
    l2: float
    positive_weight: int = 1

    def __post_init__(self) -> None:
        fits = self.epochs >= 1 and self.batch >= 1 and self.positive_weight >= 1
        if not fits or not 0 < self.rate <= 1024 or not 0 <= self.l2 * self.rate <= 1 or self.l2 < 0:
            raise InternalError("learning/range", f"weights can't be trained so: {self}")

    def batches(self, rows: int) -> int:
        """Number of batches, all of equally many rows, the last filled up with rows that do not count."""
        return max(1, -(-rows // self.batch))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a training: the largest weight within an epoch, carried, and the fraction bits of a step's size."""

    weight: int
    size_bits: int


def limits(spec: Descent, features: int, rows: int) -> Limits:
    """What is proven of so many rows.

    Raises InternalError ``learning/range`` where a number could reach 2^62, or a step's size has too few bits.
    """
    batches = spec.batches(rows)
    # an epoch's gradients add up to 8 W and a unit a step, and each step is rounded by a unit of weights
    moved = spec.rate * batches * (CLIP + batches * 2.0**-_TRAINED_FRACTION) + batches * 2.0 ** (1 - WEIGHT_FRACTION)
    weight = (LARGEST_WEIGHT + math.ceil(moved) + 1) << WEIGHT_FRACTION
    score = (CLIP * features + 1) * weight << FRACTION
    gradient = CLIP * -(-rows // batches) * spec.positive_weight << FRACTION + _TRAINED_FRACTION
    bits = min(_MOST_SIZE_BITS, 61 - _TRAINED_FRACTION - (weight >> WEIGHT_FRACTION).bit_length())
    total = rows * spec.positive_weight
    least = math.floor(spec.rate * batches * 2.0**bits) // total
    if max(score, gradient) >= CAPACITY or total >= 1 << 40 or least < _LEAST_SIZE:
        raise InternalError(
            "learning/range",
            f"weights of {features} features over {rows} rows can't be trained within 62 bits by {spec}",
            remedy="take a smaller rate, or other batches",
        )
    return Limits(weight, bits)


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Features with a last one that is 1 in every row, feature by feature; weights of rows, and those times labels."""

    features: Arithmetic
    weights: Arithmetic
    labels: Arithmetic


def fit(engine: Engine, matrix: Fixed, labels: Arithmetic, counted: Arithmetic, spec: Descent) -> Fixed:
    """Weights of the features and, last, the intercept: ``WEIGHT_FRACTION`` fraction bits, from -64 to 64.

    ``matrix``: features x rows as in ``scaling``; ``labels`` and ``counted``: 0 or 1 a row, at least one row.
    """
    rows = counted.length
    features = matrix.length // rows
    proven = limits(spec, features, rows)
    positive = engine.narrow("positive").multiply(counted, labels)
    weights = counted + positive.scaled(spec.positive_weight - 1)
    batches = _batches(engine, matrix, weights, positive.scaled(spec.positive_weight), spec)
    size = _step_size(engine.narrow("size"), weights, spec, proven)
    sizes = spread(engine, size.carried, features + 1)
    found = public(engine, features + 1, 0, WEIGHT_FRACTION)
    for epoch in range(spec.epochs):
        for number, batch in enumerate(batches):
            step = engine.narrow(f"epoch-{epoch}-step-{number}")
            found = _stepped(step, batch, Fixed(found.carried, WEIGHT_FRACTION, proven.weight), sizes, spec, proven)
        found = _clipped(engine.narrow(f"epoch-{epoch}-clip"), found)
    return found


def scores(engine: Engine, matrix: Fixed, weights: Fixed, rows: int) -> Fixed:
    """The logarithm of the odds of each row, with ``SCORE_FRACTION`` fraction bits. Error one unit and rounding."""
    features = weights.length - 1
    product = engine.narrow("product").matrix_product(
        weights.carried.rows(0, features), matrix.carried, 1, features, rows
    )
    intercept = spread(engine, weights.carried.rows(features, features + 1), rows).scaled(1 << FRACTION)
    limit = (features * CLIP + 1) * weights.limit << FRACTION
    total = Fixed(product + intercept, weights.fraction + FRACTION, limit)
    return with_fraction(engine.narrow("fraction"), total, SCORE_FRACTION)


def from_flat(vector: Arithmetic) -> Fixed:
    """The weights that became this vector."""
    return Fixed(vector, WEIGHT_FRACTION, LARGEST_WEIGHT << WEIGHT_FRACTION)


def _batches(engine: Engine, matrix: Fixed, weights: Arithmetic, labels: Arithmetic, spec: Descent) -> list[_Batch]:
    """Every batch laid out feature by feature: rows b, b + B, b + 2B and so on. Local."""
    rows = weights.length
    count = spec.batches(rows)
    each = -(-rows // count)
    gap = each * count - rows
    none = engine.constant_arithmetic(np.zeros(gap, np.uint64))
    one = public(engine, each, 1 << FRACTION, FRACTION).carried

    def filled(values: Arithmetic) -> Arithmetic:
        return stacked([x.concatenated([none]) for x in unstacked(values, values.length // rows)]) if gap else values

    def laid_out(values: Arithmetic) -> list[Arithmetic]:
        return unstacked(filled(values).transposed(count), count)

    parts = zip(laid_out(matrix.carried), laid_out(weights), laid_out(labels), strict=True)
    return [_Batch(x.concatenated([one]), weight, label) for x, weight, label in parts]


def _step_size(engine: Engine, weights: Arithmetic, spec: Descent, proven: Limits) -> Fixed:
    """Rate times batches over the sum of all weights, rounded down; 0 where no row counts."""
    rows, batches = weights.length, spec.batches(weights.length)
    total = Fixed(row_sums(weights, 1, rows), 0, rows * spec.positive_weight)
    rate = math.floor(spec.rate * batches * 2**proven.size_bits)
    return divide(engine, public(engine, 1, rate, proven.size_bits), total, proven.size_bits)[0]


def _stepped(engine: Engine, batch: _Batch, weights: Fixed, sizes: Arithmetic, spec: Descent, proven: Limits) -> Fixed:
    """The weights after one step."""
    count, rows = weights.length, batch.weights.length
    features = count - 1
    cut = WEIGHT_FRACTION + FRACTION - _TRAINED_FRACTION
    score = engine.narrow("scores").matrix_product_truncate(weights.carried, batch.features, 1, count, rows, cut)
    most = ((CLIP * features + 1) * weights.limit << FRACTION >> cut) + 1
    p = sigmoid(engine.narrow("sigmoid"), Fixed(score, _TRAINED_FRACTION, most))
    weighed = engine.narrow("weigh").multiply(p.carried, batch.weights)
    error = weighed - batch.labels.scaled(1 << _TRAINED_FRACTION)
    gradient = engine.narrow("gradient").matrix_product_truncate(batch.features, error, count, rows, 1, FRACTION)
    moved = _moved(engine.narrow("move"), gradient, weights.carried, sizes, spec, proven)
    return Fixed(weights.carried - moved, WEIGHT_FRACTION, proven.weight)


def _moved(
    engine: Engine, gradient: Arithmetic, weights: Arithmetic, sizes: Arithmetic, spec: Descent, proven: Limits
) -> Arithmetic:
    """Sizes times gradient and, without the intercept, rate times l2 times weights: with the fraction of weights."""
    cut = _TRAINED_FRACTION + proven.size_bits - WEIGHT_FRACTION
    if not spec.l2:
        return engine.multiply_truncate(gradient, sizes, cut)
    features = weights.length - 1
    pull = public(engine, features, math.floor(spec.rate * spec.l2 * 2**cut), cut).carried
    both = engine.multiply_truncate(stacked([gradient, weights.rows(0, features)]), stacked([sizes, pull]), cut)
    none = public(engine, 1, 0, 0).carried
    return both.rows(0, features + 1) + both.rows(features + 1, 2 * features + 1).concatenated([none])


def _clipped(engine: Engine, weights: Fixed) -> Fixed:
    """Weights within [-64, 64]."""
    largest = LARGEST_WEIGHT << WEIGHT_FRACTION
    end = public(engine, weights.length, largest, WEIGHT_FRACTION)
    return clipped(engine, weights, end)
