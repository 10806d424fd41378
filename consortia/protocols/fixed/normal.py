"""The leading bit of a number, and products with the power of two that it stands for.

A number X, 0 <= X < 2^k, with its highest set bit at place m is brought to [2^(k-1), 2^k) by the factor 2^(k-1-m). The
factor stays secret: it is a plane per possible exponent, of which one is set. X = 0 is handled as if it were 1 and
flagged.
"""

from dataclasses import dataclass, field

import numpy as np

from consortia.protocols.boolean.networks import Network
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import check_limit
from consortia.protocols.shares import Arithmetic, Boolean

TWO_ROUNDS_UP_TO = 24
"""Planes up to which two rounds cost little more than an adder's eight."""


@dataclass(slots=True)
class Powers:
    """2^e in every row, e secret: plane e of ``planes`` is set, or none (then the power counts as zero)."""

    engine: Engine
    planes: Boolean
    _made: dict[tuple[int, int], Arithmetic] = field(default_factory=dict)

    def between(self, start: int, stop: int) -> Arithmetic:
        """2^(e - start) where start <= e < stop, zero elsewhere."""
        if (start, stop) not in self._made:
            step = self.engine.narrow(f"power-{start}-{stop}")
            network: Network | None = None if stop - start <= TWO_ROUNDS_UP_TO else "sklansky"
            self._made[start, stop] = step.compose(self.planes.planes(start, stop), network)
        return self._made[start, stop]

    def all(self) -> Arithmetic:
        """2^e."""
        return self.between(0, self.planes.bits)

    def times(self, engine: Engine, x: Arithmetic, bits: int, shift: int) -> Arithmetic:
        """Product x 2^(e + shift) to within a unit, for |x| < 2^bits, bits <= 31; the result's range is the caller's.

        Exponents that stay above zero are exact products; those below divide, the ones that leave nothing are zero.
        """
        count, middle = self.planes.bits, -shift
        if middle <= 0:
            return engine.narrow("left").multiply(x, self.all()).scaled(1 << shift)
        parts = []
        if middle < count:
            parts.append(engine.narrow("left").multiply(x, self.between(middle, count)))
        lowest, stop = max(0, middle - bits), min(middle, count)
        if lowest < stop:
            check_limit((1 << bits) * (1 << (stop - 1 - lowest)))
            right = self.between(lowest, stop)
            parts.append(engine.narrow("right").multiply_truncate(x, right, middle - lowest))
        if not parts:
            return x.scaled(0)
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


@dataclass(frozen=True, slots=True)
class Leading:
    """Of every row the place of the highest set bit, as planes; ``zero``: one plane, set where the number is zero."""

    places: Boolean
    zero: Boolean


def leading(engine: Engine, x: Arithmetic, bits: int) -> Leading:
    """For 0 <= x < 2^bits; where x is zero, place 0. About 2 log2(bits) rounds."""
    filled = engine.narrow("fill").filled(engine.narrow("planes").decompose(x, bits))
    none = engine.constant_boolean(np.zeros((x.length, 1), np.uint64), 1)
    highest = filled ^ (filled.planes(1, bits).below(none) if bits > 1 else none)
    zero = engine.invert(filled.planes(0, 1))
    lowest = highest.planes(0, 1) ^ zero
    return Leading(lowest.below(highest.planes(1, bits)) if bits > 1 else lowest, zero)
