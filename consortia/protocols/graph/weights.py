"""What part of the money that reaches (or leaves) an account a transaction is: numbers from 0 to 1 over the edges.

Functionality: for amounts a on shares, fresh shares of a / t, t the sum of the known edges' amounts at the same node.
How: each node prepares its total t = u 2^k, u in [1/2, 1), once: 2^-k and 1 / u by Newton (``fixed.divide``). Both go
to its edges in one ``spread``; there a 2^-k, at most u since a <= t, times 1 / u is the part.
Assumption and view: those of the operations it is made of. Rounds: ``collected``, ``prepared`` and ``spread``, then 5.
"""

from consortia.protocols.engine import Engine
from consortia.protocols.fixed.divide import PRECISION, prepared
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.graph.network import Network, collected, masked, spread
from consortia.protocols.shares import Arithmetic, Permutation, Rows

FRACTION = PRECISION
"""Fraction bits of weights, scores and ranks: products of two stay below 2^62."""
EXCESS_BITS = 26
"""A node's weights add up to at most 1 + 2^-26 and three units an edge."""


def shares_of(engine: Engine, network: Network, end: Permutation, amounts: Arithmetic, total: int) -> Fixed:
    """Amount over the sum of the amounts of all edges with the same node at this end.

    ``amounts`` over the edges are from 0 on and add up to at most ``total`` < 2^60; edges that are not known count for
    nothing. Where the sum is 0 the weight is 0. Error: 2^-26.5 of the weight, and three units of 2^-30.
    """
    known = masked(engine.narrow("known"), network, amounts)
    sums = collected(engine.narrow("total"), network, end, known)
    bits = max(1, total.bit_length())
    divisor = prepared(engine.narrow("divisor"), sums, bits)
    there = spread(engine.narrow("divisors"), network, end, Rows((divisor.powers.all(), divisor.inverse)))
    power, inverse = there.arithmetic
    normal = engine.narrow("normal").multiply(known, power)  # below 2^bits, as the node's total times its power is
    cut = bits - FRACTION
    unit = engine.narrow("unit").truncate(normal, cut) if cut > 0 else normal.scaled(1 << -cut)
    weight = engine.narrow("weight").multiply_truncate(unit, inverse, FRACTION)
    return Fixed(weight, FRACTION, (1 << FRACTION) + (1 << FRACTION - EXCESS_BITS) + 3)
