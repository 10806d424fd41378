"""A consortium set up by hand with the commands, as an operator's guide tells it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

from consortia.cli.main import NOUNS, VERBS, app

MEMBERS = ("bank-a", "bank-b", "bank-c")
CATALOGUE = """
consortium: aml
purposes: [aml-detection]
enums:
  country: [DE, FR, NL]
key-domains:
  customer: {id-type: customer-number}
tables:
  accounts:
    holders: [bank-a, bank-b, bank-c]
    max-rows: 1000
    columns:
      customer_key: {type: key(customer), max-distinct: 800}
      country: enum(country)
      balance: {type: decimal(2), lo: -10.00, hi: 99_999.99}
"""


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def ok(*words: str | Path) -> dict[str, Any]:
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.stderr
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def refused(*words: str | Path) -> tuple[int, str]:
    result = invoke(*words, "--json")
    return result.exit_code, json.loads(result.stderr)["error"]["code"]


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """Three initialised members with people and cards, collected in ``exchange``, and a coordinator."""
    for member in MEMBERS:
        home = tmp_path / member
        ok("init", "--consortium", "aml", "--member", member, "--home", home)
        ok("person", "add", "olga", "--role", "operator", "--home", home)
        ok("person", "add", "petra", "--role", "officer", "--role", "analyst", "--home", home)
        ok("member", "card", "--endpoint", f"{member}.example:7401", "--home", home)
        ok("member", "add", tmp_path / "exchange", home / "public")
    coordinator = ("--endpoint", "coordinator.example:7400", "--coordinator-home", tmp_path / "coordinator")
    ok("coordinator", "init", "--consortium", "aml", *coordinator)
    return tmp_path


def drafted(homes: Path) -> str:
    coordinator = homes / "coordinator" / "coordinator.json"
    draft = ok("manifest", "new", homes / "exchange", "--coordinator", coordinator, "--home", homes / "bank-a")
    return str(draft["fingerprint"])


def sign_all(homes: Path, noun: str) -> dict[str, Any]:
    for member in MEMBERS:
        value = ok(noun, "sign", homes / "exchange", "--profile", homes / member / "people" / "olga")
    return value


def test_three_members_come_to_a_manifest_and_a_catalogue(homes: Path) -> None:
    exchange, fingerprint = homes / "exchange", drafted(homes)
    signed = sign_all(homes, "manifest")
    assert signed["missing"] == []
    assert signed["signed_by"] == ["olga@bank-a", "olga@bank-b", "olga@bank-c"]
    for member in MEMBERS:
        ok("manifest", "accept", exchange, "--fingerprint", fingerprint, "--home", homes / member)
    ok("manifest", "accept", exchange, "--fingerprint", fingerprint, "--coordinator-home", homes / "coordinator")
    owners = [word for member in MEMBERS for word in ("--owner", member)]
    created = ok("domain-key", "create", exchange, "customer", *owners, "--home", homes / "bank-a")
    for member in MEMBERS:
        accepted = ok("domain-key", "accept", exchange, "customer", "--home", homes / member)
        assert accepted["key_id"] == created["key_id"]
    (homes / "catalogue.yaml").write_text(CATALOGUE)
    ok("catalogue", "new", exchange, homes / "catalogue.yaml", "--home", homes / "bank-a")
    sign_all(homes, "catalogue")
    for member in MEMBERS:
        ok("catalogue", "accept", exchange, "--home", homes / member)
    shown = ok("catalogue", "show", "--profile", homes / "bank-b" / "people" / "petra")
    assert shown["catalogue"]["key_domains"][0]["key_id"] == created["key_id"]
    assert [one["card"] for one in ok("member", "show", "--home", homes / "bank-c")["members"]] == [1, 1, 1]


def test_a_manifest_that_one_member_has_not_signed_is_refused(homes: Path) -> None:
    fingerprint = drafted(homes)
    for member in MEMBERS[:2]:
        ok("manifest", "sign", homes / "exchange", "--profile", "olga", "--home", homes / member)
    code = refused("manifest", "accept", homes / "exchange", "--fingerprint", fingerprint, "--home", homes / "bank-a")
    assert code == (1, "trust/quorum")
    assert not (homes / "bank-a" / "trust" / "accepted.json").exists()


def test_an_unsigned_manifest_is_refused_even_with_its_fingerprint(homes: Path) -> None:
    fingerprint = drafted(homes)
    code = refused("manifest", "accept", homes / "exchange", "--fingerprint", fingerprint, "--home", homes / "bank-a")
    assert code == (1, "trust/too-few-signatures")


def test_a_first_manifest_needs_the_fingerprint_and_the_right_one(homes: Path) -> None:
    drafted(homes)
    sign_all(homes, "manifest")
    accept = ("manifest", "accept", homes / "exchange", "--home", homes / "bank-a")
    assert refused(*accept) == (2, "trust/fingerprint-missing")
    assert refused(*accept, "--fingerprint", "0" * 64) == (1, "trust/fingerprint")


def test_a_manifest_altered_after_signing_is_refused(homes: Path) -> None:
    drafted(homes)
    sign_all(homes, "manifest")
    file = homes / "exchange" / "manifest.json"
    file.write_text(file.read_text().replace("coordinator.example", "elsewhere.example"))
    fingerprint = ok("manifest", "show", "--folder", homes / "exchange")["fingerprint"]
    code = refused("manifest", "accept", homes / "exchange", "--fingerprint", fingerprint, "--home", homes / "bank-a")
    assert code == (1, "trust/signature")


def test_only_an_operator_signs_the_manifest(homes: Path) -> None:
    drafted(homes)
    code = refused("manifest", "sign", homes / "exchange", "--profile", "petra", "--home", homes / "bank-a")
    assert code == (2, "trust/role")


def test_a_signed_draft_is_not_discarded_by_a_new_one(homes: Path) -> None:
    drafted(homes)
    ok("manifest", "sign", homes / "exchange", "--profile", "olga", "--home", homes / "bank-a")
    code = refused("manifest", "new", homes / "exchange", "--home", homes / "bank-a")
    assert code == (1, "trust/signed-draft")


def test_a_newer_card_is_taken_up_by_the_others(homes: Path) -> None:
    fingerprint = drafted(homes)
    sign_all(homes, "manifest")
    ok("manifest", "accept", homes / "exchange", "--fingerprint", fingerprint, "--home", homes / "bank-b")
    ok("person", "add", "nina", "--role", "analyst", "--home", homes / "bank-a")
    ok("member", "card", "--endpoint", "bank-a.example:7402", "--home", homes / "bank-a")
    ok("member", "add", homes / "exchange", homes / "bank-a" / "public")
    assert ok("member", "accept", homes / "exchange", "--home", homes / "bank-b") == {"accepted": {"bank-a": 2}}
    shown = ok("member", "show", "--home", homes / "bank-b")["members"][0]
    assert shown["endpoint"] == "bank-a.example:7402"
    assert shown["people"]["nina@bank-a"] == ["analyst"]


def test_init_twice_makes_nothing_and_prints_no_secret(tmp_path: Path) -> None:
    words = ("init", "--consortium", "aml", "--member", "bank-a", "--home", tmp_path / "home")
    first, again = invoke(*words), invoke(*words, "--json")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.pem")}
    assert json.loads(again.stdout)["made"] == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.pem")} == before
    for path in before:
        secret = path.read_text().splitlines()[1]
        assert secret not in first.output + again.output
        assert path.stat().st_mode & 0o777 == 0o600
    assert refused(*words[:4], "bank-b", *words[5:]) == (1, "trust/home-differs")


def test_results_go_to_stdout_and_everything_else_to_stderr(tmp_path: Path) -> None:
    result = invoke("init", "--consortium", "aml", "--member", "bank-a", "--home", tmp_path / "home")
    assert "next:" in result.stderr
    assert "next:" not in result.stdout
    assert "fingerprint" in result.stdout


def test_an_error_names_code_place_and_remedy_in_words(tmp_path: Path) -> None:
    result = invoke("manifest", "show", "--home", tmp_path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "[trust/no-manifest]" in result.stderr
    assert "where:" in result.stderr
    assert "remedy:" in result.stderr


def test_every_command_has_examples_and_json() -> None:
    def commands(group: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        found = []
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            inner = getattr(command, "list_commands", None)
            found += commands(command, (*path, name)) if inner is not None else [(*path, name)]
        return found

    root: Any = typer.main.get_command(app)
    found = commands(root, ())
    assert {path[0] for path in found} == {*NOUNS, *VERBS}
    assert len(found) > 30
    for path in found:
        text = invoke(*path, "--help").output
        assert "--json" in text, path
        assert f"consortia {' '.join(path)}" in text.split("Examples:")[-1], path


def test_a_coordinator_loads_no_engine() -> None:
    code = (
        "import sys\nfrom consortia.cli.main import app\n"
        "try:\n    app(['coordinator', 'serve', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'numpy', 'numba', 'polars', 'duckdb'} & set(sys.modules), 'an engine was loaded'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
