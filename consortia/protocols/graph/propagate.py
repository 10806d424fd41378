"""Risk propagation and PageRank: iterations of a public number on a prepared network.

Both read, for each edge, a value of one end times the edge's weight, and add up at the other end. An iteration sends
linear traffic: eight rounds of permutations, two for the product over the edges, two for the mean over the nodes.
Definitions: design of the anti-money-laundering analyses; risk propagation after van Egmond et al., Financial
Cryptography 2024.
"""

import math

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.divide import reciprocal
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.graph.network import Network, collected, spread
from consortia.protocols.graph.weights import EXCESS_BITS, FRACTION
from consortia.protocols.relational.carry import spread_number
from consortia.protocols.shares import Boolean, Rows

ONE = 1 << FRACTION


def risk(engine: Engine, network: Network, scores: Fixed, weights: Fixed, iterations: int) -> Fixed:
    """Scores over the nodes after ``iterations`` steps; nodes in the order of ``by_key``.

    Step k: r_i <- (1 - d) r_i + d sum_j a_ji r_j / sum_j a_ji with d = 0.5 / sqrt(k); an account that no money reaches
    gets 0 for the second term. ``scores`` are from 0 to 1, or above by what rounding in earlier steps added, and
    ``weights`` those of incoming money, both with ``FRACTION`` bits. Error of one step: at most four units an incoming
    edge and 2^-26; steps add up.
    """
    _check(scores)
    for number in range(1, iterations + 1):
        step = engine.narrow(f"step-{number}")
        received = _along(step, network, scores, weights)
        scores = _mean(step.narrow("mean"), scores, received, _damping(number))
    return scores


def ranks(engine: Engine, network: Network, valid: Boolean, weights: Fixed, iterations: int) -> Fixed:
    """PageRank over the nodes in the order of ``by_key``, from 1 / N, after ``iterations`` steps.

    Step: p <- (1 - d) / N + d A^T p with d = 0.85; A holds the weights of outgoing money. What an account without
    outgoing money holds is lost, as in that formula. N, the number of ``valid`` nodes, stays secret. Ranks of node
    rows that are not valid mean nothing. Error of one step: at most
    four units an incoming edge and 2^-26.
    """
    number = engine.narrow("count").bit_to_arithmetic(valid).prefix_sums().rows(network.nodes - 1, network.nodes)
    start, _ = reciprocal(engine.narrow("start"), Fixed(number, 0, network.nodes), FRACTION)
    each = Fixed(spread_number(engine, start.carried, network.nodes), FRACTION, ONE)
    rank = each
    for step_number in range(1, iterations + 1):
        step = engine.narrow(f"step-{step_number}")
        received = _along(step, network, rank, weights)
        rank = _mean(step.narrow("mean"), each, received, PAGE_DAMPING)
    return rank


PAGE_DAMPING = 0.85


def _damping(number: int) -> float:
    return 0.5 / math.sqrt(number)


def _along(engine: Engine, network: Network, values: Fixed, weights: Fixed) -> Fixed:
    """Over the nodes: the sum over edges that reach them of weight times the value at the other end."""
    there = spread(engine.narrow("spread"), network, network.source, Rows((values.carried,)))
    flow = engine.narrow("product").multiply_truncate(there.arithmetic[0], weights.carried, FRACTION)
    total = collected(engine.narrow("collect"), network, network.target, flow)
    return Fixed(total, FRACTION, values.limit + (values.limit >> EXCESS_BITS) + 4 * network.edges + 1)


def _mean(engine: Engine, kept: Fixed, received: Fixed, damping: float) -> Fixed:
    """(1 - d) kept + d received; d with as many bits as the range leaves."""
    bits = min(FRACTION, 61 - max(kept.limit, received.limit).bit_length())
    if bits < 10:
        raise InternalError("graph/range", f"values up to {received.limit} leave {bits} bits for the damping")
    part = round(damping * 2**bits)
    weighed = kept.scaled((1 << bits) - part) + received.scaled(part)
    return Fixed(engine.truncate(weighed.carried, bits), FRACTION, (weighed.limit >> bits) + 1)


def _check(scores: Fixed) -> None:
    if scores.fraction != FRACTION or scores.limit > 2 * ONE:
        raise InternalError("graph/range", f"scores must be from 0 to 1, and below 2, with {FRACTION} fraction bits")
