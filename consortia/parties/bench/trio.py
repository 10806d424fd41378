"""Three computers as three processes of this machine, joined by sealed links as nodes are: to measure, not to protect.

The keys come from one random secret that the process that starts them draws and gives to all three. What runs is a
program over an engine, the same at every computer; its time counts from the moment when all have started, after a
barrier, to the last computer's end.
"""

import hashlib
import multiprocessing
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from consortia.errors import OperatorError
from consortia.parties.memory import keep_memory
from consortia.parties.transport.key_schedule import DirectionKeys, LinkKeys
from consortia.parties.transport.links import Limits
from consortia.parties.transport.mesh import Listener, Run, open_links
from consortia.protocols.channel import Channel
from consortia.protocols.context import Context
from consortia.protocols.randomness import Randomness
from consortia.protocols.ring3 import Ring3Engine
from consortia.protocols.transcript import Transcript

Names = tuple[str, str, str]
NAMES: Names = ("alpha", "beta", "gamma")
HOST = "127.0.0.1"
LIMITS = Limits(connect=60.0, silence=600.0)

Program = Callable[[Ring3Engine], object]
"""What a computer does; it must be picklable. Its result is dropped."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds from the last computer's start to the last one's end; rounds and payload bytes by rank."""

    seconds: float
    rounds: int
    sent: tuple[int, int, int]


def derived(secret: bytes, *parts: object) -> bytes:
    """32 bytes that all three derive alike."""
    return hashlib.sha256(b"\0".join((secret, *(str(part).encode() for part in parts)))).digest()


def linked(rank: int, names: Names, secret: bytes, endpoints: Sequence[str], listener: Listener) -> dict[str, Channel]:
    """The links of the computer of ``rank`` to the two others; ``names`` and ``endpoints`` stand by rank."""

    def direction(sender: str, receiver: str) -> DirectionKeys:
        key, iv, confirmation = (derived(secret, sender, receiver, use) for use in ("key", "iv", "confirmation"))
        return DirectionKeys(key, iv[:12], confirmation)

    me = names[rank]
    keys = {
        peer: LinkKeys(direction(me, peer), direction(peer, me), derived(secret, *sorted((me, peer))))
        for peer in names
        if peer != me
    }
    run = Run(derived(secret, "session")[:16].hex(), 1, tuple(sorted(names)), names)
    return dict(open_links(me, run, keys, dict(zip(names, endpoints, strict=True)), listener, LIMITS))


def context(rank: int, names: Names, secret: bytes, channels: dict[str, Channel]) -> Context:
    """A context of its own for one run: fresh seeds from ``secret``, an empty transcript."""
    randomness = Randomness(rank, derived(secret, "seed", rank), derived(secret, "seed", (rank + 1) % 3))
    return Context(rank, names, channels, randomness, Transcript())


def barrier(ctx: Context) -> None:
    """All three have come here before anyone goes on."""
    word = np.zeros(1, np.uint64)
    for turn in ("in", "out"):
        ctx.narrow(turn).exchange({ctx.previous: word}, {ctx.next: ((1,), np.uint64)})


class Trio:
    """The three processes; ``close`` ends them. ``front`` gives the port at which others reach a computer's own."""

    def __init__(self, front: Callable[[int], int] = lambda port: port, names: Names = NAMES) -> None:
        spawn = multiprocessing.get_context("spawn")
        secret = secrets.token_bytes(32)
        self._runs = 0
        self._pipes: list[Connection] = []
        self._processes = []
        for rank in range(3):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(rank, names, secret, theirs), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        endpoints = [f"{HOST}:{front(port)}" for port in self._answers()]
        self._tell(endpoints)
        self._answers()

    def __enter__(self) -> "Trio":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, program: Program) -> Measured:
        """Run ``program`` at all three. Raises OperatorError ``parties/trio`` if a computer ended."""
        self._runs += 1
        self._tell((self._runs, program))
        answers = self._answers()
        began, ended, rounds, sent = zip(*answers, strict=True)
        return Measured(max(ended) - max(began), rounds[0], (sent[0], sent[1], sent[2]))

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(timeout=5)
            if process.is_alive():
                process.kill()

    def _tell(self, message: object) -> None:
        for pipe in self._pipes:
            pipe.send(message)

    def _answers(self) -> list[Any]:
        try:
            return [pipe.recv() for pipe in self._pipes]
        except EOFError:
            self.close()
            raise OperatorError(
                "parties/trio",
                "one of the three processes ended",
                remedy="its own message stands above; there may not be enough memory for this size",
            ) from None


def _serve(rank: int, names: Names, secret: bytes, pipe: Connection) -> None:
    """One computer: its port, the links, then programs until the pipe closes."""
    keep_memory()
    listener = Listener(HOST, 0)
    pipe.send(listener.port)
    channels = linked(rank, names, secret, pipe.recv(), listener)
    pipe.send(True)
    while True:
        try:
            number, program = pipe.recv()
        except EOFError:
            return
        pipe.send(_timed(context(rank, names, derived(secret, "run", number), channels), program))


def _timed(ctx: Context, program: Program) -> tuple[float, float, int, int]:
    barrier(ctx.narrow("barrier"))
    paused = _sent(ctx)
    began = time.perf_counter()
    program(Ring3Engine(ctx))
    ended = time.perf_counter()
    rounds = ctx.transcript.total_rounds() - ctx.transcript.total_rounds("barrier")
    return began, ended, rounds, _sent(ctx) - paused


def _sent(ctx: Context) -> int:
    return sum(sum(channel.sent.values()) for channel in ctx.channels.values())
