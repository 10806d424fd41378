"""Our engine as one of three processes: real sealed TCP links, keys and pair seeds made by hand."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.arrays import Arrays
from benchmarks.engines import ours_programs as programs
from benchmarks.party import Job, Place, Run, barrier_file, clock, publish_file, serve
from consortia.parties.bench.trio import HOST, NAMES, barrier, context, linked
from consortia.parties.memory import keep_memory
from consortia.parties.transport.mesh import Listener
from consortia.protocols.context import Context
from consortia.protocols.ring3 import Ring3Engine

SECRET = hashlib.sha256(b"benchmark").digest()
"""From which all processes of a benchmark derive the keys of their links and their seeds: its data is not secret."""


def meet(rank: int, folder: str) -> Context:
    """Find the other two processes by the ports in ``folder``, and open links to them."""
    listener = Listener(HOST, 0)
    publish_file(folder, f"port-{rank}", str(listener.port).encode())
    endpoints = [f"{HOST}:{barrier_file(folder, f'port-{r}').decode()}" for r in range(3)]
    return context(rank, NAMES, SECRET, linked(rank, NAMES, SECRET, endpoints, listener))


def sent_bytes(ctx: Context) -> int:
    """Payload bytes that this process has sent, counted where frames are sealed."""
    return sum(sum(channel.sent.values()) for channel in ctx.channels.values())


class OurParty:
    """See ``party.Party``."""

    def __init__(self, place: Place) -> None:
        keep_memory()
        self._place = place
        self._ctx = meet(place.rank, place.folder)
        self._job: Job | None = None
        self._program: Callable[[Ring3Engine], programs.Shares] | None = None
        self._runs = 0
        self._last: programs.Shares = {}

    def build(self, job: Job) -> None:
        """Nothing: every process derives its own shares."""

    def prepare(self, job: Job) -> None:
        self._last = {}
        self._program = None
        self._job = job
        self._program = programs.program(job, self._place.rank)

    def run(self) -> Run:
        if self._program is None:
            raise RuntimeError("no job is prepared")
        self._last = {}
        self._runs += 1
        ctx = self._ctx.narrow(f"run-{self._runs}")
        barrier(ctx.narrow("barrier"))
        before = sent_bytes(ctx)
        began = clock()
        self._last = self._program(Ring3Engine(ctx.narrow("timed")))
        ended = clock()
        return Run(began, ended, sent_bytes(ctx) - before, ctx.transcript.total_rounds(f"{ctx.step}/timed"))

    def gather(self) -> None:
        if self._job is None:
            raise RuntimeError("no job is prepared")
        if self._place.rank:
            np.savez(Path(self._job.folder) / f"part-{self._place.rank}.npz", **programs.components(self._last))

    def answer(self) -> Arrays:
        if self._job is None:
            raise RuntimeError("no job is prepared")
        parts = [programs.components(self._last)]
        for rank in (1, 2):
            with np.load(Path(self._job.folder) / f"part-{rank}.npz") as file:
                parts.append(dict(file))
        return programs.answer(self._job, self._last, parts)


if __name__ == "__main__":
    serve(OurParty)
