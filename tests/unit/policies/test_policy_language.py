"""The shape of a policy: faults are named with their line."""

from datetime import date
from pathlib import Path

import pytest

from consortia.errors import RequestError
from consortia.policies.language.parse import parse_policy
from examples.aml.render import policy_bytes
from tests.policies_world import POLICY, policy_text

ROOT = Path(__file__).parents[3]


def fault(*edits: tuple[str, str]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse_policy(policy_text("bank-a", *edits).encode())
    assert caught.value.code == "policies/schema"
    return caught.value


def line_of(text: str) -> int:
    return POLICY[: POLICY.index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  dpia: DPIA-14\n", "  dpia: DPIA-14\n  dipa: x\n", "`dipa` is unknown"),
        ("  dpia: DPIA-14\n", "", "`dpia` is missing"),
        ("operations: [alert, count]}", "operations: [alert, sum]}", "never permitted on a column of class identifier"),
        ("operations: [filter, group]}", "operations: [filter, grupp]}", "`filter`, `group`"),
        ("minimum-entities: 10", "minimum-entities: 1", "at least 2"),
        ("minimum-entities: 10", "minimum-entities: '10'", "a whole number"),
        ("not-before: 2026-11-01", "not-before: 2026-11-31", "no day of the calendar"),
        ("not-before: 2026-11-01", "not-before: 1 Nov 2026", "YEAR-MONTH-DAY"),
        ("not-after: 2027-01-15", "not-after: 2027-01-31", "92 days"),
        ("not-after: 2027-01-15", "not-after: 2026-10-01", "before"),
        ("review: 2027-01-04", "review: 2027-02-04", "review"),
        ("previous: none", "previous: " + "0" * 64, "`previous` is `none` for version 1"),
        ("author: petra@bank-a", "author: petra", "name@member"),
        ("privacy-unit: customer_key", "privacy-unit: country", "class identifier"),
        ("recipients: owner-of-row", "recipients: bank-a", "owner-of-row"),
    ],
)
def test_a_fault_names_its_line(old: str, new: str, says: str) -> None:
    old, new = old.replace("petra", "dora"), new.replace("petra", "dora")
    error = fault((old, new))
    assert says in f"{error.message}; {error.remedy}"
    number = int(error.place.removeprefix("line ").split(",")[0])
    # What is missing is placed at its section's key, at most the section's length above the edit.
    assert line_of(old) - 8 <= number <= line_of(old) + 1


def test_ninety_days_are_the_longest_validity() -> None:
    longest = policy_text("bank-a", ("not-after: 2027-01-15", "not-after: 2027-01-29"))
    assert (parse_policy(longest.encode()).policy.validity.not_after).isoformat() == "2027-01-29"
    assert "91 days" in fault(("not-after: 2027-01-15", "not-after: 2027-01-30")).message


def test_the_digest_is_of_the_exact_bytes() -> None:
    assert parse_policy(POLICY.encode()).digest != parse_policy((POLICY + "\n").encode()).digest


@pytest.mark.parametrize("owner", ["bank-a", "bank-b", "bank-c"])
def test_the_examples_policies_are_accepted_as_they_stand_and_rendered_for_any_day(owner: str) -> None:
    file = ROOT / f"examples/aml/policies/{owner}.aml-detection.yaml"
    assert parse_policy(file.read_bytes()).policy.identity.owner == owner
    rendered = parse_policy(policy_bytes(owner, date(2031, 2, 28), consortium="elsewhere")).policy
    assert rendered.validity.not_before == date(2031, 2, 27)
    assert rendered.identity.consortium == "elsewhere"
