"""Every problem of a policy's file, with its line, its column and what is expected there."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortia.policies.lint import Problem, errors, lint
from consortia.policies.rules import ALL
from tests.policies_world import NOW, POLICY, loaded, make_world, policy_text

WORLD = make_world()
NOISE = "noise: {rho-per-release: 1/100, rho-per-period: 1/10}"


def linted(*edits: tuple[str, str], at: datetime = NOW, documents: bool = False) -> tuple[Problem, ...]:
    return lint(policy_text("bank-a", *edits).encode(), at, WORLD if documents else None)


def one(check: str, *edits: tuple[str, str], at: datetime = NOW, documents: bool = False) -> Problem:
    """The one problem that ``check`` finds after the edits."""
    [problem] = [found for found in linted(*edits, at=at, documents=documents) if found.check == check]
    return problem


def place_of(text: str) -> tuple[int, int]:
    """Line and column of the first occurrence in the standard policy."""
    before = POLICY[: POLICY.index(text)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def test_a_policy_without_fault_gets_no_error() -> None:
    problems = linted(documents=True)
    assert errors(problems) == 0
    assert {problem.check for problem in problems} == {"documents", "examples"}


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("dpia: DPIA-14", "dpia: DPIA-14\n  ^dipa: x", "purpose.dipa", "did you mean `dpia`?"),
        ("purpose:\n  code: aml-detection", "^purpose:", "purpose.code", "the key `code` is missing"),
        ("maximum-rows: off", "maximum-rows: ^nan", "outputs.alert.maximum-rows", "plain decimal integer"),
        ("maximum-rows: off", "maximum-rows: ^0", "outputs.alert.maximum-rows", "at least 1 or `off`"),
        ("maximum-rows: off", "maximum-rows: ^{n: 2}", "outputs.alert.maximum-rows", "a section does not fit"),
        ("score: never", "score: ^nevr", "outputs.score", "`nevr` does not fit; expected a section or `never`"),
        ("score: never", "score: {recipients: ^x}", "outputs.score.recipients", "expected `owner-of-row`"),
        ("submit: [bank-a, bank-b]", "submit: [bank-a, ^Bank-B]", "parties.submit.1", "in lower case"),
        ("operations: [alert, count]}", "operations: [alert, ^sum]}",
         "data.tables.deposits.columns.customer_key.operations.1", "expected one of alert, compare"),
        ("not-after: 2027-01-15", "not-after: ^2027-02-15", "validity.not-after", "expected 2027-01-29"),
        ("not-after: 2027-01-15", "not-after: ^2027-02-30", "validity.not-after", "no day of the calendar"),
        ("review: 2027-01-04", "review: ^2027-02-04", "validity.review", "must lie between"),
        ("author: dora@bank-a", "author: ^dora@bank-b", "identity.author", "expected name@bank-a"),
        ("privacy-unit: customer_key", "privacy-unit: ^country", "data.tables.deposits.privacy-unit", "identifier"),
        ("legal-basis: [AMLR Article 75]", "legal-basis: ^[]", "purpose.legal-basis", "1 or more entries"),
        ("version: 1", "version: ^&v 1", "", "anchors"),
        ("version: 1", "version: ^*v", "identity.version", "anchors"),
    ],
)  # fmt: skip
def test_a_fault_has_its_exact_place_and_says_what_is_expected(old: str, new: str, path: str, says: str) -> None:
    """``^`` in the new text marks the place."""
    found = one("file", (old, new.replace("^", "")))
    before = POLICY[: POLICY.index(old)] + new[: new.index("^")]
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert (found.path, (found.line, found.column), found.severity) == (path, place, "error")
    assert says in f"{found.text}; {found.remedy}"


def test_all_faults_are_found_at_once_in_the_order_of_the_file() -> None:
    problems = linted(
        ("version: 1", "version: one"),
        ("dpia: DPIA-14", "dpia:"),
        ("score: never", "score: x"),
        ("noise: off", "noise: .5"),
    )
    assert [(found.line, found.path) for found in problems] == [
        (place_of("version: 1")[0], "identity.version"),
        (place_of("DPIA-14")[0], "purpose.dpia"),
        (place_of("score: never")[0], "outputs.score"),
        (place_of("noise: off")[0], "outputs.aggregate.noise"),
    ]


def test_a_text_that_ends_early_is_not_told_that_the_rest_is_missing() -> None:
    [found] = lint(b"format: consortia/policy/v1\nidentity: {id: x\npurpose: y\n", NOW)
    assert (found.line, found.check) == (3, "file")


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.data())
def test_any_bytes_give_a_list_with_places_in_the_file(data: st.DataObject) -> None:
    text = policy_text()
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(len(text), begin + 40)))
    put = data.draw(st.binary(max_size=8) | st.text(" -:[]{}&*!#'\"\\0.~\nox", max_size=8).map(str.encode))
    for problem in lint(text[:begin].encode() + put + text[end:].encode(), NOW, WORLD):
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.text


def test_a_rule_in_effect_that_nothing_enforces_is_an_error_at_its_place() -> None:
    found = one("enforced", ("sizes: closed", "sizes: open"))
    assert (found.line, found.column) == place_of("sizes: closed")
    assert "expected `sizes: closed`" in found.remedy


@pytest.mark.parametrize(
    ("at", "path", "severity", "says"),
    [
        (datetime(2026, 10, 1, tzinfo=UTC), "validity.not-before", "warning", "not valid before"),
        (datetime(2027, 1, 10, tzinfo=UTC), "validity.review", "warning", "review is due"),
        (datetime(2027, 1, 16, tzinfo=UTC), "validity.not-after", "error", "expired"),
    ],
)
def test_dates_that_have_come_or_passed(at: datetime, path: str, severity: str, says: str) -> None:
    found = one("dates", at=at)
    assert (found.path, found.severity) == (path, severity)
    assert says in found.text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("code: aml-detection", "code: marketing", "no purpose"),
        ("consortium: testers", "consortium: others", "this consortium is"),
        ("compute: [bank-a, bank-b, bank-c]", "compute: [bank-a, bank-b, bank-d]", "`bank-d` is no member"),
        ("compute: [bank-a, bank-b, bank-c]", "compute: [bank-a, bank-b]", "nothing can run"),
        ("not-together: []", "not-together: [[bank-a, bank-b]]", "bank-a and bank-b compute together"),
        ("submit: [bank-a, bank-b]", "submit: [ana@bank-x]", "of no member"),
        (
            "submit: [bank-a, bank-b]",
            "submit: [bank-a]\n  countersign: [bank-a, bank-b]",
            "`bank-a` is no other member",
        ),
        ("    deposits:\n", "    deposits2:\n", "no table `deposits2`"),
        ("        ts: {class", "        ts2: {class", "no column `ts2`"),
        ("rows: all", "rows: colour = 'red'", "colour"),
    ],
)
def test_what_does_not_fit_manifest_and_catalogue_is_an_error(old: str, new: str, says: str) -> None:
    problems = linted((old, new), documents=True)
    [found] = [found for found in problems if found.check == "documents" and says in found.text]
    assert found.severity == "error"
    assert found.remedy.startswith("expected ") or found.path.endswith("rows")
    assert not any(says in found.text for found in linted((old, new)) if found.check == "documents")


def test_who_holds_the_same_tables_and_is_not_asked_to_countersign_is_named() -> None:
    some = ("submit: [bank-a, bank-b]", "submit: [bank-a, bank-b]\n  countersign: [bank-b]")
    [found] = [found for found in linted(some, documents=True) if "countersign" in found.text]
    assert (found.severity, found.path) == ("warning", "parties.countersign")
    assert "bank-c" in found.text
    everybody = ("submit: [bank-a, bank-b]", "submit: [bank-a, bank-b]\n  countersign: [bank-b, bank-c]")
    assert not [found for found in linted(everybody, documents=True) if "countersign" in found.text]


def test_noise_on_a_column_without_bounds_is_an_error() -> None:
    found = [found for found in linted(("noise: off", NOISE)) if found.check == "bounds"]
    assert [one.path for one in found] == [
        "data.tables.deposits.columns.amount_minor",
        "data.tables.accounts.columns.risk_score",
    ]
    assert {one.severity for one in found} == {"error"}
    assert all("(sum)" in one.text for one in found)
    bounded = ("operations: [filter, sum, compare]}", "operations: [filter, sum, compare], clip: {lo: 0, hi: 900}}")
    problems = linted(("noise: off", NOISE), bounded)
    assert [found.path for found in problems if found.check == "bounds"] == ["data.tables.accounts.columns.risk_score"]


@pytest.mark.parametrize("clip", ["{lo: 0, hi: 0}", "{lo: 5, hi: 5}", "{lo: 9, hi: 1}"])
def test_bounds_that_leave_no_two_values_apart_are_an_error_with_and_without_noise(clip: str) -> None:
    bounds = ("operations: [filter, sum, compare]}", f"operations: [filter, sum, compare], clip: {clip}}}")
    found = one("bounds", bounds)
    assert found.path == "data.tables.deposits.columns.amount_minor.clip"
    assert found.severity == "error"


def test_bounds_that_no_sum_can_leave_are_named() -> None:
    bounds = ("operations: [filter, sum, compare]}", "operations: [filter, sum, compare], clip: {lo: -1, hi: 9}}")
    assert any("more noise for nothing" in found.text for found in linted(bounds, documents=True))
    far = ("operations: [filter, sum, compare]}", "operations: [filter, sum, compare], clip: {lo: 0, hi: 20000000000}}")
    assert not any("more noise for nothing" in found.text for found in linted(far, documents=True))


def test_with_noise_lint_says_which_exact_rules_do_not_apply() -> None:
    found = one("noise-and-exact", ("noise: off", NOISE), ("p-percent: off", "p-percent: 10"))
    assert "do not apply: p-percent" in found.text
    assert not [found for found in linted(("p-percent: off", "p-percent: 10")) if found.check == "noise-and-exact"]


def test_rounding_beside_noise_is_an_error_since_nothing_would_be_permitted() -> None:
    found = one("noise-and-exact", ("noise: off", NOISE), ("rounding: off", "rounding: 5"))
    assert (found.path, found.severity) == ("outputs.aggregate.rounding", "error")


def test_a_release_that_may_spend_more_than_the_period_has_is_an_error() -> None:
    found = one("budget", ("noise: off", "noise: {rho-per-release: 1/2, rho-per-period: 1/10}"))
    assert found.path == "outputs.aggregate.noise.rho-per-release"


@pytest.mark.parametrize(
    ("check", "edit", "path"),
    [
        ("unused", ("  score: never", "  score: {recipients: owner-of-row}"), "outputs.score"),
        ("unused", ("{class: quasi, operations: [filter, group]}", "{class: free, operations: [score]}"),
         "data.tables.deposits.columns.country.operations.0"),
        ("unused", ("operations: [alert, count]", "operations: [count]"), "outputs.alert"),
        ("parties", ("submit: [bank-a, bank-b]", "submit: [bank-a]"), "outputs.aggregate.recipients.1"),
        ("parties", ("threat-model: semi-honest", "threat-model: malicious"), "parties.threat-model"),
        ("twice", ("submit: [bank-a, bank-b]", "submit: [bank-a, bank-b, bank-a]"), "parties.submit.2"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_together_is_named(check: str, edit: tuple[str, str], path: str) -> None:
    assert one(check, edit).path == path


def test_an_example_that_expects_a_rule_which_does_not_exist_is_an_error() -> None:
    example = "examples:\n  - {name: x, query: SELECT 1, submitter: a@bank-a, expect: deny, rule: minimum-entites}\n"
    problems = lint((policy_text() + example).encode(), NOW)
    [found] = [found for found in problems if found.check == "examples"]
    assert found.path == "examples.0.rule"
    assert all(rule_id in found.remedy for rule in ALL for rule_id in rule.ids)


@pytest.mark.parametrize(
    ("theirs", "path", "says"),
    [
        (("    accounts:\n", "    numbers:\n"), "data.tables.accounts", "does not permit `accounts`"),
        (("code: aml-detection", "code: statistics"), "data.tables.deposits", "`bank-b` holds a part of `deposits`"),
        (("recipients: [bank-a, bank-b]", "recipients: [carl@bank-c]"), "outputs.aggregate.recipients", "lets none"),
        (("  alert:\n    recipients: owner-of-row", "  score:\n    recipients: owner-of-row"), "outputs.alert",
         "never permits `alert`"),
    ],
)  # fmt: skip
def test_with_a_home_it_says_what_other_owners_policies_leave_of_it(
    theirs: tuple[str, str], path: str, says: str
) -> None:
    gone = ("  score: never\n", "") if "score" in theirs[1] else ("format", "format")
    world = make_world(loaded("bank-b", gone, theirs))
    found = [each for each in lint(policy_text().encode(), NOW, world) if each.check == "others" and each.path == path]
    assert [each.severity for each in found] == ["warning"]
    assert says in found[0].text
    assert not [each for each in lint(policy_text().encode(), NOW, WORLD) if each.check == "others"]


def test_owners_that_disagree_on_noise_or_on_who_is_one_contributor_permit_nothing_and_lint_says_so() -> None:
    noisy = loaded(
        "bank-b",
        ("noise: off", NOISE),
        ("operations: [filter, sum, compare]}", "operations: [filter, sum, compare], clip: {lo: 0, hi: 900}}"),
        ("      privacy-unit: customer_key\n      operations: [count]\n", "      privacy-unit: account_id\n"),
        ("        risk_score:", "        account_id: {class: identifier, operations: []}\n        risk_score:"),
    )
    found = {each.path: each for each in lint(policy_text().encode(), NOW, make_world(noisy)) if each.check == "others"}
    assert set(found) == {"outputs.aggregate.noise", "data.tables.accounts.privacy-unit"}
    assert "denied" in found["outputs.aggregate.noise"].text
    assert "`account_id`" in found["data.tables.accounts.privacy-unit"].text


def test_the_officers_page_shows_what_lint_says() -> None:
    page = (Path(__file__).parents[3] / "docs/officers.md").read_text()
    for found in linted(("dpia: DPIA-14", "dpia: DPIA-14\n  dipa: x"), ("maximum-rows: off", "maximum-rows: 0")):
        assert f": error: {found.path}: {found.text}; {found.remedy} [{found.check}]" in page
