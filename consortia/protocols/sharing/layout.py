"""Clear columns as one flat array of words, and back: what an input message carries.

A column takes n words (arithmetic), 2n (wide) or, as planes, bits * ceil(n/64) (boolean); columns follow each other.
Component arithmetic on the flat array goes column by column, each in its own ring.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from consortia.errors import InternalError
from consortia.protocols.engine import ColumnShape
from consortia.protocols.kernels.planes import planes_from_words, words_of
from consortia.protocols.kernels.wide import subtract_wide
from consortia.protocols.shares import Vector
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean, Ring3Wide

Words = NDArray[np.uint64]


def component_shape(shape: ColumnShape, length: int) -> tuple[int, ...]:
    """The array shape of one component of a column."""
    match shape.domain:
        case "arithmetic":
            return (length,)
        case "wide":
            return (length, 2)
        case "boolean":
            return (shape.bits, words_of(length))


def clear_shape(shape: ColumnShape, length: int) -> tuple[int, ...]:
    """The array shape of the clear values of a column (see ``shares``)."""
    return (length, (shape.bits + 63) // 64) if shape.domain == "boolean" else component_shape(shape, length)


def component_words(shapes: Sequence[ColumnShape], length: int) -> int:
    """Words that one component of all columns takes."""
    return sum(int(np.prod(component_shape(shape, length))) for shape in shapes)


def component_from_clear(shape: ColumnShape, values: Words, length: int) -> Words:
    """Clear values in the form of a component.

    Raises InternalError ``protocol/shape`` for another array shape, ``protocol/range`` for a boolean value that does
    not fit its bits.
    """
    expected = clear_shape(shape, length)
    if values.shape != expected or values.dtype != np.uint64:
        raise InternalError("protocol/shape", f"values are {values.dtype}{values.shape}, expected uint64{expected}")
    if shape.domain != "boolean":
        return values
    if shape.bits % 64 and np.any(values[:, -1] >> np.uint64(shape.bits % 64)):
        raise InternalError("protocol/range", f"a value does not fit the {shape.bits} bits of its column")
    return planes_from_words(values, shape.bits)


def parts_of(flat: Words, shapes: Sequence[ColumnShape], length: int) -> list[Words]:
    """Views of the flat array, one a column, in the shape of a component."""
    parts, at = [], 0
    for shape in shapes:
        form = component_shape(shape, length)
        size = int(np.prod(form))
        parts.append(flat[at : at + size].reshape(form))
        at += size
    return parts


def hidden(shapes: Sequence[ColumnShape], values: Sequence[Words], length: int, masks: Sequence[Words]) -> Words:
    """The flat array of all clear columns minus (boolean: xor) each of the flat ``masks``, column by column."""
    if len(shapes) != len(values):
        raise InternalError("protocol/shape", f"{len(values)} columns of values for {len(shapes)} shapes")
    out = np.empty(component_words(shapes, length), np.uint64)
    targets = parts_of(out, shapes, length)
    mask_parts = [parts_of(mask, shapes, length) for mask in masks]
    for column, (shape, target) in enumerate(zip(shapes, targets, strict=True)):
        target[...] = component_from_clear(shape, values[column], length)
        subtract = _SUBTRACT[shape.domain]
        for mask in mask_parts:
            subtract(target, mask[column], target)
    return out


_SUBTRACT: dict[str, Callable[[Words, Words, Words], object]] = {
    "arithmetic": np.subtract,
    "boolean": np.bitwise_xor,
    "wide": subtract_wide,
}


def vectors_from_components(
    shapes: Sequence[ColumnShape], length: int, first: Words | None, second: Words | None
) -> list[Vector]:
    """Columns over two flat components; None stands for zero."""
    size = component_words(shapes, length)
    zeros = np.zeros(size, np.uint64)
    firsts = parts_of(zeros if first is None else first, shapes, length)
    seconds = parts_of(zeros if second is None else second, shapes, length)
    return [vector(shape, x, y, length) for shape, x, y in zip(shapes, firsts, seconds, strict=True)]


def vector(shape: ColumnShape, first: Words, second: Words, length: int) -> Vector:
    """One column over its two components."""
    match shape.domain:
        case "arithmetic":
            return Ring3Arithmetic(first, second)
        case "wide":
            return Ring3Wide(first, second)
        case "boolean":
            return Ring3Boolean(first, second, length)
