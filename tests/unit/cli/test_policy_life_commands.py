"""Status, amend, countersign and revoke as officers type them (the coordinator is away)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consortia.cli import telling
from consortia.cli.main import app
from consortia.control.limits import ControlLimits
from consortia.policies.language.parse import read_policy
from consortia.policies.signed import POLICY_TYPE
from consortia.trust.envelope import seal_envelope
from tests.consortium import PEOPLE, Consortium, make_consortium
from tests.fixtures_catalogue import CATALOGUE
from tests.policies_world import policy_text

runner = CliRunner()
DATES = "not-before: 2026-11-01\n  not-after: 2027-01-15\n  review: 2027-01-04"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    now = datetime.now(UTC).replace(microsecond=0)
    return make_consortium(
        tmp_path_factory.mktemp("life"),
        people={**PEOPLE, "dora": ("officer",)},
        catalogue=CATALOGUE,
        coordinator="127.0.0.1:9",
        suite="ecdsa-p256",
        now=now,
    )


def policy(days: int, *edits: tuple[str, str]) -> bytes:
    today = datetime.now(UTC).date()
    dates = f"not-before: {today - timedelta(days=1)}\n  not-after: {today + timedelta(days=days)}\n  review: {today}"
    text = policy_text("bank-a", ("consortium: testers", "consortium: test-aml"), (DATES, dates), *edits)
    return text.replace("signatures: post-quantum", "signatures: classical").encode()


def put(world: Consortium, data: bytes, *people: str) -> None:
    keys = [world.profile(person).signing_key() for person in people]
    envelope = seal_envelope(POLICY_TYPE, data, keys)
    world.home("bank-a").trust.write_policy("bank-a", "aml-detection", envelope)


def run(*arguments: object) -> Result:
    return runner.invoke(app, [*map(str, arguments), "--json"])


def value(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def code_of(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code != 0
    return str(json.loads(result.stderr)["error"]["code"])


@pytest.mark.parametrize(("days", "warning"), [(60, None), (20, 30), (5, 7), (0, 1)])
def test_status_says_who_signed_and_how_long_it_holds(world: Consortium, days: int, warning: int | None) -> None:
    put(world, policy(days), "petra@bank-a", "otto@bank-a")
    home = world.home("bank-a").path
    [found] = value("policy", "status", "--home", home)["policies"]
    assert (found["days_left"], found["warning"], found["in_force"]) == (days, warning, True)
    assert found["signed_by"] == ["otto@bank-a", "petra@bank-a"]
    shown = runner.invoke(app, ["policy", "status", "--home", str(home)])
    assert ("policy amend aml-detection" in shown.stderr) == (warning is not None)


def test_status_says_who_is_missing_and_fails(world: Consortium) -> None:
    put(world, policy(60, ("submit: [bank-a", "countersign: [bank-c]\n  submit: [bank-a")), "petra@bank-a")
    [found] = value("policy", "status", "--home", world.home("bank-a").path, code=1)["policies"]
    assert (found["missing"], found["uncountersigned"], found["in_force"]) == (1, ["bank-c"], False)
    assert "policies/unsigned" in found["reason"]


def test_a_policy_is_countersigned_by_the_same_command(world: Consortium, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(policy(60, ("submit: [bank-a", "countersign: [bank-c]\n  submit: [bank-a")))
    digest = read_policy(file.read_bytes()).digest
    signs = ("policy", "approve", file, "--fingerprint", digest, "--profile")
    assert code_of(*signs, world.profile("petra@bank-b").path) == "policies/signer"
    assert code_of(*signs, world.profile("ana@bank-c").path) == "policies/signer"
    assert value(*signs, world.profile("petra@bank-a").path)["missing"] == 1
    assert value(*signs, world.profile("otto@bank-a").path)["uncountersigned"] == ["bank-c"]
    done = value(*signs, world.profile("petra@bank-c").path)
    assert (done["countersigned_by"], done["uncountersigned"]) == (["petra@bank-c"], [])


def test_amend_writes_the_next_version_for_its_author_and_overwrites_nothing(world: Consortium, tmp_path: Path) -> None:
    data = policy(20)
    put(world, data, "petra@bank-a", "otto@bank-a")
    out = tmp_path / "v2.yaml"
    amend = ("policy", "amend", "aml-detection", "--out", out, "--profile", world.profile("dora@bank-a").path)
    made = value(*amend)
    assert (made["version"], made["previous"]) == (2, read_policy(data).digest)
    assert read_policy(out.read_bytes()).policy.identity.author == "dora@bank-a"
    assert code_of(*amend) == "cli/write"
    digest = read_policy(out.read_bytes()).digest
    before = tmp_path / "v1.yaml"
    before.write_bytes(data)
    signs = ("policy", "approve", out, "--fingerprint", digest, "--previous", before, "--profile")
    assert code_of(*signs, world.profile("dora@bank-a").path) == "policies/four-eyes"
    assert value(*signs, world.profile("otto@bank-a").path)["missing"] == 1


def test_a_revocation_counts_in_its_home_without_any_coordinator_and_travels_in_the_exchange_folder(
    world: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "ControlLimits", lambda: ControlLimits(welcome_seconds=0.3))
    data = policy(60)
    keys = [world.profile(person).signing_key() for person in ("petra@bank-a", "otto@bank-a")]
    envelope = seal_envelope(POLICY_TYPE, data, keys)
    for trust in (world.home("bank-a").trust, world.home("bank-b").trust, world.exchange):
        trust.write_policy("bank-a", "aml-detection", envelope)
    revoke = ("policy", "revoke", "aml-detection", "--reason", "a mistake", "--exchange", world.exchange.path)
    assert code_of(*revoke, "--profile", world.profile("ana@bank-a").path) == "trust/role"
    assert code_of(*revoke, "--profile", world.profile("olga@bank-a").path) == "trust/role"
    told = value(*revoke, "--profile", world.profile("otto@bank-a").path)
    assert set(told["members"].values()) == {"has not answered"}
    [found] = value("policy", "status", "--home", world.home("bank-a").path, code=1)["policies"]
    assert "a mistake" in found["reason"]
    taken = value("policy", "accept", world.exchange.path, "--home", world.home("bank-b").path)
    assert taken["accepted"] == []
    assert [notice["reason"] for notice in taken["notices"]] == ["a mistake"]
    [there] = value("policy", "status", "--home", world.home("bank-b").path, code=1)["policies"]
    assert "policies/revoked" in there["reason"]
