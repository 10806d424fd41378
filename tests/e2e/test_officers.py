"""Officers at work, through their commands, on separate processes: review, kill while held, revocation, stop."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consortia.cli.main import app
from consortia.client import session as sessions
from consortia.client.consortium import Query
from consortia.control import messages
from consortia.control.phases import Phase
from consortia.errors import PolicyRefusal
from consortia.policies.language.parse import read_policy
from consortia.policies.signed import POLICY_TYPE
from consortia.trust.envelope import seal_envelope
from tests.e2e_cluster import PURPOSE, Cluster, prepare, running

pytestmark = pytest.mark.processes

runner = CliRunner()
QUERY = "SELECT country, COUNT(*) AS n FROM visits GROUP BY country ORDER BY country"
ALERTS = "SELECT person FROM visits WHERE amount > 0 GROUP BY person HAVING SUM(amount) >= 1000 ORDER BY person"


def sign_again(cluster: Cluster, owner: str, *edits: tuple[str, str]) -> str:
    """Replace the policy of ``owner`` by one with ``edits``, signed by its officers, at all members; its digest."""
    text = cluster.world.home(owner).trust.policy(owner, PURPOSE).payload_bytes().decode()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    officers = [cluster.world.profile(f"{name}@{owner}").signing_key() for name in ("petra", "otto")]
    envelope = seal_envelope(POLICY_TYPE, text.encode(), officers)
    cluster.world.exchange.write_policy(owner, PURPOSE, envelope)
    for member in cluster.world.members:
        cluster.world.home(member).trust.write_policy(owner, PURPOSE, envelope)
    return read_policy(text.encode()).digest


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    prepared = prepare(tmp_path_factory.mktemp("officers"), count=300, max_rows=1200)
    reviewed = "differencing: off\n    human-review: off", "differencing: off\n    human-review: required"
    sign_again(prepared, "bank-a", reviewed)
    with running(prepared) as up:
        yield up


def command(cluster: Cluster, person: str, *arguments: str, fails: str = "") -> dict[str, Any]:
    """What a command prints for ``person``; with ``fails`` the error of that code that it reports."""
    result = runner.invoke(app, [*arguments, "--profile", str(cluster.world.profile(person).path), "--json"])
    if fails:
        error: dict[str, Any] = json.loads(result.stderr)["error"]
        assert error["code"] == fails, error
        return error
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def query(cluster: Cluster, sql: str = QUERY) -> Query:
    return cluster.client("ana@bank-b").sql(sql, purpose=PURPOSE)


def submitted(cluster: Cluster, sql: str = QUERY) -> str:
    asked = query(cluster, sql)
    return asked.consortium.submit(asked.saved())


def wait_held(cluster: Cluster, session: str, seconds: float = 20.0) -> None:
    client = cluster.client("ana@bank-b")
    deadline = time.monotonic() + seconds
    while True:
        [status] = client.sessions(session)
        if {party.stage for party in status.parties} == {Phase.REVIEWING} and status.phase is Phase.HELD:
            held = command(cluster, "otto@bank-a", "session", "review")["held"]
            if session in [each["session"] for each in held]:
                return
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


def test_an_officer_reviews_and_approves_and_the_result_comes(cluster: Cluster) -> None:
    session = submitted(cluster)
    wait_held(cluster, session)
    command(cluster, "ana@bank-a", "session", "review", fails="trust/role")
    command(cluster, "olga@bank-a", "session", "review", fails="trust/role")
    assert command(cluster, "otto@bank-b", "session", "review")["held"] == []
    command(cluster, "otto@bank-b", "session", "approve", session[:8], fails="client/not-held")
    shown = command(cluster, "otto@bank-a", "session", "review", session[:8])
    assert (shown["submitter"], shown["sql"], shown["awaited"]) == ("ana@bank-b", QUERY, ["bank-a"])
    assert shown["leakage"]
    assert shown["cost"]["rounds"] > 0
    assert shown["reasons"] == ["the policy demands human review of aggregate outputs"]
    approved = command(cluster, "otto@bank-a", "session", "approve", session[:8], "--reason", "as agreed")
    assert approved["decision"] == "approve"
    outcome = cluster.client("ana@bank-b").follow(session)
    assert next(iter(outcome.results.values())).height == 4


@pytest.mark.slow
def test_the_text_of_a_review_has_question_plan_leakage_and_cost(cluster: Cluster) -> None:
    session = submitted(cluster)
    wait_held(cluster, session)
    profile = str(cluster.world.profile("petra@bank-a").path)
    shown = runner.invoke(app, ["session", "review", session[:8], "--profile", profile]).stdout
    for words in ("HELD since", "QUESTION of ana@bank-b", QUERY, "PLAN", "WHO LEARNS WHAT", "COST OF THE SECURE PART"):
        assert words in shown
    refused = command(cluster, "petra@bank-a", "session", "refuse", session, "--reason", "not this month")
    assert refused["decision"] == "refuse"
    with pytest.raises(PolicyRefusal, match="not this month"):
        cluster.client("ana@bank-b").follow(session)


@pytest.mark.slow
def test_a_held_session_survives_the_death_of_every_process(cluster: Cluster) -> None:
    session = submitted(cluster)
    wait_held(cluster, session)
    for name in ("bank-a", "bank-c", "coordinator"):
        cluster.kill(name)
    time.sleep(0.5)
    for name in ("coordinator", "bank-a", "bank-c"):
        cluster.start(name)
    cluster.wait_ready()
    wait_held(cluster, session)
    command(cluster, "otto@bank-a", "session", "approve", session)
    outcome = cluster.client("ana@bank-b").follow(session)
    assert next(iter(outcome.results.values())).height == 4


def test_what_needs_no_review_is_not_held(cluster: Cluster) -> None:
    asked = query(cluster, ALERTS)
    assert asked.consortium.run(asked.saved()).session


def test_a_revocation_in_the_middle_of_a_run_ends_it_and_only_the_next_version_lets_it_run_again(
    cluster: Cluster,
) -> None:
    client = cluster.client("ana@bank-b")
    session = client.submit(query(cluster, ALERTS).saved())
    told: list[dict[str, Any]] = []
    revoking = threading.Thread(
        target=lambda: told.append(
            command(cluster, "otto@bank-c", "policy", "revoke", PURPOSE, "--reason", "the consent was withdrawn")
        )
    )

    def on_event(_session: str, event: sessions.Event) -> None:
        if isinstance(event, messages.Stage) and event.stage is Phase.SHARING and not revoking.ident:
            revoking.start()

    with pytest.raises(PolicyRefusal, match="the consent was withdrawn") as caught:
        client.follow(session, on_event)
    revoking.join()
    assert caught.value.code == "policies/revoked"
    assert set(told[0]["members"].values()) == {"has it"}
    with pytest.raises(PolicyRefusal, match="bank-c"):
        query(cluster, ALERTS).saved()  # the analyst's own copies say so before anything is asked
    digest = told[0]["fingerprint"]
    sign_again(cluster, "bank-c", ("version: 1\n  previous: none", f"version: 2\n  previous: {digest}"))
    assert client.submit(query(cluster, ALERTS).saved())


def test_an_operator_stops_everything_and_two_officers_lift_it(cluster: Cluster, tmp_path: Path) -> None:
    stopped = command(cluster, "olga@bank-a", "emergency-stop", "--reason", "a drill")
    assert set(stopped["members"].values()) == {"has it"}
    with pytest.raises(PolicyRefusal, match="a drill"):
        query(cluster, ALERTS).collect()
    file = str(tmp_path / "lift.json")
    lift = ("emergency-stop", "--lift", file, "--reason", "the drill is over")
    command(cluster, "otto@bank-b", *lift, fails="trust/no-stop")
    command(cluster, "olga@bank-a", *lift, fails="trust/role")
    assert command(cluster, "otto@bank-a", *lift)["signatures"] == 1
    command(cluster, "otto@bank-a", *lift, fails="trust/envelope")
    lifted = command(cluster, "petra@bank-a", *lift)
    assert lifted["lifted"] == stopped["stopped"]
    assert set(lifted["members"].values()) == {"has it"}
    asked = query(cluster, ALERTS)
    assert asked.consortium.run(asked.saved()).session
