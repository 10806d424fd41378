"""MPyC (Shamir sharing, t = 1 of 3) as one of three processes. Runs in MPyC's own environment."""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from benchmarks import payments
from benchmarks.arrays import Arrays
from benchmarks.party import Job, Place, Run, clock, serve
from benchmarks.workloads import BATCH, EPOCHS, RATE, batches

SMALL = 1 / 1024
"""Amounts are scaled by it, so that a node's total and its reciprocal both have enough fraction bits."""


class MpycParty:
    """See ``party.Party``."""

    def __init__(self, place: Place) -> None:
        flags = [part for port in place.ports for part in ("-P", f"127.0.0.1:{port}")]
        # MPyC reads its parties from the command line when it is imported
        sys.argv = [sys.argv[0], *flags, "-I", str(place.rank), "--no-log"]
        from mpyc.runtime import mpc  # noqa: PLC0415 - see above

        self._mpc = mpc
        self._integer, self._fraction = mpc.SecInt(64), mpc.SecFxp(64, 16)
        # reciprocals of arrays come out as 0 with fewer than half of the bits as fraction
        self._fine = mpc.SecFxp(64, 32)
        self._now(mpc.start())
        self._job: Job | None = None
        self._program: Callable[[], Awaitable[Any]] | None = None
        self._last: Any = None
        self._clear: np.ndarray | None = None

    def _now(self, work: Awaitable[Any]) -> Any:
        return self._mpc.run(work)

    async def _barrier(self) -> None:
        await self._mpc.transfer(b"b")

    def build(self, job: Job) -> None:
        """Nothing: the first party shares its inputs with the others by MPyC's own means."""

    def prepare(self, job: Job) -> None:
        self._last = self._program = None
        self._job = job
        self._program = self._now(self._made(job))

    def run(self) -> Run:
        self._last = None
        return self._now(self._timed())

    async def _timed(self) -> Run:
        await self._barrier()
        before = self._sent()
        began = clock()
        self._last = await self._program()
        ended = clock()
        sent = self._sent() - before
        await self._barrier()
        return Run(began, ended, sent)

    def _sent(self) -> int:
        peers = (party for party in self._mpc.parties if party.pid != self._mpc.pid)
        return sum(party.protocol.nbytes_sent for party in peers)

    def gather(self) -> None:
        self._clear = np.array(self._now(self._opened()))

    async def _opened(self) -> Any:
        return await self._mpc.output(self._last)

    def answer(self) -> Arrays:
        out = self._clear
        match self._job.workload:
            case "group-by-100":
                return {"keys": np.arange(100), "sums": out.ravel().astype(np.int64)}
            case "less-than" | "equality":
                return {"out": out.astype(bool)}
            case "multiply-truncate" | "logistic-poly" | "payments-risk":
                return {"out": out.astype(np.float64)}
            case "payments-pagerank":
                return {"out": out.astype(np.float64) / out.size}
            case _:
                return {"out": out.astype(np.int64)}

    async def _shared(self, kind: Any, values: np.ndarray) -> Any:
        x = self._mpc.input(kind.array(values), senders=0)
        await self._mpc.gather(x)
        return x

    async def _made(self, job: Job) -> Callable[[], Awaitable[Any]]:
        given = job.inputs()
        mpc = self._mpc
        if job.workload == "logistic-poly":
            return await self._training(job, given)
        if job.workload == "group-by-100":
            return await self._by_equality(given)
        if job.workload in ("payments-pagerank", "payments-risk"):
            return await self._along_payments(job, given)
        kind = self._fraction if job.workload == "multiply-truncate" else self._integer
        x = await self._shared(kind, given["x"])
        if job.workload in ("sort-64", "sort-16"):
            return self._awaited(lambda: mpc.np_sort(x))
        y = await self._shared(kind, given["y"])
        operations: dict[str, Callable[[], Any]] = {
            "multiply": lambda: x * y,
            "multiply-truncate": lambda: x * y,
            "less-than": lambda: x < y,
            "equality": lambda: x == y,
            "matmul": lambda: x @ y,
        }
        return self._awaited(operations[job.workload])

    def _awaited(self, operation: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
        """The operation until its shares are there; its result keeps its type."""

        async def run() -> Any:
            made = operation()
            await self._mpc.gather(made)
            return made

        return run

    async def _by_equality(self, given: Arrays) -> Callable[[], Awaitable[Any]]:
        n = given["keys"].size
        keys, values = (
            await self._shared(self._integer, given["keys"]),
            await self._shared(self._integer, given["values"]),
        )

        def sums() -> Any:
            difference = keys.reshape((n, 1)) - np.arange(100).reshape((1, 100))
            return values.reshape((1, n)) @ self._mpc.np_sgn(difference, l=8, EQ=True)

        return self._awaited(sums)

    async def _along_payments(self, job: Job, given: Arrays) -> Callable[[], Awaitable[Any]]:
        """Products with one-hot matrices; ranks times the number of accounts, which is public here."""
        source, target = [await self._shared(self._fine, end.astype(int)) for end in payments.one_hot(given)]
        amount = await self._shared(self._fine, given["amount"] * SMALL)
        start = await self._shared(self._fine, given["scores"] / payments.SCORE_UNIT)

        def weights(end: Any) -> Any:
            total = amount @ end
            return amount * (end @ (1 / (total + (total < SMALL / 2))))

        def along(values: Any, parts: Any) -> Any:
            return (parts * (source @ values)) @ target

        async def risk() -> Any:
            parts, scores = weights(target), start
            for step in range(1, payments.RISK_STEPS + 1):
                part = payments.damping(step)
                scores = scores * (1 - part) + along(scores, parts) * part
                await self._mpc.gather(scores)
            return scores

        async def ranks() -> Any:
            parts, found = weights(source), self._fine.array(np.ones(given["scores"].size))
            for _ in range(payments.RANK_STEPS):
                found = along(found, parts) * payments.RANK_DAMPING + (1 - payments.RANK_DAMPING)
                await self._mpc.gather(found)
            return found

        return risk if job.workload == "payments-risk" else ranks

    async def _training(self, job: Job, given: Arrays) -> Callable[[], Awaitable[Any]]:
        count = batches(job.n)
        at = [slice(i * BATCH, (i + 1) * BATCH) for i in range(count)]
        xs = [await self._shared(self._fraction, given["x"][rows]) for rows in at]
        ys = [await self._shared(self._fraction, given["y"][rows]) for rows in at]
        start = self._fraction.array(np.zeros(given["x"].shape[1]))

        async def run() -> Any:
            weights = start
            for step in range(EPOCHS * count):
                i = step % count
                u = xs[i] @ weights
                out = u * (0.197 - u * u * 0.004) + 0.5
                weights = weights - ((out - ys[i]) @ xs[i]) * (RATE / BATCH)
                await self._mpc.gather(weights)
            return weights

        return run


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    serve(MpycParty)
