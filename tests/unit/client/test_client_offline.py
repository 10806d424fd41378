"""The client without any process running: compile, explain, save, and refuse what is stale."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

import consortia
from consortia.cli.main import app
from consortia.client.compiling import require_current
from consortia.client.saved_plan import SavedPlan, read_plan, write_plan
from consortia.control.limits import ControlLimits
from consortia.errors import ConsortiaError, OperatorError, PolicyRefusal, RequestError
from consortia.execution.estimate import estimate
from consortia.policies.compiling import compile_analysis
from tests.e2e_cluster import PURPOSE, Cluster, prepare

QUERY = "SELECT country, COUNT(*) AS n FROM visits GROUP BY country"
DENIED = "SELECT person, SUM(amount) AS total FROM visits GROUP BY person"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return prepare(tmp_path_factory.mktemp("offline"), count=30, max_rows=60)


def run(cluster: Cluster, *arguments: str, person: str = "ana@bank-a"):
    profile = str(cluster.world.profile(person).path)
    return CliRunner().invoke(app, [*arguments, "--profile", profile], env={"NO_COLOR": "1"})


def test_explain_needs_no_node_and_shows_verdicts_what_is_off_who_learns_what_and_cost(cluster: Cluster) -> None:
    text = cluster.client().sql(QUERY, purpose=PURPOSE).explain()
    for part in (
        "bank-a: permit",
        "bank-b: permit",
        "pending",
        "onward-sharing: off",
        "WHO LEARNS WHAT",
        "rounds",
        "one-host",
    ):
        assert part in text


def test_a_saved_plan_of_few_bytes_is_current_as_it_is(cluster: Cluster) -> None:
    profile, client = cluster.world.profile("ana@bank-a"), cluster.client()
    world, now = client.belief.world, cluster.world.now
    made = compile_analysis(QUERY, PURPOSE, "ana@bank-a", now, world, estimate, now, "few-bytes")
    saved = SavedPlan.of(made)
    assert saved.plan.circuits == "few-bytes"
    require_current(profile, client.belief, saved, now)
    other = saved.model_copy(update={"plan": saved.plan.model_copy(update={"circuits": "few-rounds"})})
    with pytest.raises(RequestError, match="stale"):
        require_current(profile, client.belief, other, now)


def test_a_link_that_is_no_class_is_refused_with_those_that_are(cluster: Cluster) -> None:
    known = run(cluster, "explain", QUERY, "--purpose", PURPOSE, "--link", "continent")
    assert known.exit_code == 0
    assert "by circuits of few rounds" in known.output
    unknown = run(cluster, "explain", QUERY, "--purpose", PURPOSE, "--link", "moon")
    assert unknown.exit_code == 2
    assert "plans/link" in unknown.output
    assert "one-host, data-centre, metro, continent" in unknown.output


def test_a_denied_query_names_rule_owner_and_a_nearest_query_that_passes(cluster: Cluster) -> None:
    query = cluster.client().sql(DENIED, purpose=PURPOSE)
    assert not query.compiled.permitted
    with pytest.raises(PolicyRefusal, match="rule"):
        query.saved()
    suggestion = query.compiled.suggestion
    assert suggestion
    assert cluster.client().sql(suggestion, purpose=PURPOSE).compiled.permitted


def test_a_saved_plan_reads_back_as_the_same_plan(cluster: Cluster, tmp_path: Path) -> None:
    saved = cluster.client().sql(QUERY, purpose=PURPOSE).saved()
    write_plan(saved, tmp_path / "q.plan")
    assert read_plan(tmp_path / "q.plan") == saved


def test_one_changed_byte_of_a_saved_plan_makes_it_stale_or_invalid(cluster: Cluster, tmp_path: Path) -> None:
    client = cluster.client()
    content = client.sql(QUERY, purpose=PURPOSE).saved().canonical()
    changed = content.replace(b'"minimum":5', b'"minimum":4', 1)
    assert changed != content
    with pytest.raises(RequestError) as caught:
        client.submit(SavedPlan.parse(changed))
    assert caught.value.code == "client/stale"


def test_a_plan_under_a_changed_policy_is_stale(cluster: Cluster, tmp_path: Path) -> None:
    saved = cluster.client().sql(QUERY, purpose=PURPOSE).saved()
    profile = tmp_path / "moved"
    shutil.copytree(cluster.world.profile("ana@bank-a").path, profile)
    shutil.copytree(cluster.world.home("bank-a").path / "trust", profile / "trust")
    (profile / "trust" / "policies" / "bank-b" / f"{PURPOSE}.yaml").unlink()
    with pytest.raises(RequestError, match="an owner denies it now") as caught:
        consortia.connect(profile).submit(saved)
    assert caught.value.code == "client/stale"


def test_another_persons_plan_is_not_submitted(cluster: Cluster) -> None:
    saved = cluster.client("ana@bank-a").sql(QUERY, purpose=PURPOSE).saved()
    with pytest.raises(RequestError, match="was made for `ana@bank-a`"):
        cluster.client("ana@bank-b").submit(saved)


def test_an_expired_policy_counts_as_absent_and_is_named(cluster: Cluster) -> None:
    def later() -> datetime:
        return cluster.world.now + timedelta(days=80)

    client = consortia.connect(cluster.world.profile("ana@bank-a").path, now=later)
    assert {error.code for error in client.belief.not_in_force} == {"policies/expired"}
    assert not client.sql(QUERY, purpose=PURPOSE).compiled.permitted


def test_without_a_profile_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSORTIA_PROFILE", raising=False)
    with pytest.raises(OperatorError, match="no profile was given"):
        consortia.connect()


def test_the_coordinator_that_is_not_there_is_named_with_its_address(cluster: Cluster) -> None:
    client = consortia.connect(cluster.world.profile("ana@bank-a").path, limits=ControlLimits(welcome_seconds=1))
    with pytest.raises(ConsortiaError, match=r"127\.0\.0\.1"):
        client.submit(client.sql(QUERY, purpose=PURPOSE).saved())


def test_explain_prints_one_json_object_with_the_plan_hash(cluster: Cluster) -> None:
    result = run(cluster, "explain", QUERY, "--purpose", PURPOSE, "--json")
    assert result.exit_code == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["permitted"] is True
    assert printed["plan_hash"] == printed["leakage"]["plan"]
    assert printed["cost"]["rounds"] > 0


def test_a_denied_explain_exits_with_3_and_an_unsupported_query_with_2(cluster: Cluster) -> None:
    assert run(cluster, "explain", DENIED, "--purpose", PURPOSE).exit_code == 3
    refused = run(cluster, "explain", QUERY + " OFFSET 3", "--purpose", PURPOSE)
    assert refused.exit_code == 2
    assert "OFFSET" in refused.stderr


def test_simulate_prints_every_recipients_result_and_the_declared_bytes(cluster: Cluster, tmp_path: Path) -> None:
    out = tmp_path / "result.csv"
    homes = str(cluster.folder / "homes")
    result = run(cluster, "query", QUERY, "--purpose", PURPOSE, "--simulate", homes, "--out", str(out))
    assert result.exit_code == 0, result.stderr
    assert "as declared" in result.stderr
    rows = out.read_text().splitlines()
    assert rows[0] == "country,n,suppressed"
    assert sum(int(row.split(",")[1] or 0) for row in rows[1:]) == len(cluster.pooled)
