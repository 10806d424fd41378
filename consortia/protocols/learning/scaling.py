"""Features standardised on shares: (value - mean) / deviation, clipped to [-8, 8]; mean and deviation stay on shares.

Functionality: from integers with public bounds and a 0/1 a row, shares of each feature's mean and deviation over the
counted rows (``learned``); from those, of any rows, the matrix of standardised features (``standardised``). A feature
whose counted values are all alike, or without any, is 0 in every row.

How: a feature is taken to units of 2^-36 of its public range, and 0 belongs to every range, because rows that are not
valid hold 0. Range up to 2^37: that is exact and local; a wider one is rounded. Sums over the counted rows are exact
integers: with S1 and S2 the sums of values and squares, m = S1 / n rounded towards zero and p = S1 - m n, the sum of
(z - m)^2 is S2 - m (S1 + p), without cancellation. So that it fits 62 bits it is taken twice: of coarse units, 2^-20
of the range, and of fine ones, where it is used only if the coarse variance is below 2^8 (modulo 2^64 it is then
itself, and before that it is never divided). The deviation is a root, its reciprocal an exact division. A value is
clipped to eight deviations from the mean, which bounds its product with the reciprocal by 8 whatever both are.

Precision, for fewer than 2^19 rows: the mean is rounded down by at most a fine unit, which is 2^-37 of the range (or
less: an integer, where that is 1), a value by half a one; the deviation is within 2^-11 of itself and 2^-4 of a fine
unit. So a standardised value x is off by 2^-15, two fine units over the deviation, and 2^-11 of x: a feature whose
deviation is 2^-29 of its range or more is right to a hundredth, and one of less than 2^-41 counts as constant. Where a
wide range's deviation is 16 coarse units or more, that of values rounded to coarse units is used: then x is off by a
factor, the same in all rows, of up to half a coarse unit over the deviation, 2^-5 at most.
Over more rows units are larger: 4 times at 2^20, 64 times at 2^24.
Assumption and view: those of the engine's operations; nothing is opened.
Rounds: for the moments about 370, 2 a feature, and 8 more a feature whose range is wider than 2^21, 16 where it is
wider than 2^37; to standardise 12 for ``AT_ONCE`` numbers and 8 a feature wider than 2^37. Bytes a number and party: 8
for the moments, 28 and 57 where the range is so wide; 69 to standardise, and 90.
Source: textbook moments about an integer near the mean; the two units and the clipping by deviations are ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.choose import clipped
from consortia.protocols.fixed.divide import divide, divide_integers, reciprocal
from consortia.protocols.fixed.numbers import Fixed, multiply, public, stacked, unstacked
from consortia.protocols.fixed.roots import square_root
from consortia.protocols.learning.vectors import row_sums, spread
from consortia.protocols.shares import Arithmetic

FRACTION: Final = 16
"""Fraction bits of standardised features."""
CLIP: Final = 8
"""The largest standardised feature."""
LARGEST: Final = 1 << 61
"""The largest magnitude of a bound."""
UNITS: Final = 36
"""Half a feature's range is 2^36 units of means and deviations."""
COARSE: Final = 20
STEP: Final = 16
"""Fine units are 2^-16 of coarse ones."""
NEAR: Final = 8
"""Coarse variances below 2^8 are replaced by fine ones."""
VARIANCE: Final = 16
"""Fraction bits of variances."""
DEVIATION: Final = 5
"""Fraction bits of deviations."""
RECIPROCAL: Final = 52
"""Fraction bits of reciprocals."""
MOST_ROWS: Final = 1 << 25
AT_ONCE: Final = 1 << 19
"""Numbers that are worked on at a time: memory stays a few dozen words each."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One feature: integers on shares with public bounds, lo <= value <= hi, or 0 where a row is not valid."""

    value: Arithmetic
    lo: int
    hi: int

    def __post_init__(self) -> None:
        if not -LARGEST <= self.lo <= self.hi <= LARGEST:
            raise InternalError("learning/range", f"a feature has no bounds {self.lo} to {self.hi}")

    @property
    def middle(self) -> int:
        """The middle of the range with 0 in it."""
        return (min(self.lo, 0) + max(self.hi, 0)) // 2

    @property
    def half(self) -> int:
        """The least k with |value - middle| <= 2^k."""
        most = max(max(self.hi, 0) - self.middle, self.middle - min(self.lo, 0))
        return max(0, most - 1).bit_length()


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """One number a feature each: mean and deviation in units, and 1 / deviation, 0 where there is no deviation."""

    mean: Fixed
    deviation: Fixed
    reciprocal: Fixed

    @property
    def features(self) -> int:
        """Number of features."""
        return self.mean.length

    def flat(self) -> Arithmetic:
        """All in one vector: means, deviations, reciprocals."""
        return stacked([self.mean.carried, self.deviation.carried, self.reciprocal.carried])


def flat_length(features: int) -> int:
    """Length of a flat scaling."""
    return 3 * features


def from_flat(vector: Arithmetic) -> Scaling:
    """The scaling that became this flat vector."""
    return _scaling(*unstacked(vector, 3))


def _scaling(mean: Arithmetic, deviation: Arithmetic, reciprocal: Arithmetic) -> Scaling:
    return Scaling(
        Fixed(mean, 0, 1 << UNITS),
        Fixed(deviation, DEVIATION, (1 << UNITS + DEVIATION) + (1 << UNITS + DEVIATION - 16)),
        Fixed(reciprocal, RECIPROCAL, 1 << RECIPROCAL + DEVIATION),
    )


# --- moments --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Units:
    """Half a range has 2^coarse coarse units of 2^step fine ones."""

    coarse: int
    step: int

    @property
    def fine(self) -> int:
        return self.coarse + self.step

    @property
    def variance(self) -> int:
        """What a variance can be: a coarse one of its range, or a fine one, given what the coarse one is."""
        return max(1 << 2 * self.coarse, 3 << 2 * self.step + NEAR) + 1


def units_of(rows: int) -> _Units:
    """Units in which sums over so many rows stay below 2^61. Raises InternalError ``learning/range``."""
    if not 1 <= rows <= MOST_ROWS:
        raise InternalError(
            "learning/range", f"features of {rows} rows can't be standardised, only of 1 to {MOST_ROWS}"
        )
    bits = rows.bit_length()
    return _Units(min(COARSE, (60 - bits) // 2), min(STEP, (59 - NEAR - bits) // 2))


def learned(engine: Engine, columns: Sequence[Column], counted: Arithmetic) -> Scaling:
    """Mean and deviation of each column over the rows in which ``counted`` is 1 (it is 0 or 1)."""
    features, rows = len(columns), counted.length
    units = units_of(rows)
    sums, squares = _sums(engine.narrow("sums"), columns, counted, units)
    total = row_sums(counted, 1, rows)
    twice = Fixed(stacked([total] * (2 * features)), 0, rows)
    quotient, _ = divide_integers(engine.narrow("mean"), Fixed(sums, 0, rows << units.fine), twice)
    mean = quotient.carried
    rest = sums - engine.narrow("whole").multiply(mean, twice.carried)
    about = squares - engine.narrow("about").multiply(mean, sums + rest)

    near = _near(engine.narrow("near"), about.rows(0, features), twice.carried.rows(0, features), rows, units)
    about, rest = _chosen(engine.narrow("choose"), near, stacked([about, rest]))
    count = Fixed(twice.carried.rows(0, features), 0, rows)
    variance = _variance(engine.narrow("variance"), about, rest, count, units)
    root = square_root(engine.narrow("root"), variance, VARIANCE)
    ones = public(engine, features, 1, 0).carried
    up = near + (ones - near).scaled(1 << units.step)
    exactly = engine.narrow("up").multiply(root.carried, up)
    deviation = engine.narrow("deviation").truncate(exactly, VARIANCE - DEVIATION - (UNITS - units.fine), exact=True)
    return _with_reciprocal(engine.narrow("reciprocal"), mean.rows(features, 2 * features), deviation, units)


def _with_reciprocal(engine: Engine, mean: Arithmetic, deviation: Arithmetic, units: _Units) -> Scaling:
    none = public(engine, mean.length, 0, 0).carried
    found = _scaling(mean.scaled(1 << UNITS - units.fine), deviation, none)
    return replace(found, reciprocal=reciprocal(engine, found.deviation, RECIPROCAL)[0])


def _sums(
    engine: Engine, columns: Sequence[Column], counted: Arithmetic, units: _Units
) -> tuple[Arithmetic, Arithmetic]:
    """Sums and sums of squares over the counted rows: of coarse units for all features, then of fine units.

    Sums of squares of fine units are right modulo 2^64 only.
    """
    rows = counted.length
    sums: tuple[list[Arithmetic], list[Arithmetic]] = [], []
    squares: tuple[list[Arithmetic], list[Arithmetic]] = [], []
    for start, part in _parts(columns, rows):
        at = engine.narrow(f"from-{start}")
        kept = at.narrow("counted").multiply(_centred(engine, part), stacked([counted] * len(part)))
        for number, column in enumerate(part):
            value = kept.rows(number * rows, (number + 1) * rows)
            for level, bits in enumerate((units.coarse, units.fine)):
                step = at.narrow(f"feature-{number}-{level}")
                z = _in_units(step.narrow("units"), value, column.half, bits)
                sums[level].append(row_sums(z, 1, rows))
                squares[level].append(step.narrow("square").inner_product(z, z))
    return stacked([*sums[0], *sums[1]]), stacked([*squares[0], *squares[1]])


def _near(engine: Engine, about: Arithmetic, count: Arithmetic, rows: int, units: _Units) -> Arithmetic:
    """1 where the coarse variance is below 2^NEAR, so that the sum of fine squares fits; 0 without any row."""
    margin = Fixed(about - count.scaled(1 << NEAR), 0, rows * units.variance)
    return engine.narrow("bit").bit_to_arithmetic(engine.narrow("sign").negative(margin.carried, margin.bits))


def _chosen(engine: Engine, near: Arithmetic, both: Arithmetic) -> tuple[Arithmetic, Arithmetic]:
    """Of quantities coarse and fine, one behind the other: the fine where it is near, else the coarse."""
    levels = unstacked(both, 4)
    coarse, fine = stacked(levels[::2]), stacked(levels[1::2])
    about, rest = unstacked(coarse + engine.multiply(stacked([near, near]), fine - coarse), 2)
    return about, rest


def _variance(engine: Engine, about: Arithmetic, rest: Arithmetic, count: Fixed, units: _Units) -> Fixed:
    """The part about / n - (rest / n)^2, in VARIANCE fraction bits; never below 0: each part is rounded down."""
    limit = count.limit * units.variance
    whole, _ = divide_integers(engine.narrow("whole"), Fixed(about, 0, limit), count)
    left = about - engine.narrow("left").multiply(whole.carried, count.carried)
    twice = Fixed(stacked([count.carried, count.carried]), 0, count.limit)
    parts, _ = divide(engine.narrow("parts"), Fixed(stacked([left, rest]), 0, count.limit), twice, VARIANCE)
    part, shift = unstacked(parts.carried, 2)
    below_one = Fixed(shift, VARIANCE, 1 << VARIANCE)
    square = multiply(engine.narrow("square"), below_one, below_one, VARIANCE, exact=True)
    return Fixed(whole.carried.scaled(1 << VARIANCE) + part - square.carried, VARIANCE, units.variance << VARIANCE)


# --- standardised ---------------------------------------------------------------------------------------


def standardised(engine: Engine, columns: Sequence[Column], scaling: Scaling) -> Fixed:
    """The matrix of features x rows, feature by feature: ``FRACTION`` fraction bits, from -8 to 8."""
    rows = columns[0].value.length
    found = [
        _standardised(engine.narrow(f"from-{start}"), part, scaling, start, rows)
        for start, part in _parts(columns, rows)
    ]
    return Fixed(stacked(found), FRACTION, CLIP << FRACTION)


def _standardised(engine: Engine, part: Sequence[Column], scaling: Scaling, start: int, rows: int) -> Arithmetic:
    stop = start + len(part)
    mean, deviation, factor = (
        spread(engine, x.carried.rows(start, stop), rows) for x in (scaling.mean, scaling.deviation, scaling.reciprocal)
    )
    centred = unstacked(_centred(engine, part), len(part))
    in_units = [
        _in_units(engine.narrow(f"units-{number}"), value, column.half, UNITS)
        for number, (value, column) in enumerate(zip(centred, part, strict=True))
    ]
    away = Fixed((stacked(in_units) - mean).scaled(1 << DEVIATION), DEVIATION, 2 << UNITS + DEVIATION)
    end = Fixed(deviation, DEVIATION, scaling.deviation.limit).scaled(CLIP)
    near = clipped(engine.narrow("clip"), away, end)
    # at most 8 deviations times 2^57 / deviation
    cut = DEVIATION + RECIPROCAL - FRACTION
    return engine.narrow("scale").multiply_truncate(near.carried, factor, cut)


def _parts(columns: Sequence[Column], rows: int) -> Iterator[tuple[int, Sequence[Column]]]:
    """Columns that are worked on together, and the number of the first."""
    width = max(1, AT_ONCE // max(1, rows))
    for start in range(0, len(columns), width):
        yield start, columns[start : start + width]


def _centred(engine: Engine, part: Sequence[Column]) -> Arithmetic:
    """Values less the middle of their range."""
    rows = part[0].value.length
    return stacked([column.value - public(engine, rows, column.middle, 0).carried for column in part])


def _in_units(engine: Engine, centred: Arithmetic, half: int, bits: int) -> Arithmetic:
    """Numbers up to 2^half in units of which 2^bits are as much: exact, or rounded to the nearest."""
    if half <= bits:
        return centred.scaled(1 << bits - half)
    cut = half - bits
    raised = centred + public(engine, centred.length, 1 << cut - 1, 0).carried
    return engine.truncate(raised, cut, exact=True)
