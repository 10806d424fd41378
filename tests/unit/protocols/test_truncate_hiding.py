"""Every message of truncation, decomposition and composition is uniform, whatever the data: as test_ring3_hiding."""

import copy

import numpy as np
import pytest

from consortia.protocols.arithmetic import truncate as truncate_module
from consortia.protocols.context import Context
from consortia.protocols.fixed import costs as fixed_costs
from consortia.protocols.kernels.planes import words_from_planes
from tests.unit.protocols.test_ring3_hiding import LIMIT, Zeros, recorded, telling, two_sample_deviation
from tests.world import World

SEEDS = 400
N = 192  # three words: every computer has every role; no padding, whose bits are public
OPERATIONS = (
    "multiply",
    "multiply-exact",
    "matrix",
    "number",
    "number-exact",
    "planes",
    "two-rounds",
    "adder",
    "filled",
)


RESULTS = tuple(f"part-{i}" for i in range(4))


def every_operation(engine, high):
    """Returns what each computer knows of four results."""
    top = np.full(N, (1 << 31) - 1 if high else 0, np.uint64)
    wide = np.full(N, (1 << 62) - 1 if high else 0, np.uint64)
    codes = np.full((N, 1), 7 if high else 0, np.uint64)
    x, z, b = engine.constant_arithmetic(top), engine.constant_arithmetic(wide), engine.constant_boolean(codes, 3)
    product = engine.narrow("multiply").multiply_truncate(x, x, 20)
    engine.narrow("multiply-exact").multiply_truncate(x, x, 5, exact=True)
    engine.narrow("matrix").matrix_product_truncate(x, x.rows(0, 1), N, 1, 1, 9)
    number = engine.narrow("number").truncate(z, 33)
    engine.narrow("number-exact").truncate(z, 4, exact=True)
    engine.narrow("planes").decompose(z, 6)
    two_rounds = engine.narrow("two-rounds").compose(b)
    adder = engine.narrow("adder").compose(b, "sklansky")
    engine.narrow("filled").filled(b)
    # what a computer knows of each result: nothing, so the sum of its components is uniform too
    return [x.first + x.second for x in (product, number, two_rounds, adder)]


@pytest.fixture(scope="module", autouse=True)
def _rotated():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixed_costs, "ROTATED", 0)
        yield


@pytest.fixture(scope="module")
def both():
    return [recorded(every_operation, high, SEEDS) for high in (False, True)]


def operations(keys):
    return {step.split("/")[0] for step, _, _ in keys}


def test_no_message_tells_zero_from_maximum(both):
    (zeros, _), (tops, _) = both
    assert zeros.keys() == tops.keys()
    # `recorded` has an owner that sends, which nobody reads here
    assert operations(zeros) == {*OPERATIONS, *RESULTS, "outside"}
    assert telling(zeros) == []
    assert telling(tops) == []
    for key in zeros:
        assert two_sample_deviation(zeros[key], tops[key]) < LIMIT, key


def test_the_trace_of_sizes_steps_and_order_is_the_same_for_all_data(both):
    (_, zeros), (_, tops) = both
    assert len(zeros) == 1
    assert zeros == tops


@pytest.mark.parametrize(
    ("purpose", "caught"),
    [
        ("s", {"multiply", "multiply-exact", "matrix", "number", "number-exact"}),
        ("t", {"multiply", "multiply-exact", "matrix"}),
        ("one-0", {"multiply", "matrix", "number"}),
        ("y0", {"part-0", "part-1", "part-2", "part-3"}),
        ("y2", {"part-0", "part-1"}),
        ("v", {"two-rounds"}),
        ("a1", {"planes", "adder"}),
    ],
)
def test_a_missing_mask_is_caught(monkeypatch, purpose, caught):
    original = Context.key_stream

    def key_stream(ctx, component, name):
        if name.rsplit("-", 1)[0] == purpose or name == purpose:
            return Zeros()
        return original(ctx, component, name)

    monkeypatch.setattr(Context, "key_stream", key_stream)
    arrays, _ = recorded(every_operation, True, 60)
    found = {
        step.split("/")[0] for key in telling(arrays) for step in [key[0] if isinstance(key[0], str) else key[0][0]]
    }
    assert caught <= found


def test_a_choice_that_opened_both_entries_would_be_caught(monkeypatch):
    """One mask for both entries: their exclusive or would tell whether c wrapped."""
    original = truncate_module._Run._masks

    def masks(run, chunk, role):
        zero, _ = original(run, chunk, role)
        return zero, copy.copy(zero)

    monkeypatch.setattr(truncate_module._Run, "_masks", masks)
    seen = []
    kernel = truncate_module.kernels.both_choices

    def both_choices(*arguments):
        kernel(*arguments)
        words, packed = arguments[8], arguments[9]
        if arguments[7] == 4:
            seen.append(int(words[0] >> np.uint64(60)) ^ int(packed[0] & np.uint64(15)))

    monkeypatch.setattr(truncate_module.kernels, "both_choices", both_choices)
    recorded(every_operation, True, 40)
    # under proper masks the difference would be uniform over 16 values
    assert len(set(seen)) < 8


@pytest.mark.parametrize("masked", [True, False])
def test_the_computer_that_knows_the_draw_does_not_learn_the_low_bits_of_the_sum(monkeypatch, masked):
    """Role 1 knows r_l and gets c_l under a mask; without the mask it would have z_l = c_l - r_l in every row."""
    fraction, n, value = 8, 1920, 77
    original, hits = Context.key_stream, []
    keep = truncate_module._Run.low_parts

    def key_stream(ctx, component, name):
        return Zeros() if name.startswith("low-") else original(ctx, component, name)

    def low_parts(run, length):
        _, planes, draws, _ = run.low[0] if run.ctx.rank == 1 else (None,) * 4
        if draws is not None:
            rows = run.chunks[0].stop
            got, known = words_from_planes(planes, rows)[:, 0], words_from_planes(draws, rows)[:, 0]
            hits.append(np.mean((got - known) % np.uint64(1 << fraction) == value))
        return keep(run, length)

    if not masked:
        monkeypatch.setattr(Context, "key_stream", key_stream)
    monkeypatch.setattr(truncate_module._Run, "low_parts", low_parts)
    world = World(4)
    x = world.share_arithmetic([value] * n)
    world.run(lambda engine: engine.truncate(x[engine.ctx.rank], fraction, exact=True))
    assert hits[0] < 0.03 if masked else hits[0] == 1
