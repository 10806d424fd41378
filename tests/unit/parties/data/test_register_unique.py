"""``unique`` in the schema file: a value that stands twice is refused with its place, and only where it is declared."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import OperatorError
from consortia.parties.data.register import _repeated
from consortia.parties.data.schema import parse_schema
from tests.fixtures_catalogue import CUSTOMER, INT, TEXT, column
from tests.world_data import Desk, catalogue_of

UNIQUE = "{from: k, unique: yes}"


def desk(folder: Path) -> Desk:
    return Desk(folder, catalogue_of(column("k", CUSTOMER, nullable=True), column("x", INT, 0, 9)))


def test_a_value_that_stands_again_is_refused_at_its_second_place(tmp_path: Path) -> None:
    made = desk(tmp_path)
    error = made.refused("k,x\n007,1\n8,2\n007,3\n8,4\n", k=UNIQUE)
    assert (error.code, error.place) == ("data/duplicate", "t.csv, line 4, column `k`")
    assert "1 more faulty value" in error.message
    assert "007" not in f"{error.message}{error.remedy}"
    twice = pl.DataFrame({"k": ["1", "1"], "x": [1, 1]})
    assert made.refused(twice, k=UNIQUE).place == "t.parquet, row 2, column `k`"


def test_what_is_written_in_two_ways_and_means_one_value_stands_twice(tmp_path: Path) -> None:
    made = Desk(tmp_path, catalogue_of(column("k", TEXT), column("x", INT, 0, 9)))
    assert made.refused("k,x\né,1\ne\u0301,2\n", k=UNIQUE).code == "data/duplicate"
    assert desk(tmp_path).refused("k,x\n 1,1\n1 ,2\n", k="{from: k, unique: yes, trim: yes}").code == "data/duplicate"


def test_different_values_and_nulls_pass_and_without_the_word_everything_does(tmp_path: Path) -> None:
    made = desk(tmp_path)
    assert made.csv("k,x\n007,1\n7,1\n,1\n,1\n", k=UNIQUE).height == 4
    assert made.csv("k,x\n007,1\n007,1\n").height == 2


def test_another_word_than_yes_or_no_is_refused() -> None:
    with pytest.raises(OperatorError) as found:
        parse_schema(
            b"type: consortia/schema/v1\ntable: t\nformat: csv\ncolumns:\n  k: {from: k, unique: maybe}\n", "f"
        )
    assert found.value.code == "data/schema"


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 5), st.sampled_from(["", "0", "a"])), max_size=12))
def test_as_many_faults_are_told_as_rows_hold_an_earlier_value(values: list[int | str | None]) -> None:
    class Bound:
        name = "k"

        class source:  # noqa: N801 - the shape of a bound column
            unique = "yes"

    found = _repeated(Bound, values)  # type: ignore[arg-type]
    known = [value for value in values if value is not None]
    assert sum(fault.count for fault in found) == len(known) - len(set(known))
    for fault in found:
        assert values[fault.row] in values[: fault.row]
        before = [value for value in values[: fault.row] if value is not None]
        assert len(before) == len(set(before))
