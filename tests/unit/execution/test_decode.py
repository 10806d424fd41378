"""What a recipient makes of three parts: exact types, its own steps, a total order, suppressed cells."""

import random
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from consortia.errors import ProtocolAbort
from consortia.execution.decode import decode
from consortia.execution.encode import encode
from consortia.execution.layout import shapes_of
from consortia.execution.parts import part_bytes
from consortia.plans.columns import Column
from consortia.plans.expressions import Call, Expr, Ref
from consortia.plans.model import Control, Named, Plan, Project, Recipient, Release, Share, Sort, SortKey
from consortia.plans.types import Bounds, ColumnType
from tests.shared_plans import BIT, COUNTRY, CUSTOMER, NUMBER, Row, code, frame_of, number

ROWS = 8


def plan(
    columns: tuple[Column, ...],
    outputs: tuple[tuple[Column, Expr], ...] = (),
    order: tuple[SortKey, ...] = (),
    complete: tuple[str, ...] | None = None,
) -> Plan:
    shown = outputs or tuple((column, Ref(column=column.name)) for column in columns)
    final = tuple(column for column, _ in shown)
    after = {"at": "recipient", "rows": ROWS, "columns": final}
    return Plan(
        catalogue="0" * 64,
        manifest="0" * 64,
        purpose="statistics",
        as_of=datetime(2026, 11, 25, tzinfo=UTC),
        submitter="ana@alpha",
        computers=("alpha", "beta", "gamma"),
        complete_domain=complete,
        steps=(
            Control(id="s0", inputs=(), at="shared", rows=ROWS, columns=columns, rules=()),
            Release(
                id="s1", inputs=("s0",), at="shared", rows=ROWS, columns=columns, rows_of="all",
                recipients=(Recipient(member="alpha", person="ana@alpha"),), output_kind="aggregate",
            ),
            Project(
                id="s2", inputs=("s1",), expressions=tuple(Named(name=c.name, expression=e) for c, e in shown), **after
            ),
            Sort(id="s3", inputs=("s2",), keys=order, **after),
        ),
    )  # fmt: skip


def parts_of(columns: tuple[Column, ...], rows: list[Row]) -> list[bytes]:
    """Three random parts of these rows: ring sums, or exclusive ors."""
    share = Share(id="s0", inputs=(), at="owner:alpha", rows=ROWS, columns=columns, owner="alpha")
    draw = np.random.default_rng(3)
    shapes, clear = shapes_of(columns), encode(share, frame_of(columns, rows))
    parts: list[list[np.ndarray]] = [[], [], []]
    for shape, value in zip(shapes, clear, strict=True):
        one, two = (draw.integers(0, 1 << 64, value.shape, np.uint64) for _ in range(2))
        match shape.domain:
            case "boolean":
                three = value ^ one ^ two
            case "arithmetic":
                three = value - one - two
            case _:
                numbers = [sum(int(word) << (64 * i) for i, word in enumerate(row)) for row in (*value, *one, *two)]
                rest = [(numbers[i] - numbers[i + ROWS] - numbers[i + 2 * ROWS]) % (1 << 128) for i in range(ROWS)]
                three = np.array([[n & ((1 << 64) - 1), n >> 64] for n in rest], np.uint64)
        for part, array in zip(parts, (one, two, three), strict=True):
            part.append(array)
    return [part_bytes(shapes, ROWS, part) for part in parts]


def test_every_type_comes_back_exactly_and_without_floating_point() -> None:
    columns = (
        code("k", CUSTOMER),
        code("e", COUNTRY, nullable=True),
        code("b", BIT),
        number("i", -(1 << 61), 1 << 61),
        number("w", -(10**30), 10**30, domain="wide", nullable=True),
        number("d", -(10**9), 10**9, scale=2),
        Column(
            name="day", type=ColumnType(kind="date"), bounds=Bounds(lo=-9, hi=30_000), domain="boolean", nullable=True
        ),
        Column(name="ts", type=ColumnType(kind="timestamp"), bounds=Bounds(lo=0, hi=1 << 61), domain="arithmetic"),
    )
    rows: list[Row] = [
        {"k": 7, "e": 2, "b": 1, "i": -(1 << 61), "w": -(10**30), "d": -5, "day": -9, "ts": 1},
        {"k": 1 << 95, "e": None, "b": 0, "i": 1 << 61, "w": None, "d": 90, "day": None, "ts": 0},
    ]
    made = decode(plan(columns), "s1", parts_of(columns, rows))
    assert made.schema == {
        "k": pl.Binary(), "e": pl.String(), "b": pl.Boolean(), "i": pl.Int64(), "w": pl.Decimal(38, 0),
        "d": pl.Decimal(38, 2), "day": pl.Date(), "ts": pl.Datetime("us", "UTC"),
    }  # fmt: skip
    assert made.rows() == [
        (
            (7).to_bytes(12, "big"), "NL", True, -(1 << 61), Decimal(-(10**30)), Decimal("-0.05"),
            date(1969, 12, 23), datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        ),
        (
            (1 << 95).to_bytes(12, "big"), None, False, 1 << 61, None, Decimal("0.90"), None,
            datetime(1970, 1, 1, tzinfo=UTC),
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("total", "count", "mean"),
    [
        (90, 3, "30.000000"),
        (1, 3, "0.333333"),
        (2, 3, "0.666667"),
        (-1, 2_000_000, "-0.000001"),
        (1, 2_000_000, "0.000001"),
        (None, 0, None),
        (9 * 10**15 * 30_000, 30_000, "9000000000000000.000000"),
    ],
)
def test_avg_is_exact_with_six_more_places_rounded_half_away_from_zero(total, count, mean) -> None:
    columns = (number("s", -(10**22), 10**22, domain="wide", nullable=True), number("n", 0, 10**7))
    average = Column(name="mean", type=ColumnType(kind="decimal", scale=6), nullable=True)
    quotient = Call(op="divide", args=(Ref(column="s"), Ref(column="n")), type=average.type)
    made = decode(plan(columns, ((average, quotient),)), "s1", parts_of(columns, [{"s": total, "n": count}]))
    assert made["mean"].to_list() == [None if mean is None else Decimal(mean)]
    assert made["mean"].dtype == pl.Decimal(38, 6)


COUNTED = (code("country", COUNTRY, nullable=True), number("n", 0, 100))


def test_rows_follow_order_by_then_all_columns_with_null_last_when_ascending() -> None:
    rows: list[Row] = [{"country": c, "n": n} for c, n in [(None, 5), (1, 5), (0, 7), (0, 5), (2, 1)]]
    random.Random(1).shuffle(rows)
    made = decode(plan(COUNTED, order=(SortKey(column="n"),)), "s1", parts_of(COUNTED, rows))
    assert made.rows() == [("NL", 1), ("DE", 5), ("FR", 5), (None, 5), ("DE", 7)]
    made = decode(plan(COUNTED, order=(SortKey(column="country", descending=True),)), "s1", parts_of(COUNTED, rows))
    assert made.rows() == [(None, 5), ("NL", 1), ("FR", 5), ("DE", 5), ("DE", 7)]


def test_cells_of_a_public_domain_that_were_not_released_are_marked_suppressed() -> None:
    doubled = Call(op="add", args=(Ref(column="n"), Ref(column="n")), type=NUMBER)
    outputs = (
        (COUNTED[0].model_copy(update={"name": "c"}), Ref(column="country")),
        (number("twice", 0, 200, nullable=True), doubled),
        (
            number("filled", 0, 200),
            Call(op="coalesce", args=(Ref(column="n"), Ref(column="n")), type=NUMBER),
        ),
    )
    made = decode(
        plan(COUNTED, outputs, (SortKey(column="c"),), complete=("country",)),
        "s1",
        parts_of(COUNTED, [{"country": 1, "n": 4}]),
    )
    assert made.columns == ["c", "twice", "filled", "suppressed"]
    assert made.rows() == [
        ("DE", None, None, True),
        ("FR", 8, 4, False),
        ("NL", None, None, True),
        (None, None, None, True),
    ]


def test_the_one_cell_of_a_query_without_keys_can_be_suppressed() -> None:
    columns = (number("n", 0, 100),)
    assert decode(plan(columns, complete=()), "s1", parts_of(columns, [])).rows() == [(None, True)]
    assert decode(plan(columns, complete=()), "s1", parts_of(columns, [{"n": 3}])).rows() == [(3, False)]
    assert decode(plan(columns), "s1", parts_of(columns, [])).rows() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda part: part[:-1],
        lambda part: part + b"\0",
        lambda part: b"CPT2" + part[4:],
        lambda part: b"",
        lambda part: part[:5] + b"\7" + part[6:],
    ],
)
def test_a_malformed_part_is_refused(damage) -> None:
    parts = parts_of(COUNTED, [{"country": 1, "n": 4}])
    with pytest.raises(ProtocolAbort, match="execution/part"):
        decode(plan(COUNTED), "s1", [parts[0], damage(parts[1]), parts[2]])


def test_an_opened_value_outside_the_proved_bounds_is_refused() -> None:
    parts = parts_of(COUNTED, [{"country": 1, "n": 4}])
    changed = bytearray(parts[2])
    changed[-8 * ROWS + 3] ^= 0x40  # in the first count
    with pytest.raises(ProtocolAbort, match="execution/result"):
        decode(plan(COUNTED), "s1", [parts[0], parts[1], bytes(changed)])
