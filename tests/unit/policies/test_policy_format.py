"""The formatter: what a file says stays, every comment stays, and formatting twice is formatting once."""

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from consortia.cli.policy.new import TEMPLATES, template_text
from consortia.errors import RequestError
from consortia.policies.language.comments import comments_of
from consortia.policies.language.format import formatted
from consortia.policies.language.parse import read_policy
from consortia.policies.language.reader import read_yaml
from tests.policies_world import POLICY

MESSY = """\
# at the top

---
identity :   {id: x,   owner:  'bank-a' }   # who
purpose:
    code:     aml
    legal-basis:
    - AMLR    # first
    # above the second
    -   "GDPR, Article 6"


    # at the end of the list
parties:
   compute: [bank-a, # the first
     bank-b]
   not-together: [[a, b], [c, d]]   # pairs
   submit: [bank-aaaaaaaaaaaaaaaaaaa, bank-bbbbbbbbbbbbbbbbbbbbbbb, bank-cccccccccccccccccccccc,
     bank-dddddddddddddddddddd]
rows: ts >= 3
  AND country = 'DE'
text: |-   # as it is
      one
        two
long:  this text is so long that it does not fit into one line with its key and goes on and on and on for more than a
  hundred and twenty characters
examples:
-
    # what it is
    name: x
    query: >-
       SELECT a
       FROM b
-   name: y   # y
# the end
"""
TIDY = """\
# at the top
identity: {id: x, owner: 'bank-a'}  # who
purpose:
  code: aml
  legal-basis:
    - AMLR                    # first
    # above the second
    - "GDPR, Article 6"
    # at the end of the list
parties:
  compute:
    - bank-a                  # the first
    - bank-b
  not-together: [[a, b], [c, d]]  # pairs
  submit:
    - bank-aaaaaaaaaaaaaaaaaaa
    - bank-bbbbbbbbbbbbbbbbbbbbbbb
    - bank-cccccccccccccccccccccc
    - bank-dddddddddddddddddddd
rows: ts >= 3 AND country = 'DE'
text: |-                      # as it is
  one
    two
long: >-
  this text is so long that it does not fit into one line with its key and goes on and on and on for
  more than a hundred and twenty characters
examples:
  # what it is
  - name: x
    query: >-
      SELECT a
      FROM b
  - name: y                   # y
# the end
"""


def test_a_messy_file_gets_the_one_layout() -> None:
    assert formatted(MESSY.encode()).decode() == TIDY


def test_the_layout_of_a_tidy_file_stays() -> None:
    assert formatted(TIDY.encode()).decode() == TIDY


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_says_the_same_formatted_and_keeps_its_comments(name: str) -> None:
    text = template_text(name).replace("$members", "[a, b, c]").replace("$", "x")
    once = formatted(text.encode())
    assert read_yaml(once).tree == read_yaml(text.encode()).tree
    assert [one.text for one in comments_of(once.decode())] == [one.text for one in comments_of(text)]
    assert formatted(once) == once


def test_the_policy_parsed_after_is_the_policy_parsed_before() -> None:
    assert read_policy(formatted(POLICY.encode())).policy == read_policy(POLICY.encode()).policy


@st.composite
def untidy(draw: st.DrawFn) -> str:
    """The standard policy with comments, blank lines and other spacing put in anywhere that leaves its meaning."""
    lines = []
    for number, line in enumerate(POLICY.splitlines()):
        changed = line
        if ": " in line and "'" not in line:
            changed = changed.replace(": ", ":" + " " * draw(st.integers(1, 3)), 1)
        changed = changed.replace(", ", draw(st.sampled_from((",", " ,  ", ", ")))) if "[" in line else changed
        lines += [""] * draw(st.sampled_from((0, 0, 0, 1, 2)))
        if draw(st.booleans()) and draw(st.booleans()):
            lines.append(" " * draw(st.integers(0, 9)) + f"# above {number}")
        lines.append(changed + draw(st.sampled_from(("", "", "", "  ", f" # behind {number}"))))
    return "\n".join(lines) + draw(st.sampled_from(("\n", "", "\n\n# last\n")))


@settings(max_examples=25, derandomize=True, deadline=None)
@given(untidy())
def test_formatting_keeps_meaning_and_comments_and_is_idempotent(text: str) -> None:
    once = formatted(text.encode())
    assert read_yaml(once).tree == read_yaml(text.encode()).tree
    assert sorted(one.text for one in comments_of(once.decode())) == sorted(one.text for one in comments_of(text))
    assert formatted(once) == once
    assert b"\n\n\n" not in once


@pytest.mark.parametrize("text", ["a: nan", "a: [1", "", "a: &x 1"])
def test_a_file_that_cannot_be_read_is_refused_as_it_is(text: str) -> None:
    with pytest.raises(RequestError):
        formatted(text.encode())


@pytest.mark.parametrize(
    "value",
    ["|+\n  x\n\n", "|2\n   x", ">\n  a\n  b\n\n  c", '"a\n  b"', "'it''s # no comment'", "{}", "[]", "{a: []}"],
)
def test_every_form_of_a_value_keeps_its_meaning(value: str) -> None:
    data = f"k: {value}\nl: 1  # c\n".encode()
    once = formatted(data)
    assert read_yaml(once).tree == read_yaml(data).tree
    assert formatted(once) == once


WORDS = st.text("ab: #-'\"[]{},&*!|>%@`é~0.", min_size=1, max_size=12) | st.sampled_from(
    ("off", "bank-a", "a b", "line one\nline two\n", "x\n\n  y", "long words " * 15, "# no comment", "2026-11-01", "")
)
VALUES = st.recursive(
    WORDS | st.integers(-5, 10**12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abk", min_size=1, max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def dumped(draw: st.DrawFn) -> str:
    """A file of any tree, in any style that YAML has for it, with comments behind whole entries."""
    tree = draw(st.dictionaries(st.text("abk", min_size=1, max_size=3), VALUES, min_size=1, max_size=4))
    parts = []
    for key, value in tree.items():
        text = yaml.safe_dump(
            {key: value},
            allow_unicode=True,
            default_flow_style=draw(st.sampled_from((None, True, False))),
            default_style=draw(st.sampled_from((None, None, None, '"', "'"))),
            width=draw(st.sampled_from((20, 80, 1000))),
            indent=draw(st.integers(2, 5)),
        )
        # Whole braces around an entry would end the block mapping: only their inside is an entry.
        parts.append(text if not text.startswith("{") else f"{key}: {text}")
        parts.append(draw(st.sampled_from(("", "", f"# after {key}\n", f"   # after {key}\n\n"))))
    return "".join(parts)


@settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(dumped())
def test_any_file_that_can_be_read_keeps_its_meaning_and_comments(text: str) -> None:
    try:
        tree = read_yaml(text.encode()).tree
    except RequestError:
        assume(condition=False)
    once = formatted(text.encode())
    assert read_yaml(once).tree == tree
    assert sorted(one.text for one in comments_of(once.decode())) == sorted(one.text for one in comments_of(text))
    assert formatted(once) == once
