"""Matrix and inner products equal those of Python's integers, and send what their result is long."""

import random

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols import costs
from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.counting import CountingEngine
from consortia.protocols.kernels.matrices import add_dots, add_products
from tests.world import World, reconstruct, signed

SHAPES = [(1, 1, 1), (3, 2, 4), (1, 700, 1), (5, 7, 33), (2, 130, 600), (4, 66, 31), (9, 1, 40)]
EMPTY = [(0, 3, 4), (3, 4, 0), (3, 0, 4)]


def matrices(rows, inner, columns):
    """Values at and around the ends of the ring, and random ones."""
    draw = random.Random(rows * 1000 + inner)
    edges = [0, 1, -1, (1 << 63) - 1, -(1 << 63)]
    return [[draw.choice([*edges, draw.getrandbits(63)]) for _ in range(n)] for n in (rows * inner, inner * columns)]


def product(x, y, rows, inner, columns):
    sums = [
        sum(x[i * inner + k] * y[k * columns + j] for k in range(inner)) for i in range(rows) for j in range(columns)
    ]
    return [signed(value % (1 << 64), 64) for value in sums]


@pytest.mark.parametrize("shape", SHAPES + EMPTY)
def test_a_matrix_product_is_exact_modulo_the_ring_at_the_cost_of_its_result(shape):
    x, y = matrices(*shape)
    world = World(3)
    left, right = world.share_arithmetic(x), world.share_arithmetic(y)
    out = world.run(lambda e: e.narrow("m").matrix_product(left[e.ctx.rank], right[e.ctx.rank], *shape))
    assert reconstruct(out) == product(x, y, *shape)
    cost = costs.matrix_product(*shape)
    assert tuple(world.sent_bytes(name) for name in world.computers) == cost.bytes_by_rank
    assert world.rounds() == cost.rounds
    assert cost.bytes_by_rank[0] == (8 * len(product(x, y, *shape)) if shape[1] else 0)


def plain(values):
    return ClearEngine().constant_arithmetic(np.array([value % (1 << 64) for value in values], np.uint64))


@pytest.mark.parametrize("shape", SHAPES + EMPTY)
def test_the_clear_engine_multiplies_matrices_alike(shape):
    x, y = matrices(*shape)
    words = value_words(ClearEngine().matrix_product(plain(x), plain(y), *shape))
    assert [signed(int(word), 64) for word in words] == product(x, y, *shape)


@pytest.mark.parametrize("n", [0, 1, 5, 1000])
def test_an_inner_product_is_one_number_whatever_the_length(n):
    x, y = matrices(1, n, 1)
    world = World(4)
    left, right = world.share_arithmetic(x), world.share_arithmetic(y)
    out = world.run(lambda e: e.narrow("p").inner_product(left[e.ctx.rank], right[e.ctx.rank]))
    assert reconstruct(out) == product(x, y, 1, n, 1)
    assert world.sent_bytes("alpha") == (8 if n else 0)
    assert value_words(ClearEngine().inner_product(plain(x), plain(y))).size == 1


@pytest.mark.parametrize("kernel", [add_products, add_dots])
@pytest.mark.parametrize("shape", [*SHAPES, (3, 129, 513), (2, 63, 512), (3, 5, 1025)])
def test_the_kernels_add_to_what_is_there(kernel, shape):
    rows, inner, columns = shape
    draw = np.random.default_rng(5)
    x, y, out = (
        draw.integers(0, 1 << 64, size, np.uint64) for size in ((rows, inner), (inner, columns), (rows, columns))
    )
    expected = out + x @ y
    kernel(x, y if kernel is add_products else np.ascontiguousarray(y.T), out)
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("engine", [ClearEngine(), CountingEngine(World.computers)])
def test_vectors_that_are_no_such_matrices_are_refused(engine):
    x, y = (engine.constant_arithmetic(np.zeros(n, np.uint64)) for n in (6, 5))
    with pytest.raises(InternalError, match="protocol/shape"):
        engine.narrow("a").matrix_product(x, y, 2, 3, 2)
    with pytest.raises(InternalError, match="protocol/shape"):
        engine.narrow("b").inner_product(x, y)


def test_shares_that_are_no_such_matrices_are_refused():
    world = World(1, silence=2)
    x = world.share_arithmetic([1, 2, 3])
    with pytest.raises(InternalError, match="protocol/shape"):
        world.run(lambda e: e.matrix_product(x[e.ctx.rank], x[e.ctx.rank], 2, 2, 1))
