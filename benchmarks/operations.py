"""Every operation of the engine and of fixed-point numbers as a program of n rows (``costs`` says what for)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from consortia.protocols.engine import ColumnShape, Engine
from consortia.protocols.fixed import choose, divide, exponential, numbers, roots, sigmoid
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.relational.table import Ordering, SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic, Boolean, Rows, Wide

GROUP = 8
"""Rows of a group in the tables below."""
KEY_BITS = 64


@dataclass(frozen=True, slots=True)
class Operation:
    """``run`` uses an engine whose step path is its own; it makes its operands of public values, which is local."""

    room: str
    name: str
    what: str
    run: Callable[[Engine, int], object]


# --- operands -------------------------------------------------------------------------------------------


def number(engine: Engine, n: int, value: int = 1000) -> Arithmetic:
    """The same number in every row."""
    return engine.constant_arithmetic(np.full(n, value, np.uint64))


def planes(engine: Engine, n: int, bits: int) -> Boolean:
    """Row i holds i modulo 2^bits."""
    return engine.constant_boolean((np.arange(n, dtype=np.uint64) & np.uint64((1 << bits) - 1))[:, np.newaxis], bits)


def wide(engine: Engine, n: int, value: int = 1) -> Wide:
    """The same wide number in every row."""
    words = np.zeros((n, 2), np.uint64)
    words[:, 0] = value
    return engine.constant_wide(words)


def rows(engine: Engine, n: int) -> Rows:
    """A number and a key of 64 bits a row."""
    return Rows((number(engine, n),), (planes(engine, n, KEY_BITS),), ())


def table(engine: Engine, n: int, prefix: str = "") -> SharedTable:
    """k: keys of 64 bits, eight rows each; u: a key of its own for each row; o: 16 bits; a: a number below 2^20.

    Sorted by (k, o); the rows of one member are marked.
    """
    place = np.arange(n, dtype=np.uint64)

    def code(values: np.ndarray, bits: int) -> SharedColumn:
        return SharedColumn(engine.constant_boolean(values[:, np.newaxis], bits), 0, (1 << bits) - 1)

    valid = engine.constant_boolean(np.ones((n, 1), np.uint64), 1)
    columns = {
        "k": code(place // np.uint64(GROUP), KEY_BITS),
        "u": code(place, KEY_BITS),
        "o": code(place % np.uint64(GROUP), 16),
        "a": SharedColumn(number(engine, n), 0, (1 << 20) - 1),
    }
    named = {f"{prefix}{name}": column for name, column in columns.items()}
    return SharedTable(n, named, valid, {"alpha": valid}, (Ordering(f"{prefix}k"), Ordering(f"{prefix}o")))


def fixed(engine: Engine, n: int, bits: int, fraction: int = 20) -> Fixed:
    """Numbers of ``bits`` bits as carried."""
    return Fixed(number(engine, n), fraction, (1 << bits) - 1)


def groups_of(n: int) -> int:
    """Groups of the table above."""
    return -(-n // GROUP)


# --- operations -----------------------------------------------------------------------------------------


def engine_operations() -> Iterator[Operation]:
    """What an engine offers but orders."""

    def op(name: str, what: str, run: Callable[[Engine, int], object]) -> Operation:
        return Operation("Engine", name, what, run)

    number_shape, key_shape = [ColumnShape("arithmetic")], [ColumnShape("boolean", KEY_BITS)]

    def put_in(owner: str, shapes: list[ColumnShape]) -> Callable[[Engine, int], object]:
        def run(engine: Engine, n: int) -> object:
            computes = not hasattr(engine, "ctx") or engine.ctx.member == owner
            values = [np.zeros(n if shape.domain == "arithmetic" else (n, 1), np.uint64) for shape in shapes]
            return engine.input(owner, n, shapes, values if computes else None)

        return run

    yield op("input", "a column of numbers of a computer", put_in("alpha", number_shape))
    yield op("input", "a column of 64-bit keys of a computer", put_in("beta", key_shape))
    yield op("multiply", "", lambda e, n: e.multiply(number(e, n), number(e, n)))
    yield op("inner_product", "of n rows, one result", lambda e, n: e.inner_product(number(e, n), number(e, n)))
    yield op(
        "matrix_product",
        "(n, 16) by (16, 4): 4 n results",
        lambda e, n: e.matrix_product(number(e, 16 * n), number(e, 64), n, 16, 4),
    )
    yield op("conjunction", "1 bit", lambda e, n: e.conjunction(planes(e, n, 1), planes(e, n, 1)))
    yield op("conjunction", "64 bits", lambda e, n: e.conjunction(planes(e, n, 64), planes(e, n, 64)))
    yield op("bit_to_arithmetic", "", lambda e, n: e.bit_to_arithmetic(planes(e, n, 1)))
    yield op("bit_to_wide", "", lambda e, n: e.bit_to_wide(planes(e, n, 1)))
    yield op("widened", "", lambda e, n: e.widened(number(e, n), 40))
    yield op("multiply_wide", "", lambda e, n: e.multiply_wide(wide(e, n), wide(e, n)))
    for exact in (False, True):
        said = "exact, " if exact else ""
        yield op(
            "multiply_truncate",
            f"{said}20 fraction bits",
            lambda e, n, exact=exact: e.multiply_truncate(number(e, n), number(e, n), 20, exact=exact),  # type: ignore[misc]  # bound now
        )
        yield op(
            "truncate",
            f"{said}20 fraction bits",
            lambda e, n, exact=exact: e.truncate(number(e, n), 20, exact=exact),  # type: ignore[misc]  # bound now
        )
    yield op(
        "matrix_product_truncate",
        "(n, 16) by (16, 4), 20 fraction bits",
        lambda e, n: e.matrix_product_truncate(number(e, 16 * n, 3), number(e, 64, 3), n, 16, 4, 20),
    )
    yield op("decompose", "64 bits", lambda e, n: e.decompose(number(e, n), 64))
    yield op("decompose", "34 bits", lambda e, n: e.decompose(number(e, n), 34))
    yield op("compose", "34 planes", lambda e, n: e.compose(planes(e, n, 34)))
    yield op("filled", "64 planes", lambda e, n: e.filled(planes(e, n, 64)))
    yield op("negative", "64 bits", lambda e, n: e.negative(number(e, n), 64))
    yield op("negative", "34 bits", lambda e, n: e.negative(number(e, n), 34))
    yield op("zero", "64 bits", lambda e, n: e.zero(number(e, n), 64))
    yield op("less_than", "64 bits", lambda e, n: e.less_than(planes(e, n, 64), planes(e, n, 64)))
    yield op("less_than", "34 bits", lambda e, n: e.less_than(planes(e, n, 34), planes(e, n, 34)))
    yield op("equal", "64 bits", lambda e, n: e.equal(planes(e, n, 64), planes(e, n, 64)))
    yield op("open_flag", "one bit, whatever n", lambda e, _: e.open_flag(planes(e, 1, 1), "whether rows are left"))


def order_operations() -> Iterator[Operation]:
    """Shuffles, partitions and sorts."""

    def op(name: str, what: str, run: Callable[[Engine, int], object]) -> Operation:
        return Operation("Order", name, what, run)

    yield op("shuffle", "a number and 64 bits a row", lambda e, n: e.shuffle(rows(e, n)))
    yield op("permutation", "drawn by each computer for itself", lambda e, n: e.permutation(n))
    for name in ("permuted", "put_back"):
        yield op(
            name,
            "a number and 64 bits a row",
            lambda e, n, name=name: getattr(e, name)(e.narrow("order").permutation(n), rows(e, n)),  # type: ignore[misc]  # bound now
        )
    for name in ("partition", "partition_keeping"):
        yield op(
            name,
            "a number and 64 bits a row",
            lambda e, n, name=name: getattr(e, name)(planes(e, n, 1), rows(e, n)),  # type: ignore[misc]  # bound now
        )
    for name in ("sort", "sort_keeping"):
        for bits in (64, 16):
            yield op(
                name,
                f"keys of {bits} bits, a number and 64 bits a row",
                lambda e, n, name=name, bits=bits: getattr(e, name)(planes(e, n, bits), rows(e, n)),  # type: ignore[misc]  # bound now
            )


def function_operations() -> Iterator[Operation]:
    """Functions of fixed-point numbers."""

    def op(name: str, what: str, run: Callable[[Engine, int], object]) -> Operation:
        return Operation("Fixed-point functions", name, what, run)

    yield op("multiply", "20 fraction bits", lambda e, n: numbers.multiply(e, fixed(e, n, 30), fixed(e, n, 30), 20))
    yield op("multiply", "exact", lambda e, n: numbers.multiply(e, fixed(e, n, 30), fixed(e, n, 30), 20, exact=True))
    yield op("with_fraction", "20 bits fewer", lambda e, n: numbers.with_fraction(e, fixed(e, n, 50, 40), 20))
    yield op("polynomial", "of degree 3", lambda e, n: numbers.polynomial(e, fixed(e, n, 20), (1.0, 0.5, 0.25, 0.125)))
    yield op("divide", "40 bits by 20 bits", lambda e, n: divide.divide(e, fixed(e, n, 40), fixed(e, n, 20), 20))
    yield op(
        "divide_integers", "60 bits by 20 bits",
        lambda e, n: divide.divide_integers(e, fixed(e, n, 60, 0), fixed(e, n, 20, 0)),
    )  # fmt: skip
    yield op("reciprocal", "of 40 bits", lambda e, n: divide.reciprocal(e, fixed(e, n, 40), 20))
    yield op("square_root", "of 40 bits", lambda e, n: roots.square_root(e, fixed(e, n, 40), 20))
    yield op(
        "exponential", "-30 to 6", lambda e, n: exponential.exponential(e, Fixed(number(e, n, 0), 20, 30 << 20), 20, 6)
    )
    yield op("logarithm", "of 40 bits", lambda e, n: exponential.logarithm(e, fixed(e, n, 40), 20))
    yield op("power", "exponent 3", lambda e, n: exponential.power(e, fixed(e, n, 25), 3))
    yield op("negative_power", "exponent 2", lambda e, n: exponential.negative_power(e, fixed(e, n, 25), 2, 20))
    yield op("sigmoid", "|x| up to 1000", lambda e, n: sigmoid.sigmoid(e, Fixed(number(e, n), 20, 1000 << 20)))
    yield op(
        "sigmoid_polynomial",
        "|x| up to 8",
        lambda e, n: sigmoid.sigmoid_polynomial(e, Fixed(number(e, n), 20, 8 << 20)),
    )
    yield op("less", "41 bits", lambda e, n: choose.less(e, fixed(e, n, 40), fixed(e, n, 40)))
    yield op("select", "", lambda e, n: choose.select(e, planes(e, n, 1), fixed(e, n, 40), fixed(e, n, 40)))
    yield op("absolute", "41 bits", lambda e, n: choose.absolute(e, fixed(e, n, 40)))
    yield op("clipped", "41 bits", lambda e, n: choose.clipped(e, fixed(e, n, 40), fixed(e, n, 40)))
    yield op("floor", "20 bits off", lambda e, n: choose.floor(e, fixed(e, n, 40), 0))
    yield op("rounded", "20 bits off", lambda e, n: choose.rounded(e, fixed(e, n, 40), 0))
