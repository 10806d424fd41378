"""Small programs over every operator of an engine, for conformance: the same on all engines, threads or processes."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from consortia.protocols.engine import ColumnShape
from consortia.protocols.shamir.counting import ShamirCountingEngine
from consortia.protocols.shares import Rows
from tests.world import words_from_integers

SHAPES = (
    ColumnShape("arithmetic"),
    ColumnShape("arithmetic"),
    ColumnShape("boolean", 20),
    ColumnShape("boolean", 20),
    ColumnShape("boolean", 1),
    ColumnShape("wide"),
)


def columns(rows: int, seed: int) -> list[np.ndarray]:
    draw = random.Random(f"{seed} {rows}")
    numbers = [[draw.choice([draw.randint(-(1 << 30), 1 << 30), 0, 1, -1]) for _ in range(rows)] for _ in range(2)]
    codes = [[draw.choice([draw.getrandbits(20), 5, (1 << 20) - 1]) for _ in range(rows)] for _ in range(2)]
    bits = [draw.getrandbits(1) for _ in range(rows)]
    wide = [draw.randint(-(1 << 125), 1 << 125) for _ in range(rows)]
    return [
        *(words_from_integers(values, 64)[:, 0].copy() for values in numbers),
        *(words_from_integers(values, 20) for values in codes),
        words_from_integers(bits, 1),
        words_from_integers(wide, 128),
    ]


def moved(rows: Rows) -> list[Any]:
    return [*rows.arithmetic, *rows.boolean, *rows.wide]


def orders(engine: Any, x: Any, b: Any, bit: Any, w: Any) -> list[Any]:
    rows = Rows((x,), (b, bit), (w,))
    by_key, order = engine.narrow("sort").sort_keeping(b, rows)
    halves, halved = engine.narrow("half").partition_keeping(bit, Rows((x, x), (), ()))
    return [
        *moved(by_key),
        *moved(engine.narrow("back").put_back(order, by_key)),
        *moved(halves),
        *moved(engine.narrow("again").permuted(halved, rows)),
        *moved(engine.narrow("bare").sort(b, Rows())),
    ]


PROGRAMS: dict[str, Callable[..., list[Any]]] = {
    "local": lambda e, x, y, b, c, bit, w: [
        x + y, x - y, -x, x.scaled(-7), x.shifted(2), x.shifted(-2), x.prefix_sums(), b ^ c, b.planes(3, 9),
        b.reversed_planes(), b.below(c), b.prefix_xors(), b.shifted(1), e.invert(b), w.shifted(1) - w, w - w,
        w.prefix_sums(), x.rows(0, 1).concatenated([y]), b.masked(np.arange(b.length) % 2 == 0),
    ],
    "products": lambda e, x, y, b, c, bit, w: [
        e.narrow("1").multiply(x, y),
        e.narrow("2").inner_product(x, y),
        e.narrow("3").matrix_product(x, y, x.length, 1, x.length),
        e.narrow("4").conjunction(b, c),
        e.narrow("5").conjunction(bit, b),
        e.narrow("6").multiply_wide(e.narrow("7").bit_to_wide(bit), w),
    ],
    "conversions": lambda e, x, y, b, c, bit, w: [
        e.narrow("1").bit_to_arithmetic(bit),
        e.narrow("2").widened(x, 40),
        e.narrow("3").decompose(x, 64),
        e.narrow("4").decompose(y, 13),
        e.narrow("5").decompose(y, 1),
        e.narrow("6").compose(b),
    ],
    "comparisons": lambda e, x, y, b, c, bit, w: [
        e.narrow("1").negative(x, 32),
        e.narrow("2").negative(x - y, 64),
        e.narrow("3").zero(x, 33),
        e.narrow("4").less_than(b, c),
        e.narrow("5").equal(b, c),
        e.narrow("6").equal(bit, bit),
    ],
    "divisions": lambda e, x, y, b, c, bit, w: [
        e.narrow("1").truncate(x, 7, exact=True),
        e.narrow("2").truncate(x.scaled(1 << 20), 20),
        e.narrow("3").multiply_truncate(x, y, 13, exact=True),
        e.narrow("4").multiply_truncate(x, y.scaled(2), 1),
        e.narrow("5").matrix_product_truncate(x, y, x.length, 1, x.length, 62, exact=True),
        e.narrow("6").matrix_product_truncate(x.rows(0, 0), x.rows(0, 0), 2, 0, 2, 5),
        e.narrow("7").filled(b),
        e.narrow("8").filled(bit),
    ],
    "orders": lambda e, x, y, b, c, bit, w: orders(e, x, b, bit, w),
}  # fmt: skip


def given(engine: Any, rows: int, seed: int, owner: str = "alpha") -> list[Any]:
    hidden = isinstance(engine, ShamirCountingEngine) or (hasattr(engine, "ctx") and engine.ctx.member != owner)
    return engine.narrow("in").input(owner, rows, SHAPES, None if hidden else columns(rows, seed))
