"""Steps that learn a model from rows and give rows its scores, as calls of the operations on learning."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from consortia.errors import InternalError
from consortia.execution.fit import number_of
from consortia.execution.layout import bounds_of, shape_of
from consortia.execution.project import within_capacity
from consortia.plans import bounded as steps
from consortia.plans.learning import MILLION, SCORE_DIGITS, Learning, RegressionMethod, score_bounds
from consortia.plans.steps_of_models import Fit, Score, Weights
from consortia.protocols.engine import Engine
from consortia.protocols.learning import bounded, model
from consortia.protocols.learning.model import SCORE_FRACTION, Method, Regression, Trees
from consortia.protocols.learning.regression import Descent
from consortia.protocols.learning.scaling import Column
from consortia.protocols.learning.trees import Boosting
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic


def learnt(engine: Engine, step: Fit, rows: SharedTable) -> SharedTable:
    """The parameters of the model that the rows teach; those that are not valid, or held back, count for nothing."""
    counted = _counted(engine, step, rows)
    columns = _features(rows, step.features)
    with within_capacity("the model"):
        method = method_of(step.method)
        found = model.fit(engine.narrow("fit"), columns, number_of(rows, step.label), counted, method)
    if found.length != step.rows:
        raise InternalError("execution/shape", f"a model of {found.length} parameters, not {step.rows}", place=step.id)
    every = engine.constant_boolean(np.ones((step.rows, 1), np.uint64), 1)
    name = step.columns[0].name
    return SharedTable(step.rows, {name: SharedColumn(found, 0, 0)}, every)


def weighed(engine: Engine, step: Weights, rows: SharedTable, padded: int) -> SharedTable:
    """A row for each parameter, in the order of the features, with its weight; rows count as for ``learnt``.

    ``padded`` is the number of rows by the plan, from which its noise follows.
    """
    if rows.length != padded:
        raise InternalError("execution/shape", f"examples of {rows.length} rows, not {padded}", place=step.id)
    counted = _counted(engine, step, rows)
    features = [
        bounded.Feature(column, bounds.lo, bounds.hi)
        for column, bounds in zip(_features(rows, step.features), step.ranges, strict=True)
    ]
    with within_capacity("the model"):
        spec = steps_of(steps.schedule(step.method, len(features), rows.length))
        found = bounded.fit(engine.narrow("fit"), features, number_of(rows, step.label), counted, spec)
    parameter, weight = step.columns
    shape, bounds = shape_of(parameter), bounds_of(weight)
    places = engine.constant_boolean(np.arange(step.rows, dtype=np.uint64).reshape(-1, 1), shape.bits)
    every = engine.constant_boolean(np.ones((step.rows, 1), np.uint64), 1)
    columns = {
        parameter.name: SharedColumn(places, 0, step.rows - 1),
        weight.name: SharedColumn(found, bounds.lo, bounds.hi),
    }
    return SharedTable(step.rows, columns, every)


def _counted(engine: Engine, step: Fit | Weights, rows: SharedTable) -> Arithmetic:
    """1 for the rows that are learnt from: the valid ones that are not held back."""
    counted = engine.narrow("valid").bit_to_arithmetic(rows.valid)
    if not step.held:
        return counted
    return counted - engine.narrow("held").multiply(counted, number_of(rows, step.held))


def scored(engine: Engine, step: Score, rows: SharedTable, learned: SharedTable) -> SharedTable:
    """The rows with their scores; zero where a row is not valid."""
    (parameters,) = learned.columns.values()
    if not isinstance(parameters.value, Arithmetic):
        raise InternalError("execution/shape", "the parameters of a model are numbers", place=step.id)
    valid = engine.narrow("valid").bit_to_arithmetic(rows.valid)
    columns = _features(rows, step.features)
    found = model.score(engine.narrow("score"), columns, valid, parameters.value, method_of(step.method))
    value = engine.narrow("digits").truncate(found.carried.scaled(10**SCORE_DIGITS), SCORE_FRACTION, exact=True)
    bounds = score_bounds()
    column = SharedColumn(value, bounds.lo, bounds.hi)
    return replace(rows, columns={**rows.columns, step.made: column})


def method_of(method: Learning) -> Method:
    """The method as the protocols know it."""
    rate, weight = method.rate / MILLION, method.positive_weight
    if isinstance(method, RegressionMethod):
        return Regression(Descent(method.epochs, method.batch, rate, method.penalty / MILLION, weight))
    boosting = Boosting(method.trees, method.depth, rate, method.penalty, method.minimum_weight, weight)
    return Trees(boosting, method.thresholds())


def steps_of(schedule: steps.Schedule) -> bounded.Schedule:
    """The public steps as the protocols know them."""
    return bounded.Schedule(
        schedule.epochs, schedule.batches, schedule.size, schedule.pull, schedule.shift, schedule.positive_weight,
        steps.FEATURE_BITS, steps.WEIGHT_BITS, steps.LARGEST, steps.DIGITS,
    )  # fmt: skip


def _features(rows: SharedTable, names: Sequence[str]) -> list[Column]:
    columns = [rows.column(name) for name in names]
    return [Column(number_of(rows, name), column.lo, column.hi) for name, column in zip(names, columns, strict=True)]
