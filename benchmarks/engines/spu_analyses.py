"""The analyses of money laundering as JAX functions for SPU: products with one-hot matrices, and boosted trees."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import boosting, payments
from benchmarks.arrays import Arrays

SMALL = 1 / 1024
"""Amounts are scaled by it, so that a node's total and its reciprocal both have enough of SPU's fraction bits."""


def inputs(workload: str, given: Arrays) -> list[np.ndarray]:
    """Of every array shares are dealt in SPU's fixed-point numbers."""
    if workload == "boosted-trees":
        return [given["below"].astype(np.float32), given["labels"].astype(np.float32)]
    source, target = payments.one_hot(given)
    amount, scores = given["amount"] * SMALL, given["scores"] / payments.SCORE_UNIT
    return [array.astype(np.float32) for array in (source, target, amount, scores)]


def _weights(end: Any, amount: Any) -> Any:
    """The part that each amount is of all amounts at the same end."""
    total = amount @ end
    return amount * (end @ (1 / (total + (total < SMALL / 2))))


def _risk(source: Any, target: Any, amount: Any, scores: Any) -> tuple[Any]:
    weights = _weights(target, amount)
    for step in range(1, payments.RISK_STEPS + 1):
        received = (weights * (source @ scores)) @ target
        part = payments.damping(step)
        scores = (1 - part) * scores + part * received
    return (scores,)


def _ranks(source: Any, target: Any, amount: Any, scores: Any) -> tuple[Any]:
    """Ranks times the number of accounts, which is public here: the mean rank is 1."""
    weights = _weights(source, amount)
    ranks = jnp.ones(scores.shape, jnp.float32)
    for _ in range(payments.RANK_STEPS):
        received = (weights * (source @ ranks)) @ target
        ranks = (1 - payments.RANK_DAMPING) + payments.RANK_DAMPING * received
    return (ranks,)


def _trees(below: Any, labels: Any) -> tuple[Any, Any]:
    """As ours: sums of each node below each cut, the best cut as one-hot choice, the rows of both children."""
    rows = labels.shape[0]
    scores = jnp.zeros(rows, jnp.float32)
    choices, leaves = [], []
    for _ in range(boosting.TREES):
        p = jax.nn.sigmoid(scores)
        gradient, slope = p - labels, p * (1 - p)
        nodes = jnp.ones((1, rows), jnp.float32)
        for _ in range(boosting.DEPTH):
            both = jnp.concatenate([nodes * gradient, nodes * slope])
            low, whole = both @ below.T, jnp.sum(both, axis=1, keepdims=True)
            count = nodes.shape[0]
            gains = _gain(low, count) + _gain(whole - low, count)
            best = jax.nn.one_hot(jnp.argmax(gains, axis=1), boosting.CUTS, dtype=jnp.float32)
            choices.append(best)
            left = nodes * (best @ below)
            nodes = jnp.stack([left, nodes - left], axis=1).reshape(2 * count, rows)
        sums = jnp.stack([jnp.sum(nodes * gradient, axis=1), jnp.sum(nodes * slope, axis=1)])
        values = -boosting.RATE * sums[0] / (sums[1] + boosting.L2)
        leaves.append(values)
        scores = scores + values @ nodes
    return jnp.concatenate(choices), jnp.concatenate(leaves)


def _gain(sums: Any, nodes: int) -> Any:
    gradient, slope = sums[:nodes], sums[nodes:]
    return gradient * (gradient / (slope + boosting.L2))


PROGRAMS: dict[str, Callable[..., Any]] = {"payments-risk": _risk, "payments-pagerank": _ranks, "boosted-trees": _trees}

ANSWERS: dict[str, Callable[[list[np.ndarray]], Arrays]] = {
    "payments-pagerank": lambda found: {"out": found[0] / found[0].size},
    "boosted-trees": lambda found: {"choices": found[0].argmax(axis=1), "leaves": found[1]},
}
"""How opened results become answers, where they are not yet."""
