"""CSV after RFC 4180, strictly."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import OperatorError
from consortia.parties.data.csv_records import Quoted, decode, records


def fields(text: str) -> list[list[str]]:
    return [list(record.fields) for record in records(text, "t.csv")]


def read_or_none(text: str) -> list[list[str]] | None:
    try:
        return fields(text)
    except OperatorError:
        return None


def refused(text: str) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        fields(text)
    assert caught.value.code == "data/csv"
    return caught.value


def test_quoted_commas_and_doubled_quotes_are_of_the_field() -> None:
    text = '"uid","name"\n7,"12 High St, ""Unit 3"""\n'
    assert fields(text) == [["uid", "name"], ["7", '12 High St, "Unit 3"']]


def test_a_line_break_in_quotes_is_of_the_field_and_lines_are_still_counted() -> None:
    found = list(records('a,b\n1,"x\r\ny"\n2,z\n', "t.csv"))
    assert [record.line for record in found] == [1, 2, 4]
    assert found[1].fields == ["1", "x\r\ny"]


def test_lines_end_with_lf_or_crlf_and_the_last_may_lack_its_end() -> None:
    assert fields("a,b\r\n1,2\n3,4") == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_other_characters_that_some_programs_take_for_line_breaks_are_text() -> None:
    assert fields("a\n\x0b\x0c\x85\u2028\n") == [["a"], ["\x0b\x0c\x85\u2028"]]


def test_an_empty_field_and_an_empty_text_differ() -> None:
    plain, quoted = fields('a,b\n,""\n')[1]
    assert not isinstance(plain, Quoted)
    assert isinstance(quoted, Quoted)


def test_a_quote_inside_an_unquoted_field_is_refused() -> None:
    error = refused('a,b\n1,2\n3,x"y\n')
    assert error.place == "t.csv, line 3"
    assert "field 2" in error.message


def test_text_behind_a_closing_quote_is_refused() -> None:
    error = refused('a,b\n"1"x,2\n')
    assert error.place == "t.csv, line 2"
    assert "follows the closing quote of field 1" in error.message


def test_a_quote_that_is_never_closed_is_named_where_it_opens() -> None:
    error = refused('a,b\n1,2\n3,"4\n5,6\n')
    assert error.place == "t.csv, line 3"
    assert "never closed" in error.message


def test_a_lone_carriage_return_is_refused() -> None:
    assert refused("a,b\n1,2\r3,4\n").place == "t.csv, line 2"
    assert refused('a,b\n"1"\r,2\n').place == "t.csv, line 2"


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert decode(b"\xef\xbb\xbfuid,name\n", "t.csv") == "uid,name\n"


def test_windows_1252_is_refused_with_offset_and_line() -> None:
    with pytest.raises(OperatorError) as caught:
        decode(b"name\nM\xfcller\n", "t.csv")
    assert caught.value.code == "data/encoding"
    assert "0xfc at offset 6" in caught.value.message
    assert caught.value.place == "t.csv, line 2"


def test_the_offset_counts_the_byte_order_mark() -> None:
    with pytest.raises(OperatorError) as caught:
        decode(b"\xef\xbb\xbfa\n\xfc\n", "t.csv")
    assert "offset 5" in caught.value.message


def test_utf_16_is_refused() -> None:
    with pytest.raises(OperatorError) as caught:
        decode("a\n".encode("utf-16-be"), "t.csv")
    assert caught.value.code == "data/encoding"


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=4), min_size=1
    ),
    st.booleans(),
)
def test_whatever_a_strict_writer_writes_is_read_as_it_was(rows: list[list[str]], quote_all: bool) -> None:
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    csv.writer(out, quoting=quoting, lineterminator="\r\n").writerows(rows)
    assert fields(decode(out.getvalue().encode(), "t.csv")) == rows


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text('",\nab', max_size=12))
def test_any_text_is_either_read_with_nothing_lost_or_refused(text: str) -> None:
    found = read_or_none(text)
    if found is None:
        return
    written = "\n".join(
        ",".join('"' + field.replace('"', '""') + '"' if isinstance(field, Quoted) else field for field in row)
        for row in found
    )
    assert text in (written, written + "\n")


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text(",\r\na", max_size=10))
def test_a_carriage_return_is_read_before_a_line_feed_only(text: str) -> None:
    if "\r" in text.replace("\r\n", "\n"):
        assert refused(text)
    else:
        assert len(fields(text)) == text.count("\n") + (not text.endswith("\n") and text != "")
