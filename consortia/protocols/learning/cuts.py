"""Bits of standardised features below public cuts: what trees split by.

Functionality: for each feature and cut c shares of 1 where the standardised value is at most c, else 0. How: the sign
of c - value, 21 bits, feature by feature, so that memory holds little beside the result, 16 bytes a bit.
Assumption and view: those of the engine's operations; nothing is opened.
Rounds: 6 a feature and 2; bytes a bit and party: 8 and those of a comparison of 21 bits.
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
from consortia.protocols.shares import Boolean


def check_cuts(cuts: Sequence[float]) -> None:
    """Raises InternalError ``learning/range`` unless there are cuts, ascending, within the scale of features."""
    ascending = all(low < high for low, high in pairwise(cuts))
    if not cuts or not ascending or not -CLIP <= cuts[0] <= cuts[-1] <= CLIP:
        raise InternalError("learning/range", f"trees need ascending cuts from -{CLIP} to {CLIP}, not {tuple(cuts)}")


def features(engine: Engine, matrix: Fixed, rows: int, cuts: Sequence[float]) -> Features:
    """Bits of a matrix of features x rows: feature by feature, then cut by cut."""
    check_cuts(cuts)
    count = matrix.length // rows
    above: list[Boolean] = []
    for feature in range(count):
        value = Fixed(matrix.carried.rows(feature * rows, (feature + 1) * rows), FRACTION, matrix.limit)
        margins = [public(engine, rows, math.floor(cut * 2**FRACTION), FRACTION) - value for cut in cuts]
        bits = max(margin.bits for margin in margins)
        step = engine.narrow(f"feature-{feature}")
        above.append(step.negative(stacked([margin.carried for margin in margins]), bits))
    below = engine.invert(above[0].concatenated(above[1:]))
    return Features(engine.narrow("numbers").bit_to_arithmetic(below), count * len(cuts), rows)
