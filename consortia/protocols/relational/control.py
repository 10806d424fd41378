"""The output control on shares: a row goes on only if it reaches every bar; nobody learns which do.

Functionality: of each row, the bit valid AND (sum of factor times column >= minimum) for every bar; rows without it
become zero. Assumption: that of the engine's comparisons and products. Simulation: nothing is opened, every message is
one of an engine operation. Rounds: one comparison of all bars at once, a tree of ANDs, one to four to clear the rows;
bytes as ``engine.negative`` declares for bars times rows.

A sum that could reach 2^63 is compared after its columns were cut by a public number of low bits, in the direction
that keeps a row back: such a bar asks for less than one part in 2^40 of the largest possible sum more than it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill, is_negative, signed_bits
from consortia.protocols.relational.complementary import still_shown
from consortia.protocols.relational.complete import Domain
from consortia.protocols.relational.table import SharedColumn, SharedTable, cleared, joined, packed, split, unpacked
from consortia.protocols.shares import Arithmetic, Boolean

WIDEST = 62
"""Bits of the greatest sum that is compared as it is."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A row passes if the sum of column times factor over ``terms`` is at least ``minimum``."""

    terms: tuple[tuple[str, int], ...]
    minimum: int


def at_least(column: str, minimum: int) -> Bar:
    """The bar for one column."""
    return Bar(((column, 1),), minimum)


def control(
    engine: Engine, table: SharedTable, bars: Sequence[Bar], keep: Sequence[str], domains: Sequence[Domain] = ()
) -> SharedTable:
    """Rows that miss a bar become invalid and zero; ``filter.first`` moves the others together.

    With ``domains`` of all keys, rows that ``complementary`` hides do so too.
    The release bit is valid AND all bars; it becomes the valid bit. ``keep`` names the columns that go on (what the
    bars read usually does not). InternalError ``relational/control`` if a bar reads anything but plain numbers.
    """
    bit = still_shown(engine.narrow("complementary"), table, domains, passing(engine, table, bars))
    return table.only(keep) if bit is table.valid else cleared(engine.narrow("clear"), table.only(keep), bit)


def passing(engine: Engine, table: SharedTable, bars: Sequence[Bar]) -> Boolean:
    """One plane: the row is valid and reaches every bar; ``table.valid`` itself if the bounds say so already."""
    sums = [found for place, bar in enumerate(bars) if (found := _sum(engine.narrow(f"bar-{place}"), table, bar))]
    if not sums:
        return table.valid
    return _all(engine, [table.valid, *map(engine.invert, _missed(engine.narrow("rules"), sums))])


def _all(engine: Engine, planes: Sequence[Boolean]) -> Boolean:
    """The AND of all planes, in as many rounds as the logarithm of their number."""
    found = list(planes)
    while len(found) > 1:
        half = len(found) // 2
        step = engine.narrow(f"and-{len(found)}")
        both = step.conjunction(packed(found[:half]), packed(found[half : 2 * half]))
        found = [*unpacked(both, [1] * half), *found[2 * half :]]
    return found[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Sum:
    """A bar's sum less its minimum, with the bits that its sign is read from."""

    value: Arithmetic
    bits: int


def _sum(engine: Engine, table: SharedTable, bar: Bar) -> _Sum | None:
    """None where the bounds already say that every valid row passes."""
    terms = [(_number(table, name), factor) for name, factor in bar.terms]
    lo, hi = _range(terms)
    if lo >= bar.minimum:
        return None
    cut = max((max(-lo, hi) + abs(bar.minimum)).bit_length() - WIDEST, 0)
    minimum = -(-bar.minimum >> cut)
    parts = [(_cut(engine.narrow(f"{place}"), column, cut), factor) for place, (column, factor) in enumerate(terms)]
    if cut:  # what was cut off is taken as a whole unit against the row
        minimum -= sum(factor for _, factor in parts if factor < 0)
    lo, hi = _range(parts)
    value = fill(engine, table.length, -minimum)
    for column, factor in parts:
        value = value + _value(column).scaled(factor)
    # rows that are not valid hold zero
    return _Sum(value, signed_bits(min(lo, 0) - minimum, max(hi, 0) - minimum))


def _range(terms: Sequence[tuple[SharedColumn, int]]) -> tuple[int, int]:
    """The least and the greatest sum of column times factor."""
    ends = [sorted((column.lo * factor, column.hi * factor)) for column, factor in terms]
    return sum(low for low, _ in ends), sum(high for _, high in ends)


def _cut(engine: Engine, column: SharedColumn, bits: int) -> SharedColumn:
    """The column without its ``bits`` low bits, rounded down."""
    if not bits:
        return column
    return SharedColumn(engine.truncate(_value(column), bits, exact=True), column.lo >> bits, column.hi >> bits)


def _number(table: SharedTable, name: str) -> SharedColumn:
    column = table.column(name)
    if not isinstance(column.value, Arithmetic) or column.validity is not None:
        raise InternalError("relational/control", f"`{name}` is no plain number, a rule can't read it")
    return column


def _value(column: SharedColumn) -> Arithmetic:
    if not isinstance(column.value, Arithmetic):
        raise InternalError("relational/control", "a rule reads numbers")
    return column.value


def _missed(engine: Engine, sums: Sequence[_Sum]) -> list[Boolean]:
    """One plane a sum: it is negative. All in one batch, at the greatest width."""
    bits = max(each.bits for each in sums)
    return split(is_negative(engine, joined([each.value for each in sums]), bits), [each.value.length for each in sums])
