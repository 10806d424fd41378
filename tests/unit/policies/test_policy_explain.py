"""The page that an officer reads."""

import os
import re
from pathlib import Path

import pytest

from consortia.policies.explain import PAGE, WIDTH, explain, sentences
from consortia.policies.explain.closing import OFF_WORDS
from consortia.policies.explain.data import OPERATION_WORDS, ROW_WORDS
from consortia.policies.language.model import CellOutput, Rates
from consortia.policies.language.parse import LoadedPolicy, parse_policy, read_policy
from consortia.policies.rules import ALL
from tests.policies_world import GENEROUS, loaded, policy_text

ROOT = Path(__file__).parents[3]


def test_the_page_of_the_examples_policy_is_as_approved() -> None:
    policy = parse_policy((ROOT / "examples/aml/policies/bank-a.aml-detection.yaml").read_bytes())
    golden = ROOT / "tests/golden/policy_explain.txt"
    if os.environ.get("CONSORTIA_GOLDEN") == "write":
        golden.write_text(explain(policy))
    assert explain(policy) == golden.read_text()


def test_every_rule_that_is_enforced_stands_on_the_page() -> None:
    wanted = {rule_id for rule in ALL for rule_id in rule.ids} - {"maximum-rows", "not-together"}
    shown = {sentence.rule for sentence in sentences(loaded("bank-a", ("not-together: []", "not-together: []")))}
    assert wanted <= shown
    page = " ".join(explain(loaded("bank-a", ("not-together: []", "not-together: [[bank-a, bank-b]]"))).split())
    assert "[not-together]" in page
    assert "at most 1000 rows" in page


def test_where_comparing_is_granted_the_page_says_that_many_queries_find_the_number() -> None:
    def warned(loaded_policy: LoadedPolicy) -> list[str]:
        return [one.topic for one in sentences(loaded_policy) if "about 40 queries" in one.text]

    assert warned(loaded("bank-a")) == ["Beware (deposits)"]
    column_only = loaded("bank-a", ("operations: [count, compare, compare-members]", "operations: [count]"))
    assert warned(column_only) == ["Beware (deposits)"]
    neither = loaded(
        "bank-a",
        ("operations: [count, compare, compare-members]", "operations: [count]"),
        ("operations: [filter, sum, compare]", "operations: [filter, sum]"),
    )
    assert warned(neither) == []


def test_every_grant_stands_on_the_page() -> None:
    page = " ".join(explain(loaded("bank-a", *GENEROUS)).split())
    for words in OPERATION_WORDS.values():
        assert words in page
    for words in (*ROW_WORDS, "beside an alert", "whether more paths are met"):
        assert words in page
    assert "whether more paths are met" not in " ".join(explain(loaded()).split())


@pytest.mark.parametrize("owner", ["bank-a", "bank-b", "bank-c"])
def test_the_page_of_an_example_is_one_page(owner: str) -> None:
    text = explain(parse_policy((ROOT / f"examples/aml/policies/{owner}.aml-detection.yaml").read_bytes()))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert len(text.splitlines()) <= PAGE
    assert text.endswith("]\n")


EVERYTHING_ON = {
    "human-review": "required", "dominance": "{n: 2, percent: 90}", "p-percent": "10", "rounding": "5",
    "zeros-and-full-cells": "suppressed", "complementary-suppression": "required",
    "differencing": "{new-data-days: 7}", "queries-per-analyst-and-day": "20", "queries-per-day": "50",
    "queries-per-period": "1000",
}  # fmt: skip


def test_with_every_rule_on_it_is_one_page_too() -> None:
    text = (ROOT / "examples/aml/policies/bank-a.aml-detection.yaml").read_text()
    for key, value in EVERYTHING_ON.items():
        text, changed = re.subn(rf"(?m)^( +{key}: )off.*$", rf"\g<1>{value}", text)
        assert changed
    loaded_policy = parse_policy(text.encode())
    lines = explain(loaded_policy).splitlines()
    assert len(lines) <= PAGE
    assert max(map(len, lines)) <= WIDTH
    off = {one.rule for one in sentences(loaded_policy) if "OFF" in one.section}
    assert off <= {"noise", "retention", "onward-sharing"}


def test_everything_that_can_be_off_has_words_and_is_told_where_it_is_off() -> None:
    fields = (
        *((name, info) for name, info in CellOutput.model_fields.items()),
        *((name, info) for name, info in Rates.model_fields.items()),
    )
    off = {info.alias for _, info in fields if "Literal['off']" in str(info.annotation)}
    not_protections = {"maximum-rows", "templates-without-review"}
    assert off - not_protections == set(OFF_WORDS)
    page = " ".join(explain(loaded()).lower().split())
    assert all(words in page for words in OFF_WORDS.values())


def test_a_rule_that_is_on_is_not_told_to_be_off() -> None:
    told = [one for one in sentences(loaded()) if "OFF" in one.section and one.rule == "rates"]
    limited = loaded("bank-a", ("queries-per-day: off", "queries-per-day: 7"))
    remaining = [one for one in sentences(limited) if "OFF" in one.section and one.rule == "rates"]
    assert len(remaining) == len(told) - 1
    assert "7 of all analysts on a day" in explain(limited)


def test_kinds_with_the_same_words_share_a_paragraph() -> None:
    both = {one.topic for one in sentences(loaded("bank-a", *GENEROUS)) if one.rule == "minimum-entities"}
    assert both == {"Counts over all rows and numbers over groups"}
    differing = loaded("bank-a", *GENEROUS, ("minimum-entities: 10", "minimum-entities: 20"))
    apart = [one.topic for one in sentences(differing) if one.rule == "minimum-entities"]
    assert apart == ["Counts over all rows", "Numbers over groups"]


def test_a_rule_in_effect_that_nothing_enforces_is_named_on_the_page() -> None:
    edit = ("onward-sharing: off", "onward-sharing: forbidden")
    page = explain(read_policy(policy_text("bank-a", edit).encode()))
    assert "can't be put in force" in page
    assert "`outputs.alert.onward-sharing` is in effect" in page


QUESTIONS = {
    "what for": ("code: aml-detection", "code: statistics", "used for statistics, and for nothing else"),
    "on what ground": ("[AMLR Article 75]", "[GDPR Article 6]", "relies on: GDPR Article 6."),
    "how long": ("not-after: 2027-01-15", "not-after: 2027-01-10", "to the end of 10 January 2027"),
    "who signs": ("author: dora@bank-a", "author: eva@bank-a", "eva@bank-a wrote it; two officers of bank-a"),
    "who may ask": ("submit: [bank-a, bank-b]", "submit: [ana@bank-a]", "may be asked by ana@bank-a."),
    "who computes": ("[bank-a, bank-b, bank-c]", "[bank-a, bank-c, bank-d]", "may run at bank-a, bank-c and bank-d."),
    "which rows": ("rows: all", "rows: country = 'DE'", "Only rows where country = 'DE'."),
    "what is never used": ("{class: quasi, operations: [filter]}", "{class: quasi, operations: []}", "Never used: ts."),
    "who learns what": ("recipients: [bank-a, bank-b]", "recipients: [bank-b]", "if that is analysts of bank-b;"),
    "smallest group": ("minimum-entities: 10", "minimum-entities: 25", "at least 25 contributors"),
    "how many members": ("minimum-members: 3", "minimum-members: 4", "At least 4 members must have contributed"),
    "how much": ("maximum-rows: 1000", "maximum-rows: 12", "at most 12 rows"),
    "what stops it": ("queries-per-day: off", "queries-per-day: 7", "7 of all analysts on a day"),
    "what is never permitted": ("score: never", "score: {recipients: owner-of-row}",
                                "as outputs: counts over all rows, fitted models."),
}  # fmt: skip
"""What an officer is asked about a policy: an edit of the file, and the words with which the page then answers."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_page_answers_from_the_policy_itself(question: str) -> None:
    old, new, says = QUESTIONS[question]
    assert says not in " ".join(explain(loaded("bank-a")).split())
    page = " ".join(explain(read_policy(policy_text("bank-a", (old, new)).encode())).split())
    assert says in page


def test_the_page_says_who_can_stop_it() -> None:
    page = " ".join(explain(loaded("bank-b")).split())
    assert "One officer of bank-b can revoke it, and any member can stop everything, at any time" in page


def test_every_sentence_but_the_ground_and_the_review_has_a_rule() -> None:
    without = [one.text for one in sentences(loaded("bank-a", *GENEROUS)) if not one.rule]
    assert [text.split()[:3] for text in without] == [["The", "owner", "relies"], ["The", "owner", "reviews"]]


def test_what_complementary_suppression_does_not_list_is_not_said_to_be_hidden() -> None:
    def said(*edits: tuple[str, str]) -> list[str]:
        every = sentences(
            loaded("bank-a", ("complementary-suppression: off", "complementary-suppression: required"), *edits)
        )
        return [one.text for one in every if one.rule == "complementary-suppression"]

    [text] = said()
    assert "others are hidden with it where cells can be listed beforehand; elsewhere no total" in text
    assert said(("noise: off", "noise: {rho-per-release: 1/10, rho-per-period: 1/2}")) == []
