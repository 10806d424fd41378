"""``consortia policy``: what officers type, from reading to a policy that every member holds."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consortia.cli.main import app
from consortia.trust.folder import read_policy_file
from tests.consortium import Consortium, make_consortium
from tests.fixtures_catalogue import CATALOGUE
from tests.policies_world import policy_text

runner = CliRunner()
DATES = ("not-before: 2026-11-01\n  not-after: 2027-01-15\n  review: 2027-01-04",)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    now = datetime.now(UTC).replace(microsecond=0)
    return make_consortium(tmp_path_factory.mktemp("cli"), catalogue=CATALOGUE, now=now)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A policy of bank-a that is valid today."""
    from datetime import timedelta

    today = datetime.now(UTC).date()
    dates = (
        f"not-before: {today - timedelta(days=1)}\n  not-after: {today + timedelta(days=60)}\n"
        f"  review: {today + timedelta(days=30)}"
    )
    path = tmp_path / "bank-a.aml-detection.yaml"
    text = policy_text("bank-a", ("consortium: testers", "consortium: test-aml"), (DATES[0], dates))
    path.write_bytes(text.encode())
    return path


def run(*arguments: object) -> Result:
    return runner.invoke(app, ["policy", *map(str, arguments)])


def value(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def error_of(result: Result) -> dict[str, str]:
    assert result.exit_code != 0
    found: dict[str, str] = json.loads(result.stderr)["error"]
    return found


def test_explain_prints_the_page_and_its_sentences(file: Path) -> None:
    assert "What is never permitted" in run("explain", file).stdout
    found = value("explain", file)
    assert {"section", "text", "rule"} == set(found["sentences"][0])


def test_lint_passes_and_fails_with_every_place(file: Path, world: Consortium) -> None:
    home = world.home("bank-a").path
    assert value("lint", file, "--home", home)["errors"] == 0
    text = file.read_text()
    file.write_text(
        text.replace("        ts: {class", "        ts2: {class").replace("rows: all", "rows: colour = 'red'", 1)
    )
    result = run("lint", file, "--home", home, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["errors"] == 2
    assert {problem["path"] for problem in found["problems"] if problem["severity"] == "error"} == {
        "data.tables.deposits.columns.ts2", "data.tables.deposits.rows",
    }  # fmt: skip
    file.write_text(text.replace("noise: off", "noise: 0.5").replace("submit: [bank-a", "submit: [Bank-A"))
    result = run("lint", file)
    assert result.exit_code == 1
    number = text[: text.index("noise: off")].count("\n") + 1
    assert f"{file.name}:{number}:12: error: outputs.aggregate.noise: `0.5`" in result.stdout
    assert "error: parties.submit.0: `Bank-A` does not fit" in result.stdout
    assert result.stdout.rstrip().endswith("2 errors, 0 warnings")


def test_a_policy_that_is_not_enforced_in_full_does_not_pass_lint_and_can_be_read(file: Path) -> None:
    file.write_text(file.read_text().replace("sizes: closed", "sizes: open"))
    result = run("lint", file, "--json")
    assert result.exit_code == 1
    problems = json.loads(result.stdout)["problems"]
    assert any(one["check"] == "enforced" and one["path"] == "leaks.sizes" for one in problems)
    assert run("explain", file).exit_code == 0


def test_two_officers_approve_and_all_members_accept(file: Path, world: Consortium) -> None:
    fingerprint = value("explain", file)["fingerprint"]
    petra, otto, olga = (world.profile(f"{name}@bank-a").path for name in ("petra", "otto", "olga"))
    before = file.read_bytes()
    assert error_of(run("approve", file, "--fingerprint", "0" * 16, "--profile", petra, "--json"))["code"] == (
        "policies/fingerprint"
    )
    assert error_of(run("approve", file, "--fingerprint", fingerprint, "--profile", olga, "--json"))["code"] == (
        "policies/signer"
    )
    assert value("approve", file, "--fingerprint", fingerprint, "--profile", petra)["missing"] == 1
    state = value("show", file, "--home", world.home("bank-b").path)
    assert (state["in_force"], state["missing"], state["may_sign"]) == (False, 1, ["otto@bank-a"])
    plain = run("show", file, "--home", world.home("bank-b").path, "--plain").stdout
    assert run("explain", file).stdout.strip() in plain
    assert "still needed  1 of otto@bank-a" in plain
    again = error_of(run("approve", file, "--fingerprint", fingerprint, "--profile", petra, "--json"))
    assert again["code"] == "trust/envelope"
    assert value("approve", file, "--fingerprint", fingerprint[:16], "--profile", otto)["missing"] == 0
    assert file.read_bytes() == before
    assert value("show", file, "--home", world.home("bank-b").path)["in_force"] is True

    world.exchange.write_policy("bank-a", "aml-detection", read_policy_file(file))
    accepted = value("accept", world.exchange.path, "--home", world.home("bank-b").path)["accepted"]
    assert accepted == [{"owner": "bank-a", "purpose": "aml-detection", "version": "1", "fingerprint": fingerprint}]
    held = world.home("bank-b").trust.policy("bank-a", "aml-detection")
    assert held.payload_bytes() == before
    world.exchange.write_policy("bank-a", "aml-detection", held.model_copy(update={"payload": (before + b"\n").hex()}))
    altered = run("accept", world.exchange.path, "--home", world.home("bank-c").path, "--json")
    assert error_of(altered)["code"] == "policies/altered"
    assert world.home("bank-c").trust.policies() == []


def test_an_altered_file_is_refused_by_show(file: Path, world: Consortium) -> None:
    fingerprint = value("explain", file)["fingerprint"]
    value("approve", file, "--fingerprint", fingerprint, "--profile", world.profile("petra@bank-a").path)
    file.write_bytes(file.read_bytes() + b"# one more remark\n")
    result = run("show", file, "--home", world.home("bank-b").path, "--json")
    assert (result.exit_code, error_of(result)["code"]) == (3, "policies/altered")


def with_examples(file: Path) -> Path:
    """The file with two examples that pass and a catalogue beside it."""
    query = "SELECT country, SUM(amount_minor) AS total FROM deposits WHERE currency = 'EUR' GROUP BY country"
    examples = (
        f'examples:\n  - {{name: countries, query: "{query}", submitter: ana@bank-a, expect: permit}}\n'
        f'  - {{name: strangers, query: "{query}", submitter: carl@bank-c, expect: deny, rule: submitter}}\n'
    )
    file.write_text(file.read_text() + examples)
    return file


def test_examples_are_decided_with_a_home_and_with_a_catalogue_alone(
    file: Path, world: Consortium, tmp_path: Path
) -> None:
    with_examples(file)
    home = world.home("bank-a").path
    found = value("test", file, "--home", home)
    assert (found["passed"], found["failed"]) == (2, 0)
    aml = Path(__file__).parents[3] / "examples/aml/catalogue.yaml"
    alone = tmp_path / "catalogue.yaml"
    alone.write_text(aml.read_text().replace("consortium: example-aml", "consortium: test-aml"))
    shown = run("test", file, "--catalogue", alone, "--coverage").stdout
    assert "PASS  countries: permit" in shown
    assert "PASS  strangers: deny (recipients, submitter)" in shown
    assert "rule   submitter: decides 'strangers'" in shown
    assert "MISSING" in shown

    covered = value("test", file, "--catalogue", alone, "--threshold", 10)["coverage"]["percent"]
    assert run("test", file, "--catalogue", alone, "--threshold", covered).exit_code == 0
    short = run("test", file, "--catalogue", alone, "--threshold", covered + 1)
    assert short.exit_code == 1
    assert f"coverage {covered} %" in short.stdout
    assert "MISSING" not in short.stdout

    file.write_text(file.read_text().replace("submit: [bank-a, bank-b]", "submit: [bank-a, bank-b, bank-c]"))
    failing = run("test", file, "--catalogue", alone)
    assert failing.exit_code == 1
    assert "FAIL  strangers (line" in failing.stdout
    assert "2 examples, 1 passed, 1 failed" in failing.stdout


def test_a_draft_from_a_template_passes_its_examples_with_the_catalogue_beside_it(tmp_path: Path) -> None:
    facts = ("--owner", "h-1", "--consortium", "heart", "--members", "h-1, h-2, h-3", "--purpose", "outcomes")
    made, catalogue = tmp_path / "made.yaml", tmp_path / "catalogue.yaml"
    arguments = ("new", "hospital-study", made, *facts, "--author", "eva@h-1", "--catalogue", catalogue)
    value(*arguments)
    assert run("lint", made).exit_code == 0
    assert run("test", made, "--catalogue", catalogue, "--threshold", 75).exit_code == 0
    assert error_of(run(*arguments, "--json"))["code"] == "cli/file"
    unknown = run("new", "hospital", tmp_path / "x.yaml", *facts, "--author", "eva@h-1", "--json")
    assert error_of(unknown)["code"] == "cli/template"
    wrong_day = run(*arguments, "--from", "tomorrow", "--json")
    assert error_of(wrong_day)["code"] == "cli/day"


def test_fmt_writes_the_layout_checks_it_and_refuses_a_signed_file(file: Path, world: Consortium) -> None:
    value("fmt", file)
    tidy = file.read_text()
    assert run("fmt", file, "--check").exit_code == 0
    file.write_text(tidy.replace("  score: never", "  score:    never   # no scores"))
    assert run("fmt", file, "--check").exit_code == 1
    assert "   never" in file.read_text()
    assert value("fmt", file)["changed"] is True
    assert "  score: never" in file.read_text()
    assert "# no scores" in file.read_text()
    fingerprint = value("explain", file)["fingerprint"]
    value("approve", file, "--fingerprint", fingerprint, "--profile", world.profile("petra@bank-a").path)
    assert error_of(run("fmt", file, "--json"))["code"] == "policies/signed-file"


def test_schema_prints_the_published_file() -> None:
    published = (Path(__file__).parents[3] / "docs/reference/policy.schema.json").read_text()
    assert run("schema").stdout == published
    assert value("schema") == json.loads(published)


def test_a_file_without_examples_does_not_pass(file: Path, world: Consortium) -> None:
    result = run("test", file, "--home", world.home("bank-a").path)
    assert result.exit_code == 1
    assert "nothing was tested" in result.stdout


@pytest.mark.parametrize("command", ["schema", "new", "fmt", "lint", "test", "explain", "approve", "show", "accept"])
def test_every_command_has_examples_and_json(command: str) -> None:
    page = run(command, "--help").stdout
    assert "Examples:" in page
    assert f"consortia policy {command}" in page
    assert "--json" in page
