"""What an expression is worth on shares, row by row: a number, a code or a truth value.

A *number* is a shared or public integer with the interval that holds it; widths of comparisons follow from intervals.
A *code* is an unsigned value above a lower bound, as planes. A *truth* is two planes: is TRUE, is FALSE; NULL is
neither, so NOT costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import both, fill, fill_planes
from consortia.protocols.relational.domains import resized
from consortia.protocols.relational.table import SharedColumn
from consortia.protocols.shares import Arithmetic, Boolean

CAPACITY = 1 << 62
"""What a value that is converted stays below."""
_RING = 1 << 63


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """``vector`` + ``offset`` (a public number where there is no vector), within lo..hi; NULL where not ``known``.

    Where a row is NULL or invalid the value is any within lo..hi, and zero if ``clean``; then no invalid row is known.
    """

    vector: Arithmetic | None
    offset: int
    lo: int
    hi: int
    known: Boolean | None = None
    clean: bool = False

    def __post_init__(self) -> None:
        if self.largest >= _RING:
            raise InternalError("relational/range", f"a number of {self.lo} to {self.hi} does not fit 64 bits")

    @property
    def largest(self) -> int:
        """The largest absolute value within the interval."""
        return max(abs(self.lo), abs(self.hi))


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """The unsigned ``planes`` stand for planes + ``lo``; NULL where not ``known``.

    The planes are zero where a row is NULL or invalid if ``clean``; then no invalid row is known.
    """

    planes: Boolean
    lo: int
    known: Boolean | None = None
    clean: bool = False


Value = Number | Code


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Planes of the rows for which it is TRUE and FALSE; ``false`` None is the complement of ``true``."""

    true: Boolean
    false: Boolean | None = None

    def negation(self, engine: Engine) -> Truth:
        """NOT. Local."""
        if self.false is None:
            return Truth(engine.invert(self.true))
        return Truth(self.false, self.true)

    def falsehood(self, engine: Engine) -> Boolean:
        """The plane that says FALSE. Local."""
        return engine.invert(self.true) if self.false is None else self.false

    def code(self) -> Code:
        """1 where it is TRUE. Local."""
        return Code(self.true, 0, None if self.false is None else self.true ^ self.false)


def of_column(name: str, column: SharedColumn) -> Value:
    """A column of a table, whose rows are zero where they are NULL or invalid."""
    match column.value:
        case Boolean():
            return Code(column.value, column.lo, column.validity, clean=True)
        case Arithmetic():
            return Number(column.value, 0, min(column.lo, 0), max(column.hi, 0), column.validity, clean=True)
    raise InternalError("relational/unsupported", f"`{name}` is a wide value: it can be added up and opened only")


def constant(engine: Engine, length: int, value: int | None) -> Number:
    """A public integer, or NULL."""
    if value is None:
        return Number(None, 0, 0, 0, fill_planes(engine, length, 0, 1), clean=True)
    return Number(None, value, value, value, clean=value == 0)


def as_number(engine: Engine, value: Value) -> Number:
    """A code as a number: two rounds. Raises InternalError ``relational/range`` if it does not fit 62 bits."""
    if isinstance(value, Number):
        return value
    highest = value.lo + (1 << value.planes.bits) - 1
    if value.planes.bits > 62 or max(abs(value.lo), abs(highest)) >= CAPACITY:
        raise InternalError("relational/range", f"{value.lo} to {highest} is no range of a number")
    vector = engine.narrow("number").compose(value.planes)
    ends = (value.lo, highest)
    # a row that is NULL is zero as a code, which is the lower bound as a number
    return Number(vector, value.lo, *ends, value.known, clean=value.clean and value.lo == 0)


def as_code(engine: Engine, length: int, value: Value, lo: int, bits: int) -> Code | None:
    """The value as a code of that lower bound and width, if that is local; None if it is not."""
    match value:
        case Code() if value.lo == lo and value.planes.bits <= bits:
            return replace(value, planes=resized(engine, value.planes, bits))
        case Number(vector=None, offset=offset, known=None) if 0 <= offset - lo < 1 << bits:
            return Code(fill_planes(engine, length, offset - lo, bits), lo, clean=offset == lo)
        case Number(vector=None, known=Boolean()):  # the constant NULL
            return Code(fill_planes(engine, length, 0, bits), lo, value.known, clean=True)
    return None


def shared(engine: Engine, length: int, x: Number) -> Arithmetic:
    """The number as one sharing. Local."""
    if x.vector is None:
        return fill(engine, length, x.offset)
    return x.vector if x.offset == 0 else x.vector + fill(engine, length, x.offset)


def scale(x: Number, factor: int) -> Number:
    """A number times a public integer. Local."""
    ends = (x.lo * factor, x.hi * factor)
    vector = None if x.vector is None else x.vector.scaled(factor)
    return Number(vector, x.offset * factor, min(ends), max(ends), x.known, x.clean)


def add(engine: Engine, x: Number, y: Number) -> Number:
    """The sum; NULL if one is. At most one AND, of the known bits."""
    vectors = [number.vector for number in (x, y) if number.vector is not None]
    vector = reduce(lambda a, b: a + b, vectors) if vectors else None
    known = both(engine, x.known, y.known)
    # where one is NULL the other stays
    clean = x.clean and y.clean and known is None
    return Number(vector, x.offset + y.offset, x.lo + y.lo, x.hi + y.hi, known, clean)


def multiply(engine: Engine, length: int, x: Number, y: Number) -> Number:
    """The product; local if one factor is public."""
    known = both(engine.narrow("known"), x.known, y.known)
    ends = [a * b for a in (x.lo, x.hi) for b in (y.lo, y.hi)]
    if x.vector is None or y.vector is None:
        factor, other = (x, y) if x.vector is None else (y, x)
        product = scale(other, factor.offset)
        clean = other.clean and (known is None or factor.known is None)
        return Number(product.vector, product.offset, min(ends), max(ends), known, clean)
    vector = engine.narrow("product").multiply(shared(engine, length, x), shared(engine, length, y))
    return Number(vector, 0, min(ends), max(ends), known, x.clean and y.clean)
