"""Bits of standardised features below public cuts: what trees split by.

Functionality: for each feature and cut c shares of 1 where the standardised value is at most c, else 0. How: the sign
of c - value, 21 bits, feature by feature. Memory: 32 bytes a bit while the parts are put together, 16 then.
Assumption and view: those of the engine's operations; nothing is opened.
Rounds: 8 a feature; bytes a bit and party: 8 and those of a comparison of 21 bits.
Source: a comparison.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed, public, stacked
from consortia.protocols.learning.scaling import CLIP, FRACTION
from consortia.protocols.learning.trees import Features
from consortia.protocols.shares import Arithmetic


def check_cuts(cuts: Sequence[float]) -> None:
    """Raises InternalError ``learning/range`` unless there are cuts, ascending, within the scale of features."""
    ascending = all(low < high for low, high in pairwise(cuts))
    if not cuts or not ascending or not -CLIP <= cuts[0] <= cuts[-1] <= CLIP:
        raise InternalError("learning/range", f"trees need ascending cuts from -{CLIP} to {CLIP}, not {tuple(cuts)}")


def features(engine: Engine, matrix: Fixed, rows: int, cuts: Sequence[float]) -> Features:
    """Bits of a matrix of features x rows: feature by feature, then cut by cut."""
    check_cuts(cuts)
    count = matrix.length // rows
    below = [
        _below(engine.narrow(f"feature-{feature}"), matrix, slice(feature * rows, (feature + 1) * rows), cuts)
        for feature in range(count)
    ]
    return Features(stacked(below), count * len(cuts), rows)


def _below(engine: Engine, matrix: Fixed, at: slice, cuts: Sequence[float]) -> Arithmetic:
    """0 or 1 for one feature, cut by cut."""
    value = Fixed(matrix.carried.rows(at.start, at.stop), FRACTION, matrix.limit)
    ends = [public(engine, value.length, math.floor(cut * 2**FRACTION), FRACTION) for cut in cuts]
    margins = [end - value for end in ends]
    bits = max(margin.bits for margin in margins)
    above = engine.narrow("sign").negative(stacked([margin.carried for margin in margins]), bits)
    return engine.narrow("number").bit_to_arithmetic(engine.invert(above))
