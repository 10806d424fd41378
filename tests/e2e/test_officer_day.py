"""``make officer-day``: what it saw, that its page tells the commands which it runs, and that nothing stays behind."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("officer-day")
    command = [sys.executable, "-m", "examples.officer_day", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(out) in " ".join(each.info["cmdline"] or [])]
    found: dict[str, Any] = json.loads((out / "officer-day.json").read_text())
    return found


def test_two_officers_sign_three_versions(seen: dict[str, Any]) -> None:
    assert seen["officers"] == ["petra@bank-a", "otto@bank-a"]
    assert len(set(seen["versions"])) == 3
    first = seen["first_version"]
    assert (first["lint_errors"], first["author_refused"]) == (0, "policies/four-eyes")
    assert first["sentences"] > 20
    third = seen["third_version"]
    assert (third["missing_after_one"], third["permitted_after_one"], third["permitted_after_two"]) == (1, False, True)
    assert (third["widened"], third["narrowed"], third["alerts"]) == (0, 1, "output-kind")


def test_a_denial_names_its_rule_and_what_passes(seen: dict[str, Any]) -> None:
    denial = seen["denial"]
    assert (denial["code"], denial["rule"]) == ("policies/denied", "output-kind")
    assert re.fullmatch(r"bank-a\.aml-detection, line \d+.*: outputs\.score", denial["place"])
    assert denial["suggestion_ran"] is True


def test_the_comparison_finds_the_wider_word_and_the_queries_that_flip(seen: dict[str, Any]) -> None:
    found = seen["diff"]
    assert found["hidden_draft"] == {"widened": 1, "field": "outputs.aggregate.minimum-entities"}
    assert found["signed"] == {"widened": 0, "narrowed": 2, "neutral": 2}
    assert 0 < found["flips"] < found["queries"]
    assert seen["simulation"] == {"queries": 1, "flips": ["permit -> hold"]}


def test_a_held_run_is_reviewed_without_a_value(seen: dict[str, Any]) -> None:
    hold = seen["hold"]
    assert (hold["analyst_refused"], hold["approved_by"]) == ("trust/role", "petra@bank-a")
    assert hold["values_shown"] == []
    assert hold["values_released"] > 5
    assert hold["rows"] > 5


def test_the_pack_is_verified_and_a_changed_byte_refused(seen: dict[str, Any]) -> None:
    pack = seen["pack"]
    assert pack["second_export_identical"]
    assert pack["verified"]
    assert pack["page_bytes"] > 1000
    assert seen["tampered_pack"] == {"refused": True, "code": "audit/not-verified"}


def test_a_revocation_ends_the_run_before_anything_is_opened(seen: dict[str, Any]) -> None:
    stopped = seen["revocation"]
    assert (stopped["phase_when_revoked"], stopped["phase"]) == ("computing", "aborted")
    assert (stopped["code"], stopped["next_query"]) == ("policies/revoked", "policies/denied")
    assert stopped["released"] is False
    assert "approval" in stopped["journals"]
    assert "seal" not in stopped["journals"]
    assert stopped["seconds_until_ended"] < 60


def test_the_page_tells_the_commands_that_are_run(seen: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "officer-day.md").read_text()
    told = re.findall(r"(?m)^\$ consortia (.*)$", page)
    assert len(told) > 15
    run = [words(command) for command in [*seen["commands"], *seen["in_another_window"]]]
    for command in told:
        assert words(command) in run, command
    acts = re.findall(r"(?m)^## (\d)\. ", page)
    assert acts == list("1234567")


def words(command: str) -> str:
    """A command without folders, digests and session ids, which differ from run to run."""
    bare = re.sub(r"\S*/(?=[\w.-]+\.sql)", "", command)
    return re.sub(r"\b[0-9a-f]{4}(\.\.\.|[0-9a-f]{12,})", "", bare).replace("  ", " ").strip()
