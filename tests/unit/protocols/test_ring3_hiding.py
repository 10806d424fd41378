"""What a receiver gets, below the seal, tells nothing of the data: for every kind of message of the ring3 engine.

One program runs every interactive operation once. Over 1,000 seeds, each message must be uniform bit by bit and byte
by byte, for all-zero and for all-maximum input, and so must the exclusive or of any two messages of a size that one
computer receives in an operation (a mask used twice would show there). Seeds are fixed, so the outcome is too.
"""

import hashlib
from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest

from consortia.protocols.context import Context
from consortia.protocols.conversion.bits import bit_to_arithmetic
from consortia.protocols.engine import ColumnShape
from consortia.protocols.randomness import address
from consortia.protocols.ring3 import Ring3Engine
from consortia.protocols.shares import Rows
from consortia.protocols.sharing.external import send_input
from tests.world import World

SEEDS = 1000
N = 2
SHAPES = [ColumnShape("arithmetic"), ColumnShape("boolean", 3), ColumnShape("wide"), ColumnShape("boolean", 64)]


def columns(high):
    """Values that are all zero, or the largest that every operation below admits."""
    return [
        np.full(N, (1 << 62) - 1 if high else 0, np.uint64),
        np.full((N, 1), 7 if high else 0, np.uint64),
        np.full((N, 2), (1 << 64) - 1 if high else 0, np.uint64),
        np.full((N, 1), (1 << 64) - 1 if high else 0, np.uint64),
    ]


def every_operation(engine, high):
    """Returns the parts that a recipient gets; all other messages pass the channels."""
    a, b, w, words = engine.narrow("input").input(
        "alpha", N, SHAPES, columns(high) if engine.ctx.member == "alpha" else None
    )
    c, d, v, _ = engine.narrow("outside").input("outside", N, SHAPES, None)
    engine.narrow("multiply").multiply(a, c)
    engine.narrow("multiply-wide").multiply_wide(w, v)
    engine.narrow("conjunction").conjunction(b, d)
    engine.narrow("less-than").less_than(b, d)
    Ring3Engine(engine.ctx.narrow("less-than-by-bits"), "few-bytes").less_than(b, d)
    engine.narrow("equal").equal(b, d)
    engine.narrow("negative").negative(a, 63)
    engine.narrow("zero").zero(c, 63)
    engine.narrow("widened").widened(a, 63)
    engine.narrow("bit-to-arithmetic").bit_to_arithmetic(b.planes(0, 1))
    engine.narrow("bit-to-wide").bit_to_wide(d.planes(0, 1))
    bit_to_arithmetic(engine.narrow("bit-to-position").ctx, b.planes(1, 2), np.uint32)
    engine.narrow("inner-product").inner_product(a, c)
    engine.narrow("matrix-product").matrix_product(a, c, N, 1, N)
    rows, order = Rows((a,), (words,), (w,)), engine.narrow("permutation").permutation(N)
    engine.narrow("permuted").permuted(order, rows)
    engine.narrow("put-back").put_back(order, rows)
    return [engine.narrow(f"part-{i}").part(x) for i, x in enumerate((a, words, w))]


def outside(seed, high):
    """The owner that does not compute, with randomness that follows from the seed."""
    drawn = iter(range(2))

    def work(channels):
        send_input(
            channels, World.computers, "outside", N, SHAPES, columns(high),
            draw=lambda size: hashlib.sha256(f"owner {seed} {next(drawn)}".encode()).digest()[:size],
        )  # fmt: skip

    return {"outside": work}


def recorded(program, high, seeds):
    """Messages by (step, sender, receiver), as bytes (seeds, size); and the order of them at each sender."""
    samples, orders = defaultdict(list), set()
    for seed in range(seeds):
        sent = defaultdict(list)

        def listen(step, sender, receiver, payload, sent=sent):
            sent[sender].append((step, receiver, payload))
            return payload

        world = World(seed, owners=("outside",), interceptor=listen)
        parts = world.run(lambda engine: program(engine, high), outside(seed, high))
        for sender, messages in sent.items():
            for step, receiver, payload in messages:
                samples[step, sender, receiver].append(payload)
        for name, own in zip(World.computers, parts, strict=True):
            for index, part in enumerate(own or ()):
                samples[f"part-{index}", name, "recipient"].append(part.tobytes())
        orders.add(
            tuple((sender, step, receiver, len(p)) for sender in sorted(sent) for step, receiver, p in sent[sender])
        )
    arrays = {
        key: np.frombuffer(b"".join(payloads), np.uint8).reshape(len(payloads), -1) for key, payloads in samples.items()
    }
    return arrays, orders


def deviations(sample):
    """How far bytes (seeds, size) are from uniform: of byte values and of single bits, in standard deviations."""
    counts = np.bincount(sample.reshape(-1), minlength=256)
    expected = sample.size / 256
    chi_square = float(np.sum((counts - expected) ** 2) / expected)
    ones = np.unpackbits(sample, axis=1).sum(axis=0)
    return (chi_square - 255) / np.sqrt(2 * 255), float(
        np.max(np.abs(ones - len(sample) / 2)) / np.sqrt(len(sample) / 4)
    )


def two_sample_deviation(x, y):
    """How far the byte counts of two samples of a size are apart: chi-square, in standard deviations."""
    counts = [np.bincount(sample.reshape(-1), minlength=256).astype(float) for sample in (x, y)]
    chi_square = float(np.sum((counts[0] - counts[1]) ** 2 / (counts[0] + counts[1])))
    return (chi_square - 255) / np.sqrt(2 * 255)


# 6 standard deviations: below one in 10^6 over the few thousand bits and bytes compared
LIMIT = 6.0


def telling(arrays):
    """Messages, and pairs of messages of one operation to one receiver, that are not uniform."""
    found = [key for key, sample in arrays.items() if max(deviations(sample)) > LIMIT]
    for (one, x), (other, y) in combinations(arrays.items(), 2):
        together = one[2] == other[2] and one[0].split("/")[0] == other[0].split("/")[0]
        if together and x.shape == y.shape and max(deviations(x ^ y)) > LIMIT:
            found.append((one, other))
    return found


@pytest.fixture(scope="module")
def both():
    return [recorded(every_operation, high, SEEDS) for high in (False, True)]


def test_no_message_tells_zero_from_maximum(both):
    (zeros, _), (tops, _) = both
    assert zeros.keys() == tops.keys()
    assert len({step.split("/")[0] for step, _, _ in zeros}) == 21  # every operation was heard
    assert telling(zeros) == []
    assert telling(tops) == []
    for key in zeros:
        assert two_sample_deviation(zeros[key], tops[key]) < LIMIT, key


def test_the_trace_of_sizes_steps_and_order_is_the_same_for_all_data(both):
    (_, zeros), (_, tops) = both
    assert len(zeros) == 1
    assert zeros == tops


def zero_sums(ctx, shape, dtype):
    return np.zeros(shape, dtype), np.zeros(shape, dtype)


class Zeros:
    """A key stream that hides nothing."""

    def fill(self, words):
        words.fill(0)

    def draw(self, count, dtype=np.uint64):
        return np.zeros(count, dtype)

    def add(self, words):
        pass


@pytest.mark.parametrize(
    ("mutant", "replacement", "caught"),
    [
        ("zero_streams", lambda ctx: (Zeros(), Zeros()), {"multiply", "less-than"}),
        ("zero_sum", zero_sums, {"multiply-wide", "matrix-product", "part-0", "part-2"}),
        ("zero_xor", lambda ctx, shape: np.zeros(shape, np.uint64), {"conjunction", "equal", "part-1"}),
    ],
)
def test_a_product_without_its_zero_share_is_caught(monkeypatch, mutant, replacement, caught):
    monkeypatch.setattr(Context, mutant, replacement)
    arrays, _ = recorded(every_operation, True, 300)
    steps = {step.split("/")[0] for step, _, _ in (key for key in telling(arrays) if isinstance(key[0], str))}
    assert caught <= steps


def test_a_mask_used_for_two_messages_is_caught(monkeypatch):
    """The purposes of bit to arithmetic taken as one: its masks v and y1 become equal."""
    original = Context.key_stream

    def key_stream(ctx, component, purpose):
        if purpose in {"v", "y1"}:
            ctx.randomness._drawn[component].discard(address(ctx.step, "shared"))
            purpose = "shared"
        return original(ctx, component, purpose)

    monkeypatch.setattr(Context, "key_stream", key_stream)
    arrays, _ = recorded(every_operation, False, 300)
    assert any("bit-to-arithmetic" in str(key) for key in telling(arrays))
