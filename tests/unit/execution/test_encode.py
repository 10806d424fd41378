"""Frames become shares exactly, or are refused naming column and row."""

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from consortia.errors import InternalError, OperatorError
from consortia.execution.encode import encode
from consortia.execution.layout import shapes_of
from consortia.plans.columns import Column
from consortia.plans.model import Share
from consortia.plans.types import Bounds, ColumnType
from tests.shared_plans import BIT, COUNTRY, CUSTOMER, code, number

DAY = ColumnType(kind="date")
MOMENT = ColumnType(kind="timestamp")


def share(*columns: Column, rows: int = 4) -> Share:
    return Share(id="s0", inputs=(), at="owner:alpha", rows=rows, columns=columns, owner="alpha")


def bounded(name: str, kind: ColumnType, lo: int, hi: int, domain: str) -> Column:
    return Column.model_validate({"name": name, "type": kind, "bounds": Bounds(lo=lo, hi=hi), "domain": domain})


def frame(name: str, values: list, dtype) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(values, dtype=dtype)})


def test_rows_beyond_the_frame_are_invalid_and_zero() -> None:
    step = share(number("x", 1, 9, nullable=True))
    valid, values, validity = encode(step, frame("x", [5, None, 7], pl.Int64))
    assert valid[:, 0].tolist() == [1, 1, 1, 0]
    assert values.tolist() == [5, 0, 7, 0]
    assert validity[:, 0].tolist() == [1, 0, 1, 0]


def test_an_empty_frame_is_all_padding() -> None:
    for array in encode(share(code("k", CUSTOMER), number("x", 1, 9)), pl.DataFrame(
        {"k": pl.Series([], dtype=pl.Binary), "x": pl.Series([], dtype=pl.Int64)}
    )):  # fmt: skip
        assert array.shape[0] == 4
        assert not array.any()


def test_an_arithmetic_value_is_its_twos_complement() -> None:
    _, values = encode(share(number("x", -(1 << 61), 1 << 61)), frame("x", [-1, -(1 << 61), 1 << 61, 0], pl.Int64))
    assert values.view(np.int64).tolist() == [-1, -(1 << 61), 1 << 61, 0]


def test_a_boolean_value_is_its_distance_from_the_lower_bound() -> None:
    column = bounded("x", ColumnType(kind="int"), -100, 27, "boolean")
    assert shapes_of((column,))[1].bits == 7
    _, values = encode(share(column), frame("x", [-100, 0, 27], pl.Int64))
    assert values[:, 0].tolist() == [0, 100, 127, 0]


def test_bounds_at_the_ends_of_64_bits_are_exact() -> None:
    column = bounded("x", ColumnType(kind="int"), -(1 << 63), (1 << 63) - 1, "boolean")
    _, values = encode(share(column), frame("x", [-(1 << 63), (1 << 63) - 1, -1, 0], pl.Int64))
    assert values[:, 0].tolist() == [0, (1 << 64) - 1, (1 << 63) - 1, 1 << 63]


@pytest.mark.parametrize("value", [-1, 10**23, -(10**23), 1 << 64, -(1 << 64) - 1])
def test_a_wide_value_is_two_words_of_its_twos_complement(value: int) -> None:
    column = number("x", -(10**23), 10**23, domain="wide")
    _, words = encode(share(column), frame("x", [Decimal(value)], pl.Decimal(38, 0)))
    assert int(words[0, 0]) | int(words[0, 1]) << 64 == value % (1 << 128)


def test_a_wide_column_of_small_bounds_is_carried_in_64_bits() -> None:
    _, words = encode(share(number("x", -5, 5, domain="wide")), frame("x", [-5, 5], pl.Int64))
    assert [int(low) | int(high) << 64 for low, high in words[:2]] == [(1 << 128) - 5, 5]


def test_a_key_is_its_bytes_as_a_big_endian_number() -> None:
    _, words = encode(share(code("k", CUSTOMER)), frame("k", [bytes(range(12))], pl.Binary))
    assert int(words[0, 0]) | int(words[0, 1]) << 64 == int.from_bytes(bytes(range(12)), "big")


def test_enum_bool_date_and_timestamp_are_their_carried_integers() -> None:
    columns = (
        code("e", COUNTRY),
        code("b", BIT),
        bounded("d", DAY, -10, 20_000, "boolean"),
        bounded("t", MOMENT, 0, 1 << 62, "arithmetic"),
    )
    table = pl.DataFrame(
        {
            "e": ["NL", "DE"],
            "b": [True, False],
            "d": [date(1970, 1, 1), date(1969, 12, 31)],
            "t": pl.Series([datetime(1970, 1, 1, 0, 0, 0, 7), datetime(2026, 1, 1)], dtype=pl.Datetime("us")),
        }
    )
    _, enum, bit, day, moment = encode(share(*columns), table)
    assert enum[:2, 0].tolist() == [2, 0]
    assert bit[:2, 0].tolist() == [1, 0]
    assert day[:2, 0].tolist() == [10, 9]
    assert moment[:2].tolist() == [7, 1_767_225_600_000_000]


def test_more_rows_than_the_plan_holds_are_refused() -> None:
    with pytest.raises(OperatorError, match="execution/too-many-rows"):
        encode(share(number("x", 0, 9), rows=2), frame("x", [1, 2, 3], pl.Int64))


@pytest.mark.parametrize(
    ("column", "table"),
    [
        (number("x", 0, 127, nullable=True), frame("x", [1, None, 300], pl.Int64)),
        (number("x", 0, 127, nullable=True), frame("x", [1, None, -1], pl.Int64)),
        (
            number("x", 0, 1 << 70, domain="wide", nullable=True),
            frame("x", [Decimal(1), None, Decimal(1 << 71)], pl.Decimal(38, 0)),
        ),
        (code("x", COUNTRY, nullable=True), frame("x", ["NL", None, "nl"], pl.String)),
        (code("x", CUSTOMER, nullable=True), frame("x", [bytes(12), None, bytes(11)], pl.Binary)),
    ],
)
def test_a_value_outside_its_declaration_is_refused_naming_column_and_row(column: Column, table: pl.DataFrame) -> None:
    with pytest.raises(OperatorError, match=r"row 3 .*`x`") as caught:
        encode(share(column), table)
    assert caught.value.code == "execution/out-of-bounds"


def test_null_where_none_is_declared_is_refused_naming_the_row() -> None:
    with pytest.raises(OperatorError, match="row 2"):
        encode(share(number("x", 0, 9)), frame("x", [1, None, None], pl.Int64))


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Int32, pl.Decimal(10, 2), pl.String])
def test_another_physical_type_is_never_converted(dtype) -> None:
    with pytest.raises(InternalError, match="execution/frame"):
        encode(share(number("x", 0, 9)), pl.DataFrame({"x": pl.Series([1], dtype=pl.Int64).cast(dtype)}))


def test_other_columns_than_the_plans_are_refused() -> None:
    with pytest.raises(InternalError, match="execution/frame"):
        encode(share(number("x", 0, 9)), frame("y", [1], pl.Int64))
