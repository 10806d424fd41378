"""The next version as its author begins it: three values renewed, everything else as it stood."""

import json

import pytest

from consortia.errors import PolicyRefusal
from consortia.policies.amend import next_version
from consortia.policies.language.parse import read_policy
from consortia.policies.language.reader import read_yaml
from consortia.policies.signed import check_succession
from tests.policies_world import policy_text

TEXT = policy_text("bank-a", ("version: 1", "version: 1  # the first, of 2026"), ("dpia: DPIA-14", "dpia: version 1"))


def test_the_next_version_follows_the_one_before_and_keeps_comments() -> None:
    before = read_policy(TEXT.encode())
    draft = next_version(TEXT.encode(), "olga@bank-a")
    after = read_policy(draft)
    check_succession(after, before)
    assert after.policy.identity.author == "olga@bank-a"
    changed = [(old, new) for old, new in zip(TEXT.split("\n"), draft.decode().split("\n"), strict=True) if old != new]
    assert changed == [
        ("  version: 1  # the first, of 2026", "  version: 2  # the first, of 2026"),
        ("  previous: none", f"  previous: {before.digest}"),
        ("  author: dora@bank-a", "  author: olga@bank-a"),
    ]


def test_a_version_follows_the_next_one_too() -> None:
    second = next_version(TEXT.encode(), "olga@bank-a")
    third = read_policy(next_version(second, "dora@bank-a"))
    check_succession(third, read_policy(second))
    assert third.policy.identity.version == 3


def test_a_file_in_another_form_is_amended_all_the_same() -> None:
    tree = json.dumps(read_yaml(TEXT.encode()).tree, indent=1)
    assert read_policy(next_version(tree.encode(), "olga@bank-a")).policy.identity.version == 2


def test_what_can_not_be_renewed_in_place_is_refused() -> None:
    folded = TEXT.replace("  author: dora@bank-a", '  author: "dora\\x40bank-a"')
    with pytest.raises(PolicyRefusal, match="can't be renewed where"):
        next_version(folded.encode(), "olga@bank-a")
