"""Policies are read strictly: what YAML would guess is refused, with the line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.errors import RequestError
from consortia.policies.language.reader import DEEPEST, LARGEST_FILE, read_yaml

GOOD = "a: 1\nb:\n  - x\n  - 'two words'\nc: {d: off, e: 2026-11-01}\n"


def refused(text: str | bytes) -> RequestError:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(RequestError) as caught:
        read_yaml(data)
    assert caught.value.code == "policies/syntax"
    return caught.value


def test_plain_scalars_are_decimal_integers_or_text_and_every_value_has_its_line() -> None:
    source = read_yaml(GOOD.encode())
    assert source.tree == {"a": 1, "b": ["x", "two words"], "c": {"d": "off", "e": "2026-11-01"}}
    assert (source.entry(("b", 1)), source.value(("b", 1))) == ((4, 5), (4, 5))
    assert (source.entry(("c", "e")), source.value(("c", "e"))) == ((5, 13), (5, 16))
    assert source.entry(("c", "unknown", "deeper")) == source.value(("c", "unknown")) == (5, 1)


@pytest.mark.parametrize("word", ["off", "on", "yes", "no", "true", "n"])
def test_words_that_yaml_reads_as_truth_or_numbers_stay_words(word: str) -> None:
    assert read_yaml(f"a: {word}".encode()).tree == {"a": word}


@pytest.mark.parametrize(
    "number",
    [
        "1.5",
        "1e3",
        ".5",
        "nan",
        "NaN",
        ".nan",
        "inf",
        "-.inf",
        "0x10",
        "0o7",
        "1_000",
        "010",
        "+1",
        "1.",
        "1:30",
        "01.11.2026",
    ],
)
def test_numbers_that_are_not_plain_decimal_integers_are_refused(number: str) -> None:
    error = refused(f"x: 1\na: {number}")
    assert error.place == "line 2, column 4"
    assert f"`{number}`" in error.message


@pytest.mark.parametrize("text", ["2026-11-01", "1/100", "0" * 64, "7e3" + "0" * 61, "bank-a", "2026-014", "v1.2"])
def test_dates_ratios_digests_and_names_are_text(text: str) -> None:
    assert read_yaml(f"a: {text}".encode()).tree == {"a": text}


@pytest.mark.parametrize("number", ["1.5", "nan", "010"])
def test_in_quotes_anything_is_text(number: str) -> None:
    assert read_yaml(f"a: '{number}'".encode()).tree == {"a": number}


@pytest.mark.parametrize("empty", ["a:", "a: ~", "a: null", "a: [1, ]\nb:"])
def test_an_empty_value_is_refused(empty: str) -> None:
    assert "empty" in refused(empty).message


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    error = refused("a: 1\nb: 2\na: 3")
    assert error.place == "line 3, column 1"
    assert "line 1" in error.remedy


@pytest.mark.parametrize(
    "trick",
    [
        "a: &x 1\nb: *x",
        "a: !!python/object:os.system x",
        "a: !!str 1",
        "%YAML 1.1\n---\na: 1",
        "a: 1\n---\nb: 2",
        "? [1, 2]\n: 3",
        "<<: *x",
    ],
)
def test_anchors_tags_directives_documents_and_odd_keys_are_refused(trick: str) -> None:
    refused(trick)


@pytest.mark.parametrize(
    "hidden",
    [
        "a: x\u202ey",
        "a: x\u200by",
        "a: x\ty",
        "a: 1\r\nb: 2",
        "\ufeffa: 1",
        'a: "x\\u202Ey"',
        '"a\\u200B": 1',
        "a: x\u00a0y",
    ],
)
def test_characters_that_do_not_show_or_reorder_the_line_are_refused(hidden: str) -> None:
    assert "U+" in refused(hidden).message


def test_other_encodings_deep_nesting_large_files_and_no_mapping_are_refused() -> None:
    assert refused(b"a: 1\nb: \xff").place == "line 2, column 4"
    refused("a: " + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))
    refused("[" * 100_000)
    refused("a: " + "x" * LARGEST_FILE)
    for text in ("", "- a", "just text"):
        refused(text)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!#'\"\n 0.~", max_size=40).map(str.encode))
def test_any_bytes_give_a_tree_or_a_refusal_with_a_line(data: bytes) -> None:
    try:
        source = read_yaml(data)
    except RequestError as error:
        refusal: RequestError | None = error
    else:
        refusal = None
        assert isinstance(source.tree, dict)
    assert refusal is None or (refusal.code == "policies/syntax" and refusal.place.startswith("line "))
