"""Logistic regression of which one row changes the weights by a bounded amount: public scales, public step sizes.

Functionality: from columns with public ranges, labels and counted rows on shares, the weights after ``epochs`` passes
over the rows by mini-batches, from zero, as multiples of 10^-``digits``. A step on a batch of it is

    w <- w - size (sum of v_i (s(x_i w) - y_i) x_i) - pull w

x_i is a row's features, each taken to [-1, 1] from its public range, in which it is clipped, and a last one that is 1;
s is ``fixed.sigmoid``, continuous; v_i is 1, or ``positive_weight`` where the label is 1, and 0 where the row does not
count. ``size`` and ``pull`` are public: nothing is divided by a number of rows or by a deviation, which are data. After
each pass the weights are clipped to [-``largest``, ``largest``].

How: rows are shuffled once by a permutation that no party knows, before anything of them is rounded, and batches are
cut from what comes out. So a row that counts, or a row of padding in its place, meets the others in the same batches,
and these meet the same draws of rounding, which belong to places, wherever rows stood before: by how much a row that is
gone changes the weights is bounded by the step that it is in (``plans.bounded`` proves how much, with all roundings of
steps). Truncations of steps are off by less than a unit, either way; the last one rounds down.
Limits: ``check`` refuses numbers that could reach 2^62, whatever the data are.
Assumption and view: those of the engine's operations; nothing is opened.
Rounds: 26 a step, 10 a pass, 3 a feature (11 where it is clipped) and 12; bytes a row and party: 214 a pass, 36 a
feature (72).
Source: mini-batch gradient descent with a bounded change by one row: Hardt, Recht and Singer (ICML 2016), Wu et al.
(SIGMOD 2017); on shares ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.choose import clipped
from consortia.protocols.fixed.numbers import CAPACITY, Fixed, public, stacked
from consortia.protocols.fixed.sigmoid import sigmoid
from consortia.protocols.learning.scaling import Column
from consortia.protocols.shares import Arithmetic, Rows

_WIDEST = 46
"""Ranges of more bits are first taken to so many."""
_REACH = 61
"""Bits of the largest product of a value and its scale."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is public of a training. ``size`` and ``pull`` have ``shift`` fraction bits, pull is below 1."""

    epochs: int
    batches: int
    size: int
    pull: int
    shift: int
    positive_weight: int
    feature_bits: int
    weight_bits: int
    largest: int
    digits: int

    def rows(self, rows: int) -> int:
        """Rows of a batch: all are equally long, the last one filled up with rows that do not count."""
        return -(-rows // self.batches)


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """A column, and the range that is taken to [-1, 1]: values beyond it are clipped."""

    column: Column
    lo: int
    hi: int


def check(spec: Schedule, features: int, rows: int) -> int:
    """The largest weight within a pass, carried; InternalError ``learning/range`` if a number could reach 2^62."""
    each = spec.rows(rows) * spec.positive_weight
    gradient = (each << spec.weight_bits) + 1
    weight = (spec.largest << spec.weight_bits) + spec.batches * ((gradient * spec.size >> spec.shift) + 2)
    worst = max(
        (features + 1) * weight << spec.feature_bits,
        gradient << spec.feature_bits,
        gradient * spec.size + weight * spec.pull,
        (spec.largest << spec.weight_bits) * 10**spec.digits,
    )
    if worst >= CAPACITY or not 0 <= spec.pull < 1 << spec.shift or features < 1:
        raise InternalError("learning/range", f"weights of {features} features over {rows} rows do not fit: {spec}")
    return weight


def fit(
    engine: Engine, features: Sequence[Feature], labels: Arithmetic, counted: Arithmetic, spec: Schedule
) -> Arithmetic:
    """Weights of the features and, last, of the 1, as multiples of 10^-``digits``.

    ``labels`` and ``counted``: 0 or 1 a row, at least one row.
    """
    rows, count = counted.length, len(features) + 1
    largest = check(spec, len(features), rows)
    # before anything is rounded: draws belong to places, and a row that is gone moves others to other places
    given = Rows(arithmetic=(*(feature.column.value for feature in features), counted, labels))
    *values, counted, labels = engine.narrow("shuffle").shuffle(given).arithmetic
    positive = engine.narrow("positive").multiply(counted, labels)
    weights = counted + positive.scaled(spec.positive_weight - 1)
    lines = [
        _scaled(engine.narrow(f"scale-{place}"), feature, value, counted, spec.feature_bits)
        for place, (feature, value) in enumerate(zip(features, values, strict=True))
    ]
    batches = _batches(engine, [*lines, weights, positive.scaled(spec.positive_weight)], rows, spec)
    found = public(engine, count, 0, spec.weight_bits)
    for epoch in range(spec.epochs):
        for number, batch in enumerate(batches):
            step = engine.narrow(f"epoch-{epoch}-step-{number}")
            found = _stepped(step, batch, Fixed(found.carried, spec.weight_bits, largest), spec)
        end = public(engine, count, spec.largest << spec.weight_bits, spec.weight_bits)
        found = clipped(engine.narrow(f"epoch-{epoch}-clip"), found, end)
    return engine.narrow("digits").truncate(found.carried.scaled(10**spec.digits), spec.weight_bits, exact=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Features feature by feature, the last 1 in every row; weights of rows, and those times labels."""

    features: Arithmetic
    weights: Arithmetic
    labels: Arithmetic


def _scaled(engine: Engine, feature: Feature, value: Arithmetic, counted: Arithmetic, bits: int) -> Arithmetic:
    """The values from -1 to 1 with ``bits`` fraction bits; where a row does not count, the middle."""
    column, rows, width = feature.column, counted.length, feature.hi - feature.lo
    if width < 1:
        raise InternalError("learning/range", f"a feature from {feature.lo} to {feature.hi} has no range")
    middle = feature.lo + feature.hi
    # rows of padding hold 0, which may lie far outside the range
    away = value.scaled(2) - public(engine, rows, middle, 0).carried
    within = engine.narrow("counted").multiply(away, counted)
    if column.lo < feature.lo or column.hi > feature.hi:
        limit = max(width, abs(2 * column.lo - middle), abs(2 * column.hi - middle))
        within = clipped(engine.narrow("clip"), Fixed(within, 0, limit), public(engine, rows, width, 0)).carried
    cut = max(0, width.bit_length() - _WIDEST)
    if cut:
        within, width = engine.narrow("cut").truncate(within, cut), (width >> cut) + 1
    return engine.narrow("scale").truncate(within.scaled((1 << _REACH) // width), _REACH - bits)


def _batches(engine: Engine, lines: Sequence[Arithmetic], rows: int, spec: Schedule) -> list[_Batch]:
    """Every batch laid out feature by feature. Local."""
    each = spec.rows(rows)
    none = engine.constant_arithmetic(np.zeros(each * spec.batches - rows, np.uint64))
    one = public(engine, each, 1 << spec.feature_bits, spec.feature_bits).carried
    *features, weights, labels = (line.concatenated([none]) for line in lines)
    return [
        _Batch(
            stacked([*(line.rows(start, start + each) for line in features), one]),
            weights.rows(start, start + each),
            labels.rows(start, start + each),
        )
        for start in range(0, each * spec.batches, each)
    ]


def _stepped(engine: Engine, batch: _Batch, weights: Fixed, spec: Schedule) -> Fixed:
    """The weights after one step."""
    count, rows, bits = weights.length, batch.weights.length, spec.feature_bits
    score = engine.narrow("scores").matrix_product_truncate(weights.carried, batch.features, 1, count, rows, bits)
    p = sigmoid(engine.narrow("sigmoid"), Fixed(score, spec.weight_bits, count * weights.limit + 1), continuous=True)
    weighed = engine.narrow("weigh").multiply(p.carried, batch.weights)
    error = weighed - batch.labels.scaled(1 << spec.weight_bits)
    gradient = engine.narrow("gradient").matrix_product_truncate(batch.features, error, count, rows, 1, bits)
    both = gradient.scaled(spec.size) + weights.carried.scaled(spec.pull)
    moved = engine.narrow("move").truncate(both, spec.shift)
    return Fixed(weights.carried - moved, spec.weight_bits, weights.limit)
