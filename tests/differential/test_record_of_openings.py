"""What a run opened, sent and released is what its leakage report says, entry by entry, on registered data.

The plan comes from the policies' pipeline and the data from signed members' homes, a fourth of which does not compute.
Traces of two data sets of equal public size are equal, step by step, over the whole path.
"""

from collections import Counter, defaultdict

import polars as pl
import pytest

from consortia.cli import simulation as cli_simulation
from consortia.cli.simulation import simulated_run
from consortia.execution.layout import fields_of
from consortia.parties import simulation
from consortia.parties.data.register import register
from consortia.parties.data.snapshots import SnapshotStore
from consortia.plans.catalogue import Catalogue
from consortia.plans.leakage import LeakageReport
from consortia.plans.model import Plan, Release, Share
from consortia.policies.compiling import Compiled
from consortia.protocols.channel import lane
from consortia.protocols.sharing.opening import RECIPIENT
from consortia.protocols.transcript import Opened, Transcript
from tests.e2e_cluster import PURPOSE, Cluster, prepare

QUERIES = {
    "statistics": "SELECT country, COUNT(*) AS n, SUM(amount) AS total, AVG(amount) AS mean FROM visits "
    "GROUP BY country",
    "alerts": "SELECT person FROM visits WHERE amount > 0 GROUP BY person "
    "HAVING COUNT(DISTINCT member()) >= 2 AND SUM(amount) >= 1000",
    "joined": "SELECT v.country, COUNT(*) AS n, SUM(t.total) AS total FROM visits AS v JOIN"
    " (SELECT person, SUM(amount) AS total FROM visits GROUP BY person) AS t ON t.person = v.person GROUP BY v.country",
    "limited": "SELECT country, COUNT(*) AS n FROM (SELECT person, country, ROW_NUMBER() OVER (PARTITION BY person"
    " ORDER BY amount) AS place FROM visits) AS x WHERE place <= 2 GROUP BY country ORDER BY n DESC LIMIT 2",
    "whole": "SELECT COUNT(*) AS n, SUM(amount) AS total FROM visits WHERE NOT flag",
}
Message = tuple[str, str, str, int]
"""Step path, sender, receiver and payload bytes."""


class Record:
    """All that a run sent and opened: messages by sender, openings by computer, in order within a plan step.

    Steps that do not depend on each other run at the same time, so their order among each other is chance.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.messages: defaultdict[str, list[Message]] = defaultdict(list)
        self.transcripts: list[Transcript] = []
        record = self

        class Network(simulation.MemoryNetwork):
            def __init__(self, names, **more) -> None:
                super().__init__(names, interceptor=record.listen, **more)

        class Recorded(simulation.Transcript):
            def __init__(self) -> None:
                super().__init__()
                record.transcripts.append(self)

        patch.setattr(simulation, "MemoryNetwork", Network)
        patch.setattr(simulation, "Transcript", Recorded)

    def listen(self, step: str, sender: str, receiver: str, payload: bytes) -> bytes:
        self.messages[sender].append((step, sender, receiver, len(payload)))
        return payload

    @property
    def trace(self) -> list[Message]:
        return [
            message
            for sender in sorted(self.messages)
            for message in sorted(self.messages[sender], key=lambda message: lane(message[0]))
        ]

    @property
    def opened(self) -> list[Opened]:
        """Each opening once: all computers must have recorded the same."""
        first, second, third = (
            sorted(transcript.opened, key=lambda opened: lane(opened.step)) for transcript in self.transcripts
        )
        assert first == second == third
        return first


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return prepare(tmp_path_factory.mktemp("cluster"), owners_only=("bank-d",), count=40, max_rows=60)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """Other rows under the same documents' shape: all alike at one member, none at another, few at the third."""
    made = prepare(tmp_path_factory.mktemp("other"), owners_only=("bank-d",), count=7, max_rows=60)
    rows = {
        "bank-a": [("00001", 10**6, "LU", None)] * 60, "bank-b": [], "bank-c": [("00001", -(10**6), "LU", True)] * 2,
    }  # fmt: skip
    for member, content in rows.items():
        file = made.folder / f"{member}.csv"
        lines = [f"{p},{a},{c},{'' if f is None else 'yes'}" for p, a, c, f in content]
        file.write_text("\n".join(["person,amount,country,flag", *lines, ""]))
        home = made.world.home(member)
        signed = Catalogue.parse(home.trust.catalogue().payload_bytes())
        store = SnapshotStore(home.path / "snapshots")
        register(store, made.folder / "schema.yaml", file, signed, home.domain_key, made.world.now)
    return made


def compiled(cluster: Cluster, sql: str) -> Compiled:
    return cluster.client().sql(sql, purpose=PURPOSE).compiled


def run(cluster: Cluster, plan: Plan) -> tuple[Record, simulation.SimulatedRun]:
    with pytest.MonkeyPatch.context() as patch:
        record = Record(patch)
        assert cli_simulation.simulate is simulation.simulate
        return record, simulated_run(plan, cluster.folder / "homes")


def entries(report: LeakageReport, kind: str) -> Counter[tuple[str, tuple[str, ...], int]]:
    return Counter((entry.step, entry.who, entry.amount) for entry in report.entries if entry.kind == kind)


@pytest.mark.parametrize("sql", QUERIES.values(), ids=QUERIES.keys())
def test_every_value_opened_in_a_run_stands_in_the_leakage_report_and_nothing_else(cluster: Cluster, sql: str) -> None:
    asked = compiled(cluster, sql)
    assert asked.leakage is not None
    record, _ = run(cluster, asked.plan)
    inside: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    for opening in record.opened:
        if opening.to != (RECIPIENT,):
            inside[lane(opening.step), opening.what, tuple(sorted(opening.to))] += opening.elements
    assert Counter((step, who, count) for (step, _, who), count in inside.items()) == entries(asked.leakage, "opening")
    texts = {(entry.step, entry.what) for entry in asked.leakage.entries if entry.kind == "opening"}
    assert texts == {(step, f"{count} values opened: {what}") for (step, what, _), count in inside.items()}


@pytest.mark.parametrize("sql", QUERIES.values(), ids=QUERIES.keys())
def test_rounds_and_bytes_on_the_channels_are_those_of_the_leakage_report(cluster: Cluster, sql: str) -> None:
    asked = compiled(cluster, sql)
    assert asked.leakage is not None
    record, _ = run(cluster, asked.plan)
    sent: Counter[str] = Counter()
    for step, _, _, size in record.trace:
        sent[lane(step)] += size
    rounds: Counter[str] = Counter()
    for step, count in record.transcripts[0].rounds.items():
        rounds[lane(step)] += count
    reported = [entry for entry in asked.leakage.entries if entry.kind == "traffic"]
    assert {entry.step: entry.amount for entry in reported if entry.amount} == +sent
    assert {entry.step: entry.rounds for entry in reported if entry.rounds} == +rounds


@pytest.mark.parametrize("sql", QUERIES.values(), ids=QUERIES.keys())
def test_shared_sizes_and_released_rows_are_those_of_the_leakage_report(cluster: Cluster, sql: str) -> None:
    asked = compiled(cluster, sql)
    assert asked.leakage is not None
    record, made = run(cluster, asked.plan)
    shares = [step for step in asked.plan.steps if isinstance(step, Share)]
    assert [(entry.step, entry.amount) for entry in asked.leakage.entries if entry.kind == "size"] == [
        (step.id, step.rows) for step in shares
    ]
    results = [entry for entry in asked.leakage.entries if entry.kind == "result"]
    assert sorted((entry.step, *entry.who) for entry in results) == sorted(made.results)
    released = Counter[str]()
    for opening in record.opened:
        if opening.to == (RECIPIENT,):
            released[lane(opening.step)] += opening.elements
    for step in (step for step in asked.plan.steps if isinstance(step, Release)):
        opened_rows = asked.plan.step(step.inputs[0]).rows
        assert released.pop(step.id) == len(fields_of(step.columns)) * opened_rows * len(step.recipients)
        for (_, name), frame in made.results.items():
            (limit,) = [entry.amount for entry in results if entry.who == (name,)]
            shown = frame if "suppressed" not in frame.columns else frame.filter(~pl.col("suppressed"))
            assert shown.height <= limit
    assert not released


@pytest.mark.parametrize("sql", QUERIES.values(), ids=QUERIES.keys())
def test_traces_are_equal_for_two_data_sets_of_equal_public_size(cluster: Cluster, other: Cluster, sql: str) -> None:
    records = [run(each, compiled(each, sql).plan)[0] for each in (cluster, other)]
    assert records[0].trace == records[1].trace
    assert records[0].opened == records[1].opened
    assert records[0].transcripts[0].rounds == records[1].transcripts[0].rounds
    assert len(records[0].trace) > 12


def test_the_record_notices_an_opening_that_was_not_declared(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan whose union opens one bit more than it should: the comparison above fails."""
    from consortia.execution import steps
    from consortia.protocols.ring3 import Ring3Engine

    honest = steps.control

    def talkative(engine, table, rules, keep, domains):
        if isinstance(engine, Ring3Engine):
            engine.ctx.record_opening("a bit that nobody declared", 1, engine.ctx.computers)
        return honest(engine, table, rules, keep, domains)

    monkeypatch.setattr(steps, "control", talkative)
    with pytest.raises(AssertionError):
        test_every_value_opened_in_a_run_stands_in_the_leakage_report_and_nothing_else(cluster, QUERIES["statistics"])
