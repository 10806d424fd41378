"""Declared costs of truncation, of bit decomposition and of its reverse: exact to the byte, functions of sizes."""

from itertools import pairwise

from consortia.protocols import costs
from consortia.protocols.boolean.networks import Network, prefix_network
from consortia.protocols.costs import NOTHING, WORD, Cost, plane_words

ROTATED = 1 << 14
"""Rows from which on the roles of truncation rotate: below it three times the calls cost more than they balance."""


def chunks(n: int) -> list[tuple[int, int]]:
    """Rows of the chunks in which the roles of truncation rotate, one or three; they begin at multiples of 64."""
    if n < ROTATED:
        return [(0, n)]
    words = plane_words(n)
    cuts = [0, 64 * (words // 3), 64 * (2 * words // 3), n]
    return list(pairwise(cuts))


def packed_words(n: int, bits: int) -> int:
    """Words that n fields of ``bits`` bits take."""
    return (n * bits + 63) // 64


def multiply_truncate(n: int, fraction: int, *, exact: bool = False) -> Cost:
    """Products (or sums of products, for each output) divided by 2^fraction."""
    return _truncation(n, fraction, 1, exact=exact)


def truncate(n: int, fraction: int, *, exact: bool = False) -> Cost:
    """Numbers divided by 2^fraction."""
    return _truncation(n, fraction, 0, exact=exact)


def _truncation(n: int, fraction: int, from_role_1: int, *, exact: bool) -> Cost:
    if n == 0:
        return NOTHING
    sent = [0, 0, 0]
    for chunk, (start, stop) in enumerate(chunks(n)):
        rows = stop - start
        packed = packed_words(rows, fraction)
        planes = fraction * plane_words(rows) if exact else 0
        for role, words in enumerate((rows + packed, from_role_1 * rows + packed, 2 * (rows + packed) + planes)):
            sent[(role + chunk) % 3] += words * WORD
    cost = Cost(2, (sent[0], sent[1], sent[2]))
    return cost + costs.less_than(n, fraction) + costs.bit_to_arithmetic(n) if exact else cost


def carries(n: int, bits: int, network: Network) -> Cost:
    """All carries of an addition of ``bits`` planes."""
    gates = [level.joins + level.open_joins for level in prefix_network(bits, network)]
    return _levels(n, gates)


def filled(n: int, bits: int, network: Network) -> Cost:
    """ORs of each of ``bits`` planes with all above."""
    return _levels(n, [level.joins for level in prefix_network(bits, network)])


def decompose(n: int, bits: int, network: Network) -> Cost:
    """Numbers as planes."""
    return _planes_of_first(n, bits) + carries(n, bits, network)


def compose(n: int, bits: int, network: Network | None) -> Cost:
    """Planes as numbers, in two rounds or by an adder."""
    if n == 0:
        return NOTHING
    if network is None:
        return Cost(2, (n * bits * WORD, n * WORD, n * WORD))
    opened = 64 * plane_words(n) * WORD
    return _planes_of_first(n, 64) + carries(n, 64, network) + Cost(1, (0, opened, opened))


def _planes_of_first(n: int, bits: int) -> Cost:
    return Cost(1, (bits * plane_words(n) * WORD, 0, 0)) if n else NOTHING


def _levels(n: int, gates: list[int]) -> Cost:
    size = sum(gates) * plane_words(n) * WORD
    return Cost(len(gates), (size, size, size)) if size else NOTHING
