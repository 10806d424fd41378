"""The measurement: engines take turns on each workload and size. Medians, ratios, and what is missing and why."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.arrays import Arrays
from benchmarks.cluster import Cluster, EngineFailure, Timing, summary
from benchmarks.party import Job
from benchmarks.peers import FOLDER, OURS, Engine, NotInstalled, interpreter
from benchmarks.workloads import Workload

SEED = 5
LONG = 10.0
"""From so many expected seconds on there is no warm-up."""
SLOW = 2.0
"""From so many seconds on a first run counts, and an engine is not run again beside another's second setting."""
PROFILED = "spu"
"""Its first run counts traffic under a profiler and is never timed."""
Say = Callable[[str], None]


@dataclass(slots=True)
class Row:
    """One engine with one setting on one workload and size: a line of ``build/bench.json``."""

    workload: str
    n: int
    engine: str
    setting: str
    seconds_median: float
    bytes_per_party: float | None
    rounds: int | None
    correct: bool
    ratio: float | None = None
    """Our rows only: seconds of ``ratio_to``'s fastest correct setting over ours."""
    ratio_to: str | None = None
    ratios: dict[str, float] = field(default_factory=dict)
    """The same against every peer that was measured."""
    seconds_least: float = 0.0
    seconds_most: float = 0.0
    runs: int = 0
    bytes_counted: str = ""
    peak_bytes_of_all_parties: int = 0
    ended: str = ""
    """When the command ended that measured it (UTC, to the minute)."""
    load: float = 0.0
    """How many processes wanted to run before that command began: other work."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What was not measured, and why."""

    workload: str
    n: int
    engine: str
    reason: str


@dataclass(slots=True)
class Limits:
    """Seconds one run may be expected to take, and the moment (monotonic clock) after which nothing starts."""

    run: float = 100.0
    end: float = float("inf")


@dataclass(slots=True)
class Measurement:
    """Runs workloads; collects rows and what is missing."""

    limits: Limits
    say: Say
    rows: list[Row] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    _clusters: dict[str, Cluster] = field(default_factory=dict)
    _absent: dict[str, str] = field(default_factory=dict)

    def close(self) -> None:
        """End all processes."""
        for cluster in self._clusters.values():
            cluster.close()
        self._clusters.clear()

    def workload(self, work: Workload, n: int, engines: Sequence[Engine]) -> None:
        """Measure one workload at one size on every engine that has it."""
        given = work.inputs(n, np.random.default_rng(SEED))
        entries = [entry for engine in engines for entry in self._entries(work, n, engine)]
        turns = max((len([e for e in entries if e.engine is engine]) for engine in engines), default=0)
        # an engine of several settings holds one at a time; the others run beside each of them
        for turn in range(turns):
            beside = []
            for engine in engines:
                own = [entry for entry in entries if entry.engine is engine]
                if own and (turn < len(own) or own[0].typical < SLOW):
                    beside.append(own[turn % len(own)])
            self._take_turns(work, n, given, beside)
        found = [row for entry in entries if (row := self._row(work, n, entry)) is not None]
        compare(found)
        self.rows += found
        for row in found:
            self.say(_line(row))

    # --- one size ---------------------------------------------------------------------------------------

    def _entries(self, work: Workload, n: int, engine: Engine) -> list["_Entry"]:
        largest = engine.largest.get(work.name)
        if largest is None:
            return []
        reason = ""
        if n > largest:
            reason = f"asked up to n = {largest:,}: slower engines get the sizes that end in time"
        elif time.monotonic() > self.limits.end:
            reason = "the time for the whole measurement was up"
        elif not self._there(engine):
            reason = self._absent[engine.name]
        if reason:
            self.missing.append(Missing(work.name, n, engine.name, reason))
            return []
        kept = []
        for setting in engine.settings_of(work.name):
            expected = self._expected(work, n, engine.name, setting)
            if expected > self.limits.run:
                reason = f"about {expected:.0f} s expected, more than the limit of {self.limits.run:.0f} s"
                self.missing.append(Missing(work.name, n, f"{engine.name} {setting}".strip(), reason))
            else:
                kept.append(_Entry(engine, setting, expected))
        return kept

    def _there(self, engine: Engine) -> bool:
        if engine.name in self._clusters:
            return True
        if engine.name in self._absent:
            return False
        try:
            python = interpreter(engine)
            self._clusters[engine.name] = Cluster(engine.name, python, engine.module, FOLDER / "logs")
        except (NotInstalled, EngineFailure) as error:
            self._absent[engine.name] = f"it does not install or start here: {error}"
            self.say(f"{engine.name}: {self._absent[engine.name]}")
            return False
        return True

    def _expected(self, work: Workload, n: int, engine: str, setting: str) -> float:
        """Seconds, by the largest smaller size; 0 if nothing is known."""
        before = [
            row for row in self.rows
            if (row.workload, row.engine, row.setting) == (work.name, engine, setting) and row.n < n
        ]  # fmt: skip
        if not before:
            return 0.0
        last = max(before, key=lambda row: row.n)
        power = 1.5 if work.name == "matmul" else 1.0
        return last.seconds_median * (n / last.n) ** power

    def _take_turns(self, work: Workload, n: int, given: Arrays, entries: Iterable["_Entry"]) -> None:
        ready = [entry for entry in entries if self._prepared(work, n, given, entry)]
        left = {id(entry): entry.wanted - (1 if entry.timings and entry.typical >= SLOW else 0) for entry in ready}
        rounds = max(left.values(), default=0)
        for number in range(rounds):
            for entry in ready:
                wanted = left[id(entry)]
                every = rounds // wanted if wanted else rounds + 1
                if number % every == 0 and number // every < wanted:
                    self._attempt(entry, lambda entry=entry: entry.timings.append(self._run(entry)))
        for entry in ready:
            if not entry.failure:
                self._attempt(entry, lambda entry=entry: self._check(work, given, entry))

    def _prepared(self, work: Workload, n: int, given: Arrays, entry: "_Entry") -> bool:
        entry.failure = ""
        if not self._there(entry.engine):
            entry.failure = self._absent[entry.engine.name]
            return False
        warm = entry.expected < LONG

        def prepare() -> None:
            cluster = self._clusters[entry.engine.name]
            limit = max(60.0, 2 * self.limits.run)
            entry.job = cluster.prepare(work.name, n, entry.setting, given, limit, counting=warm)
            # without a warm-up the first timed run stands
            entry.typical = entry.expected
            if not warm:
                return
            first = self._run(entry)
            entry.typical = first.seconds
            if first.seconds >= SLOW and entry.engine.name != PROFILED:
                # what takes seconds is warm from its first part on
                entry.timings.append(first)
            elif first.seconds < SLOW:
                entry.typical = self._run(entry).seconds

        self._attempt(entry, prepare)
        return not entry.failure

    def _run(self, entry: "_Entry") -> Timing:
        if entry.job is None:
            raise EngineFailure("no job is prepared")
        return self._clusters[entry.engine.name].run(entry.job, max(60.0, 3 * self.limits.run))

    def _check(self, work: Workload, given: Arrays, entry: "_Entry") -> None:
        if entry.job is None:
            raise EngineFailure("no job is prepared")
        answer = self._clusters[entry.engine.name].answer(entry.job, max(60.0, self.limits.run))
        entry.correct.append(work.correct(given, answer))

    def _attempt(self, entry: "_Entry", action: Callable[[], None]) -> None:
        """Do it, or note the failure and end the engine's processes: the next workload starts them anew."""
        if entry.failure:
            return
        try:
            action()
        except EngineFailure as error:
            entry.failure = str(error)
            cluster = self._clusters.pop(entry.engine.name, None)
            if cluster is not None:
                cluster.close()

    def _row(self, work: Workload, n: int, entry: "_Entry") -> Row | None:
        if not entry.timings or not entry.correct:
            label = f"{entry.engine.name} {entry.setting}".strip()
            self.missing.append(Missing(work.name, n, label, entry.failure or "it was not run"))
            return None
        median, sent, rounds, counted = summary(entry.timings)
        seconds = [timing.seconds for timing in entry.timings]
        return Row(
            work.name, n, entry.engine.name, entry.setting, median, sent, rounds, all(entry.correct),
            seconds_least=min(seconds), seconds_most=max(seconds), runs=len(seconds), bytes_counted=counted,
            peak_bytes_of_all_parties=max(sum(timing.peak) for timing in entry.timings),
        )  # fmt: skip


@dataclass(slots=True)
class _Entry:
    """One engine with one setting, on the workload and size at hand."""

    engine: Engine
    setting: str
    expected: float
    job: Job | None = None
    typical: float = 0.0
    failure: str = ""
    timings: list[Timing] = field(default_factory=list)
    correct: list[bool] = field(default_factory=list)

    @property
    def wanted(self) -> int:
        """Runs in one round of turns: more of short ones, and of the two engines that are compared."""
        most = 8.0 if self.engine.name in (OURS, PROFILED) else SLOW
        return next(
            runs for limit, runs in ((0.05, 15), (0.5, 7), (most, 3), (float("inf"), 1)) if self.typical < limit
        )


def compare(rows: Sequence[Row]) -> None:
    """Set the ratios of our rows among ``rows`` of one workload and size."""
    best: dict[str, float] = {}
    for row in rows:
        if row.engine != OURS and row.correct:
            best[row.engine] = min(row.seconds_median, best.get(row.engine, float("inf")))
    for row in rows:
        if row.engine == OURS and row.correct and best:
            row.ratios = {engine: seconds / row.seconds_median for engine, seconds in best.items()}
            # SPU shares the security model; without it the fastest of the others
            row.ratio_to = "spu" if "spu" in best else min(best, key=lambda engine: best[engine])
            row.ratio = row.ratios[row.ratio_to]


def enough_memory(work: Workload, n: int, rows: Sequence[Row], free: int) -> bool:
    """Whether our three parties fit into ``free`` bytes at this size, as memory grew between smaller ones.

    What the smallest size takes is interpreter and kernels for the most part, which does not grow.
    """
    before = {
        row.n: row.peak_bytes_of_all_parties
        for row in rows
        if row.workload == work.name and row.engine == OURS and row.n < n
    }
    if not before:
        return True
    small, large = ([0, *sorted(before)])[-2:]
    step = (before[large] - before.get(small, 0)) / (large - small)
    return before[large] + step * (n - large) < 0.8 * free


def growth(rows: Sequence[Row]) -> dict[tuple[str, str], dict[int, float]]:
    """Our microseconds a row, by workload and setting, by size."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows:
        if row.engine == OURS:
            found.setdefault((row.workload, row.setting), {})[row.n] = 1e6 * row.seconds_median / row.n
    return found


def spread(rows: Sequence[Row]) -> float:
    """Median over rows of slowest over fastest run: how quiet the machine was."""
    return statistics.median(row.seconds_most / row.seconds_least for row in rows if row.runs > 1)


def _line(row: Row) -> str:
    sent = "" if row.bytes_per_party is None else f"{row.bytes_per_party / row.n:10,.1f} bytes a party and {'row'}"
    rounds = "" if row.rounds is None else f"{row.rounds:5d} rounds"
    ratio = "" if row.ratio is None else f"  {row.ratio:.1f} x {row.ratio_to}"
    right = "" if row.correct else "  WRONG"
    return (
        f"{row.workload:18s} n {row.n:10,}  {row.engine:8s} {row.setting:20s} {row.seconds_median:10.4f} s"
        f"  {sent}  {rounds}{ratio}{right}"
    )
