"""Gradient-boosted trees for a 0/1 label: hidden splits, hidden leaves, hidden predictions.

Functionality: from features as bits ``value <= cut`` of public cuts, labels and valid bits on shares, the shares of a
model: for each tree and level a one-hot choice of a cut a node, and values of the leaves. Every tree has the full
depth, so the shape is public and nothing else: which cut a node takes, how many rows it holds, what its leaves say.

How: gradients of the logistic loss, p - y and p (1 - p), p by ``fixed.sigmoid``. A level adds up both over the rows of
each node below each cut, in one matrix product whose traffic is that of its result; the gain of a cut is G w of both
sides, w = G / (H + l2) by exact division; a tournament of comparisons finds the best, and the bits of its matches lead
back from the winner to the one-hot choice. A matrix product of choices and features tells each row's side, and products
with it what of a node's rows and gradients goes to its left child; the rest goes to the right.
Assumption and view: those of the engine's operations; nothing is opened.
Rounds: about 60 a level, 12 for each doubling of the number of cuts and 2 a block of rows; bytes a row and party: 32
for each node of a level (16 of the last), and those of a sigmoid a tree (``docs/reference/costs.md``).
Source: second-order boosting as in Chen and Guestrin, KDD 2016; histograms by matrix products and full trees are ours.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.choose import clipped
from consortia.protocols.fixed.divide import divide
from consortia.protocols.fixed.numbers import Fixed, multiply, public, stacked, unstacked, with_fraction
from consortia.protocols.fixed.sigmoid import sigmoid
from consortia.protocols.learning.choice import best
from consortia.protocols.learning.vectors import row_sums
from consortia.protocols.shares import Arithmetic

FRACTION: Final = 20
"""Fraction bits of scores, probabilities and gradients."""
MOST_SUM_BITS: Final = 16
FEWEST_SUM_BITS: Final = 6
LARGEST_TERM: Final = 1 << 20
"""The largest penalty and minimum weight: with them sums still divide."""
LARGEST_LEAF: Final = 16
"""What leaves are clipped to: twice what takes a probability to 0 or 1."""


@dataclass(frozen=True, slots=True)
class Boosting:
    """What is public of a training. ``positive_weight`` counts each row of label 1 so many times."""

    trees: int
    depth: int
    rate: float
    l2: int = 1
    minimum_weight: int = 1
    positive_weight: int = 1

    def __post_init__(self) -> None:
        fits = self.trees >= 1 and self.depth >= 1 and 0 < self.rate <= 1 and self.l2 >= 1
        carries = max(self.l2, self.minimum_weight) <= LARGEST_TERM and self.depth <= 16 and self.trees <= 1 << 16
        if not fits or not carries or self.minimum_weight < 0 or self.positive_weight < 1:
            raise InternalError("learning/range", f"trees can't be grown so: {self}")


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """One bit as 0 or 1 a cut and row: the row's feature is at or below the cut.

    Rows stand in blocks, each cut by cut: a block is made, and multiplied, without a copy of the others.
    """

    blocks: tuple[Arithmetic, ...]
    cuts: int

    @property
    def lengths(self) -> tuple[int, ...]:
        """Rows of each block."""
        return tuple(block.length // self.cuts for block in self.blocks)

    @property
    def rows(self) -> int:
        """Rows of all blocks."""
        return sum(self.lengths)


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Choices level by level, node by node, one 0 or 1 a cut; values of the leaves from left to right."""

    choices: tuple[Arithmetic, ...]
    leaves: Fixed

    def flat(self) -> Arithmetic:
        """All in one vector of ``flat_length``."""
        return stacked([*self.choices, self.leaves.carried])


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Gradients and their slopes over each node and cut, as numbers of few fraction bits."""

    gradient: Fixed
    slope: Fixed


def flat_length(depth: int, cuts: int) -> int:
    """Length of a flat tree: its choices, (2^depth - 1) nodes of as many as there are cuts, and its leaves."""
    return ((1 << depth) - 1) * cuts + (1 << depth)


def from_flat(vector: Arithmetic, cuts: int, spec: Boosting) -> list[Tree]:
    """The trees that became this vector, one behind the other."""
    found = []
    for part in unstacked(vector, spec.trees):
        choices = [part.rows(((1 << level) - 1) * cuts, ((2 << level) - 1) * cuts) for level in range(spec.depth)]
        leaves = part.rows(part.length - (1 << spec.depth), part.length)
        found.append(Tree(tuple(choices), Fixed(leaves, FRACTION, LARGEST_LEAF << FRACTION)))
    return found


def train(engine: Engine, features: Features, labels: Arithmetic, valid: Arithmetic, spec: Boosting) -> list[Tree]:
    """The trees. ``labels`` and ``valid`` are 0 or 1 a row; a row that is not valid counts for nothing."""
    weight = _row_weights(engine.narrow("weights"), labels, valid, spec)
    scores = public(engine, features.rows, 0, FRACTION)
    trees = []
    for number in range(spec.trees):
        at = engine.narrow(f"tree-{number}")
        gradient, slope = _gradients(at.narrow("gradients"), scores, labels, weight, spec)
        tree, members = _grown(at, features, gradient, slope, valid, spec)
        trees.append(tree)
        scores = scores + _of_leaves(at.narrow("scores"), tree.leaves, members, features.rows)
    return trees


def scores_of(engine: Engine, features: Features, trees: list[Tree]) -> Fixed:
    """Scores of rows (the logarithm of the odds), whether or not they were trained on."""
    total = public(engine, features.rows, 0, FRACTION)
    one = public(engine, features.rows, 1, 0).carried
    for number, tree in enumerate(trees):
        at = engine.narrow(f"tree-{number}")
        members = one
        for level, choices in enumerate(tree.choices):
            members = _parted(at.narrow(f"level-{level}"), features, choices, members, 1 << level)
        total = total + _of_leaves(at.narrow("leaves"), tree.leaves, members, features.rows)
    return total


def _row_weights(engine: Engine, labels: Arithmetic, valid: Arithmetic, spec: Boosting) -> Arithmetic:
    if spec.positive_weight == 1:
        return valid
    return valid + engine.multiply(valid, labels).scaled(spec.positive_weight - 1)


def _gradients(
    engine: Engine, scores: Fixed, labels: Arithmetic, weight: Arithmetic, spec: Boosting
) -> tuple[Fixed, Fixed]:
    """Weight times p - y and times p (1 - p), row by row."""
    unit = 1 << FRACTION
    p = sigmoid(engine.narrow("sigmoid"), scores)
    against = public(engine, scores.length, unit, FRACTION) - p
    slope = multiply(engine.narrow("slope"), p, Fixed(against.carried, FRACTION, unit), FRACTION)
    both = stacked([p.carried - labels.scaled(unit), slope.carried])
    weighed = engine.narrow("weigh").multiply(both, stacked([weight, weight]))
    count = scores.length
    most = unit * spec.positive_weight
    return Fixed(weighed.rows(0, count), FRACTION, most), Fixed(weighed.rows(count, 2 * count), FRACTION, most)


def _grown(
    engine: Engine, features: Features, gradient: Fixed, slope: Fixed, valid: Arithmetic, spec: Boosting
) -> tuple[Tree, Arithmetic]:
    """A tree, and for each leaf the rows in it as 0 or 1."""
    members, choices = valid, []
    # rows that are not valid weigh nothing, so at the root this is what it holds
    of_nodes = stacked([gradient.carried, slope.carried])
    for level in range(spec.depth):
        at, nodes = engine.narrow(f"level-{level}"), 1 << level
        left = _below_cuts(at.narrow("below"), features, of_nodes, nodes, gradient.limit)
        whole = _whole(at.narrow("whole"), features, of_nodes, nodes, gradient.limit)
        gains = _gains(at.narrow("gains"), left, whole, spec)
        chosen = best(at.narrow("best"), gains, features.cuts).transposed(nodes)
        choices.append(chosen)
        # leaves need no gradients row by row: what their rows add up to is a product of matrices
        lines = members if level == spec.depth - 1 else stacked([members, of_nodes])
        children = _parted(at.narrow("part"), features, chosen, lines, nodes)
        members = children.rows(0, 2 * nodes * features.rows)
        of_nodes = children.rows(2 * nodes * features.rows, children.length)
    sums = _leaf_sums(engine.narrow("leaf-sums"), gradient, slope, members, 1 << spec.depth)
    return Tree(tuple(choices), _leaf_values(engine.narrow("leaf-values"), sums, spec)), members


def _leaf_sums(engine: Engine, gradient: Fixed, slope: Fixed, members: Arithmetic, leaves: int) -> _Sums:
    """Sums over the rows of each leaf."""
    rows = gradient.length
    both = stacked([gradient.carried, slope.carried]).transposed(rows)
    total = engine.narrow("sum").matrix_product(members, both, leaves, rows, 2)
    return _sums_of(engine, total.transposed(2), gradient.limit * rows)


def _below_cuts(engine: Engine, features: Features, of_nodes: Arithmetic, nodes: int, most: int) -> _Sums:
    """Sums over the rows at or below each cut: cut by cut, node by node."""
    by_row, start = of_nodes.transposed(features.rows), 0
    total = engine.constant_arithmetic(np.zeros(features.cuts * 2 * nodes, np.uint64))
    for number, (block, rows) in enumerate(zip(features.blocks, features.lengths, strict=True)):
        part = by_row.rows(start * 2 * nodes, (start + rows) * 2 * nodes)
        total = total + engine.narrow(f"sum-{number}").matrix_product(block, part, features.cuts, rows, 2 * nodes)
        start += rows
    sums = _sums_of(engine, total.transposed(2 * nodes), most * features.rows)
    return _Sums(
        *(Fixed(x.carried.transposed(features.cuts), x.fraction, x.limit) for x in (sums.gradient, sums.slope))
    )


def _whole(engine: Engine, features: Features, of_nodes: Arithmetic, nodes: int, most: int) -> _Sums:
    """Sums over all rows of each node."""
    return _sums_of(engine, row_sums(of_nodes, 2 * nodes, features.rows), most * features.rows)


def _sums_of(engine: Engine, sums: Arithmetic, limit: int) -> _Sums:
    """Gradients, which stand first, and slopes, with as many fraction bits as gains of so many rows leave."""
    fewer = with_fraction(engine, Fixed(sums, FRACTION, limit), sum_bits(limit >> FRACTION))
    half = sums.length // 2
    parts = fewer.carried.rows(0, half), fewer.carried.rows(half, 2 * half)
    return _Sums(*(Fixed(part, fewer.fraction, fewer.limit) for part in parts))


def sum_bits(rows: int) -> int:
    """Fraction bits of sums over ``rows`` weighed rows, so that G times G / (H + 1) stays below 2^59.

    Raises InternalError ``learning/range`` where that leaves too few.
    """
    bits = min(MOST_SUM_BITS, (56 - 2 * rows.bit_length()) // 2)
    if bits < FEWEST_SUM_BITS:
        raise InternalError("learning/range", f"trees over {rows} weighed rows leave {bits} fraction bits for gains")
    return bits


def _gains(engine: Engine, left: _Sums, whole: _Sums, spec: Boosting) -> Fixed:
    """G w of both sides of each cut, cut by cut, node by node; 0 where a side weighs less than the minimum."""
    nodes, count = whole.gradient.length, left.gradient.length
    cuts = count // nodes
    gradient, slope = (
        stacked([low.carried, stacked([total.carried] * cuts) - low.carried])
        for low, total in ((left.gradient, whole.gradient), (left.slope, whole.slope))
    )
    bits = left.gradient.fraction
    sides = Fixed(gradient, bits, 2 * left.gradient.limit)
    weights = Fixed(slope, bits, 2 * left.slope.limit)
    quotient = _quotients(engine.narrow("quotients"), sides, weights, spec)
    product = engine.narrow("gains").multiply(sides.carried, quotient.carried)
    gains = product.rows(0, count) + product.rows(count, 2 * count)
    limit = 2 * left.gradient.limit * quotient.limit
    if not spec.minimum_weight:
        return Fixed(gains, 2 * bits, limit)
    above = weights - public(engine, weights.length, spec.minimum_weight << bits, bits)
    light = engine.narrow("light").negative(above.carried, above.bits)
    heavy = engine.invert(light)
    both = engine.narrow("heavy").conjunction(heavy.rows(0, count), heavy.rows(count, 2 * count))
    bit = engine.narrow("bit").bit_to_arithmetic(both)
    return Fixed(engine.narrow("kept").multiply(bit, gains), 2 * bits, limit)


def _quotients(engine: Engine, gradient: Fixed, slope: Fixed, spec: Boosting) -> Fixed:
    """G / (H + l2) with the fraction bits of both; rounding takes H at worst one unit below 0."""
    bits = gradient.fraction
    weight = slope + public(engine, slope.length, spec.l2 << bits, bits)
    quotient, _ = divide(engine, gradient, weight, bits)
    return Fixed(quotient.carried, bits, 2 * gradient.limit)


def _parted(engine: Engine, features: Features, choices: Arithmetic, lines: Arithmetic, nodes: int) -> Arithmetic:
    """What of each node's rows goes to its left and right child: of each ``nodes`` lines of a matrix twice as many.

    A line holds something of a node's rows, and 0 in all others; the first ``nodes`` lines say which rows those are.
    """
    count = features.rows
    sides = [
        engine.narrow(f"side-{number}").matrix_product(choices, block, nodes, features.cuts, rows).transposed(rows)
        for number, (block, rows) in enumerate(zip(features.blocks, features.lengths, strict=True))
    ]
    side = stacked(sides).transposed(nodes)
    left = engine.narrow("left").multiply(lines, stacked([side] * (lines.length // side.length)))
    right = lines - left
    children = []
    for line in range(lines.length // count):
        children += [half.rows(line * count, (line + 1) * count) for half in (left, right)]
    return stacked(children)


def _leaf_values(engine: Engine, sums: _Sums, spec: Boosting) -> Fixed:
    """- rate G / (H + l2), within the largest leaf, with the fraction bits of scores."""
    quotient = _quotients(engine.narrow("quotients"), sums.gradient, sums.slope, spec)
    rate = round(spec.rate * 2**FRACTION)
    fraction = quotient.fraction
    scaled = Fixed(quotient.carried.scaled(-rate), fraction + FRACTION, quotient.limit * rate)
    values = with_fraction(engine.narrow("rate"), scaled, FRACTION)
    end = public(engine, values.length, LARGEST_LEAF << FRACTION, FRACTION)
    return clipped(engine.narrow("clip"), values, end)


def _of_leaves(engine: Engine, leaves: Fixed, members: Arithmetic, rows: int) -> Fixed:
    """The value of each row's leaf; 0 for a row in none."""
    value = engine.matrix_product(leaves.carried, members, 1, leaves.length, rows)
    return Fixed(value, FRACTION, leaves.limit)
