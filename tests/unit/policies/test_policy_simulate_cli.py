"""``consortia policy simulate``: a draft beside the version in force, over examples and over the journal."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consortia.cli.main import app
from consortia.parties.store import Store
from consortia.trust.envelope import seal_document
from consortia.trust.folder import POLICY_TYPE, read_policy_file
from consortia.trust.sessions import Submission
from tests.consortium import Consortium, make_consortium
from tests.fixtures_catalogue import CATALOGUE, PURPOSE, STATISTICS, STRUCTURING
from tests.policies_world import SCORE_QUERY
from tests.unit.policies.test_policy_diff_cli import NARROWER, text

runner = CliRunner()
QUOTA = ("queries-per-analyst-and-day: off", "queries-per-analyst-and-day: 1")


def signed(world: Consortium, owner: str, content: str, path: Path) -> None:
    """Sign a policy by its owner's two officers, and let every member hold it."""
    path.write_text(content.replace("bank-a.aml", f"{owner}.aml").replace("owner: bank-a", f"owner: {owner}")
                    .replace("dora@bank-a", f"dora@{owner}"))  # fmt: skip
    envelope = read_policy_file(path)
    assert envelope.payload_type == POLICY_TYPE
    for officer in ("petra", "otto"):
        envelope = envelope.with_signature(world.profile(f"{officer}@{owner}").signing_key())
    for home in world.homes.values():
        home.trust.write_policy(owner, PURPOSE, envelope)


def ask(world: Consortium, *texts: str) -> None:
    """Write into bank-a's journal what it was asked."""
    store = Store(world.home("bank-a").path / "node.sqlite")
    at = datetime.now(UTC).replace(microsecond=0)
    for place, sql in enumerate(texts):
        trusted = world.home("bank-a").trusted()
        submission = Submission(
            consortium=world.manifest.consortium, submitter="ana@bank-a", purpose=PURPOSE, sql=sql, plan="1" * 64,
            leakage="2" * 64, manifest=trusted.manifest.digest(), catalogue=trusted.require_catalogue().digest,
            as_of=at, nonce=f"{place:064x}", result_key="00",
        )  # fmt: skip
        envelope = seal_document(submission, (world.profile("ana@bank-a").signing_key(),))
        with store.begin() as transaction:
            store.journal.append(
                transaction, session=f"{place:032x}", kind="submission", payload=envelope.to_bytes(),
                now=at + timedelta(seconds=place), once=True,
            )  # fmt: skip
    store.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    root = tmp_path_factory.mktemp("simulate")
    now = datetime.now(UTC).replace(microsecond=0)
    made = make_consortium(root, catalogue=CATALOGUE, now=now)
    for owner in made.members:
        signed(made, owner, text(), root / f"{owner}.yaml")
    ask(made, STATISTICS, STRUCTURING, SCORE_QUERY)
    return made


def simulate(world: Consortium, draft: Path, *arguments: str, bank: str = "bank-a") -> Result:
    return runner.invoke(app, ["policy", "simulate", str(draft), "--home", str(world.home(bank).path), *arguments])


def value(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "v2.yaml"
    path.write_text(text(NARROWER))
    return path


def test_the_journal_is_replayed_under_the_draft(world: Consortium, draft: Path, tmp_path: Path) -> None:
    found = value(simulate(world, draft, "--history", "--json"))
    assert (found["queries"], found["in_force"]["permitted"], found["draft"]["permitted"]) == (3, 2, 1)
    [flip] = found["flips"]
    assert (flip["query"], flip["before"], flip["after"], flip["rule"]) == (STATISTICS, "permit", "deny", "operations")
    assert flip["source"] == "session 00000000"
    page = simulate(world, draft, "--history").stdout
    assert "3 queries tried: 0 permitted that were not, 1 no longer permitted that were" in page
    assert "queries that pass" in page
    quota = tmp_path / "quota.yaml"
    quota.write_text(text(QUOTA))
    [late] = value(simulate(world, quota, "--history", "--json"))["flips"]
    assert (late["query"], late["rule"]) == (STRUCTURING, "policies/rates")


def test_without_history_examples_and_generated_queries_are_decided(world: Consortium, draft: Path) -> None:
    found = value(simulate(world, draft, "--json"))
    assert {flip["source"] for flip in found["flips"]} == {"generated"}
    assert {(flip["before"], flip["after"]) for flip in found["flips"]} == {("permit", "deny")}
    assert "in_force" not in found


def test_diff_tries_the_queries_of_the_journal_too(world: Consortium, draft: Path, tmp_path: Path) -> None:
    old = tmp_path / "v1.yaml"
    old.write_text(text())
    home = ["--home", str(world.home("bank-a").path), "--json"]
    found = value(runner.invoke(app, ["policy", "diff", str(old), str(draft), *home]))
    assert [flip["query"] for flip in found["flips"] if flip["source"] == "session 00000000"] == [STATISTICS]


def test_a_draft_of_another_member_is_refused(world: Consortium, draft: Path) -> None:
    result = simulate(world, draft, "--history", "--json", bank="bank-b")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["code"] == "policies/not-own"


def test_there_must_be_a_version_to_compare_with(world: Consortium, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(text(("code: aml-detection", "code: statistics")))
    result = simulate(world, other, "--json")
    assert json.loads(result.stderr)["error"]["code"] == "policies/versions"
