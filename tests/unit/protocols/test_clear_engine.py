"""The clear engine refuses what another engine would turn into garbage."""

from collections.abc import Callable

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.protocols.clear.engine import ClearEngine, value_words
from consortia.protocols.counting import CountingEngine
from consortia.protocols.engine import ColumnShape
from consortia.protocols.shares import Rows

NUMBERS = np.array([3, 1, 2, 1 << 63], np.uint64)
CODES = np.array([[3], [1], [2], [1]], np.uint64)
ENGINES = {
    "clear": ClearEngine,
    "counting": lambda: CountingEngine(("alpha", "beta", "gamma")),
}


def arithmetic(engine, values=NUMBERS):
    return engine.constant_arithmetic(values)


def boolean(engine, bits=2, values=CODES):
    return engine.constant_boolean(values, bits)


BY_ALL: dict[str, Callable] = {
    "a step used twice": lambda e: [e.narrow("x").bit_to_arithmetic(boolean(e, 1, CODES % 2)) for _ in range(2)],
    "values of different width": lambda e: e.equal(boolean(e, 2), boolean(e, 3)),
    "less than of different width": lambda e: e.less_than(boolean(e, 2), boolean(e, 3)),
    "planes of different width": lambda e: e.conjunction(boolean(e, 2), boolean(e, 3)),
    "vectors of different length": lambda e: e.multiply(arithmetic(e), arithmetic(e, NUMBERS[:2])),
    "a sum of different lengths": lambda e: arithmetic(e) + arithmetic(e, NUMBERS[:2]),
    "rows that are not there": lambda e: arithmetic(e).rows(2, 5),
    "planes that are not there": lambda e: boolean(e).planes(1, 3),
}


@pytest.mark.parametrize("name", BY_ALL)
@pytest.mark.parametrize("kind", ENGINES)
def test_misuse_is_an_internal_error(name: str, kind: str) -> None:
    with pytest.raises(InternalError):
        BY_ALL[name](ENGINES[kind]())


BY_VALUE: dict[str, Callable] = {
    "a sign of too few bits": lambda e: e.negative(arithmetic(e, NUMBERS[:1]), 2),
    "zero of too few bits": lambda e: e.zero(arithmetic(e, NUMBERS[:1]), 2),
    "widened from too few bits": lambda e: e.widened(arithmetic(e, NUMBERS[:1]), 2),
    "widened from 64 bits": lambda e: e.widened(arithmetic(e, NUMBERS[:1]), 64),
    "a code beyond its width": lambda e: boolean(e, 1),
    "several planes as a bit": lambda e: e.bit_to_arithmetic(boolean(e)),
    "input without values": lambda e: e.input("alpha", 4, [ColumnShape("arithmetic")], None),
    "input of another shape": lambda e: e.input("alpha", 4, [ColumnShape("wide")], [NUMBERS]),
}


@pytest.mark.parametrize("name", BY_VALUE)
def test_a_precondition_that_does_not_hold_is_an_internal_error(name: str) -> None:
    with pytest.raises(InternalError):
        BY_VALUE[name](ClearEngine())


def test_a_sort_is_stable_and_a_partition_keeps_order_on_both_sides() -> None:
    engine = ClearEngine()
    places = arithmetic(engine, np.arange(4, dtype=np.uint64))
    rows = engine.narrow("sort").sort(boolean(engine), Rows(arithmetic=(places,)))
    assert value_words(rows.arithmetic[0]).tolist() == [1, 3, 2, 0]
    bit = boolean(engine, 1, np.array([[0], [1], [0], [1]], np.uint64))
    rows = engine.narrow("partition").partition(bit, Rows(arithmetic=(places,)))
    assert value_words(rows.arithmetic[0]).tolist() == [1, 3, 0, 2]


def test_signed_values_keep_their_sign_when_widened() -> None:
    engine = ClearEngine()
    wide = engine.widened(arithmetic(engine, np.array([-5, 7], np.int64).view(np.uint64)), 8)
    assert value_words(wide).tolist() == [[2**64 - 5, 2**64 - 1], [7, 0]]


def test_nothing_can_be_opened_on_shapes() -> None:
    engine = CountingEngine(("alpha", "beta", "gamma"))
    with pytest.raises(InternalError, match="protocol/counting"):
        engine.part(arithmetic(engine))
    with pytest.raises(InternalError, match="protocol/counting"):
        engine.narrow("open").open_to_computer(0, arithmetic(engine))
