"""Every attack finds what it is after once its one protection is taken away, and fails while that stands."""

import json
from pathlib import Path

import pytest

from examples.attacks import __main__ as command
from examples.attacks.attacks import ATTACKS, Attack
from examples.attacks.run import as_json, attempt, outcome

QUICK = [attack for attack in ATTACKS if attack.name != "averaging of noisy answers"]
[AVERAGING] = [attack for attack in ATTACKS if attack not in QUICK]


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_attack_on_the_protected_consortium_fails(attack: Attack) -> None:
    tried = attempt(attack, attack.protected)
    assert not tried.success
    assert tried.ended in ("suppressed", "a wrong number", "policies/differencing", "policies/budget")


@pytest.mark.parametrize("attack", QUICK, ids=[attack.name for attack in QUICK])
def test_the_same_attack_without_its_protection_finds_the_truth(attack: Attack) -> None:
    tried = attempt(attack, attack.unprotected)
    assert tried.success
    assert tried.queries <= 8


@pytest.mark.slow
def test_averaging_without_a_budget_finds_the_truth() -> None:
    made = outcome(AVERAGING)
    assert made.is_as_it_must_be
    assert made.queries_until_success_unprotected == 270
    assert (made.queries_protected, made.ended_protected) == (5, "policies/budget")


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
    weak = Attack(attack.name, attack.run, attack.stopped_by, attack.unprotected, protected=attack.unprotected)
    assert as_json([outcome(weak)])[0]["success_protected"] is True
    monkeypatch.setattr(command, "ATTACKS", (weak,))
    assert command.main(tmp_path / "attacks.json") == 1
