"""One of several values, row by row: CASE, COALESCE, the greatest and the least, the absolute value.

Each choice is a plane that marks the rows where it is taken; no two planes mark the same row. Values are multiplied by
their marks and added up, all in one batch, so that a choice between constants costs no product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Literal

from consortia.protocols.engine import Engine
from consortia.protocols.relational.comparisons import fill, fill_planes, is_negative, signed_bits
from consortia.protocols.relational.table import joined, split
from consortia.protocols.relational.values import Code, Number, Truth, Value, as_code, as_number, scale, shared
from consortia.protocols.shares import Arithmetic, Boolean


def case(engine: Engine, length: int, conditions: Sequence[Truth], values: Sequence[Value], otherwise: Value) -> Value:
    """The value of the first condition that is TRUE, or ``otherwise``. An AND a condition, then one batch."""
    taken = [conditions[0].true]
    none = engine.invert(taken[0])
    for place, condition in enumerate(conditions[1:]):
        taken.append(engine.narrow(f"first-{place}").conjunction(condition.true, none))
        none = none ^ taken[-1]
    taken, values = [*taken, none], [*values, otherwise]
    return _chosen(engine, length, taken, values, _known(engine.narrow("known"), length, taken, values))


def coalesce(engine: Engine, length: int, values: Sequence[Value]) -> Value:
    """The first value that is not NULL."""
    if values[0].known is None:
        return values[0]
    taken = [values[0].known]
    none = engine.invert(taken[0])
    for place, value in enumerate(values[1:]):
        if value.known is None:
            return _chosen(engine, length, [*taken, none], values[: place + 2], None)
        taken.append(engine.narrow(f"first-{place}").conjunction(value.known, none))
        none = none ^ taken[-1]
    return _chosen(engine, length, taken, values, engine.invert(none))


def extreme(engine: Engine, length: int, values: Sequence[Value], which: Literal["greatest", "least"]) -> Value:
    """The greatest or least of the values that are not NULL; NULL if all are. A comparison for each after the first."""
    result = values[0]
    for place, value in enumerate(values[1:]):
        result = _better(engine.narrow(f"{place}"), length, result, value, which)
    return result


def _better(engine: Engine, length: int, x: Value, y: Value, which: Literal["greatest", "least"]) -> Value:
    low, high = (x, y) if which == "greatest" else (y, x)
    worse = less(engine.narrow("less"), length, low, high)
    if y.known is not None:  # y is better where it is known, and x is not or is worse
        worse = engine.narrow("known").conjunction(worse, y.known)
    if x.known is not None:
        unknown = engine.invert(x.known)
        if y.known is not None:
            unknown = engine.narrow("other").conjunction(unknown, y.known)
        worse = engine.invert(engine.narrow("or").conjunction(engine.invert(worse), engine.invert(unknown)))
    taken, values = [engine.invert(worse), worse], [x, y]
    always = x.known is None or y.known is None
    known = None if always else _known(engine.narrow("either"), length, taken, values)
    return _within_both(_chosen(engine, length, taken, values, known), x, y, which)


def _within_both(found: Value, x: Value, y: Value, which: Literal["greatest", "least"]) -> Value:
    """The least of two numbers that are never NULL is at most the end of either, the greatest at least its begin."""
    if not isinstance(found, Number) or not isinstance(x, Number) or not isinstance(y, Number):
        return found
    if x.known is not None or y.known is not None:
        return found
    if which == "least":
        return replace(found, hi=max(0, min(x.hi, y.hi)))
    return replace(found, lo=min(0, max(x.lo, y.lo)))


def less(engine: Engine, length: int, x: Value, y: Value) -> Boolean:
    """One plane: x < y, whatever stands where one is NULL."""
    match x, y:
        case Code(), Code() if x.lo == y.lo:
            bits = max(x.planes.bits, y.planes.bits)
            wide = [as_code(engine, length, value, x.lo, bits) for value in (x, y)]
            left, right = (value.planes for value in wide if value is not None)
            return engine.narrow("codes").less_than(left, right)
    one, two = as_number(engine.narrow("left"), x), as_number(engine.narrow("right"), y)
    lo, hi = one.lo - two.hi, one.hi - two.lo
    if hi < 0 or lo >= 0:
        return fill_planes(engine, length, int(hi < 0), 1)
    difference = shared(engine, length, one) - shared(engine, length, two)
    return is_negative(engine, difference, signed_bits(lo, hi))


def absolute(engine: Engine, length: int, value: Value) -> Number:
    """The absolute value: the rounds of a sign and three."""
    x = as_number(engine, value)
    if x.lo >= 0:
        return x
    if x.hi <= 0:
        return scale(x, -1)
    signed = shared(engine, length, x)
    bit = engine.narrow("bit").bit_to_arithmetic(is_negative(engine, signed, signed_bits(x.lo, x.hi)))
    vector = signed - engine.narrow("turn").multiply(bit, signed).scaled(2)
    return Number(vector, 0, 0, x.largest, x.known, x.clean)


def clipped(engine: Engine, length: int, x: Number, lo: int, hi: int) -> Number:
    """The nearest number within lo..hi: one batch of comparisons, for the ends that the interval of x exceeds."""
    ends = [end for end, exceeded in ((lo, x.lo < lo), (hi, x.hi > hi)) if exceeded]
    if not ends:
        return x
    value = shared(engine, length, x)
    ways = [fill(engine, length, end) - value for end in ends]
    beyond = [-way if end == lo else way for end, way in zip(ends, ways, strict=True)]
    outside = is_negative(engine, joined(beyond), signed_bits(x.lo - hi, x.hi - lo))
    bits = engine.narrow("bits").bit_to_arithmetic(outside)
    moves = split(engine.narrow("move").multiply(bits, joined(ways)), [length] * len(ends))
    total = reduce(lambda a, b: a + b, [value, *moves])
    return Number(total, 0, max(x.lo, lo), min(x.hi, hi), x.known, x.clean and lo <= 0 <= hi)


def _chosen(
    engine: Engine, length: int, taken: Sequence[Boolean], values: Sequence[Value], known: Boolean | None
) -> Value:
    """The value whose plane of ``taken`` is set: at most one a row. ``known`` is that of the result."""
    codes = _as_codes(engine, length, values)
    if codes is not None:
        return _chosen_code(engine, length, taken, codes, known)
    numbers = [as_number(engine.narrow(f"value-{place}"), value) for place, value in enumerate(values)]
    bits = split(engine.narrow("bits").bit_to_arithmetic(joined(list(taken))), [length] * len(taken))
    secret = [place for place, number in enumerate(numbers) if number.vector is not None]
    parts: list[Arithmetic] = [bit.scaled(number.offset) for bit, number in zip(bits, numbers, strict=True)]
    if secret:
        vectors = [numbers[place].vector for place in secret]
        product = engine.narrow("product").multiply(
            joined([bits[place] for place in secret]), joined([vector for vector in vectors if vector is not None])
        )
        parts += split(product, [length] * len(secret))
    total = reduce(lambda a, b: a + b, parts)
    lo, hi = min(number.lo for number in numbers), max(number.hi for number in numbers)
    return Number(total, 0, min(lo, 0), max(hi, 0), known, clean=all(number.clean for number in numbers))


def _as_codes(engine: Engine, length: int, values: Sequence[Value]) -> list[Code] | None:
    """All values as codes of one width, if that is local and one of them is one."""
    shaped = [value for value in values if isinstance(value, Code)]
    if not shaped:
        return None
    bits = max(value.planes.bits for value in shaped)
    found = [as_code(engine, length, value, shaped[0].lo, bits) for value in values]
    codes = [code for code in found if code is not None]
    return codes if len(codes) == len(found) else None


def _chosen_code(
    engine: Engine, length: int, taken: Sequence[Boolean], codes: Sequence[Code], known: Boolean | None
) -> Code:
    kept = engine.narrow("planes").conjunction(joined([code.planes for code in codes]), joined(list(taken)))
    planes = reduce(lambda a, b: a ^ b, split(kept, [length] * len(codes)))
    return Code(planes, codes[0].lo, known, clean=all(code.clean for code in codes))


def _known(engine: Engine, length: int, taken: Sequence[Boolean], values: Sequence[Value]) -> Boolean | None:
    """Where a value that is known is taken; None if that is everywhere."""
    nullable = [(plane, value.known) for plane, value in zip(taken, values, strict=True) if value.known is not None]
    if not nullable:
        return None
    kept = engine.conjunction(
        joined([plane for plane, _ in nullable]), joined([known for _, known in nullable if known is not None])
    )
    sure = [plane for plane, value in zip(taken, values, strict=True) if value.known is None]
    return reduce(lambda a, b: a ^ b, [*split(kept, [length] * len(nullable)), *sure])
