"""Sessions with colluding computers: five nodes and a coordinator, and MPyC in a process of its own for each node."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from consortia.cli.simulation import simulated_run
from consortia.errors import ConsortiaError
from consortia.parties.config import PartyConfig, PartyLimits
from consortia.parties.node import PartyNode
from consortia.parties.shamir import run
from consortia.parties.shamir.child import ComputingProcess
from consortia.parties.shamir.pipe import Message
from consortia.parties.workshop import Workshop
from tests.e2e_cluster import PURPOSE, Cluster, prepare
from tests.session_world import LIMITS, start_coordinator

pytestmark = pytest.mark.processes

FIVE = ("bank-a", "bank-b", "bank-c", "bank-d", "bank-e")
QUERY = "SELECT country, COUNT(*) AS n, SUM(amount) AS total FROM visits GROUP BY country ORDER BY country"


@contextmanager
def nodes_of(cluster: Cluster) -> Iterator[Cluster]:
    server = start_coordinator(cluster.world, cluster.ports["coordinator"])
    nodes = []
    for member in cluster.world.members:
        home = cluster.world.home(member)
        config = PartyConfig(
            home=home.path,
            listen=f"127.0.0.1:{cluster.ports[member]}",
            limits=PartyLimits(connect_seconds=9, silence_seconds=30, control=LIMITS),
        )
        nodes.append(PartyNode(config, home, Workshop(home)))
        nodes[-1].start()
    try:
        yield cluster
    finally:
        for node in nodes:
            node.stop(2)
        server.stop(0.2)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("five")
    made = prepare(folder, members=FIVE, owners_only=("bank-f",), collusion=2, count=8, max_rows=8, minimum=2)
    with nodes_of(made) as up:
        yield up


def expected(cluster: Cluster) -> list[tuple]:
    """Groups with persons of enough members' rows; every member visits all three countries here."""
    groups = defaultdict(list)
    for _, row in cluster.pooled:
        groups[row[2]].append(row[1])
    return [(country, len(amounts), sum(amounts)) for country, amounts in sorted(groups.items())]


def test_five_nodes_of_which_two_may_collude_answer_exactly_and_send_what_is_declared(cluster: Cluster) -> None:
    asked = cluster.client().sql(QUERY, purpose=PURPOSE)
    saved = asked.saved()
    assert (saved.plan.engine, saved.plan.collusion, saved.plan.computers) == ("shamir", 2, FIVE)
    session = asked.consortium.submit(saved)
    frame = next(iter(asked.consortium.follow(session).results.values()))
    assert [row[:3] for row in frame.rows() if not row[-1]] == expected(cluster)
    simulated = simulated_run(saved.plan, cluster.folder / "homes")
    assert frame.equals(next(iter(simulated.results.values())))
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
    for member in FIVE:
        assert {entry.step: entry.rounds for entry in seals[member].traffic if entry.rounds} == rounds


def test_a_killed_process_ends_the_session_with_a_code_and_nothing_is_opened(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    class Doomed(ComputingProcess):
        """Killed as soon as one of the five says that it sorts."""

        def hear_any(self) -> Message:
            message = super().hear_any()
            if message.kind == "begin" and not begun and not message.fields["step"].startswith("s1"):
                begun.append(self)
                self.close()
            return message

    monkeypatch.setattr(run, "ComputingProcess", Doomed)
    asked = cluster.client().sql(QUERY, purpose=PURPOSE)
    with pytest.raises(ConsortiaError) as failed:
        asked.collect()
    assert failed.value.code in ("shamir/process", "transport/closed")
    assert begun
