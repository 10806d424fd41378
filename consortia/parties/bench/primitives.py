"""What this machine takes for a round and for a few operations: three computers as processes (``trio``).

From the operations' declared rounds and bytes and their measured seconds follow the two numbers of a machine that
``plans.cost`` predicts with.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from consortia.parties.bench.trio import Measured, Trio
from consortia.plans.cost import Estimate, Link, Machine, StepCost, microseconds, party_bytes
from consortia.protocols.engine import Engine
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Boolean, Rows

ROUNDS = 200
NO_LINK = Link(name="none", latency_us=0, bytes_per_second=1 << 40)
"""What links of one machine cost is its own work."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds of one word, one after the other."""

    def __call__(self, engine: Engine) -> None:
        x = engine.constant_arithmetic(np.ones(1, np.uint64))
        for number in range(ROUNDS):
            x = engine.narrow(f"round-{number}").multiply(x, x)


@dataclass(frozen=True, slots=True)
class Primitive:
    """One operation on ``rows`` rows of public values."""

    name: str
    rows: int

    def __call__(self, root: Engine) -> None:
        engine = root.narrow(self.name)
        match self.name:
            case "multiply":
                x = engine.constant_arithmetic(np.ones(self.rows, np.uint64))
                engine.multiply(x, x)
            case "less-than":
                engine.less_than(self._keys(engine), self._keys(engine))
            case "equality":
                engine.equal(self._keys(engine), self._keys(engine))
            case "bits":
                engine.decompose(engine.constant_arithmetic(np.ones(self.rows, np.uint64)), 64)
            case "sort":
                keys = self._keys(engine)
                engine.sort(keys, Rows(boolean=(keys,)))
            case "group":
                self._group(engine)

    def _keys(self, engine: Engine) -> Boolean:
        return engine.constant_boolean(np.arange(self.rows, dtype=np.uint64)[:, np.newaxis], 64)

    def _group(self, engine: Engine) -> None:
        """Sums by a key of 64 bits, sorted first."""
        amounts = engine.constant_arithmetic(np.ones(self.rows, np.uint64))
        valid = engine.constant_boolean(np.ones((self.rows, 1), np.uint64), 1)
        columns = {"k": SharedColumn(self._keys(engine), 0, (1 << 64) - 1), "a": SharedColumn(amounts, 0, 1)}
        ordered = order_by(engine.narrow("order"), SharedTable(self.rows, columns, valid), ("k",))
        total = Measure("total", "sum", 0, self.rows, "a")
        group(engine.narrow("group"), ordered, Grouping(("k",), (total,), self.rows, ("k",)))


PRIMITIVES = ("multiply", "less-than", "equality", "bits", "sort", "group")


@dataclass(frozen=True, slots=True)
class Timed:
    """One operation at one size: median seconds, rounds, and what the computer that sends most sends."""

    name: str
    rows: int
    seconds: float
    rounds: int
    bytes_per_computer: int

    @property
    def bytes_a_row(self) -> float:
        """What that computer sends for each row."""
        return self.bytes_per_computer / self.rows


def measured(sizes: Sequence[int], runs: int, say: Callable[[Timed], None]) -> tuple[float, list[Timed]]:
    """Seconds of one round, and the operations at all ``sizes``; ``say`` hears of each when it is done."""
    found = []
    with Trio() as trio:
        trio.run(Rounds())
        rounds = statistics.median(trio.run(Rounds()).seconds for _ in range(runs)) / ROUNDS
        for rows in sizes:
            for name in PRIMITIVES:
                timed = _timed(name, rows, [trio.run(Primitive(name, rows)) for _ in range(runs + 1)][1:])
                say(timed)
                found.append(timed)
    return rounds, found


def _timed(name: str, rows: int, runs: Sequence[Measured]) -> Timed:
    return Timed(name, rows, statistics.median(run.seconds for run in runs), runs[0].rounds, max(runs[0].sent))


def machine_of(timed: Sequence[Timed]) -> Machine:
    """The machine's two numbers from its operations."""
    return calibrated([cost_of(each) for each in timed], [each.seconds for each in timed])


def cost_of(timed: Timed) -> Estimate:
    """The operation as a plan of one step."""
    sent = party_bytes({"computer": timed.bytes_per_computer})
    return Estimate(steps=(StepCost(step=timed.name, rounds=timed.rounds, bytes_by_party=sent),))


def calibrated(costs: Sequence[Estimate], seconds: Sequence[float]) -> Machine:
    """The two numbers that predict ``seconds`` over links of one machine best, none of them negative.

    Every run has the same weight, whatever its length: what is small is the sum of squared relative errors.
    """

    def relative(machine: Machine) -> np.ndarray:
        predicted = np.array([microseconds(cost, NO_LINK, machine) for cost in costs], float)
        made: np.ndarray = predicted / np.array(seconds) / 1e6
        return made

    unit = 1_000_000
    columns = [relative(Machine(round_us=unit, byte_ps=0)), relative(Machine(round_us=0, byte_ps=unit))]
    found, *_ = np.linalg.lstsq(np.stack(columns, axis=1), np.ones(len(costs)), rcond=None)
    if min(found) < 0:
        # one of them alone
        alone = [float(column.sum() / (column @ column)) for column in columns]
        found = np.array([0.0, alone[1]]) if found[0] < 0 else np.array([alone[0], 0.0])
    return Machine(round_us=round(found[0] * unit), byte_ps=round(found[1] * unit))
