"""Parquet files that are damaged or of types that can't be trusted."""

import io
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consortia.errors import OperatorError
from tests.fixtures_catalogue import BOOL, CUSTOMER, DATE, INT, TEXT, TIMESTAMP, column
from tests.fixtures_catalogue import ColumnType as Type
from tests.world_data import Desk, catalogue_of, rows_of


def content_of(table: pa.Table, **options: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def refused_bytes(made: Desk, content: bytes) -> str:
    before = sorted(made.store.folder.rglob("*"))
    with pytest.raises(OperatorError) as caught:
        made.register("t.parquet", content)
    assert sorted(made.store.folder.rglob("*")) == before
    return caught.value.code


def rows_or_code(made: Desk, content: bytes) -> pl.DataFrame | str:
    """The rows, or the code of the error; whatever else is raised fails the test."""
    try:
        return rows_of(made.register("t.parquet", content))
    except OperatorError as error:
        return error.code


def test_a_file_that_is_cut_off_or_no_parquet_is_refused(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(column("x", INT, 0, 10**6)))
    whole = content_of(pa.table({"x": list(range(1000))}))
    for content in (b"", b"x\n1\n", whole[:100], whole[:-4], whole[4:], whole[: len(whole) // 2] + whole[-8:]):
        assert refused_bytes(made, content) == "data/parquet"


def test_a_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(column("x", INT, 0, 10**6)))
    whole = content_of(pa.table({"x": list(range(1000))}), write_page_checksum=True)
    expected = rows_of(made.register("t.parquet", whole))
    for place in range(4, len(whole) - 4, max(1, len(whole) // 60)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        found = rows_or_code(made, bytes(damaged))
        assert found.startswith("data/") if isinstance(found, str) else found.schema == expected.schema


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(column("a", INT, 0, 9)))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert refused_bytes(made, content_of(twice)) in ("data/parquet", "data/duplicate-column")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (INT, pa.array([1.0])),
        (INT, pa.array([True])),
        (INT, pa.array([b"1"])),
        (INT, pa.array([[1]])),
        (Type(kind="decimal", scale=2), pa.array([1.5], pa.float32())),
        (BOOL, pa.array([1])),
        (DATE, pa.array([1])),
        (DATE, pa.array([1], pa.timestamp("us"))),
        (TIMESTAMP, pa.array([1], pa.date32())),
        (TIMESTAMP, pa.array([1])),
        (CUSTOMER, pa.array([1])),
        (CUSTOMER, pa.array([b"1"])),
        (TEXT, pa.array([1])),
    ],
)
def test_a_column_of_another_type_is_refused(tmp_path: Path, kind: Type, values: pa.Array) -> None:
    bounds = (0, 9) if kind.kind in ("int", "decimal") else (None, None)
    made = Desk(tmp_path, catalogue_of(column("x", kind, *bounds)))
    assert refused_bytes(made, content_of(pa.table({"x": values}))) == "data/column-type"


def test_dictionaries_other_writers_and_groups_of_rows_are_read(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(column("x", INT, 0, 2**64), column("t", TEXT)))
    table = pa.table(
        {"x": pa.array([2**64 - 1, 1, 2], pa.uint64()), "t": pa.array(["a", "b", "a"]).dictionary_encode()}
    )
    frame = rows_of(made.register("t.parquet", content_of(table, row_group_size=1, compression="gzip")))
    assert [(int(x), t) for x, t in frame.rows()] == [(1, "b"), (2, "a"), (2**64 - 1, "a")]


def test_milliseconds_and_other_zones_are_instants(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(column("ts", TIMESTAMP)))
    for kind, value in ((pa.timestamp("ms", "UTC"), 5), (pa.timestamp("us", "Asia/Tehran"), 5000)):
        frame = rows_of(made.register("t.parquet", content_of(pa.table({"ts": pa.array([value], kind)}))))
        assert frame["ts"].cast(pl.Int64).to_list() == [5000]


def test_unsigned_and_small_decimals_scale_exactly(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(column("p", Type(kind="decimal", scale=3), 0, 10**30)))
    for values in (pa.array([7], pa.uint8()), pa.array([7], pa.decimal128(3, 1)), pa.array(["7.000"])):
        frame = rows_of(made.register("t.parquet", content_of(pa.table({"p": values}))))
        assert [int(value) for value in frame["p"]] == [7000]
