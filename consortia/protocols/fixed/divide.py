"""Division of shared numbers by shared numbers: exact.

How: signs are taken off. The divisor d < 2^k is brought to n = 2^(k-1-m) d in [2^(k-1), 2^k) by its leading bit
(``normal``); 1/u for u = n / 2^k in [1/2, 1) comes from three Newton steps y (2 - u y) from 2.9142 - 2 u, whose error
0.0858 becomes 2^-28; with rounding below 2^-26.5. A quotient step multiplies the remainder r by y and the power and
takes the result off: r - q d. Each step gains 25 bits. The last one leaves the quotient wrong by -2 to 1, which three
comparisons of the remainder, with -d, 0 and d, put right. So the result is the exact quotient, rounded towards zero
as in PostgreSQL, whatever the random roundings on the way were.
A step that would exceed 2^62 takes the upper 30 bits of the remainder, without having scaled it; it gains 25 bits of
|r|, not of |r / d|, and does not get below d. Domain: |numerator| < 2^61, |divisor| < 2^42 suffices.
Cost: a list of engine operations on vectors of fixed length, so declared by running on the counting engine.
Source: Newton's start values as in Catrina and Saxena, Financial Cryptography 2010.
"""

from dataclasses import dataclass

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.normal import Powers, leading
from consortia.protocols.fixed.numbers import Fixed, check_fractions, multiply, public, stacked, unstacked
from consortia.protocols.shares import Arithmetic, Boolean

PRECISION = 30
"""Fraction bits of u and of its reciprocal."""
GAIN = 25
"""Bits that a quotient step gains, for certain."""
START = 3129098452
"""2.9142 with 30 fraction bits."""
NEWTON_STEPS = 3


def divide(engine: Engine, x: Fixed, y: Fixed, fraction: int) -> tuple[Fixed, Boolean]:
    """The quotient x / y with ``fraction`` fraction bits, rounded towards zero, and one plane: valid, which is y != 0.

    Where y = 0 the result is 0 (NULL). Error below one unit; none for integers and fraction 0. Raises InternalError
    ``fixed/range`` outside the domain: |x carried| 2^(fraction + y.fraction - x.fraction) < 2^61 and |y carried|
    < 2^42, or another pair of bounds for which ``quotient_steps`` finds steps.
    """
    up = fraction + y.fraction - x.fraction
    if up < 0:
        raise InternalError("fixed/fractions", f"a quotient of {fraction} fraction bits needs a numerator of fewer")
    limit = x.limit << up
    divisor_bits = max(1, y.limit.bit_length())
    steps = quotient_steps(max(1, limit.bit_length()), divisor_bits)

    both = stacked([x.carried, y.carried])
    negative = engine.narrow("signs").negative(both, max(x.bits, y.bits))
    signs = engine.narrow("sign-bits").bit_to_arithmetic(negative)
    numerator, denominator = unstacked(both - engine.narrow("absolute").multiply(signs, both).scaled(2), 2)

    divisor = prepared(engine.narrow("divisor"), denominator, divisor_bits)
    quotient = _floor_quotient(engine.narrow("quotient"), numerator.scaled(1 << up), divisor, steps)

    count = x.length
    unequal = negative.rows(0, count) ^ negative.rows(count, 2 * count)
    valid = engine.invert(divisor.zero)
    turned = engine.narrow("turned").conjunction(unequal, valid)
    turns = engine.narrow("turns").bit_to_arithmetic(turned)
    one = public(engine, count, 1, 0).carried
    factor = one - divisor.zero_number - turns.scaled(2)
    return Fixed(engine.narrow("result").multiply(quotient, factor), fraction, limit), valid


def divide_integers(engine: Engine, x: Fixed, y: Fixed) -> tuple[Fixed, Boolean]:
    """The integer quotient rounded towards zero, of two numbers of fraction 0, and valid: y != 0. Exact."""
    check_fractions(x, y)
    return divide(engine, x, y, 0)


def reciprocal(engine: Engine, x: Fixed, fraction: int) -> tuple[Fixed, Boolean]:
    """1 / x with ``fraction`` fraction bits, rounded towards zero, and valid: x != 0. Domain of ``divide``."""
    return divide(engine, public(engine, x.length, 1, 0), x, fraction)


@dataclass(frozen=True, slots=True)
class Divisor:
    """A divisor d, 0 < d < 2^bits after zeros have been replaced by ones, with what quotient steps need."""

    bits: int
    value: Arithmetic
    zero: Boolean
    zero_number: Arithmetic
    powers: Powers
    """2^(bits - 1 - m), m the place of the leading bit."""
    inverse: Arithmetic
    """2^30 / u, u = 2^(bits-1-m) d / 2^bits in [1/2, 1), to 2^-26.5 of itself."""


def prepared(engine: Engine, d: Arithmetic, bits: int) -> Divisor:
    """For 0 <= d < 2^bits, bits <= 61."""
    found = leading(engine.narrow("leading"), d, bits)
    zero = engine.narrow("zero").bit_to_arithmetic(found.zero)
    value = d + zero
    powers = Powers(engine, found.places.reversed_planes())
    normal = engine.narrow("normal").multiply(value, powers.all())
    u = _to_precision(engine.narrow("unit"), normal, bits)
    inverse = _reciprocal_of_unit(engine.narrow("newton"), u)
    return Divisor(bits, value, found.zero, zero, powers, inverse.carried)


def _to_precision(engine: Engine, normal: Arithmetic, bits: int) -> Fixed:
    """A number of [2^(bits-1), 2^bits) as one of [1/2, 1]."""
    cut = bits - PRECISION
    unit = engine.truncate(normal, cut) if cut > 0 else normal.scaled(1 << -cut)
    return Fixed(unit, PRECISION, 1 << PRECISION)


def _reciprocal_of_unit(engine: Engine, u: Fixed) -> Fixed:
    """1 / u for u in [1/2, 1], to within 2^-26.5 of itself."""
    two = public(engine, u.length, 2 << PRECISION, PRECISION)
    y = _bounded(public(engine, u.length, START, PRECISION) - u.scaled(2))
    for number in range(1, NEWTON_STEPS + 1):
        step = engine.narrow(f"step-{number}")
        # u y is within a tenth of 1
        product = multiply(step.narrow("product"), u, y, PRECISION)
        correction = Fixed((two - product).carried, PRECISION, (11 << PRECISION) // 10)
        y = _bounded(multiply(step.narrow("correct"), y, correction, PRECISION))
    return y


def _bounded(y: Fixed) -> Fixed:
    """An approximation of 1 / u, which is at most 2 and errs upwards by rounding only."""
    return Fixed(y.carried, y.fraction, (2 << PRECISION) + (1 << 8))


@dataclass(frozen=True, slots=True)
class Step:
    """A quotient step: on the remainder times the power (``scaled``) or on its upper bits.

    ``bits``: the quotient that is left is below 2^bits where scaled, else the remainder is.
    """

    scaled: bool
    bits: int


def quotient_steps(dividend_bits: int, divisor_bits: int) -> list[Step]:
    """The steps for a dividend below 2^dividend_bits and a divisor below 2^divisor_bits.

    Raises InternalError ``fixed/range`` if there are none: the dividend reaches 2^61, or the divisor is too wide.
    """
    if dividend_bits > 61:
        raise InternalError("fixed/range", f"a dividend of {dividend_bits} bits can't be divided, 61 can")
    steps: list[Step] = []
    quotient = remainder = dividend_bits
    while True:
        if quotient + divisor_bits <= 61 and quotient <= 58:
            steps.append(Step(True, quotient))
            if quotient <= GAIN:
                return steps
            quotient -= GAIN
            continue
        left = max(1, remainder - GAIN)
        if steps and left >= quotient:
            raise InternalError(
                "fixed/range",
                f"{dividend_bits} bits can't be divided by {divisor_bits} bits exactly within 62",
                remedy="declare narrower bounds, or fewer fraction bits",
            )
        steps.append(Step(False, remainder))
        quotient, remainder = left, max(left, divisor_bits + 1)


def _floor_quotient(engine: Engine, a: Arithmetic, divisor: Divisor, steps: list[Step]) -> Arithmetic:
    """floor(a / d) for 0 <= a."""
    total, rest = a.scaled(0), a
    for number, step in enumerate(steps, start=1):
        at = engine.narrow(f"step-{number}")
        part = _scaled_step(at, rest, divisor, step.bits) if step.scaled else _upper_step(at, rest, divisor, step.bits)
        total = total + part
        rest = rest - at.narrow("taken").multiply(part, divisor.value)
    # floor(rest / d) is -2, -1, 0 or 1: the number of steps of d that rest reaches
    marks = stacked([rest + divisor.value, rest, rest - divisor.value])
    below = engine.narrow("compare").negative(marks, divisor.bits + 3)
    counts = unstacked(engine.narrow("counts").bit_to_arithmetic(below), 3)
    one = public(engine, a.length, 1, 0).carried
    return total + one - counts[0] - counts[1] - counts[2]


def _scaled_step(engine: Engine, rest: Arithmetic, divisor: Divisor, bits: int) -> Arithmetic:
    """About rest / d, for |rest / d| < 2^bits, bits + divisor.bits <= 61."""
    scaled = engine.narrow("scale").multiply(rest, divisor.powers.all())
    cut = max(0, bits + divisor.bits - PRECISION)
    if cut:
        scaled = engine.narrow("upper").truncate(scaled, cut)
    return engine.narrow("times").multiply_truncate(scaled, divisor.inverse, divisor.bits + PRECISION - cut)


def _upper_step(engine: Engine, rest: Arithmetic, divisor: Divisor, bits: int) -> Arithmetic:
    """About rest / d, for |rest| < 2^bits."""
    cut = max(0, bits - PRECISION + 1)
    upper = engine.narrow("upper").truncate(rest, cut) if cut else rest
    # below 2^29 times at most 2, hence below 2^31 with all roundings
    product = engine.narrow("times").multiply_truncate(upper, divisor.inverse, PRECISION)
    return divisor.powers.times(engine.narrow("shift"), product, PRECISION + 1, cut - divisor.bits)
