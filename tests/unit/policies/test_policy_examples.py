"""Example decisions of a policy, and the consortium that is supposed where there is no home."""

from pathlib import Path

import pytest

from consortia.errors import RequestError
from consortia.plans.catalogue_file import read_catalogue
from consortia.policies.coverage import coverage, percent
from consortia.policies.examples import Decided, decide_examples
from consortia.policies.language.parse import LoadedPolicy, parse_policy
from consortia.policies.questions import Question, answer, mirrored, supposed
from tests.fixtures_catalogue import CATALOGUE
from tests.policies_world import NOW, make_world, policy_text

TURNOVER = (
    "SELECT country, SUM(amount_minor) AS total FROM deposits WHERE currency = 'EUR' GROUP BY country"
)  # fmt: skip
EXAMPLES = f"""\
examples:
  - name: turnover of countries
    query: {TURNOVER}
    submitter: ana@bank-a
    expect: permit
  - name: nobody's own turnover
    query: >-
      SELECT customer_key, SUM(amount_minor) AS total FROM deposits
      WHERE currency = 'EUR' GROUP BY customer_key
    submitter: ana@bank-a
    expect: deny
    rule: output-kind
  - name: not for other purposes
    query: {TURNOVER}
    purpose: statistics
    submitter: ana@bank-a
    expect: deny
    rule: policy
  - name: bank-c does not ask
    query: {TURNOVER}
    submitter: carl@bank-c
    expect: deny
    rule: submitter
  - name: not in February
    query: {TURNOVER}
    submitter: ana@bank-a
    day: 2027-02-01
    expect: deny
    rule: validity
"""


def with_examples(*edits: tuple[str, str]) -> LoadedPolicy:
    text = policy_text() + EXAMPLES
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_policy(text.encode())


def decided(loaded: LoadedPolicy) -> tuple[Decided, ...]:
    people = [example.submitter for example in loaded.policy.examples]
    return decide_examples(loaded, supposed([loaded.policy], CATALOGUE, people))


def test_examples_that_the_policy_agrees_with_pass() -> None:
    loaded = with_examples()
    results = decided(loaded)
    assert [one.said for one in results] == [
        "permit", "deny (operations, output-kind)", "deny (policy)", "deny (recipients, submitter)",
        "deny (validity)",
    ]  # fmt: skip
    assert all(one.passed for one in results)
    assert results[1].place.startswith("line ")
    assert "examples.1" in results[1].place


@pytest.mark.parametrize(
    ("edit", "failing"),
    [
        (("country: {class: quasi, operations: [filter, group]}", "country: {class: quasi, operations: [filter]}"), 0),
        (("  score: never", ("  score: {recipients: owner-of-row, human-review: off, retention-days: off,"
          " onward-sharing: off}")), 1),
        (("submit: [bank-a, bank-b]", "submit: [bank-a, bank-b, bank-c]"), 3),
        (("day: 2027-02-01", "day: 2026-12-01"), 4),
        (("rule: submitter", "rule: output-kind"), 3),
    ],
)  # fmt: skip
def test_an_example_fails_when_the_policy_or_its_own_word_changes(edit: tuple[str, str], failing: int) -> None:
    passed = [one.passed for one in decided(with_examples(edit))]
    assert passed[failing] is False


REVIEWED = ("    differencing: off\n    human-review: off", "    differencing: off\n    human-review: required")


def test_a_query_that_an_officer_reviews_is_held_and_not_just_permitted() -> None:
    assert [one.said for one in decided(with_examples(REVIEWED))][:2] == ["hold", "deny (operations, output-kind)"]
    assert not decided(with_examples(REVIEWED))[0].passed
    held = with_examples(REVIEWED, ("expect: permit", "expect: hold"))
    assert decided(held)[0].passed
    assert covered(held)["human-review"] == "turnover of countries"
    assert not decided(with_examples(("expect: permit", "expect: hold")))[0].passed


def test_an_example_that_cannot_be_planned_fails_with_the_reason() -> None:
    results = decided(with_examples(("SELECT country, SUM(amount_minor)", "SELECT colour, SUM(amount_minor)")))
    assert not results[0].passed
    assert "colour" in results[0].said


def test_an_example_on_others_tables_tests_nothing_and_fails() -> None:
    elsewhere = tuple(table.model_copy(update={"holders": ("bank-b", "bank-c")}) for table in CATALOGUE.tables)
    catalogue = CATALOGUE.model_copy(update={"tables": elsewhere})
    loaded = with_examples()
    people = [example.submitter for example in loaded.policy.examples]
    results = decide_examples(loaded, supposed([loaded.policy], catalogue, people))
    assert not any(one.passed for one in results)
    assert "asks nothing of its owner" in results[0].said


def test_a_rule_stands_with_a_denial_and_only_there() -> None:
    for edit in (("    rule: submitter\n", ""), ("    expect: permit\n", "    expect: permit\n    rule: submitter\n")):
        with pytest.raises(RequestError, match="names the rule"):
            with_examples(edit)


def test_a_supposed_consortium_decides_as_a_real_one_with_the_same_documents() -> None:
    loaded = with_examples()
    asked = Question(TURNOVER, "aml-detection", "ana@bank-a", NOW)
    made, real = supposed([loaded.policy], CATALOGUE, ["ana@bank-a"]), make_world()
    for world in (made, real):
        assert answer(asked, mirrored(loaded, world)).permitted
    assert made.manifest.computers == real.manifest.computers


def test_two_members_are_no_consortium() -> None:
    loaded = with_examples(("compute: [bank-a, bank-b, bank-c]", "compute: [bank-a, bank-b]"))
    catalogue = CATALOGUE.model_copy(update={"tables": ()})
    with pytest.raises(RequestError, match="fewer than the 3"):
        supposed([loaded.policy], catalogue, [])


def covered(loaded: LoadedPolicy) -> dict[str, str]:
    people = [example.submitter for example in loaded.policy.examples]
    world = supposed([loaded.policy], CATALOGUE, people)
    return {item.name: item.example for item in coverage(loaded, decide_examples(loaded, world), world)}


def test_coverage_names_the_rules_that_deny_and_the_grants_that_are_used() -> None:
    found = covered(with_examples())
    assert {name: example for name, example in found.items() if example} == {
        "validity": "not in February",
        "submitter": "bank-c does not ask",
        "operations": "nobody's own turnover",
        "output-kind": "nobody's own turnover",
        "policy": "not for other purposes",
        "outputs.aggregate": "turnover of countries",
        "data.tables.deposits.columns.amount_minor.operations: sum": "turnover of countries",
        "data.tables.deposits.columns.currency.operations: filter": "turnover of countries",
        "data.tables.deposits.columns.country.operations: group": "turnover of countries",
    }
    missing = {name for name, example in found.items() if not example}
    assert {"table", "minimum-members", "maximum-rows", "outputs.alert"} <= missing
    assert "data.tables.accounts.columns.risk_score.operations: sum" in missing
    assert percent(coverage(with_examples(), (), make_world())) == 0


def test_an_example_that_fails_covers_nothing() -> None:
    found = covered(with_examples(("rule: validity", "rule: table")))
    assert found["validity"] == ""


def test_a_rule_that_nothing_can_break_is_not_counted() -> None:
    without_maximum = with_examples(("maximum-rows: 1000", "maximum-rows: off"))
    assert "maximum-rows" not in covered(without_maximum)
    assert "recipients" not in covered(without_maximum)
    assert "recipients" in covered(with_examples(("submit: [bank-a, bank-b]", "submit: [bank-a, bank-b, ben@bank-b]")))


ROOT = Path(__file__).parents[3] / "examples"
FIRST = (ROOT / "first/policy.yaml").read_text().replace("BANK", "bank-2")
SHIPPED = {
    **{
        name: ((ROOT / f"aml/policies/{name}.aml-detection.yaml").read_text(), ROOT / "aml/catalogue.yaml")
        for name in ("bank-a", "bank-b", "bank-c")
    },
    "first": (FIRST.replace("TODAY", "2026-12-01").replace("UNTIL", "2027-01-30"), ROOT / "first/catalogue.yaml"),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_policies_that_are_shipped_pass_their_own_examples(name: str) -> None:
    text, catalogue = SHIPPED[name]
    loaded = parse_policy(text.encode())
    people = [example.submitter for example in loaded.policy.examples]
    world = supposed([loaded.policy], read_catalogue(catalogue.read_text(), keyless=True), people)
    results = decide_examples(loaded, world)
    assert [(one.example.name, one.said) for one in results if not one.passed] == []
    assert percent(coverage(loaded, results, world)) >= 60


def test_the_examples_of_the_officers_page_are_decided_as_it_says() -> None:
    page = (ROOT.parent / "docs/officers.md").read_text()
    block = page[page.index("```\nexamples:\n") + 4 :].split("```")[0]
    results = decided(parse_policy((policy_text() + block).encode()))
    assert [one.passed for one in results] == [True, True]
