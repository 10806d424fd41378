"""Sessions on real data with real policies, nodes in this process, for tests of evidence packs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from consortia.audit.export import export_pack
from consortia.parties.config import PartyConfig, PartyLimits
from consortia.parties.node import PartyNode
from consortia.parties.store import Store
from consortia.parties.workshop import Workshop
from tests.e2e_cluster import PURPOSE, Cluster, prepare, register_rows
from tests.session_world import LIMITS, start_coordinator

SQL = "SELECT country, COUNT(*) AS n, SUM(amount) AS total FROM visits GROUP BY country"


@contextmanager
def nodes(cluster: Cluster) -> Iterator[dict[str, PartyNode]]:
    """Coordinator and nodes of ``cluster`` in this process."""
    server = start_coordinator(cluster.world, cluster.ports["coordinator"])
    running = {}
    for member in cluster.world.members:
        home = cluster.world.home(member)
        config = PartyConfig(
            home=home.path,
            listen=f"127.0.0.1:{cluster.ports[member]}",
            limits=PartyLimits(connect_seconds=5, silence_seconds=10, control=LIMITS),
        )
        running[member] = PartyNode(config, home, Workshop(home))
        running[member].start()
    try:
        yield running
    finally:
        for node in running.values():
            node.stop(2)
        server.stop(0.2)


def sealed_sessions(
    folder: Path, queries: Sequence[str] = (SQL,), *, count: int = 40, changing: str = "", small: bool = False
) -> tuple[Cluster, list[str]]:
    """A consortium in ``folder`` whose nodes ran ``queries`` one after the other and were stopped; their sessions.

    The member ``changing`` registers its rows without the last one before the last query. ``small``: classical
    signatures, which are short.
    """
    classical = (("signatures: post-quantum", "signatures: classical"),)
    cluster = prepare(folder, count=count, **({"suite": "ecdsa-p256", "edits": classical} if small else {}))
    with nodes(cluster):
        analyst = cluster.client()
        sessions = []
        for number, query in enumerate(queries, 1):
            if changing and number == len(queries):
                register_rows(cluster.world, changing, cluster.rows[changing][:-1], folder)
            sessions.append(analyst.run(analyst.sql(query, purpose=PURPOSE).saved()).session)
    return cluster, sessions


def pack_of(cluster: Cluster, member: str, session: str) -> bytes:
    """The pack that ``member`` exports."""
    store = Store(cluster.world.home(member).path / "node.sqlite")
    try:
        return export_pack(store, session).data
    finally:
        store.close()
