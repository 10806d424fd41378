"""The bytes of one computer's part of a result, and how three of them become clear values again.

A part is ``b"CPT1"``, the number of arrays (u16), then for each its domain (u8: 0 arithmetic, 1 boolean, 2 wide),
words a row (u8) and rows (u32), all big-endian; then the words of all arrays, little-endian, in row order. Parsing is
strict: the header must be what the plan says, and no byte may be missing or left over.
"""

import struct
from collections.abc import Sequence

import numpy as np

from consortia.errors import ProtocolAbort
from consortia.execution.layout import words_shape
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shares import Words

MAGIC = b"CPT1"
_DOMAINS = ("arithmetic", "boolean", "wide")
_ENTRY = struct.Struct(">BBI")


def _header(shapes: Sequence[ColumnShape], rows: int) -> bytes:
    entries = [_ENTRY.pack(_DOMAINS.index(shape.domain), (*words_shape(shape, rows), 1)[1], rows) for shape in shapes]
    return MAGIC + struct.pack(">H", len(shapes)) + b"".join(entries)


def part_bytes(shapes: Sequence[ColumnShape], rows: int, arrays: Sequence[Words]) -> bytes:
    """The canonical bytes of one part; ``arrays`` are of ``shapes``, ``rows`` rows each."""
    bodies = [
        np.ascontiguousarray(array.reshape(words_shape(shape, rows)), dtype="<u8").tobytes()
        for shape, array in zip(shapes, arrays, strict=True)
    ]
    return _header(shapes, rows) + b"".join(bodies)


def parse_part(shapes: Sequence[ColumnShape], rows: int, payload: bytes) -> list[Words]:
    """The arrays of a part; raises ProtocolAbort ``execution/part`` unless it is exactly of this form."""
    header = _header(shapes, rows)
    sizes = [int(np.prod(words_shape(shape, rows))) for shape in shapes]
    if not payload.startswith(header) or len(payload) != len(header) + 8 * sum(sizes):
        raise ProtocolAbort(
            "execution/part",
            "a computer's part of the result does not have the form that the plan gives it",
            remedy="compare the software versions of the nodes; if they agree, the sender is at fault",
        )
    words = np.frombuffer(payload, dtype="<u8", offset=len(header)).astype(np.uint64)
    arrays, start = [], 0
    for shape, size in zip(shapes, sizes, strict=True):
        arrays.append(words[start : start + size].reshape(words_shape(shape, rows)))
        start += size
    return arrays


def combined(shapes: Sequence[ColumnShape], parts: Sequence[Sequence[Words]]) -> list[Words]:
    """Clear values from the parts of all computers: exclusive or for boolean, else the sum in the ring."""
    result = []
    for place, shape in enumerate(shapes):
        total = parts[0][place]
        for part in parts[1:]:
            total = _added(shape, total, part[place])
        result.append(total)
    return result


def _added(shape: ColumnShape, x: Words, y: Words) -> Words:
    match shape.domain:
        case "arithmetic":
            return x + y
        case "boolean":
            return x ^ y
        case "wide":
            low = x[:, 0] + y[:, 0]
            carry = (low < x[:, 0]).astype(np.uint64)
            return np.stack([low, x[:, 1] + y[:, 1] + carry], axis=1)
