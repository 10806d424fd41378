"""No log of a node or the coordinator holds a value of the data: in a good session, and when the local stage breaks.

Real nodes and a real coordinator in one process, with the program's own form of logs.
"""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import structlog

from consortia.cli.logs import PROCESSORS
from consortia.errors import ConsortiaError
from consortia.execution.encode import encode
from consortia.parties.config import PartyConfig, PartyLimits
from consortia.parties.node import PartyNode
from consortia.parties.workshop import Workshop
from tests.e2e_cluster import PURPOSE, Cluster, prepare
from tests.session_world import LIMITS, start_coordinator

QUERY = "SELECT country, COUNT(*) AS n, SUM(amount) AS total FROM visits GROUP BY country"
ROWS = {
    bank: [(f"PLANTED-{number}{place:02d}", 770_001 + 1_000 * number + place, "DE", None) for place in range(12)]
    for number, bank in enumerate(("bank-a", "bank-b", "bank-c"), 1)
}
VALUES = [str(value) for rows in ROWS.values() for person, amount, _, _ in rows for value in (person, amount)]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that this package logs, as the processes write it; other libraries' logs too."""
    written = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        processors=PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(written),
    )
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)
    structlog.configure(**before)


@contextmanager
def consortium(folder: Path) -> Iterator[Cluster]:
    cluster = prepare(folder, rows=ROWS)
    server = start_coordinator(cluster.world, cluster.ports["coordinator"])
    nodes = []
    for member in cluster.world.members:
        home = cluster.world.home(member)
        config = PartyConfig(
            home=home.path,
            listen=f"127.0.0.1:{cluster.ports[member]}",
            limits=PartyLimits(connect_seconds=5, silence_seconds=10, control=LIMITS),
        )
        nodes.append(PartyNode(config, home, Workshop(home)))
        nodes[-1].start()
    try:
        yield cluster
    finally:
        for node in nodes:
            node.stop(2)
        server.stop(0.2)


def found(text: str) -> list[str]:
    """Planted values in ``text`` that stand there as words (not by chance within a hash)."""
    return [value for value in VALUES if re.search(rf"(?<![0-9a-z]){re.escape(value)}(?![0-9a-z])", text)]


def test_a_session_and_a_failure_over_the_data_leave_no_value_in_any_log(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(step, frame: pl.DataFrame):
        # the text of this error quotes the values that do not fit, as texts of libraries do
        return encode(step, frame.with_columns(pl.selectors.integer().cast(pl.Int8)))

    with consortium(tmp_path) as cluster:
        analyst = cluster.client()
        assert analyst.sql(QUERY, purpose=PURPOSE).collect().height == 4
        monkeypatch.setattr("consortia.parties.workshop.encode", broken)
        with pytest.raises(ConsortiaError) as failed:
            analyst.sql(QUERY, purpose=PURPOSE).collect()
    assert failed.value.code == "parties/internal"
    written = log.getvalue()
    assert "InvalidOperationError" in written
    assert "workshop.py" in written
    assert found("an error quotes 771001 and PLANTED-100") == ["PLANTED-100", "771001"]
    output = capfd.readouterr()
    assert found(written + output.out + output.err + str(failed.value)) == []
