"""Boosted trees as programs of n rows (``costs`` says what for)."""

from collections.abc import Iterator

from benchmarks.operations import Operation, number
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.learning.choice import best
from consortia.protocols.learning.trees import Boosting, Features, Tree, scores_of, train

CUTS = 32
SPEC = Boosting(trees=1, depth=3, rate=0.5)


def tree_operations() -> Iterator[Operation]:
    """Training, scoring, and the choice that a split is."""
    room = "Trees"
    yield Operation(room, "best", "n candidates of 20 bits, one column", _best)
    yield Operation(room, "train", f"one tree of depth 3, {CUTS} cuts", _trained)
    yield Operation(room, "scores_of", "training and scores of the same rows", _scored)


def _trained(engine: Engine, n: int) -> list[Tree]:
    return train(engine, _features(engine, n), number(engine, n, 1), number(engine, n, 1), SPEC)


def _scored(engine: Engine, n: int) -> object:
    return scores_of(engine.narrow("score"), _features(engine, n), _trained(engine.narrow("train"), n))


def _features(engine: Engine, n: int) -> Features:
    return Features((number(engine, n * CUTS, 1),), CUTS)


def _best(engine: Engine, n: int) -> object:
    return best(engine, Fixed(number(engine, n), 0, (1 << 20) - 1), n)
