"""Our engine as one of three processes: real sealed TCP links, keys and pair seeds made by hand."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.engines import ours_programs as programs
from benchmarks.party import Job, Place, Run, barrier_file, clock, publish_file, serve
from benchmarks.workloads import Arrays
from consortia.parties.transport.key_schedule import DirectionKeys, LinkKeys
from consortia.parties.transport.links import Limits
from consortia.parties.transport.mesh import Listener, open_links
from consortia.parties.transport.mesh import Run as MeshRun
from consortia.protocols.context import Context
from consortia.protocols.randomness import Randomness
from consortia.protocols.ring3 import Ring3Engine
from consortia.protocols.transcript import Transcript

NAMES = ("alpha", "beta", "gamma")
LIMITS = Limits(connect=60.0, silence=600.0)


def secret(*parts: object) -> bytes:
    """32 bytes that all processes of a benchmark derive alike: its data is not secret."""
    return hashlib.sha256(" ".join(map(str, ("benchmark", *parts))).encode()).digest()


def linked_context(rank: int, endpoints: dict[str, str], listener: Listener) -> Context:
    """A context over links that were opened as a node opens them."""

    def direction(sender: str, receiver: str) -> DirectionKeys:
        key, iv, confirmation = (secret(sender, receiver, use) for use in ("key", "iv", "confirmation"))
        return DirectionKeys(key, iv[:12], confirmation)

    me = NAMES[rank]
    keys = {
        peer: LinkKeys(direction(me, peer), direction(peer, me), secret(*sorted((me, peer))))
        for peer in NAMES
        if peer != me
    }
    run = MeshRun("ab" * 16, 1, NAMES, NAMES)
    channels = open_links(me, run, keys, endpoints, listener, LIMITS)
    randomness = Randomness(rank, secret("seed", rank), secret("seed", (rank + 1) % 3))
    return Context(rank, NAMES, channels, randomness, Transcript())


def meet(rank: int, folder: str) -> Context:
    """Find the other two processes by the ports in ``folder``, and open links to them."""
    listener = Listener("127.0.0.1", 0)
    publish_file(folder, f"port-{rank}", str(listener.port).encode())
    endpoints = {name: f"127.0.0.1:{barrier_file(folder, f'port-{r}').decode()}" for r, name in enumerate(NAMES)}
    return linked_context(rank, endpoints, listener)


def sent_bytes(ctx: Context) -> int:
    """Payload bytes that this process has sent, counted where frames are sealed."""
    return sum(sum(channel.sent.values()) for channel in ctx.channels.values())


class OurParty:
    """See ``party.Party``."""

    def __init__(self, place: Place) -> None:
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
        self._barrier(ctx.narrow("barrier"))
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

    def _barrier(self, ctx: Context) -> None:
        """All three have come here before anyone goes on."""
        word = np.zeros(1, np.uint64)
        for turn in ("in", "out"):
            ctx.narrow(turn).exchange({ctx.previous: word}, {ctx.next: ((1,), np.uint64)})


if __name__ == "__main__":
    serve(OurParty)
