"""Quotients of numbers on shares, exact: truncated, rounded, and by public divisors; NULL where the divisor is 0."""

from __future__ import annotations

from typing import Literal

from consortia.protocols.engine import Engine
from consortia.protocols.fixed.by_constant import floor_divided
from consortia.protocols.fixed.divide import divide_integers
from consortia.protocols.fixed.numbers import Fixed, stacked
from consortia.protocols.relational.comparisons import both, is_negative, signed_bits
from consortia.protocols.relational.values import Number, add, constant, multiply, scale, shared
from consortia.protocols.shares import Arithmetic

Rounding = Literal["truncated", "rounded", "floor"]
"""Towards zero; to the nearest, halves away from zero; downwards."""


def quotient(engine: Engine, length: int, x: Number, y: Number, rounding: Literal["truncated", "rounded"]) -> Number:
    """The quotient x / y, an integer. Exact; cost and domain those of ``fixed.divide``, or of ``by_constant``."""
    if y.vector is None:
        if y.offset == 0:
            return constant(engine, length, None)
        return by_constant(engine, length, scale(x, 1 if y.offset > 0 else -1), abs(y.offset), rounding)
    dividend, divisor = shared(engine, length, x), shared(engine, length, y)
    largest = x.largest
    if rounding == "rounded":
        # 2 |x| + |y| divided by 2 |y|, with the signs of x and y
        half = divisor if x.lo >= 0 and y.lo >= 0 else _with_signs_of(engine.narrow("half"), x, dividend, y, divisor)
        dividend, divisor = dividend.scaled(2) + half, divisor.scaled(2)
        found, valid = divide_integers(
            engine, Fixed(dividend, 0, 2 * largest + y.largest), Fixed(divisor, 0, 2 * y.largest)
        )
    else:
        found, valid = divide_integers(engine, Fixed(dividend, 0, largest), Fixed(divisor, 0, y.largest))
    known = both(engine.narrow("known"), both(engine.narrow("operands"), x.known, y.known), valid)
    lowest = 0 if x.lo >= 0 and y.lo >= 0 else -largest
    return Number(found.carried, 0, lowest, largest, known, x.clean and y.clean)


def _with_signs_of(engine: Engine, x: Number, dividend: Arithmetic, y: Number, divisor: Arithmetic) -> Arithmetic:
    """|y| with the sign of x: y where both signs are equal, else -y."""
    count = dividend.length
    bits = max(signed_bits(x.lo, x.hi), signed_bits(y.lo, y.hi))
    signs = is_negative(engine, stacked([dividend, divisor]), bits)
    unequal = engine.narrow("bit").bit_to_arithmetic(signs.rows(0, count) ^ signs.rows(count, 2 * count))
    return divisor - engine.narrow("turn").multiply(unequal, divisor).scaled(2)


def remainder(engine: Engine, length: int, x: Number, y: Number) -> Number:
    """What the truncated quotient leaves of x: of the sign of x, and smaller than y; NULL where y is 0."""
    whole = quotient(engine.narrow("quotient"), length, x, y, "truncated")
    taken = multiply(engine.narrow("taken"), length, whole, y)
    rest = add(engine.narrow("rest"), x, scale(taken, -1))
    size = min(x.largest, max(0, y.largest - 1))
    lo, hi = (-size if x.lo < 0 else 0), (size if x.hi > 0 else 0)
    # where y is 0 or NULL the rest is any number up to x
    return Number(rest.vector, rest.offset, min(lo, x.lo), max(hi, x.hi), rest.known)


def by_constant(engine: Engine, length: int, x: Number, divisor: int, rounding: Rounding) -> Number:
    """The quotient by a public integer from 1 on."""
    if x.vector is None:
        return Number(None, _plain(x.offset, divisor, rounding), *_ends(x, divisor, rounding), x.known, x.clean)
    value, limit, d = shared(engine, length, x), x.largest, divisor
    below = None
    if x.lo < 0 and rounding != "floor":
        below = engine.narrow("bit").bit_to_arithmetic(is_negative(engine, value, signed_bits(x.lo, x.hi)))
    if rounding == "rounded":
        # floor((2 x + d) / 2 d) takes halves up; below zero one unit less takes them down
        value, limit, d = value.scaled(2), 2 * limit + divisor, 2 * divisor
        raised = Number(value, divisor, -limit, limit)
        value = shared(engine, length, raised) if below is None else shared(engine, length, raised) - below
    elif below is not None:
        value, limit = value + below.scaled(d - 1), limit + d
    found = floor_divided(engine.narrow("floor"), value, limit + 1, d)
    return Number(found, 0, *_ends(x, divisor, rounding), x.known, x.clean)


def _ends(x: Number, divisor: int, rounding: Rounding) -> tuple[int, int]:
    return _plain(x.lo, divisor, rounding), _plain(x.hi, divisor, rounding)


def _plain(value: int, divisor: int, rounding: Rounding) -> int:
    match rounding:
        case "floor":
            return value // divisor
        case "truncated":
            return value // divisor if value >= 0 else -(-value // divisor)
        case "rounded":
            size = (2 * abs(value) + divisor) // (2 * divisor)
            return size if value >= 0 else -size
