"""The whole thing as separate processes: right answers, and what each person sees when something dies."""

import shutil
import threading
import time
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

import pytest

from consortia.cli.simulation import simulated_run
from consortia.client import session as sessions
from consortia.client.consortium import Query
from consortia.control import messages
from consortia.control.phases import Phase
from consortia.errors import ConsortiaError, PeerError, PolicyRefusal
from consortia.trust.domain_keys import HashDomain, hash_keys
from tests.e2e_cluster import PURPOSE, Cluster, prepare, running

pytestmark = pytest.mark.processes

BY_COUNTRY = (
    "SELECT country, COUNT(*) AS n, SUM(amount) AS total, AVG(amount) AS mean "
    "FROM visits GROUP BY country ORDER BY country"
)
ALERTS = (
    "SELECT person FROM visits WHERE amount > 0 GROUP BY person "
    "HAVING COUNT(DISTINCT member()) >= 2 AND SUM(amount) >= 1000 ORDER BY person"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    with running(prepare(tmp_path_factory.mktemp("cluster"), owners_only=("bank-d",))) as up:
        yield up


def expected_by_country(cluster: Cluster) -> list[tuple]:
    groups = defaultdict(list)
    for _, row in cluster.pooled:
        groups[row[2]].append(row)
    rows = []
    for country, members in sorted(groups.items()):
        total = sum(row[1] for row in members)
        with localcontext() as context:
            context.prec = 60
            mean = (Decimal(total) / len(members)).quantize(Decimal("0.000001"), ROUND_HALF_UP)
        rows.append((country, len(members), total, mean, False))
    return rows


def expected_alerts(cluster: Cluster, member: str) -> set[str]:
    amounts: dict[str, int] = defaultdict(int)
    holders: dict[str, set[str]] = defaultdict(set)
    for owner, (person, amount, _, _) in cluster.pooled:
        if amount > 0:
            amounts[person] += amount
            holders[person].add(owner)
    return {
        person
        for person in amounts
        if len(holders[person]) >= 2 and amounts[person] >= 1000 and member in holders[person]
    }


def hashed(cluster: Cluster, people: set[str]) -> set[bytes | None]:
    domain = cluster.world.catalogue.key_domains[0]
    key = cluster.world.home("bank-a").domain_key(domain.name, domain.key_id)
    space = HashDomain(cluster.world.catalogue.consortium, domain.name, domain.id_type, domain.normal_form, domain.bits)
    return set(hash_keys(key, space, sorted(people)))


def query(cluster: Cluster, sql: str, person: str = "ana@bank-a") -> Query:
    return cluster.client(person).sql(sql, purpose=PURPOSE)


def test_four_members_of_which_one_does_not_compute_answer_exactly_what_plain_python_counts(cluster: Cluster) -> None:
    frame = query(cluster, BY_COUNTRY).collect()
    shown = [row for row in frame.rows() if not row[-1]]
    assert shown == expected_by_country(cluster)
    assert [row[0] for row in frame.rows() if row[-1]] == ["LU"]


def test_each_member_receives_the_alerts_of_its_own_rows_and_no_others(cluster: Cluster) -> None:
    client = cluster.client()
    session = client.submit(client.sql(ALERTS, purpose=PURPOSE).saved())
    client.follow(session)
    own = next(iter(client.results(session).values()))
    assert set(own["person"]) == hashed(cluster, expected_alerts(cluster, "bank-a"))
    assert expected_alerts(cluster, "bank-a") != expected_alerts(cluster, "bank-b")


def test_processes_and_one_process_give_the_same_result_and_send_the_declared_bytes_step_by_step(
    cluster: Cluster,
) -> None:
    asked = query(cluster, BY_COUNTRY)
    saved = asked.saved()
    simulated = simulated_run(saved.plan, cluster.folder / "homes")
    assert simulated.measured == asked.compiled.estimate
    session = asked.consortium.submit(saved)
    outcome = asked.consortium.follow(session)
    assert next(iter(outcome.results.values())).equals(next(iter(simulated.results.values())))
    declared = {
        (entry.member, step.step): entry.sent
        for step in asked.compiled.estimate.steps
        for entry in step.bytes_by_party
        if entry.sent
    }
    seals = cluster.seals(session)
    measured = {
        (member, entry.step): entry.bytes for member, seal in seals.items() for entry in seal.traffic if entry.bytes
    }
    assert measured == declared
    rounds = {step.step: step.rounds for step in asked.compiled.estimate.steps if step.rounds}
    for member in saved.plan.computers:
        sealed = {entry.step: entry.rounds for entry in seals[member].traffic if entry.rounds}
        assert sealed == rounds


def test_an_empty_result_is_an_answer(cluster: Cluster) -> None:
    frame = query(
        cluster, "SELECT COUNT(*) AS n, SUM(amount) AS s FROM visits WHERE amount > 999999 AND amount < 1000000"
    ).collect()
    assert frame["suppressed"].to_list() == [True]


def test_an_analyst_of_another_member_may_ask_and_counts_exclude_its_own_rows(cluster: Cluster) -> None:
    frame = query(cluster, BY_COUNTRY, "ana@bank-d").collect()
    assert [row for row in frame.rows() if not row[-1]] == expected_by_country(cluster)


def test_the_coordinators_store_holds_no_share_and_no_result(cluster: Cluster) -> None:
    query(cluster, BY_COUNTRY).collect()
    totals = [str(row[2]) for row in expected_by_country(cluster)]
    people = {row[0] for _, row in cluster.pooled}
    for file in cluster.world.coordinator.path.glob("coordinator.sqlite*"):
        content = file.read_bytes()
        assert not any(f'"{total}"'.encode() in content for total in totals)
        assert not any(value in content for value in hashed(cluster, people) if value)
    log = cluster.log("coordinator")
    assert not any(total in log for total in totals if len(total) > 5)


def stop_while_computing(cluster: Cluster, victim: str) -> tuple[ConsortiaError, float]:
    """Kill ``victim`` as soon as somebody computes; the error at the analyst, and the seconds until it came."""
    client = cluster.client()
    session = client.submit(client.sql(BY_COUNTRY, purpose=PURPOSE).saved())
    killed: list[float] = []

    def on_event(_session: str, event: sessions.Event) -> None:
        sharing = isinstance(event, messages.Stage) and event.stage in (Phase.SHARING, Phase.COMPUTING)
        if sharing and not killed:
            killed.append(time.monotonic())
            threading.Thread(target=cluster.kill, args=(victim,)).start()

    with pytest.raises(ConsortiaError) as caught:
        client.follow(session, on_event)
    return caught.value, time.monotonic() - killed[0]


def test_a_node_killed_while_computing_ends_the_session_everywhere_and_is_named(tmp_path: Path) -> None:
    with running(prepare(tmp_path, count=600, max_rows=2500)) as cluster:
        error, seconds = stop_while_computing(cluster, "bank-c")
        assert isinstance(error, PeerError)
        assert "bank-c" in str(error)
        assert seconds < 10
        cluster.start("bank-c")
        cluster.wait_ready()
        assert query(cluster, BY_COUNTRY).collect().height == 4


def test_a_coordinator_that_restarts_while_the_parties_compute_does_not_end_the_session(tmp_path: Path) -> None:
    with running(prepare(tmp_path, count=600, max_rows=2500)) as cluster:
        client = cluster.client()
        session = client.submit(client.sql(BY_COUNTRY, purpose=PURPOSE).saved())
        restarted = threading.Event()

        def restart() -> None:
            cluster.kill("coordinator")
            cluster.start("coordinator")
            restarted.set()

        def on_event(_session: str, event: sessions.Event) -> None:
            if isinstance(event, messages.Stage) and event.stage is Phase.COMPUTING and not restarted.is_set():
                threading.Thread(target=restart).start()
                restarted.wait(10)

        outcome = client.follow(session, on_event)
        assert restarted.is_set()
        shown = [row for row in next(iter(outcome.results.values())).rows() if not row[-1]]
        assert shown == expected_by_country(cluster)


def test_a_party_that_was_never_started_is_named_within_ten_seconds(tmp_path: Path) -> None:
    with running(prepare(tmp_path, count=20, max_rows=60), without=("bank-c",)) as cluster:
        client = cluster.client()
        started = time.monotonic()
        session = client.submit(client.sql(BY_COUNTRY, purpose=PURPOSE).saved())
        with pytest.raises(PeerError, match="bank-c"):
            client.follow(session)
        assert time.monotonic() - started < 10


def test_an_owner_without_data_denies_by_code_alone_and_says_why_in_its_own_log(tmp_path: Path) -> None:
    prepared = prepare(tmp_path, count=20, max_rows=60)
    shutil.rmtree(prepared.world.home("bank-b").path / "snapshots")
    with running(prepared) as cluster:
        with pytest.raises(PolicyRefusal, match="bank-b") as caught:
            query(cluster, BY_COUNTRY).collect()
        assert "snapshot" not in str(caught.value)
        assert "nothing was registered for the table `visits`" in cluster.log("bank-b")


def test_a_result_can_be_fetched_after_the_terminal_closed(cluster: Cluster) -> None:
    client = cluster.client()
    session = client.submit(client.sql(BY_COUNTRY, purpose=PURPOSE).saved())
    later = cluster.client()
    assert [
        row for row in next(iter(later.results(session[:8]).values())).rows() if not row[-1]
    ] == expected_by_country(cluster)
    assert not (cluster.world.profile("ana@bank-a").path / "sessions" / session / "result.key").exists()
