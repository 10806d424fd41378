"""Canonical bytes are those of RFC 8785, whichever way they are written."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.trust.documents import canonical_bytes

NUMBERS = st.integers() | st.integers(-(2**54), 2**54) | st.floats(allow_nan=True) | st.booleans() | st.none()
TEXT = (
    st.text()
    | st.text(st.characters(max_codepoint=0x7F))
    | st.sampled_from(['a, 1.5e3 "\\', ":1234567890123456789", "\x7f"])
)
VALUES = st.recursive(NUMBERS | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12)


def outcome(encode: Any, value: Any) -> bytes | str:
    try:
        return encode(value)
    except (ValueError, rfc8785.CanonicalizationError) as error:
        return type(error).__name__


@settings(derandomize=True, deadline=None, max_examples=400)
@given(VALUES)
def test_any_value_is_written_as_the_library_writes_it(value: Any) -> None:
    assert outcome(canonical_bytes, value) == outcome(rfc8785.dumps, value)


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        [2**53],
        {"a": 2**53},
        1.5,
        [1.0],
        {"a": 1e21},
        float("nan"),
        [float("inf")],
        {"\U0001f600": 1, "\ufb33": 2},
        "\ud800",
        b"bytes",
        999_999_999_999_999,
        [-999_999_999_999_999],
    ],
)
def test_at_the_edges_too(value: Any) -> None:
    assert outcome(canonical_bytes, value) == outcome(rfc8785.dumps, value)


def test_what_is_written_is_json() -> None:
    value = {"b": [1, "x\n\u0001", None, True], "a": {"z": "", "y": []}}
    assert json.loads(canonical_bytes(value)) == value
    assert canonical_bytes(value) == b'{"a":{"y":[],"z":""},"b":[1,"x\\n\\u0001",null,true]}'
