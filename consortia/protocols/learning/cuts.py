"""Bits of standardised features below public cuts: what trees split by.

Functionality: for each feature and cut c shares of 1 where the standardised value is at most c, else 0. How: the sign
of c - value, at most 22 bits, in blocks of rows, so that memory holds little beside the result, 16 bytes a bit.
Assumption and view: those of the engine's operations; nothing is opened.
Rounds: 8 for ``AT_ONCE`` bits; bytes a bit and party: 12.
Source: a comparison.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed, public, stacked
from consortia.protocols.learning.scaling import CLIP, FRACTION
from consortia.protocols.learning.trees import Features
from consortia.protocols.shares import Arithmetic

AT_ONCE: Final = 1 << 22
"""Bits of a block."""


def check_cuts(cuts: Sequence[float]) -> None:
    """Raises InternalError ``learning/range`` unless there are cuts, ascending, within the scale of features."""
    ascending = all(low < high for low, high in pairwise(cuts))
    if not cuts or not ascending or not -CLIP <= cuts[0] <= cuts[-1] <= CLIP:
        raise InternalError("learning/range", f"trees need ascending cuts from -{CLIP} to {CLIP}, not {tuple(cuts)}")


def features(engine: Engine, matrix: Fixed, rows: int, cuts: Sequence[float]) -> Features:
    """Bits of a matrix of features x rows: feature by feature, then cut by cut."""
    check_cuts(cuts)
    width = len(cuts) * (matrix.length // rows)
    length = max(1, AT_ONCE // width)
    blocks = []
    for start in range(0, rows, length):
        stop = min(start + length, rows)
        parts = [matrix.carried.rows(line + start, line + stop) for line in range(0, matrix.length, rows)]
        blocks.append(_below(engine.narrow(f"rows-{start}"), parts, matrix.limit, cuts))
    return Features(tuple(blocks), width)


def _below(engine: Engine, parts: Sequence[Arithmetic], limit: int, cuts: Sequence[float]) -> Arithmetic:
    """0 or 1 for some rows of every feature."""
    ends = [public(engine, parts[0].length, math.floor(cut * 2**FRACTION), FRACTION) for cut in cuts]
    margins = stacked([end.carried - part for part in parts for end in ends])
    bits = (limit + max(end.limit for end in ends)).bit_length() + 1
    above = engine.narrow("sign").negative(margins, bits)
    return engine.narrow("number").bit_to_arithmetic(engine.invert(above))
