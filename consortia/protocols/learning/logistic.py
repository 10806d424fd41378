"""Logistic regression by mini-batches: two rounds a step.

Functionality: shares of the weights after ``epochs`` passes of gradient descent over the batches, w <- w - rate / rows
X^T (g(X w) - y), from zero; g is a prepared function of scores (``cubic.Cubic``, ``waves.Waves``). How: round 1 opens
X w under the mask of what was prepared for g, whose values follow locally; round 2 opens X^T (g - y) under a mask, and
its prepared truncation gives the new weights locally. Everything prepared is drawn for one step and used in it alone.
Precision is a matter of the numbers' sizes: features have ``features`` fraction bits and weights ``weights``, and
|X w| and the gradient of a batch, in units of their fractions, must stay below 2^62; scores must stay in the domain of
g. Neither can be proven without knowing the data; outside of it weights are wrong, and nothing is told.
Joint models (``learning.model``) take ``learning.regression`` instead: it runs on every engine and proves its limits.
This one has a tenth of its rounds and is what benchmarks compare with other engines.
Assumption and view: those of ``learning.opening`` and of the preparations.
Rounds: 2 a step, and those of two preparations for every ``PREPARED`` rows; bytes: ``learning.costs``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np

from consortia.protocols.context import Context
from consortia.protocols.learning import rounding
from consortia.protocols.learning.opening import open_product
from consortia.protocols.shares import Words
from consortia.protocols.sharing.ring3 import Ring3Arithmetic

PREPARED: Final = 1 << 15
"""Rows that are prepared for at a time."""


class Prepared(Protocol):
    """What is prepared for a function of numbers that will be opened under ``mask``."""

    @property
    def mask(self) -> Ring3Arithmetic:
        """One mask a number."""

    def rows(self, start: int, stop: int) -> Self:
        """What was prepared for some of the numbers."""

    def values(self, ctx: Context, opened: Words) -> Ring3Arithmetic:
        """The function of the numbers, from their opened masked values. Local."""


class Activation(Protocol):
    """A function of scores, with values of ``value`` fraction bits."""

    @property
    def value(self) -> int:
        """Fraction bits of its values."""

    def prepare(self, ctx: Context, length: int, fraction: int) -> Prepared:
        """For ``length`` scores of ``fraction`` fraction bits."""


@dataclass(frozen=True, slots=True, repr=False)
class Batch:
    """Rows of one step: features row by row, the same column by column, labels 0 or 1 as integers."""

    features: Ring3Arithmetic
    columns: Ring3Arithmetic
    labels: Ring3Arithmetic


@dataclass(frozen=True, slots=True)
class Training:
    """``rate`` over the rows of a batch is 2^-``rate_bits``; all else in fraction bits."""

    epochs: int
    rate_bits: int
    features: int
    weights: int

    @property
    def scores(self) -> int:
        """Fraction bits of scores."""
        return self.features + self.weights

    def cut(self, value: int) -> int:
        """Bits by which gradients are truncated, for values of the function with ``value`` fraction bits."""
        return self.features + value + self.rate_bits - self.weights


def train(
    ctx: Context, batches: Sequence[Batch], count: int, activation: Activation, training: Training
) -> Ring3Arithmetic:
    """Weights (``count``,) with ``training.weights`` fraction bits; batches of equally many rows, at least one."""
    rows = batches[0].labels.length
    labels = [batch.labels.scaled(1 << activation.value) for batch in batches]
    none = np.zeros(count, np.uint64)
    weights = Ring3Arithmetic(none, none)
    steps = training.epochs * len(batches)
    at_once = max(1, PREPARED // rows)
    for start in range(0, steps, at_once):
        ahead, now = min(at_once, steps - start), ctx.narrow(f"prepared-{start}")
        scores = activation.prepare(now.narrow("scores"), ahead * rows, training.scores)
        gradients = rounding.prepare(now.narrow("gradients"), ahead * count, training.cut(activation.value))
        for number in range(ahead):
            batch, step = (start + number) % len(batches), ctx.narrow(f"step-{start + number}")
            of_scores = scores.rows(number * rows, (number + 1) * rows)
            of_gradient = gradients.rows(number * count, (number + 1) * count)
            opened = open_product(
                step.narrow("scores"), batches[batch].features, weights, (rows, count, 1), of_scores.mask
            )
            error = of_scores.values(step, opened) - labels[batch]
            opened = open_product(
                step.narrow("gradient"), batches[batch].columns, error, (count, rows, 1), of_gradient.mask
            )
            weights = weights - of_gradient.rounded(step, opened)
    return weights
