"""``consortia policy diff``: words and flips as an officer reads them, and as a program does."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consortia.cli.main import app
from tests.consortium import Consortium, make_consortium
from tests.fixtures_catalogue import CATALOGUE
from tests.policies_world import POLICY, policy_text

runner = CliRunner()
WIDER = ("minimum-entities: 10", "minimum-entities: 8")
NARROWER = ("country: {class: quasi, operations: [filter, group]}", "country: {class: quasi, operations: [filter]}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    now = datetime.now(UTC).replace(microsecond=0)
    return make_consortium(tmp_path_factory.mktemp("diff"), catalogue=CATALOGUE, now=now)


def text(*edits: tuple[str, str]) -> str:
    """A policy of bank-a for the consortium of ``world``, valid today."""
    today = datetime.now(UTC).date()
    dates = (
        f"not-before: {today - timedelta(days=1)}\n  not-after: {today + timedelta(days=60)}\n"
        f"  review: {today + timedelta(days=30)}"
    )
    accounts = POLICY[
        POLICY.index("    accounts:\n") : POLICY.index("outputs:\n")
    ]  # fewer queries are generated without
    usual = "not-before: 2026-11-01\n  not-after: 2027-01-15\n  review: 2027-01-04"
    return policy_text(
        "bank-a", ("consortium: testers", "consortium: test-aml"), (usual, dates), (accounts, ""), *edits
    )


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "v1.yaml"
    path.write_text(text())
    return path


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "v2.yaml"
    path.write_text(text(WIDER, NARROWER, ("dpia: DPIA-14", "dpia: DPIA-15")))
    return path


def diff(*arguments: object) -> Result:
    return runner.invoke(app, ["policy", "diff", *map(str, arguments)])


def value(*arguments: object) -> dict[str, Any]:
    result = diff(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_words_are_marked_and_counted_without_a_home(old: Path, new: Path) -> None:
    found = value(old, new)
    assert (found["widened"], found["narrowed"], found["neutral"]) == (1, 1, 1)
    assert "flips" not in found
    [wider] = [change for change in found["changes"] if change["effect"] == "widened"]
    assert (wider["sign"], wider["field"]) == ("~", "outputs.aggregate.minimum-entities")
    line = next(n for n, each in enumerate(new.read_text().splitlines(), 1) if "minimum-entities: 8" in each)
    assert wider["place"].startswith(f"line {line}")
    page = diff(old, new)
    assert "1 widened, 1 narrowed, 1 neutral" in page.stdout
    assert "WIDENED" in page.stdout
    assert "smaller groups are opened" in page.stdout
    assert "give --home or --profile" in page.stderr


def test_what_is_gone_is_placed_in_the_old_file(old: Path, new: Path) -> None:
    [gone] = [change for change in value(old, new)["changes"] if change["sign"] == "-"]
    line = next(n for n, each in enumerate(old.read_text().splitlines(), 1) if NARROWER[0] in each)
    assert gone["place"].startswith(f"line {line}")


def test_with_a_home_the_answers_that_flip_are_listed(old: Path, new: Path, world: Consortium) -> None:
    found = value(old, new, "--home", world.home("bank-a").path)
    by_country = [flip for flip in found["flips"] if flip["query"].startswith("SELECT country, COUNT(*)")]
    assert by_country
    for flip in by_country:
        assert (flip["before"], flip["after"], flip["rule"]) == ("permit", "deny", "operations")
        assert "deposits.country" in flip["reason"]
    page = diff(old, new, "--profile", world.profile("petra@bank-a").path).stdout
    assert f"{found['queries']} queries tried: 0 permitted that were not, {len(found['flips'])} no longer" in page
    assert "permit -> deny" in page


def test_the_exit_code_tells_whether_anything_changes(old: Path, new: Path, tmp_path: Path) -> None:
    assert diff(old, new, "--exit-code").exit_code == 2
    assert diff(old, new).exit_code == 0
    moved = tmp_path / "moved.yaml"
    lines = text().replace("rates:", "# the same words\nrates:").replace("[bank-a, bank-b]", "[bank-b, bank-a]")
    moved.write_text(lines)
    same = diff(old, moved, "--exit-code")
    assert same.exit_code == 0
    assert "0 widened, 0 narrowed, 0 neutral" in same.stdout


def test_policies_of_two_owners_are_no_versions_of_one(old: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(text().replace("bank-a.aml", "bank-b.aml").replace("owner: bank-a", "owner: bank-b")
                     .replace("dora@bank-a", "dora@bank-b"))  # fmt: skip
    result = diff(old, other, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["code"] == "policies/versions"


def test_what_a_policy_writes_is_not_read_as_markup(old: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_text(text(("DPIA-14", '"[bold]DPIA[/bold]"')))
    assert "[bold]DPIA[/bold]" in diff(old, odd).stdout


def test_the_help_has_examples() -> None:
    page = diff("--help").stdout
    assert "consortia policy diff v1.yaml v2.yaml" in page
    assert "--json" in page
