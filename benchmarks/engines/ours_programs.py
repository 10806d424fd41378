"""The workloads as programs of our engine: shares in, shares out."""

from collections.abc import Callable

import numpy as np

from benchmarks.arrays import Arrays
from benchmarks.engines.dealer import Dealer, Maker, Program, Shares
from benchmarks.engines.ours_analyses import ANALYSES, ANSWERS
from benchmarks.party import Job
from benchmarks.workloads import BATCH, EPOCHS, GROUPS, batches, side
from consortia.protocols.boolean.networks import Network
from consortia.protocols.engine import Engine
from consortia.protocols.kernels.planes import words_from_planes
from consortia.protocols.learning.cubic import Cubic
from consortia.protocols.learning.logistic import Activation, Batch, Training, train
from consortia.protocols.learning.waves import Waves
from consortia.protocols.relational.group import Grouping, Measure, group
from consortia.protocols.relational.join import Join, join
from consortia.protocols.relational.order import order_by
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Rows
from consortia.protocols.sharing.ring3 import Ring3Arithmetic, Ring3Boolean

ARITHMETIC, BOOLEAN = "arithmetic shares", "boolean shares"
SKLANSKY, BRENT_KUNG = "Sklansky adder", "Brent-Kung adder"
FRACTION = 20
"""Fraction bits of fixed-point numbers."""
SIGN = np.uint64(1 << 63)

SETTINGS = {
    "less-than": (BOOLEAN, ARITHMETIC),
    "equality": (BOOLEAN, ARITHMETIC),
    "bits": (SKLANSKY, BRENT_KUNG),
}
"""Workloads that are measured in several ways; all others in one, whose name is empty."""


def program(job: Job, rank: int) -> Program:
    """The program of a job over this party's shares of its inputs."""
    return PROGRAMS[job.workload](Dealer(job, rank), job.inputs(), job)


def ordered(values: np.ndarray) -> np.ndarray:
    """Signed integers as unsigned ones in the same order."""
    return values.view(np.uint64) ^ SIGN


def _multiply(deal: Dealer, given: Arrays, _: Job) -> Program:
    x, y = deal.arithmetic("x", given["x"]), deal.arithmetic("y", given["y"])
    return lambda engine: {"out": engine.multiply(x, y)}


def _less_than(deal: Dealer, given: Arrays, job: Job) -> Program:
    if job.setting == ARITHMETIC:
        a, b = deal.arithmetic("x", given["x"]), deal.arithmetic("y", given["y"])
        return lambda engine: {"out": engine.negative(a - b, 64)}
    x, y = deal.boolean("x", ordered(given["x"]), 64), deal.boolean("y", ordered(given["y"]), 64)
    return lambda engine: {"out": engine.less_than(x, y)}


def _equality(deal: Dealer, given: Arrays, job: Job) -> Program:
    if job.setting == ARITHMETIC:
        a, b = deal.arithmetic("x", given["x"]), deal.arithmetic("y", given["y"])
        return lambda engine: {"out": engine.zero(a - b, 64)}
    x, y = deal.boolean("x", given["x"], 64), deal.boolean("y", given["y"], 64)
    return lambda engine: {"out": engine.equal(x, y)}


def _sort(bits: int) -> Maker:
    def make(deal: Dealer, given: Arrays, _: Job) -> Program:
        lowest = np.int64(-(1 << (bits - 1)))
        keys = deal.boolean("x", given["x"] - lowest, bits)
        return lambda engine: {"out": engine.sort(keys, Rows(boolean=(keys,))).boolean[0]}

    return make


def _group_by(bits: int, groups: Callable[[int], int]) -> Maker:
    def make(deal: Dealer, given: Arrays, job: Job) -> Program:
        keys = deal.boolean("keys", given["keys"], bits)
        values = deal.arithmetic("values", given["values"])
        valid = deal.boolean("valid", np.ones(job.n, np.uint64), 1)
        columns = {"keys": SharedColumn(keys, 0, (1 << bits) - 1), "values": SharedColumn(values, 0, 999)}
        table = SharedTable(job.n, columns, valid)
        total = Measure("sums", "sum", 0, 999 * job.n, "values")
        grouping = Grouping(("keys",), (total,), groups(job.n), ("keys",))

        def run(engine: Engine) -> Shares:
            ordered_table = order_by(engine.narrow("order"), table, ("keys",))
            found = group(engine.narrow("group"), ordered_table, grouping)
            return {"keys": found.column("keys").value, "sums": found.column("sums").value, "valid": found.valid}

        return run

    return make


def _join(deal: Dealer, given: Arrays, _: Job) -> Program:
    def side_of(key: str, value: str) -> SharedTable:
        n = given[key].size
        columns = {
            key: SharedColumn(deal.boolean(key, given[key], 64), 0, (1 << 64) - 1),
            value: SharedColumn(deal.arithmetic(value, given[value]), 0, 999),
        }
        return SharedTable(n, columns, deal.boolean(f"{key} valid", np.ones(n, np.uint64), 1))

    probe, unique = side_of("left", "amount"), side_of("right", "score")
    spec = Join("inner", (("left", "right"),), {"score": "score"})

    def run(engine: Engine) -> Shares:
        found = join(engine, probe, unique, spec)
        names = {"keys": "left", "amount": "amount", "score": "score"}
        return {**{name: found.column(column).value for name, column in names.items()}, "valid": found.valid}

    return run


def _fixed(values: np.ndarray, fraction: int) -> np.ndarray:
    return np.rint(values * (1 << fraction)).astype(np.int64)


def _multiply_truncate(deal: Dealer, given: Arrays, _: Job) -> Program:
    x = deal.arithmetic("x", _fixed(given["x"], FRACTION))
    y = deal.arithmetic("y", _fixed(given["y"], FRACTION))
    return lambda engine: {"out": engine.multiply_truncate(x, y, FRACTION)}


def _bits(deal: Dealer, given: Arrays, job: Job) -> Program:
    x = deal.arithmetic("x", given["x"])
    network: Network = "brent-kung" if job.setting == BRENT_KUNG else "sklansky"
    return lambda engine: {"out": engine.decompose(x, 64, network)}


CUBIC = Cubic(0.5, 0.197, -0.004, argument=8, value=40)
TRUE = Waves()
"""The engine's logistic function, maximum error 7.6e-4 for scores whose size stays below 13."""
TRAINING = Training(EPOCHS, rate_bits=8, features=10, weights=30)


def _training(activation: Activation) -> Maker:
    def make(deal: Dealer, given: Arrays, job: Job) -> Program:
        x, y = _fixed(given["x"], TRAINING.features), given["y"].astype(np.int64)
        made, count = [], x.shape[1]
        for i in range(batches(job.n)):
            rows = slice(i * BATCH, (i + 1) * BATCH)
            columns = np.ascontiguousarray(x[rows].T)
            parts = {"rows": x[rows], "columns": columns, "labels": y[rows]}
            made.append(Batch(*(deal.arithmetic(f"{name} {i}", values) for name, values in parts.items())))
        return lambda engine: {"out": train(engine.ctx, made, count, activation, TRAINING)}

    return make


def _matmul(deal: Dealer, given: Arrays, job: Job) -> Program:
    x, y, rows = deal.arithmetic("x", given["x"]), deal.arithmetic("y", given["y"]), side(job.n)
    return lambda engine: {"out": engine.matrix_product(x, y, rows, rows, rows)}


PROGRAMS: dict[str, Maker] = {
    "multiply": _multiply,
    "multiply-truncate": _multiply_truncate,
    "bits": _bits,
    "join": _join,
    "logistic-poly": _training(CUBIC),
    "logistic-sigmoid": _training(TRUE),
    "logistic-30": _training(TRUE),
    "less-than": _less_than,
    "equality": _equality,
    "sort-64": _sort(64),
    "sort-16": _sort(16),
    "group-by-100": _group_by(7, lambda _: GROUPS),
    "group-by-tenth": _group_by(64, lambda n: max(1, n // 10)),
    "matmul": _matmul,
    **ANALYSES,
}


# --- results --------------------------------------------------------------------------------------------


def components(shares: Shares) -> Arrays:
    """This party's first component of each result."""
    found: Arrays = {}
    for name, share in shares.items():
        if not isinstance(share, Ring3Arithmetic | Ring3Boolean):
            raise TypeError(f"{name} is a {type(share).__name__}")
        found[name] = share.first
    return found


def answer(job: Job, shares: Shares, parts: list[Arrays]) -> Arrays:
    """The result in clear, from the three parties' components."""
    clear: Arrays = {}
    for name, share in shares.items():
        first, second, third = (part[name] for part in parts)
        if isinstance(share, Ring3Boolean):
            planes = first ^ second ^ third
            if job.workload == "bits":
                return {
                    "out": np.unpackbits(planes.view(np.uint8), axis=1, count=job.n, bitorder="little").astype(bool)
                }
            clear[name] = words_from_planes(planes, share.length)[:, 0]
        else:
            clear[name] = (first + second + third).view(np.int64)
    if "valid" in clear:
        keep = clear.pop("valid").astype(bool)
        return {name: column[keep].view(np.int64) for name, column in clear.items()}
    return SHAPED[job.workload](clear, job) if job.workload in SHAPED else clear


def _out(shape: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays, Job], Arrays]:
    return lambda clear, _: {"out": shape(clear["out"])}


_WEIGHTS = _out(lambda out: out / (1 << TRAINING.weights))
SHAPED: dict[str, Callable[[Arrays, Job], Arrays]] = {
    "sort-64": _out(lambda out: (out ^ SIGN).view(np.int64)),
    "sort-16": _out(lambda out: out.view(np.int64) - (1 << 15)),
    "multiply-truncate": _out(lambda out: out / (1 << FRACTION)),
    "logistic-poly": _WEIGHTS,
    "logistic-sigmoid": _WEIGHTS,
    "logistic-30": _WEIGHTS,
    "matmul": lambda clear, job: {"out": clear["out"].reshape(side(job.n), side(job.n))},
    **ANSWERS,
}
