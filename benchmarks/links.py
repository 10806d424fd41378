"""Predicted and measured seconds over links of given latency: ``python -m benchmarks.links``, behind ``make links``.

Three computers as processes, sealed links through a relay that delays (``benchmarks/relay.py``). The prediction is
what ``explain`` shows: declared rounds and bytes, and the two numbers of the machine in ``plans/cost.py``. Prints a
table, writes ``build/links.json`` and the page ``docs/links.md``.
"""

import argparse
import datetime as dt
import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import machine
from benchmarks.cluster import ROOT
from benchmarks.relay import Relay
from consortia.execution.estimate import estimate
from consortia.execution.executor import run_shared
from consortia.execution.layout import shapes_of, words_shape
from consortia.execution.schedule import Task, overlapping
from consortia.parties.bench.primitives import calibrated
from consortia.parties.bench.trio import Trio
from consortia.plans.build import build_plan
from consortia.plans.catalogue_file import read_catalogue
from consortia.plans.cost import LINKS, MACHINE, Estimate, Link, Machine, StepCost, microseconds, party_bytes
from consortia.plans.draft import Environment
from consortia.plans.model import Plan, Share
from consortia.plans.obligations import Obligations
from consortia.plans.sql import bind
from consortia.protocols.counting import CountingEngine
from consortia.protocols.engine import Engine
from consortia.protocols.relational.join import Join, join
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.ring3 import Ring3Engine
from consortia.protocols.shares import Rows

BANKS = ("bank-a", "bank-b", "bank-c")
AML = ROOT / "examples" / "aml"
MEGABIT = 125_000
LATENCIES_US = (250, 500, 5_000, 10_000, 25_000, 50_000)
"""One way, in microseconds: half of a round trip. 0.5, 10 and 50 ms, taken as one way and as round trips."""
BYTES_PER_SECOND = 1000 * MEGABIT
TOLERANCE = 0.25
AS_OF = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Case:
    """What is run, and what it is declared to cost."""

    name: str
    what: str
    program: Callable[[Ring3Engine], object]
    cost: Estimate


@dataclass(frozen=True)
class Point:
    """One case over one link: seconds predicted and measured (median)."""

    case: str
    latency_us: int
    bytes_per_second: int
    rounds: int
    bytes_per_party: int
    predicted: float
    measured: float
    runs: int

    @property
    def off(self) -> float:
        """By how much the prediction is off, as a part of the measured time."""
        return self.predicted / self.measured - 1


# --- what is run ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunPlan:
    """The shared steps of a plan on tables without a valid row: traffic and work are those of any other rows."""

    plan: Plan

    def __call__(self, engine: Ring3Engine) -> object:
        own = [step for step in self.plan.steps if isinstance(step, Share) and step.owner == engine.ctx.member]
        inputs = {
            step.id: [np.zeros(words_shape(shape, step.rows), np.uint64) for shape in shapes_of(step.columns)]
            for step in own
        }
        return run_shared(self.plan, engine, inputs, schedule=overlapping)


RISK = """\
SELECT r.risk, COUNT(*) AS customers, SUM(d.total) AS total
FROM (SELECT customer_key, SUM(amount_minor) AS total FROM deposits WHERE currency = 'EUR' GROUP BY customer_key) d
JOIN (SELECT customer_key, MAX(risk_score) AS risk FROM accounts GROUP BY customer_key) r
  ON d.customer_key = r.customer_key
GROUP BY r.risk
"""
"""Two branches, each with a sort of its own, that do not wait for each other until they are joined."""


def plan_of(sql: str, rows: int) -> Plan:
    """A query over the AML example as its policies would have it, with tables of at most ``rows`` rows a bank."""
    text = (AML / "catalogue.yaml").read_text(encoding="utf-8")
    sized = re.sub(r"(max-rows|max-distinct): \d+", lambda found: f"{found.group(1)}: {rows}", text)
    catalogue = read_catalogue(sized, key_ids=dict.fromkeys(("customer", "account"), "0" * 64))
    environment = Environment(
        manifest="0" * 64,
        catalogue=catalogue,
        catalogue_digest=catalogue.digest(),
        computers=BANKS,
        members=BANKS,
        purpose="aml-detection",
        as_of=AS_OF,
        submitter="ana@bank-a",
        entities={"deposits": "customer_key"},
    )
    obligations = Obligations(entity="customer_key" if sql != RISK else "", minimum_entities=10, minimum_members=2)
    return build_plan(bind(sql, catalogue, AS_OF), environment, obligations)


@dataclass(frozen=True)
class RunSort:
    """``sorts`` independent sorts of ``rows`` rows by 64-bit keys."""

    rows: int
    sorts: int = 1

    def __call__(self, engine: Engine) -> object:
        keys = engine.constant_boolean(np.zeros((self.rows, 1), np.uint64), 64)
        tasks = [
            Task(name, (), lambda name=name: engine.narrow(name).sort(keys, Rows(boolean=(keys,))))  # type: ignore[misc]  # bound now
            for name in (f"sort-{number}" for number in range(self.sorts))
        ]
        overlapping(tasks, lambda _: None)
        return None


@dataclass(frozen=True)
class RunJoin:
    """A left join of ``rows`` rows with as many, by 64-bit keys, on a unique side that is checked."""

    rows: int

    def __call__(self, engine: Engine) -> object:
        keys = engine.constant_boolean(np.arange(self.rows, dtype=np.uint64)[:, np.newaxis], 64)
        numbers = engine.constant_arithmetic(np.ones(self.rows, np.uint64))
        valid = engine.constant_boolean(np.ones((self.rows, 1), np.uint64), 1)
        wide = 1 << 63

        def table(key: str, value: str) -> SharedTable:
            columns = {key: SharedColumn(keys, -wide, wide - 1), value: SharedColumn(numbers, 0, 1)}
            return SharedTable(self.rows, columns, valid)

        return join(engine.narrow("join"), table("k", "a"), table("u", "b"), Join("left", (("k", "u"),), {"b": "b"}))


def counted(program: Callable[[Engine], object], *, sequential: bool = True) -> Estimate:
    """The declared cost of a program over an engine; by lane where its lanes run at the same time."""
    engine = CountingEngine(BANKS)
    program(engine)
    steps: dict[str, list[str]] = {}
    for path in engine.counts.rounds:
        steps.setdefault("" if sequential else path.split("/")[0], []).append(path)
    return Estimate(
        steps=tuple(
            StepCost(
                step=name,
                rounds=sum(engine.counts.rounds[path] for path in paths),
                bytes_by_party=party_bytes(
                    {bank: sum(engine.counts.sent[path, bank] for path in paths) for bank in BANKS}
                ),
            )
            for name, paths in steps.items()
        )
    )


def cases(scale: int = 1) -> list[Case]:
    """All that is measured; ``scale`` divides the numbers of rows."""
    found = []
    for name, sql, rows in (
        ("by_country", _query("by_country"), 10_240 // scale),
        ("structuring", _query("structuring"), 10_240 // scale),
        ("risk", RISK, 2_048 // scale),
    ):
        plan = plan_of(sql, rows)
        found.append(Case(name, f"{WORDS[name]}, {3 * rows:,} rows a table", RunPlan(plan), estimate(plan)))
    n = 100_000 // scale
    few = n // 10
    for program, name, what, sequential in (
        (RunSort(n), "sort", f"sort of {n:,} rows by 64-bit keys", True),
        (RunSort(few, 2), "two-sorts", f"two independent sorts of {few:,} rows at the same time", False),
        (RunJoin(few), "join", f"left join of {few:,} with {few:,} rows by 64-bit keys", True),
    ):
        found.append(Case(name, what, program, counted(program, sequential=sequential)))
    return found


WORDS = {
    "by_country": "query of the demo: counts, sums and means by country",
    "structuring": "query of the demo: customers of several banks with many small deposits",
    "risk": "sums by the highest risk of a customer's accounts: two groups, joined, grouped again",
}


def _query(name: str) -> str:
    return (AML / "queries" / f"{name}.sql").read_text(encoding="utf-8")


# --- the measurement ------------------------------------------------------------------------------------


def measure(
    chosen: Sequence[Case], latencies: Sequence[int], runs: int, say: Callable[[str], None], bandwidth: int
) -> list[Point]:
    """Every case at every one-way latency (microseconds); the first run, on a link without delay, is not counted."""
    relay = Relay(0, bandwidth)
    points = []
    with Trio(relay.front, BANKS) as trio:
        for case in chosen:
            relay.latency = 0
            trio.run(case.program)
            for latency in latencies:
                relay.latency = latency / 1e6
                measured = [trio.run(case.program) for _ in range(runs)]
                point = _point(case, latency, bandwidth, [run.seconds for run in measured])
                say(line(point))
                points.append(point)
    relay.close()
    return points


def _point(case: Case, latency: int, bandwidth: int, seconds: Sequence[float]) -> Point:
    link = Link(name="relay", latency_us=latency, bytes_per_second=bandwidth)
    return Point(
        case=case.name,
        latency_us=latency,
        bytes_per_second=bandwidth,
        rounds=case.cost.rounds,
        bytes_per_party=max(entry.sent for entry in case.cost.bytes_by_party),
        predicted=microseconds(case.cost, link) / 1e6,
        measured=statistics.median(seconds),
        runs=len(seconds),
    )


def calibrate(runs: int, say: Callable[[str], None]) -> Machine:
    """The numbers of this machine: every case at two sizes, over links without delay."""
    costs, seconds = [], []
    with Trio(names=BANKS) as trio:
        for scale in (1, 8):
            for case in cases(scale):
                trio.run(case.program)
                measured = statistics.median(trio.run(case.program).seconds for _ in range(runs))
                say(f"{case.name:12s} 1/{scale}  {case.cost.rounds:4d} rounds  {measured:7.3f} s")
                costs.append(case.cost)
                seconds.append(measured)
    return calibrated(costs, seconds)


def line(point: Point) -> str:
    """For the terminal."""
    return (
        f"{point.case:12s} {point.latency_us / 1000:6.2f} ms  {point.rounds:4d} rounds"
        f" {point.bytes_per_party:12,} bytes"
        f"  predicted {point.predicted:7.3f} s  measured {point.measured:7.3f} s  {100 * point.off:+4.0f} %"
    )


HEAD = """\
# Links: what latency and bandwidth cost, and how well it is predicted

`explain` predicts the time of the secure part over four classes of links, and chooses circuits for the one named by
`--link` (`metro` if none is):

{links}

Latency is one way: half of a round trip. The prediction adds up, for the computer that sends most,

- rounds of the longest way through the plan, times latency and {round_us} us of work a round,
- bytes sent, at the link's bandwidth, and {byte_ps} ps of work for each of them.

Steps of a plan that do not wait for each other run at the same time (`execution/schedule.py`), so their rounds are
counted once; bytes and work add up, because they share a link and a processor. The two numbers of work are those of
three computers on two cores; `python -m benchmarks.links --calibrate` measures them, and `consortia bench` shows those
of one's own machine. Both are integers in `plans/cost.py`.

Where two circuits do the same, the compiling client takes those that the prediction says are faster over the named
link: of few rounds (prefix trees, two-round conversions) or of few bytes (carries bit by bit). The choice stands in the
submission and in the plan, so that every party compiles the same; it changes nothing that anybody learns. Sorts, which
make up most of a plan, have one kind of circuit.

## Predicted and measured

Made by `make links` on {date}: three computers as processes, sealed links through a relay that delays and paces
(`benchmarks/relay.py`), {megabits:,} Mbit/s each way, on {machine}. Seconds are medians of inputs shared, computed on
and brought to what is opened. `off` is predicted over measured. Shorter runs are predicted less well, because they have
work that neither rounds nor bytes stand for: a join of 2,500 rows at 0.25 ms takes 0.11 s where 0.08 s are predicted.

"""


def page(points: Sequence[Point], every: Sequence[Case], about: Mapping[str, str], date: str) -> str:
    """The page in docs/."""
    links = ["| class | one way | bandwidth |", "|---|---|---|"]
    for link in LINKS:
        speed = link.bytes_per_second / 1e6
        links.append(f"| `{link.name}` | {link.latency_us / 1000:g} ms | {speed:g} MB/s |")
    text = HEAD.format(
        links="\n".join(links),
        round_us=MACHINE.round_us,
        byte_ps=MACHINE.byte_ps,
        date=date,
        megabits=points[0].bytes_per_second // MEGABIT,
        machine=f"{about['processor']} with {about['cores']} cores, {about['system']}",
    )
    what = {case.name: case.what for case in every}
    lines = [
        "| what | one way | rounds | bytes a computer | predicted | measured | off |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {what[point.case]} | {point.latency_us / 1000:g} ms | {point.rounds} | {point.bytes_per_party:,} "
        f"| {point.predicted:.2f} s | {point.measured:.2f} s | {100 * point.off:+.0f} % |"
        for point in points
    ]
    worst = max(points, key=lambda point: abs(point.off))
    close = f"The worst of {len(points)} is {100 * worst.off:+.0f} %; the aim is {100 * TOLERANCE:.0f} %."
    return f"{text}{chr(10).join(lines)}\n\n{close}\n"


def merged(before: Sequence[Point], new: Sequence[Point]) -> list[Point]:
    """``new`` points in the place of those of ``before`` for the same case, latency and bandwidth."""
    points = {(point.case, point.latency_us, point.bytes_per_second): point for point in (*before, *new)}
    order = list(dict.fromkeys(point.case for point in (*before, *new)))
    return sorted(points.values(), key=lambda point: (order.index(point.case), point.latency_us))


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.links", description=__doc__)
    parser.add_argument("--cases", default="", help="names, comma-separated; all by default")
    parser.add_argument("--latencies", default="", help="one-way latencies in microseconds, comma-separated")
    parser.add_argument("--scale", type=int, default=1, help="divide the numbers of rows")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--bandwidth", type=int, default=BYTES_PER_SECOND, help="bytes a second, each way")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "links.json", help="where the points are kept")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "links.md", help="the page of all points")
    parser.add_argument("--again", action="store_true", help="put what is measured now among the points of before")
    parser.add_argument("--calibrate", action="store_true", help="measure the machine's two numbers, and no more")
    chosen = parser.parse_args()
    if chosen.calibrate:
        found = calibrate(chosen.runs, lambda text: print(text, flush=True))
        print(f"MACHINE = Machine(round_us={found.round_us}, byte_ps={found.byte_ps})")
        return
    latencies = [int(word) for word in chosen.latencies.replace(",", " ").split()] or LATENCIES_US
    names = chosen.cases.replace(",", " ").split()
    every = cases(chosen.scale)
    selected = [case for case in every if not names or case.name in names]
    points = measure(selected, latencies, chosen.runs, lambda text: print(text, flush=True), chosen.bandwidth)
    if chosen.again and chosen.json.exists():
        points = merged([Point(**entry) for entry in json.loads(chosen.json.read_text(encoding="utf-8"))], points)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps([asdict(point) for point in points], indent=1) + "\n", encoding="utf-8")
    date = dt.datetime.now(dt.UTC).date().isoformat()
    chosen.page.write_text(page(points, every, machine.described(), date), encoding="utf-8")
    print(f"points: {chosen.json}; page: {chosen.page}")


if __name__ == "__main__":
    main()
