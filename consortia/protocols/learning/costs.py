"""Declared costs of prepared functions and of training: exact to the byte, functions of sizes."""

from consortia.protocols import costs
from consortia.protocols.costs import WORD, Cost
from consortia.protocols.fixed import costs as costs_of_fixed
from consortia.protocols.learning.cubic import Cubic
from consortia.protocols.learning.logistic import PREPARED, Training
from consortia.protocols.learning.waves import AMPLITUDES, Waves


def open_product(n: int) -> Cost:
    """N sums of products to all three."""
    return Cost(1, (2 * n * WORD, 2 * n * WORD, 2 * n * WORD))


def rounding(n: int, fraction: int) -> Cost:
    """The preparation for n numbers that will be divided by 2^fraction."""
    return costs.negative(n, 64) + costs.bit_to_arithmetic(n) + costs_of_fixed.truncate(n, fraction)


def cubic(n: int, fraction: int) -> Cost:
    """The preparation for cubics of n numbers, ``fraction`` bits of which are cut off."""
    return rounding(n, fraction) + costs.multiply(2 * n) + costs.multiply(2 * n)


def waves(n: int) -> Cost:
    """The preparation for the logistic function of n numbers."""
    size = 2 * len(AMPLITUDES) * n * WORD
    return Cost(2, (size, size, size))


def train(batches: int, rows: int, count: int, activation: Cubic | Waves, training: Training) -> Cost:
    """Training on so many batches of so many rows each, with ``count`` weights."""
    total, steps, at_once = Cost(), training.epochs * batches, max(1, PREPARED // rows)
    for start in range(0, steps, at_once):
        ahead = min(at_once, steps - start)
        n = ahead * rows
        total += waves(n) if isinstance(activation, Waves) else cubic(n, training.scores - activation.argument)
        total += rounding(ahead * count, training.cut(activation.value))
        for _ in range(ahead):
            total += open_product(rows) + open_product(count)
    return total
