"""Boosted trees: inputs, the same trees in floating point, and the check of a model.

Imported by all engines' processes: numpy and the standard library only. Every engine gets one bit for each cut and row,
the row's feature is at or below the cut: owners know their rows and the public cuts. A model is an answer of
``choices``, one of all cuts for each node, tree by tree and level by level, and ``leaves``, tree by tree.
"""

import numpy as np

from benchmarks.arrays import Array, Arrays

FEATURES, CUTS_A_FEATURE = 30, 16
CUTS = FEATURES * CUTS_A_FEATURE
TREES, DEPTH = 20, 4
RATE, L2 = 0.5, 1
NODES, LEAVES = (1 << DEPTH) - 1, 1 << DEPTH
LOSS_ERROR = 0.02
"""By which the mean loss over the rows may exceed that of the same trees in floating point.

Gains with an error of 0.01 move it by up to 0.01 at 1,000 rows, as SPU's do: where two cuts are nearly as good the
other one is taken, and all later trees differ.
"""


def draw(n: int, rng: np.random.Generator) -> Arrays:
    """``below`` (cuts, rows) as 0 or 1, and ``labels`` that follow from a few of the features."""
    values = rng.normal(size=(n, FEATURES))
    cuts = np.quantile(values, np.arange(1, CUTS_A_FEATURE + 1) / (CUTS_A_FEATURE + 1), axis=0)
    below = (values[:, :, None] <= cuts.T[None]).reshape(n, CUTS).T.astype(np.uint8)
    odds = 2 * values[:, 0] * (values[:, 1] > 0) - values[:, 2] + np.abs(values[:, 3]) + rng.normal(size=n) - 1
    return {"below": below, "labels": (odds > 0).astype(np.int64)}


def plain(given: Arrays) -> Arrays:
    """The model in floating point."""
    below, labels = given["below"].astype(np.float64), given["labels"]
    scores = np.zeros(labels.size)
    choices, leaves = [], []
    for _ in range(TREES):
        p = 1 / (1 + np.exp(-scores))
        gradient, slope = p - labels, p * (1 - p)
        nodes = np.ones((1, labels.size))
        for _ in range(DEPTH):
            low = np.stack([(nodes * gradient) @ below.T, (nodes * slope) @ below.T])
            whole = np.stack([nodes @ gradient, nodes @ slope])[:, :, None]
            chosen = np.argmax(_gain(low) + _gain(whole - low), axis=1)
            choices += chosen.tolist()
            nodes = _parted(below, nodes, chosen)
        values = -RATE * (nodes @ gradient) / (nodes @ slope + L2)
        leaves.append(values)
        scores = scores + values @ nodes
    return {"choices": np.array(choices), "leaves": np.concatenate(leaves)}


def _gain(sums: Array) -> Array:
    return sums[0] ** 2 / (sums[1] + L2)


def _parted(below: Array, nodes: Array, chosen: Array) -> Array:
    left = nodes * below[chosen]
    return np.stack([left, nodes - left], axis=1).reshape(-1, nodes.shape[1])


def scores_of(given: Arrays, model: Arrays) -> Array:
    """What a model says of the rows it was trained on."""
    below = given["below"].astype(np.float64)
    choices, leaves = model["choices"].reshape(TREES, NODES), model["leaves"].reshape(TREES, LEAVES)
    total = np.zeros(below.shape[1])
    for tree in range(TREES):
        nodes = np.ones((1, below.shape[1]))
        for level in range(DEPTH):
            first = (1 << level) - 1
            nodes = _parted(below, nodes, choices[tree, first : 2 * first + 1])
        total = total + leaves[tree] @ nodes
    return total


def loss(given: Arrays, model: Arrays) -> float:
    """The mean logistic loss over the rows."""
    signed = np.where(given["labels"] == 1, 1, -1) * scores_of(given, model)
    return float(np.logaddexp(0, -signed).mean())


def model_is_right(given: Arrays, answer: Arrays) -> bool:
    """Whether the model fits its rows as the same trees in floating point do.

    Choices are not compared: rounding may prefer another cut where two are nearly as good.
    """
    if answer["choices"].shape != (TREES * NODES,) or answer["leaves"].shape != (TREES * LEAVES,):
        return False
    return loss(given, answer) <= loss(given, plain(given)) + LOSS_ERROR
