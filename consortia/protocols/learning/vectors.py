"""Numbers, one a feature, beside matrices of features x rows, feature by feature: all local, nothing is sent."""

import numpy as np

from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import stacked
from consortia.protocols.shares import Arithmetic


def spread(engine: Engine, values: Arithmetic, rows: int) -> Arithmetic:
    """Each of n values in ``rows`` places, at least one: a matrix of n x rows, row by row."""
    # running sums of the differences between values, each difference at the beginning of its row
    steps = values - values.shifted(1)
    none = engine.constant_arithmetic(np.zeros(values.length * (rows - 1), np.uint64))
    return steps.concatenated([none]).transposed(values.length).prefix_sums()


def row_sums(matrix: Arithmetic, rows: int, columns: int) -> Arithmetic:
    """The sum of each row of a matrix of rows x columns, at least one column."""
    ends = matrix.prefix_sums()
    last = stacked([ends.rows(row * columns + columns - 1, (row + 1) * columns) for row in range(rows)])
    return last - last.shifted(1)
