"""``consortia budget``: what an operator sees of quotas and privacy budgets, and what a plan would cost."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consortia.cli.main import app
from consortia.client.saved_plan import write_plan
from consortia.parties.store import Store
from consortia.policies.accounting import Charge, charge_of
from consortia.policies.language.parse import read_policy
from consortia.trust.envelope import seal_document
from consortia.trust.notices import keep_notice
from consortia.trust.statements import Revocation
from tests.e2e_cluster import PURPOSE, Cluster, prepare

EDITS = (
    ("    noise: off", "    noise: {rho-per-release: 1/10, rho-per-period: 1/5, period-days: 30, cells-per-unit: 4}"),
    ("queries-per-day: off", "queries-per-day: 3"),
)
SQL = "SELECT country, COUNT(DISTINCT person) AS n FROM visits GROUP BY country"


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["budget", *(str(word) for word in words)])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return prepare(tmp_path_factory.mktemp("budget"), count=5, edits=EDITS)


def home(cluster: Cluster, member: str = "bank-a") -> Path:
    return cluster.world.home(member).path


def shown(cluster: Cluster, *words: str | Path) -> dict[str, Any]:
    result = invoke("show", "--home", home(cluster), "--json", *words)
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def fill(cluster: Cluster) -> datetime:
    """One query spent yesterday, one that runs now, one given back."""
    now = datetime.now(UTC)
    store = Store(home(cluster) / "node.sqlite")
    with store.begin() as transaction:
        if not store.ledger.rows(transaction):
            for session, rho, at in (("1", 10**7, now - timedelta(days=1)), ("2", 2 * 10**7, now), ("3", 10**8, now)):
                store.ledger.reserve(transaction, session * 32, PURPOSE, "ana@bank-b", {"person": Charge(rho, 0)}, at)
            store.ledger.commit(transaction, "1" * 32)
            store.ledger.close(transaction, "3" * 32)
    store.close()
    return now


def test_without_a_node_there_is_no_ledger(cluster: Cluster) -> None:
    result = invoke("show", "--home", home(cluster, "bank-b"))
    assert result.exit_code == 1
    assert "no node has run" in result.stderr


def test_queries_and_privacy_are_shown_by_purpose_reserved_and_spent_apart(cluster: Cluster) -> None:
    now = fill(cluster)
    [account] = shown(cluster)["purposes"]
    used = {quota["of"]: (quota["used"], quota["limit"]) for quota in account["queries"]}
    assert used["ana@bank-b today"] == (1, None)
    assert used["all today"] == (1, 3)
    [budget] = account["budgets"]
    assert (budget["unit"], budget["kind"], budget["period_days"]) == ("person", "aggregate", 30)
    amounts = {name: budget[name]["rho"] for name in ("limit", "reserved", "spent", "left")}
    assert amounts == {"limit": 2 * 10**8, "reserved": 2 * 10**7, "spent": 10**7, "left": 17 * 10**7}
    assert datetime.fromisoformat(budget["room_at"]) == (now + timedelta(days=29)).replace(microsecond=0)
    page = invoke("show", "--home", home(cluster)).stdout
    assert "rho 0.03" in page
    assert "rho 0.17" in page


def test_a_plan_is_compared_with_what_is_left(cluster: Cluster, tmp_path: Path) -> None:
    fill(cluster)
    saved = cluster.client().sql(SQL, purpose=PURPOSE).saved()
    write_plan(saved, tmp_path / "q.plan")
    found = shown(cluster, "--plan", tmp_path / "q.plan")["plan"]
    assert found["charges"] == {"person": {"rho": charge_of(saved.plan).rho, "delta": charge_of(saved.plan).delta}}
    assert found["fits"] is True
    store = Store(home(cluster) / "node.sqlite")
    with store.begin() as transaction:
        charges = {"person": Charge(17 * 10**7 - charge_of(saved.plan).rho + 1, 0)}
        store.ledger.reserve(transaction, "4" * 32, PURPOSE, "ana@bank-c", charges, datetime.now(UTC))
    store.close()
    found = shown(cluster, "--plan", tmp_path / "q.plan")["plan"]
    assert found["fits"] is False
    assert [each["code"] for each in found["obstacles"]] == ["policies/budget"]


def test_a_plan_does_not_fit_under_a_revoked_policy(cluster: Cluster, tmp_path: Path) -> None:
    write_plan(cluster.client().sql(SQL, purpose=PURPOSE).saved(), tmp_path / "q.plan")
    world = cluster.world
    Store(home(cluster, "bank-c") / "node.sqlite").close()
    words = ("show", "--home", home(cluster, "bank-c"), "--plan", tmp_path / "q.plan")
    assert invoke(*words).exit_code == 0
    trust = world.home("bank-c").trust
    loaded = read_policy(trust.policy("bank-c", PURPOSE).payload_bytes())
    revocation = Revocation(
        consortium=world.manifest.consortium, owner="bank-c", purpose=PURPOSE, policy=loaded.digest, version=1,
        person="otto@bank-c", reason="x", at=datetime.now(UTC).replace(microsecond=0),
    )  # fmt: skip
    keep_notice(trust, seal_document(revocation, (world.profile("otto@bank-c").signing_key(),)), revocation)
    refused = invoke(*words)
    assert refused.exit_code == 2
    assert "cli/not-concerned" in refused.stderr
