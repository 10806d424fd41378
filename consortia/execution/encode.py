"""A local-stage frame as the columns that an owner secret-shares: padded, canonical, checked against its bounds.

The row order of the frame is kept and the padding stands behind it: places are public, contents are not.
"""

import numpy as np
import polars as pl

from consortia.errors import InternalError, OperatorError
from consortia.execution.carried import Present, check_column, offsets
from consortia.execution.layout import bounds_of, shape_of, words_shape
from consortia.plans.columns import Column
from consortia.plans.model import Share
from consortia.plans.types import Bounds
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shares import Words

_MASK = (1 << 64) - 1


def encode(step: Share, frame: pl.DataFrame) -> list[Words]:
    """Clear values for ``engine.input`` in the order of ``layout.fields_of``; every row beyond the frame is zero.

    Raises OperatorError ``execution/too-many-rows``, ``execution/out-of-bounds``, ``execution/unexpected-null`` for
    the owner, InternalError ``execution/frame`` if the frame does not have the columns of the step.
    """
    names = [column.name for column in step.columns]
    if frame.columns != names:
        raise InternalError("execution/frame", f"the local stage gave {frame.columns} where {names} are due")
    if frame.height > step.rows:
        raise OperatorError(
            "execution/too-many-rows",
            f"the local stage of `{step.owner}` gave {frame.height} rows, the plan holds {step.rows}",
            place=step.id,
            remedy="the catalogue's max_rows or max_distinct is too small for this data: agree on a larger one",
        )
    valid = np.zeros((step.rows, 1), dtype=np.uint64)
    valid[: frame.height] = 1
    encoded = [valid]
    for column in step.columns:
        encoded.extend(_encode_column(frame[column.name], column, step.rows))
    return encoded


def _encode_column(series: pl.Series, column: Column, rows: int) -> list[Words]:
    check_column(series, column)
    known = series.is_not_null().to_numpy()
    if not column.nullable and not known.all():
        raise OperatorError(
            "execution/unexpected-null",
            f"row {int(np.argmin(known)) + 1} of the local result holds NULL in `{column.name}`, declared without NULL",
            place=column.name,
            remedy="correct the source, or have the catalogue declare the column nullable, and register it again",
        )
    bounds, shape = bounds_of(column), shape_of(column)
    places = np.flatnonzero(known)
    values = np.zeros(words_shape(shape, rows), dtype=np.uint64)
    values[places] = _domain_words(offsets(Present(column, bounds, series.drop_nulls(), places)), shape, bounds)
    if not column.nullable:
        return [values]
    validity = np.zeros((rows, 1), dtype=np.uint64)
    validity[places] = 1
    return [values, validity]


def _domain_words(above_lo: Words, shape: ColumnShape, bounds: Bounds) -> Words:
    """Offsets v - lo as the domain holds them: themselves, or the signed value in one word or two."""
    match shape.domain:
        case "boolean":
            return above_lo[:, : -(-shape.bits // 64)]
        case "arithmetic":
            return above_lo[:, 0] + np.uint64(bounds.lo & _MASK)
        case "wide":
            low = above_lo[:, 0] + np.uint64(bounds.lo & _MASK)
            carry = (low < above_lo[:, 0]).astype(np.uint64)
            return np.stack([low, above_lo[:, 1] + np.uint64((bounds.lo >> 64) & _MASK) + carry], axis=1)
