"""Every attack finds what it is after once its one protection is taken away, and fails while that stands."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from examples.attacks import __main__ as command
from examples.attacks.attacks import ATTACKS, Attack
from examples.attacks.run import as_json, attempt, outcome

QUICK = [attack for attack in ATTACKS if attack.name != "averaging of noisy answers"]
[AVERAGING] = [attack for attack in ATTACKS if attack not in QUICK]


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_attack_on_the_protected_consortium_fails_by_its_own_protection(attack: Attack) -> None:
    tried = attempt(attack, attack.protected)
    assert not tried.success
    assert (tried.ended, tried.queries) == (attack.expected.ending, attack.expected.ended_after)


@pytest.mark.parametrize("attack", QUICK, ids=[attack.name for attack in QUICK])
def test_the_same_attack_without_its_protection_finds_the_truth(attack: Attack) -> None:
    tried = attempt(attack, attack.unprotected)
    assert tried.success
    assert tried.queries == attack.expected.found_after


def test_what_is_expected_of_each_attack_stands_in_the_documentation() -> None:
    lines = (Path(__file__).parents[3] / "docs" / "attacks.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    assert [int(queries) for _, _, queries, _ in rows] == [attack.expected.found_after for attack in ATTACKS]
    for attack, (*_, ending) in zip(ATTACKS, rows, strict=True):
        place = {2: "second query ", 5: "fifth query "}.get(attack.expected.ended_after, "")
        words = f"{place}denied" if attack.expected.ending.startswith("policies/") else attack.expected.ending
        assert words in ending


@pytest.mark.slow
def test_averaging_without_a_budget_finds_the_truth() -> None:
    made = outcome(AVERAGING)
    assert made.is_as_it_must_be
    assert made.queries_until_success_unprotected == AVERAGING.expected.found_after


def test_the_command_writes_what_came_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ATTACKS", QUICK[1:2])
    target = tmp_path / "build" / "attacks.json"
    assert command.main(target) == 0
    [line] = json.loads(target.read_text())
    assert line["queries_until_success_unprotected"] == 2
    assert line["success_protected"] is False
    assert set(line) >= {"attack", "queries_until_success_unprotected", "success_protected"}


def test_an_attack_that_succeeds_on_the_protected_consortium_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = QUICK[1]
    weak = replace(attack, protected=attack.unprotected)
    assert as_json([outcome(weak)])[0]["success_protected"] is True
    monkeypatch.setattr(command, "ATTACKS", (weak,))
    assert command.main(tmp_path / "attacks.json") == 1
