"""The bytes of one computer's part of a result, and how those of all computers become clear values again.

A part is ``b"CPT1"``, the number of arrays (u16), then for each its domain (u8: 0 arithmetic, 1 boolean, 2 wide),
words a row (u8) and rows (u32), all big-endian; then the words of all arrays, little-endian, in row order. Parsing is
strict: the header must be what the plan says, and no byte may be missing or left over. A number takes one word or two
in parts of the ring3 engine, and three, as an element of its prime field, in those of the shamir engine.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from consortia.errors import ProtocolAbort
from consortia.execution.layout import words_shape
from consortia.plans.model import Plan
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shamir.costs import PRIME
from consortia.protocols.shares import Words

MAGIC = b"CPT1"
_DOMAINS = ("arithmetic", "boolean", "wide")
_ENTRY = struct.Struct(">BBI")


FIELD_WORDS = 3
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Form:
    """How an engine's parts hold numbers: words of a ring, or elements of the field with ``prime`` elements."""

    prime: int = 0

    def shape(self, shape: ColumnShape, rows: int) -> tuple[int, ...]:
        """The array shape of a column in a part."""
        if self.prime and shape.domain != "boolean":
            return (rows, FIELD_WORDS)
        return words_shape(shape, rows)


RING = Form()
FIELD = Form(PRIME)


def form_of(plan: Plan) -> Form:
    """The form of parts of the plan's engine."""
    return FIELD if plan.engine == "shamir" else RING


def _header(form: Form, shapes: Sequence[ColumnShape], rows: int) -> bytes:
    entries = [_ENTRY.pack(_DOMAINS.index(shape.domain), (*form.shape(shape, rows), 1)[1], rows) for shape in shapes]
    return MAGIC + struct.pack(">H", len(shapes)) + b"".join(entries)


def part_bytes(shapes: Sequence[ColumnShape], rows: int, arrays: Sequence[Words], form: Form = RING) -> bytes:
    """The canonical bytes of one part; ``arrays`` are of ``shapes``, ``rows`` rows each."""
    bodies = [
        np.ascontiguousarray(array.reshape(form.shape(shape, rows)), dtype="<u8").tobytes()
        for shape, array in zip(shapes, arrays, strict=True)
    ]
    return _header(form, shapes, rows) + b"".join(bodies)


def parse_part(shapes: Sequence[ColumnShape], rows: int, payload: bytes, form: Form = RING) -> list[Words]:
    """The arrays of a part; raises ProtocolAbort ``execution/part`` unless it is exactly of this form."""
    header = _header(form, shapes, rows)
    sizes = [int(np.prod(form.shape(shape, rows))) for shape in shapes]
    if not payload.startswith(header) or len(payload) != len(header) + 8 * sum(sizes):
        raise ProtocolAbort(
            "execution/part",
            "a computer's part of the result does not have the form that the plan gives it",
            remedy="compare the software versions of the nodes; if they agree, the sender is at fault",
        )
    words = np.frombuffer(payload, dtype="<u8", offset=len(header)).astype(np.uint64)
    arrays, start = [], 0
    for shape, size in zip(shapes, sizes, strict=True):
        arrays.append(words[start : start + size].reshape(form.shape(shape, rows)))
        start += size
    return arrays


def combined(shapes: Sequence[ColumnShape], parts: Sequence[Sequence[Words]], form: Form = RING) -> list[Words]:
    """Clear values from the parts of all computers: exclusive or for boolean, else the sum in the ring or field."""
    result = []
    for place, shape in enumerate(shapes):
        arrays = [part[place] for part in parts]
        if form.prime and shape.domain != "boolean":
            result.append(_field_sum(shape, arrays, form.prime))
            continue
        total = arrays[0]
        for array in arrays[1:]:
            total = _added(shape, total, array)
        result.append(total)
    return result


def _field_sum(shape: ColumnShape, arrays: Sequence[Words], prime: int) -> Words:
    """The sum of field elements as a signed value, in the words of its domain."""
    lanes = 2 if shape.domain == "wide" else 1
    rows = []
    for elements in zip(*arrays, strict=True):
        total = sum(int(word) << (64 * lane) for element in elements for lane, word in enumerate(element)) % prime
        signed = total - prime if total > prime >> 1 else total
        rows.append([(signed >> (64 * lane)) & _MASK for lane in range(lanes)])
    return np.array(rows, dtype=np.uint64).reshape(words_shape(shape, len(rows)))


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
