"""Division by a public integer is exact for all dividends that it takes, on every engine."""

import random

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.fixed.by_constant import floor_divided
from tests.world import World, reconstruct, signed

DIVISORS = (1, 2, 3, 7, 10, 100, 10**6, 3**20, 10**12, 10**16 - 1)


def dividends(limit: int, divisor: int, seed: int) -> list[int]:
    """Ends, values beside multiples of the divisor, and random ones."""
    draw = random.Random(f"{limit} {divisor} {seed}")
    multiples = [divisor * draw.randint(-(limit // divisor), limit // divisor) for _ in range(6)]
    near = [multiple + step for multiple in (0, *multiples) for step in (-1, 0, 1)]
    found = [-limit, limit, *near, *(draw.randint(-limit, limit) for _ in range(20))]
    return [value for value in found if abs(value) <= limit]


def in_clear(values: list[int], limit: int, divisor: int) -> list[int]:
    engine = ClearEngine()
    x = engine.constant_arithmetic(np.array([value % (1 << 64) for value in values], np.uint64))
    return [signed(int(word), 64) for word in value_words(floor_divided(engine, x, limit, divisor))]


@pytest.mark.parametrize("divisor", DIVISORS)
def test_a_quotient_is_rounded_down_whatever_its_size(divisor: int) -> None:
    for bits in range(1, 62, 3):
        limit = (1 << bits) - 1
        if limit + (limit // divisor + 1) * divisor < 1 << 62:
            values = dividends(limit, divisor, 1)
            assert in_clear(values, limit, divisor) == [value // divisor for value in values]


@pytest.mark.parametrize(("bits", "divisor"), [(12, 10), (40, 100), (60, 3), (60, 10**9), (61, 2)])
def test_shares_are_divided_as_plain_values(bits: int, divisor: int) -> None:
    world = World(bits)
    values = dividends((1 << bits) - 1, divisor, 2)
    shares = world.share_arithmetic(values)
    results = world.run(lambda engine: floor_divided(engine, shares[engine.ctx.rank], (1 << bits) - 1, divisor))
    assert reconstruct(results) == [value // divisor for value in values]


@pytest.mark.parametrize(("limit", "divisor"), [(1 << 61, 3), (1 << 60, 1 << 58)])
def test_what_does_not_fit_is_refused(limit: int, divisor: int) -> None:
    with pytest.raises(InternalError, match="fixed/range"):
        in_clear([1], limit, divisor)
