"""Input P1 between separate processes: what could be subtracted is denied, also after a node was killed."""

from pathlib import Path

import pytest

from consortia.errors import PolicyRefusal
from tests.e2e_cluster import PURPOSE, Cluster, prepare, running

pytestmark = pytest.mark.processes

MEAN = "SELECT AVG(amount) AS mean FROM visits"
WITHOUT_ONE = "SELECT AVG(amount) AS mean FROM visits WHERE NOT (amount = {} AND country = '{}')"
DOUBLED = (
    "SELECT AVG(amount) AS mean FROM (SELECT person, amount FROM visits UNION ALL SELECT person, amount FROM visits"
    " WHERE amount = {} AND country = '{}') AS twice"
)


def asked(cluster: Cluster, sql: str, person: str = "ana@bank-a") -> list[object]:
    return cluster.client(person).sql(sql, purpose=PURPOSE).collect()["mean"].to_list()


def test_p1_the_second_and_third_query_are_denied_citing_the_first_and_the_first_may_be_repeated(
    tmp_path: Path,
) -> None:
    prepared = prepare(tmp_path, count=60, max_rows=100, guard="{new-data-days: 7}")
    _, amount, country, _ = next(row for row in prepared.rows["bank-b"] if abs(row[1]) not in (0, 1, 10**6))
    with running(prepared) as cluster:
        client = cluster.client()
        session = client.submit(client.sql(MEAN, purpose=PURPOSE).saved())
        first = next(iter(client.follow(session).results.values()))["mean"].to_list()
        pooled = [row[1] for _, row in cluster.pooled]
        assert float(first[0]) == pytest.approx(sum(pooled) / len(pooled), abs=1e-6)
        with pytest.raises(PolicyRefusal, match="policies/differencing"):
            asked(cluster, WITHOUT_ONE.format(amount, country))
        logs = [cluster.log(name) for name in cluster.world.members]
        assert any(f"compare session {session}" in log for log in logs)  # whoever was the first to deny
        with pytest.raises(PolicyRefusal):  # by what the query is, whatever was asked before
            asked(cluster, DOUBLED.format(amount, country))
        cluster.kill("bank-b")
        cluster.start("bank-b")
        cluster.wait_ready()
        with pytest.raises(PolicyRefusal, match="policies/differencing"):
            asked(cluster, WITHOUT_ONE.format(amount, country), "ana@bank-b")
        assert asked(cluster, MEAN) == first
