"""CrypTen with Beaver triples of a simulated dealer, as one of three processes. Runs in CrypTen's own environment.

Its trusted dealer is every party itself (TFP): triples cost no traffic, and protect nothing. It reveals by
``get_plain_text``, as its users do.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.onnx

from benchmarks.arrays import Arrays
from benchmarks.party import Job, Place, Run, clock, loopback_bytes, serve
from benchmarks.workloads import BATCH, EPOCHS, RATE, batches

try:
    import torch.onnx._internal.registration
except ImportError:
    # CrypTen 0.4.1 looks for it where older releases of torch had it
    import torch.onnx._internal.torchscript_exporter.registration as moved

    sys.modules["torch.onnx._internal.registration"] = moved

import crypten
from crypten import communicator
from crypten.config import cfg


class CryptenParty:
    """See ``party.Party``."""

    def __init__(self, place: Place) -> None:
        os.environ.update(
            RANK=str(place.rank),
            WORLD_SIZE="3",
            DISTRIBUTED_BACKEND="gloo",
            RENDEZVOUS=f"file://{Path(place.folder) / 'rendezvous'}",
        )
        torch.set_num_threads(1)
        cfg.mpc.provider = "TFP"
        crypten.init()
        communicator.get().barrier()
        self._job: Job | None = None
        self._program: Callable[[], Any] | None = None
        self._last: Any = None
        self._rounds: int | None = None
        self._clear: np.ndarray | None = None

    def build(self, job: Job) -> None:
        """Nothing: the first party deals shares to the others by CrypTen's own means."""

    def prepare(self, job: Job) -> None:
        self._last = self._program = None
        self._job, self._rounds = job, None
        self._program = program(job)

    def run(self) -> Run:
        self._last = None
        counting = self._job.counting and self._rounds is None
        cfg.communicator.verbose = counting
        communicator.get().reset_communication_stats()
        communicator.get().barrier()
        moved_before = loopback_bytes()
        began = clock()
        with crypten.no_grad():
            self._last = self._program()
        ended = clock()
        if counting:
            # the barrier counts as one
            self._rounds = communicator.get().get_communication_stats()["rounds"] - 1
        communicator.get().barrier()
        return Run(began, ended, None, self._rounds, loopback_bytes() - moved_before)

    def gather(self) -> None:
        self._clear = self._last.get_plain_text().numpy()

    def answer(self) -> Arrays:
        out = self._clear
        match self._job.workload:
            case "less-than" | "equality":
                return {"out": out.astype(bool)}
            case "group-by-100":
                return {"keys": np.arange(100), "sums": out.ravel().astype(np.int64)}
            case "logistic-poly" | "logistic-sigmoid" | "logistic-30":
                return {"out": out.ravel()}
            case "multiply-truncate":
                return {"out": out}
            case _:
                return {"out": out.astype(np.int64)}


def _whole(values: np.ndarray) -> Any:
    return crypten.cryptensor(torch.as_tensor(values), src=0, precision=0)


def _fraction(values: np.ndarray) -> Any:
    return crypten.cryptensor(torch.as_tensor(values), src=0)


def program(job: Job) -> Callable[[], Any]:
    """The workload over shares of its inputs."""
    given = job.inputs()
    if job.workload in ("logistic-poly", "logistic-sigmoid", "logistic-30"):
        return _training(job, given)
    if job.workload == "group-by-100":
        return _by_equality(given)
    share = _fraction if job.workload == "multiply-truncate" else _whole
    x, y = share(given["x"]), share(given["y"])
    operations: dict[str, Callable[[], Any]] = {
        "multiply": lambda: x * y,
        "multiply-truncate": lambda: x * y,
        "less-than": lambda: x < y,
        "equality": lambda: x == y,
        "matmul": lambda: x.matmul(y),
    }
    return operations[job.workload]


def _by_equality(given: Arrays) -> Callable[[], Any]:
    """One-hot by equality, in blocks of 10,000 rows to bound memory."""
    n = given["keys"].size
    keys, values = _whole(given["keys"].reshape(n, 1)), _whole(given["values"].reshape(1, n))
    columns = torch.arange(100).reshape(1, 100)

    def run() -> Any:
        total = None
        for start in range(0, n, 10_000):
            at = slice(start, start + 10_000)
            part = values[:, at].matmul(keys[at] == columns)
            total = part if total is None else total + part
        return total

    return run


def _training(job: Job, given: Arrays) -> Callable[[], Any]:
    count = batches(job.n)
    at = [slice(i * BATCH, (i + 1) * BATCH) for i in range(count)]
    xs = [_fraction(given["x"][rows]) for rows in at]
    ys = [_fraction(given["y"][rows].reshape(-1, 1)) for rows in at]
    turned = [x.t() for x in xs]
    start = _fraction(np.zeros((given["x"].shape[1], 1)))

    def activation(u: Any) -> Any:
        if job.workload == "logistic-poly":
            return (u * u * -0.004 + 0.197) * u + 0.5
        return u.sigmoid()

    def run() -> Any:
        weights = start
        for step in range(EPOCHS * count):
            i = step % count
            error = activation(xs[i].matmul(weights)) - ys[i]
            weights = weights - turned[i].matmul(error) * (RATE / BATCH)
        return weights

    return run


if __name__ == "__main__":
    serve(CryptenParty)
