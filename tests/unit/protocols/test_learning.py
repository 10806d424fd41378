"""Training with two rounds a step: functions of numbers opened under a mask, their errors, costs and messages."""

import math

import numpy as np
import pytest

from consortia.protocols.kernels.rounding import cubic, public_parts
from consortia.protocols.kernels.waves import PRECISION, harmonics, tables
from consortia.protocols.learning import costs, logistic, opening, rounding
from consortia.protocols.learning.cubic import Cubic
from consortia.protocols.learning.logistic import Batch, Training, train
from consortia.protocols.learning.opening import open_product
from consortia.protocols.learning.waves import DOMAIN, VALUE, Waves
from consortia.protocols.sharing.ring3 import Ring3Arithmetic
from tests.unit.protocols.test_ring3_hiding import LIMIT, recorded, telling, two_sample_deviation
from tests.world import World, reconstruct

FRACTION = 40
POLYNOMIAL = Cubic(0.5, 0.197, -0.004, argument=8, value=40)
MASK64 = (1 << 64) - 1


def shares(world, values):
    return world.share_arithmetic([int(v) for v in values])


def of_opened(values, prepare, seed=3):
    """Signed results of what ``prepare`` prepares, for values opened under its mask."""
    world = World(seed)
    own, one = shares(world, values), shares(world, [1])

    def program(ctx):
        made = prepare(ctx.narrow("prepare"), len(values))
        opened = open_product(ctx.narrow("open"), own[ctx.rank], one[ctx.rank], (len(values), 1, 1), made.mask)
        return made.rounded(ctx, opened) if isinstance(made, rounding.Rounding) else made.values(ctx, opened)

    return np.array(reconstruct(world.run_contexts(program)), np.int64)


@pytest.mark.parametrize("fraction", [1, 20, 33, 61])
def test_a_prepared_rounding_is_off_by_less_than_one_and_a_half_units_and_right_in_the_mean(fraction):
    n = 20_000
    z = np.random.default_rng(fraction).integers(-(1 << 62) + 1, 1 << 62, n)
    z[:4] = [0, -1, (1 << 62) - 1, -(1 << 62) + 1]
    units = 1 << fraction
    got = of_opened(z, lambda ctx, length: rounding.prepare(ctx, length, fraction))
    # in integers: a double has no bits for the fraction
    error = np.array([int(v) * units - int(w) for v, w in zip(got, z, strict=True)], object) / units
    error = error.astype(float)
    assert np.abs(error).max() < 1.5
    assert abs(error.mean()) < 6 * 0.7 / math.sqrt(n) + (0.5 if fraction == 1 else 0)


def test_the_logistic_function_by_waves_keeps_its_error_on_its_whole_domain():
    x = np.linspace(-DOMAIN, DOMAIN, 20_001)
    got = of_opened(np.rint(x * 2**FRACTION), lambda ctx, length: Waves().prepare(ctx, length, FRACTION)) / 2**VALUE
    assert np.abs(got - 1 / (1 + np.exp(-x))).max() < 7.6e-4


def test_a_cubic_is_that_of_the_rounded_argument():
    x = np.linspace(-8, 8, 5_001)
    got = of_opened(np.rint(x * 2**FRACTION), lambda ctx, length: POLYNOMIAL.prepare(ctx, length, FRACTION)) / 2**40
    slope = np.abs(0.197 - 0.012 * x**2)
    error = np.abs(got - (0.5 + x * (0.197 - 0.004 * x**2)))
    assert np.all(error < 1.5 * 2**-8 * slope + 0.004 * 2**-8 * np.abs(x) ** 3 + 5e-5 * (1 + np.abs(x)))


def test_waves_refuse_numbers_whose_period_does_not_fit():
    with pytest.raises(Exception, match="60 fraction bits have no waves"):
        Waves().prepare(World(1).contexts[0], 1, 60)


# --- kernels ------------------------------------------------------------------------------------------------


def test_tables_of_sines_are_the_same_whatever_library_rounds_them():
    for table, function in zip(tables(), (np.cos, np.sin), strict=True):
        exact = np.ldexp(function(2 * np.pi * np.arange(table.size) / table.size), PRECISION)
        assert np.abs(table - exact).max() < 0.5 - 1e-4


@pytest.mark.parametrize("fraction", [13, 30])
def test_harmonics_are_sines_of_multiples(fraction):
    turns = np.concatenate([np.random.default_rng(1).integers(0, MASK64, 500, np.uint64), [np.uint64(MASK64)]])
    turns = turns.astype(np.uint64)
    out = np.empty((turns.size, 6), np.int64)
    harmonics(turns, *tables(), fraction, out)
    angles = 2 * np.pi * np.stack([(turns * np.uint64(k)).astype(float) / 2**64 for k in (1, 2, 3)], axis=1)
    want = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    assert np.abs(out / 2**fraction - want).max() < 2.0 ** -(fraction + 1) + 4e-7


def test_the_cubic_kernel_is_the_polynomial_of_its_public_and_shared_parts():
    draw = np.random.default_rng(2)
    opened = draw.integers(0, MASK64, 100, np.uint64)
    q, b = draw.integers(0, MASK64, 100, np.uint64), draw.integers(0, 2, 100, dtype=np.uint64)
    public, signed = np.empty_like(opened), np.empty_like(opened)
    public_parts(opened, 20, public, signed)
    v = public - q + signed * b
    powers = np.stack([q, q * q, q * q * q, b, b * q, b * q * q], axis=1)
    none = np.zeros_like(powers)
    out0, out1 = np.empty_like(opened), np.empty_like(opened)
    a0, a1, a3 = (np.uint64(a) for a in (5, MASK64 - 6, 7))
    for own, parts in ((0, (powers, none)), (2, (none, powers))):
        cubic(opened, 20, a0, a1, a3, *parts, np.uint64(own), out0, out1)
        assert np.array_equal(out0 if own == 0 else out1, a0 + a1 * v + a3 * v * v * v)
        assert not np.any(out1 if own == 0 else out0)


# --- training -----------------------------------------------------------------------------------------------

TRAINING = Training(epochs=3, rate_bits=3, features=10, weights=30)
ROWS, COUNT, BATCHES = 16, 3, 4


def dataset():
    draw = np.random.default_rng(11)
    x = draw.normal(size=(ROWS * BATCHES, COUNT))
    return x, (draw.random(ROWS * BATCHES) < 1 / (1 + np.exp(-x @ [1.0, -0.7, 0.4]))).astype(int)


def batches_of(world):
    x, y = dataset()
    x = np.rint(x * (1 << TRAINING.features)).astype(np.int64)
    made = []
    for i in range(BATCHES):
        at = slice(i * ROWS, (i + 1) * ROWS)
        made.append([shares(world, part) for part in (x[at].reshape(-1), x[at].T.reshape(-1), y[at])])
    return [[Batch(*(part[rank] for part in parts)) for parts in made] for rank in range(3)]


def trained_in_clear(function):
    x, y = dataset()
    weights = np.zeros(COUNT)
    for step in range(TRAINING.epochs * BATCHES):
        at = slice(step % BATCHES * ROWS, (step % BATCHES + 1) * ROWS)
        weights = weights - 2.0**-TRAINING.rate_bits * (x[at].T @ (function(x[at] @ weights) - y[at]))
    return weights


@pytest.mark.parametrize(
    ("activation", "function"),
    [(POLYNOMIAL, lambda u: 0.5 + u * (0.197 - 0.004 * u * u)), (Waves(), lambda u: 1 / (1 + np.exp(-u)))],
)
@pytest.mark.parametrize("at_once", [1 << 15, 5 * ROWS])
def test_training_gives_the_weights_and_costs_what_is_declared(monkeypatch, activation, function, at_once):
    monkeypatch.setattr(logistic, "PREPARED", at_once)
    monkeypatch.setattr(costs, "PREPARED", at_once)
    world = World(5)
    batches = batches_of(world)
    out = world.run_contexts(lambda ctx: train(ctx, batches[ctx.rank], COUNT, activation, TRAINING))
    weights = np.array(reconstruct(out), np.int64) / (1 << TRAINING.weights)
    assert np.abs(weights - trained_in_clear(function)).max() < 0.01
    declared = costs.train(BATCHES, ROWS, COUNT, activation, TRAINING)
    assert tuple(world.sent_bytes(name) for name in world.computers) == declared.bytes_by_rank
    assert world.transcripts[0].total_rounds() == declared.rounds
    opened = [entry for entry in world.transcripts[1].opened if entry.what == opening.OPENED]
    assert sum(entry.elements for entry in opened) == TRAINING.epochs * BATCHES * (ROWS + COUNT)


# --- what messages tell -------------------------------------------------------------------------------------


def every_operation(engine, high):
    """Opened values are recorded as messages to a recipient: they must be uniform as well."""
    n = 3
    x = engine.constant_arithmetic(np.full(n, (1 << 61) - 1 if high else 0, np.uint64))
    one = engine.constant_arithmetic(np.ones(1, np.uint64))
    found = []
    for name, prepare in (("cubic", POLYNOMIAL.prepare), ("waves", Waves().prepare)):
        at = engine.narrow(name).ctx
        made = prepare(at.narrow("prepare"), n, FRACTION)
        opened = open_product(at.narrow("open"), x, one, (n, 1, 1), made.mask)
        values = made.values(at, opened)
        # all know the same opened value: one of them tells it
        found += ([opened] if at.rank == 0 else []) + [values.first + values.second]
    return found


def test_no_message_and_no_opened_value_tells_zero_from_maximum():
    (zeros, _), (tops, _) = (recorded(every_operation, high, 300) for high in (False, True))
    assert zeros.keys() == tops.keys()
    assert telling(zeros) == []
    assert telling(tops) == []
    for key in zeros:
        assert two_sample_deviation(zeros[key], tops[key]) < LIMIT, key


def test_an_opening_without_its_mask_is_caught(monkeypatch):
    none = np.zeros(3, np.uint64)
    monkeypatch.setattr("consortia.protocols.learning.waves.random_mask", lambda *_: Ring3Arithmetic(none, none))
    arrays, _ = recorded(every_operation, True, 60)
    caught = {key[0] for key in telling(arrays) if isinstance(key[0], str)}
    assert "part-2" in caught
    assert "part-0" not in caught
