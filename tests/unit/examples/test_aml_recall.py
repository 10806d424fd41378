"""Alerts in order, recall at a budget, average precision."""

import pytest

from examples.aml import recall
from examples.aml.recall import Bank, Counted, Findings, average_precision, counted, gains, overall

RISK = {"a": 10.0, "b": 90.0, "c": 50.0, "d": 50.0, "e": 5.0}


def findings(cycles: set[str], scatter: set[str]) -> Findings:
    return Findings({"cycles": frozenset(cycles), "scatter-gather": frozenset(scatter)}, RISK)


def bank(alone: set[str], joint: set[str], targets: set[str], budget: int = 2) -> Bank:
    return Bank(budget, {"cycle": frozenset(targets)}, findings(alone, set()), findings(joint, set()))


def test_patterns_come_before_risk_and_more_patterns_before_fewer() -> None:
    assert findings(set(), set()).order() == ["b", "c", "d", "a", "e"]
    assert findings({"e", "a"}, {"e"}).order() == ["e", "a", "b", "c", "d"]
    assert findings({"e", "a"}, {"e"}).why("e") == "cycles and scatter-gather"
    assert findings(set(), set()).why("b") == "risk-propagation"


def test_what_is_told_of_other_accounts_is_left_out() -> None:
    own = findings({"e", "a"}, set()).of({"a", "b"})
    assert own.order() == ["a", "b"]
    assert own.patterns["cycles"] == {"a"}


def test_gains_are_at_the_same_budget_and_the_best_bank_is_of_its_own_targets() -> None:
    banks = {"one": bank(set(), {"e", "d"}, {"d", "e"}), "two": bank({"a"}, {"a"}, {"a"})}
    gain = gains(banks, ("cycle",))["cycle"]
    assert gain.row() == {
        "best_single_bank_recall": 1.0,
        "all_banks_alone_recall": pytest.approx(1 / 3),
        "consortium_recall": 1.0,
        "targets": 3,
    }
    assert overall(banks) == gains(banks, ("cycle",))["cycle"]
    alone = overall(recall.by_risk(banks))
    assert alone.joint == {"one": Counted(0, 2), "two": Counted(0, 1)}


def test_recall_of_nothing_is_none() -> None:
    assert counted(["a"], []).recall is None
    assert gains({"one": bank(set(), set(), set())}, ("cycle",))["cycle"].best_single is None


def test_average_precision_by_hand() -> None:
    assert average_precision(["a", "b", "c"], {"a", "c"}) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(["a", "b"], {"b", "missing"}) == pytest.approx(0.25)
    assert average_precision(["a"], set()) is None
