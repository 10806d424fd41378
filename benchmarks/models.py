"""Joint models as programs of n rows (``costs`` says what for)."""

from collections.abc import Iterator

from benchmarks.operations import Operation, number
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.learning import cuts, regression, scaling
from consortia.protocols.learning.scaling import CLIP, FRACTION, Column, Scaling

FEATURES = 3
CUTS = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)
NARROW, WIDE = 1 << 30, 1 << 50
DESCENT = regression.Descent(epochs=1, batch=1 << 17, rate=0.5, l2=0.01)


def model_operations() -> Iterator[Operation]:
    """What fits and scores are made of."""
    room = "Joint models"
    yield Operation(room, "learned", f"{FEATURES} features of 30 bits", lambda e, n: _learned(e, n, NARROW))
    yield Operation(room, "learned", f"{FEATURES} features of 50 bits", lambda e, n: _learned(e, n, WIDE))
    yield Operation(room, "standardised", f"{FEATURES} features of 30 bits", lambda e, n: _standardised(e, n, NARROW))
    yield Operation(room, "standardised", f"{FEATURES} features of 50 bits", lambda e, n: _standardised(e, n, WIDE))
    yield Operation(room, "regression.fit", f"{FEATURES} features, one epoch of batches of 2^17 rows", _fitted)
    yield Operation(room, "regression.scores", f"{FEATURES} features", _scored)
    yield Operation(room, "cuts.features", f"{FEATURES} features, {len(CUTS)} cuts each", _below)


def _learned(engine: Engine, n: int, largest: int) -> Scaling:
    return scaling.learned(engine, _columns(engine, n, largest), number(engine, n, 1))


def _standardised(engine: Engine, n: int, largest: int) -> Fixed:
    learned = scaling.from_flat(number(engine, scaling.flat_length(FEATURES), 1))
    return scaling.standardised(engine, _columns(engine, n, largest), learned)


def _fitted(engine: Engine, n: int) -> Fixed:
    return regression.fit(engine, _matrix(engine, n), number(engine, n, 1), number(engine, n, 1), DESCENT)


def _scored(engine: Engine, n: int) -> Fixed:
    weights = regression.from_flat(number(engine, FEATURES + 1, 20))
    return regression.scores(engine, _matrix(engine, n), weights, n)


def _below(engine: Engine, n: int) -> object:
    return cuts.features(engine, _matrix(engine, n), n, CUTS)


def _columns(engine: Engine, n: int, largest: int) -> list[Column]:
    return [Column(number(engine, n, 20), -largest, largest) for _ in range(FEATURES)]


def _matrix(engine: Engine, n: int) -> Fixed:
    return Fixed(number(engine, n * FEATURES, FRACTION), FRACTION, CLIP << FRACTION)
