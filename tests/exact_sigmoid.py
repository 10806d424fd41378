"""The continuous sigmoid in exact fractions, from the coefficients that are carried."""

from fractions import Fraction

from consortia.protocols.fixed import sigmoid as pieces

UNIT = Fraction(1, 1 << 28)
OUTER = [Fraction(pieces._carried(c), 1 << 28) for c in pieces.OUTER]
INNER = [Fraction(1, 2)] + [Fraction(pieces._carried(pieces.INNER.get(j, 0.0)), 1 << 28) for j in range(1, 6)]
END = Fraction(pieces.last_value(), 1 << 28)


def value(coefficients, w):
    return sum(c * w**j for j, c in enumerate(coefficients))


def exact(x):
    """The continuous sigmoid in real numbers, with the pieces' own coefficients."""
    if x >= 8:
        return END
    if x < -8:
        return 1 - END
    if -2 <= x < 2:
        return value(INNER, Fraction(x) / 4)
    w = (abs(Fraction(x)) - 5) / 4
    return value(OUTER, w) if x > 0 else 1 - value(OUTER, w)
