"""All carries of an addition, and all ORs from the top, by a prefix network.

``carries``: functionality, fresh shares of c_0 .. c_(k-1), c_0 = 0, c_(j+1) = v_j if v_j xor w_j = 0, else c_j.
``filled``: functionality, fresh shares whose plane j is the OR of the planes j and above.
How: blocks as in ``boolean.carry`` are joined along a network (``boolean.networks``): value vh ^ ph (vh ^ vl) and, for
a block that does not reach the lowest bit yet, propagate ph pl; an OR is x ^ y ^ xy. All joins of a level are one
message of ANDs.
Assumption and view: those of ``boolean.conjunction``: every message is a component of an output share masked by a
zero share that the receiver lacks.
Rounds: the levels of the network; one bit a join and computer, and one more for a propagate.
"""

import numpy as np
from numpy.typing import NDArray

from consortia.protocols.boolean.networks import Level, Network, prefix_network
from consortia.protocols.context import Context
from consortia.protocols.kernels.prefixes import join_carries, join_ors
from consortia.protocols.sharing.ring3 import Ring3Boolean, check_equal

Words = NDArray[np.uint64]


def carries(ctx: Context, value: Ring3Boolean, other: Ring3Boolean, network: Network) -> Ring3Boolean:
    """The carry into every bit of the sum of two numbers of k planes; k planes, the lowest zero."""
    check_equal("lengths", value.length, other.length)
    check_equal("widths", value.bits, other.bits)
    if value.first.size == 0:
        return value
    # position 0 stands for the carry into bit 0, position j + 1 for bit j; the carry out of the top is not wanted
    v0, v1 = _above_zero(value.first), _above_zero(value.second)
    p0, p1 = v0 ^ _above_zero(other.first), v1 ^ _above_zero(other.second)
    for number, level in enumerate(prefix_network(value.bits, network), start=1):
        step = ctx.narrow(f"level-{number}")
        high, low = _indices(level)
        own = step.zero_xor((level.joins + level.open_joins, v0.shape[1]))
        open_joins = np.array(level.open_below)
        place = np.where(open_joins, level.joins + np.cumsum(open_joins) - 1, -1)
        join_carries(v0, v1, p0, p1, high, low, place, own)
        got = step.reshare(own)
        v0[high], v1[high] = own[: level.joins], got[: level.joins]
        p0[high[open_joins]], p1[high[open_joins]] = own[level.joins :], got[level.joins :]
    return Ring3Boolean(v0, v1, value.length)


def filled(ctx: Context, x: Ring3Boolean, network: Network) -> Ring3Boolean:
    """Every bit set that has a set bit at its place or above."""
    if x.first.size == 0:
        return x
    # position 0 is the highest plane
    x0, x1 = x.first[::-1].copy(), x.second[::-1].copy()
    for number, level in enumerate(prefix_network(x.bits, network), start=1):
        step = ctx.narrow(f"level-{number}")
        high, low = _indices(level)
        own = step.zero_xor((level.joins, x0.shape[1]))
        join_ors(x0, x1, high, low, own)
        got = step.reshare(own)
        x0[high], x1[high] = own, got
    return Ring3Boolean(x0[::-1], x1[::-1], x.length)


def _above_zero(planes: Words) -> Words:
    """A plane of zeros, and all planes but the highest above it."""
    out = np.zeros_like(planes)
    out[1:] = planes[:-1]
    return out


def _indices(level: Level) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.array(level.high, np.int64), np.array(level.low, np.int64)
