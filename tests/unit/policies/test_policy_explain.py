"""The page that an officer reads."""

from pathlib import Path

from consortia.policies.explain import explain, sentences
from consortia.policies.language.parse import LoadedPolicy, parse_policy, read_policy
from consortia.policies.rules import ALL
from tests.policies_world import loaded, policy_text

ROOT = Path(__file__).parents[3]


def test_the_page_of_the_examples_policy_is_as_approved() -> None:
    policy = parse_policy((ROOT / "examples/aml/policies/bank-a.aml-detection.yaml").read_bytes())
    golden = ROOT / "tests/golden/policy_explain.txt"
    assert explain(policy) == golden.read_text()


def test_every_rule_that_is_enforced_stands_on_the_page() -> None:
    wanted = {rule_id for rule in ALL for rule_id in rule.ids} - {"maximum-rows", "not-together"}
    shown = {sentence.rule for sentence in sentences(loaded("bank-a", ("not-together: []", "not-together: []")))}
    assert wanted <= shown
    page = explain(loaded("bank-a", ("not-together: []", "not-together: [[bank-a, bank-b]]")))
    assert "[not-together]" in page
    assert "at most 1000 rows" in page


def test_where_comparing_is_granted_the_page_says_that_many_queries_find_the_number() -> None:
    def warned(loaded_policy: LoadedPolicy) -> set[str]:
        return {one.section.split()[-1] for one in sentences(loaded_policy) if "about 40 queries" in one.text}

    assert warned(loaded("bank-a")) == {"deposits"}
    column_only = loaded("bank-a", ("operations: [count, compare, compare-members]", "operations: [count]"))
    assert warned(column_only) == {"deposits"}
    neither = loaded(
        "bank-a",
        ("operations: [count, compare, compare-members]", "operations: [count]"),
        ("operations: [filter, sum, compare]", "operations: [filter, sum]"),
    )
    assert warned(neither) == set()


def test_the_page_fits_its_width_and_ends_in_a_line_feed() -> None:
    page = explain(loaded())
    assert max(map(len, page.splitlines())) <= 100
    assert page.endswith("]\n")


def test_a_rule_in_effect_that_nothing_enforces_is_named_on_the_page() -> None:
    page = explain(read_policy(policy_text("bank-a", ("dominance: off", "dominance: {n: 2, percent: 90}")).encode()))
    assert "can't be put in force" in page
    assert "`outputs.aggregate.dominance` is in effect" in page
