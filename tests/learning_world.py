"""Joint models for tests: columns in the clear engine, and the same algorithms in floating point."""

from fractions import Fraction

import numpy as np

from consortia.protocols.learning.scaling import CLIP, Column


def numbers(engine, values):
    """Signed integers as a sharing of a local engine."""
    return engine.constant_arithmetic(np.array([int(value) % (1 << 64) for value in values], np.uint64))


def columns_of(engine, features, bounds):
    return [Column(numbers(engine, x), lo, hi) for x, (lo, hi) in zip(features, bounds, strict=True)]


def signed_values(vector):
    return vector.values.view(np.int64)


def real_values(fixed, rows):
    """A matrix of the clear engine in floating point."""
    return signed_values(fixed.carried).reshape(-1, rows) / 2.0**fixed.fraction


# --- in floating point ----------------------------------------------------------------------------------


def standardised_plainly(values, counted):
    """One feature, by exact sums; also the deviation."""
    kept = [Fraction(int(value)) for value, keep in zip(values, counted, strict=True) if keep]
    if not kept:
        return np.zeros(len(values)), 0.0
    mean = sum(kept) / len(kept)
    deviation = float(sum((value - mean) ** 2 for value in kept) / len(kept)) ** 0.5
    if deviation == 0:
        return np.zeros(len(values)), 0.0
    away = np.array([float(Fraction(int(value)) - mean) for value in values])
    return np.clip(away / deviation, -CLIP, CLIP), deviation


def regression_plainly(matrix, labels, counted, spec):
    """Weights, the intercept last; ``matrix``: features x rows."""
    rows = len(labels)
    batches = spec.batches(rows)
    weight = counted * (1 + (spec.positive_weight - 1) * labels)
    size = spec.rate * batches / weight.sum() if weight.sum() else 0.0
    x = np.concatenate([matrix, np.ones((1, rows))])
    pull = np.append(np.full(len(matrix), spec.rate * spec.l2), 0)
    found = np.zeros(len(x))
    for _ in range(spec.epochs):
        for batch in range(batches):
            at = slice(batch, None, batches)
            p = 1 / (1 + np.exp(-found @ x[:, at]))
            found = found - size * (x[:, at] @ (weight[at] * (p - labels[at]))) - pull * found
        found = np.clip(found, -64, 64)
    return found


def best_regression(matrix, labels, l2):
    """The weights of the least mean loss with penalty l2 / 2 of squared weights, the intercept's aside (Newton)."""
    x = np.concatenate([matrix, np.ones((1, matrix.shape[1]))])
    penalty = np.append(np.full(len(matrix), l2), 0)
    found = np.zeros(len(x))
    for _ in range(30):
        p = 1 / (1 + np.exp(-found @ x))
        slope = x @ (p - labels) / len(labels) + penalty * found
        curve = (x * (p * (1 - p))) @ x.T / len(labels) + np.diag(penalty)
        found = found - np.linalg.solve(curve, slope)
    return found


def tree_plainly(below, gradient, slope, members, spec):
    """Choices and leaf values; ties go to the first cut."""
    nodes, choices = [members.astype(float)], []
    for _ in range(spec.depth):
        chosen, children = [], []
        for node in nodes:
            g, h = node * gradient, node * slope
            gl, hl = below.T @ g, below.T @ h
            gr, hr = g.sum() - gl, h.sum() - hl
            gain = gl**2 / (hl + spec.l2) + gr**2 / (hr + spec.l2)
            gain = np.where((hl >= spec.minimum_weight) & (hr >= spec.minimum_weight), gain, 0)
            cut = int(np.argmax(gain))
            chosen.append(cut)
            children += [node * below[:, cut], node * (1 - below[:, cut])]
        choices.append(chosen)
        nodes = children
    leaves = [-spec.rate * (n * gradient).sum() / ((n * slope).sum() + spec.l2) for n in nodes]
    return choices, leaves


def leaf_of(choices, bits):
    """The leaf of a row."""
    node = 0
    for level in choices:
        node = 2 * node + (0 if bits[level[node]] else 1)
    return node


def trees_plainly(below, labels, valid, spec):
    """Trees of (choices, leaves), and the score of every row, also of those that were not trained on."""
    scores, trees = np.zeros(len(labels)), []
    weight = valid * (1 + (spec.positive_weight - 1) * labels)
    for _ in range(spec.trees):
        p = 1 / (1 + np.exp(-scores))
        choices, leaves = tree_plainly(below, weight * (p - labels), weight * p * (1 - p), valid, spec)
        trees.append((choices, leaves))
        scores = scores + np.array([leaves[leaf_of(choices, bits)] for bits in below])
    return trees, scores


def bits_plainly(matrix, cuts):
    """Rows x (feature by feature, cut by cut)."""
    return (matrix.T[:, :, None] <= np.asarray(cuts)).reshape(matrix.shape[1], -1).astype(int)


def average_precision(labels, scores):
    """The mean of precision over the rows of label 1, by descending score; equal scores count together."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    ends = np.append(np.nonzero(np.diff(scores[order]))[0], len(scores) - 1)
    recall, precision = hits[ends] / hits[-1], hits[ends] / (ends + 1)
    return float(np.sum(np.diff(recall, prepend=0) * precision))
