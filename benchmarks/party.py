"""One process of an engine under measurement: obeys the command's jobs on standard input, answers on its output.

Imported by all engines' processes, those of peers in their own environments too: numpy and the standard library only.
Jobs and answers are lines of JSON. A job of every party is sent to all three at once; ``build`` goes to the first
party alone, before ``prepare``, and ``answer`` to it alone, after ``gather``.
"""

import ctypes
import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.arrays import Arrays

Json = dict[str, Any]

JOB_INPUTS = "inputs.npz"
JOB_ANSWER = "answer.npz"


@dataclass(frozen=True, slots=True)
class Job:
    """One workload at one size with one setting; ``folder`` is shared by the three processes."""

    workload: str
    n: int
    setting: str
    folder: str
    counting: bool = False
    """The first run is not timed and may count traffic instead."""

    def inputs(self) -> Arrays:
        """The inputs in clear, as the command drew them."""
        with np.load(Path(self.folder) / JOB_INPUTS) as file:
            return dict(file)


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the three processes this is, and where they find each other."""

    rank: int
    ports: tuple[int, int, int]
    folder: str


@dataclass(frozen=True, slots=True)
class Run:
    """One timed run at one party. Times of one machine's processes compare (the monotonic clock)."""

    began: float
    ended: float
    sent: int | None = None
    """Payload bytes that this party sent, where the engine counts them."""
    rounds: int | None = None
    loopback: int | None = None
    """Bytes on the loopback device meanwhile, of all parties, headers included."""


class Party(Protocol):
    """One party of an engine."""

    def build(self, job: Job) -> None:
        """What one party does for all, untimed: compile, deal shares to the folder. First party only."""

    def prepare(self, job: Job) -> None:
        """Get this party's shares of the inputs, untimed; all parties at once."""

    def run(self) -> Run:
        """One run from shares to shares, between a barrier of the three parties and the last byte received."""

    def gather(self) -> None:
        """Open the last run's result to the folder, untimed; all parties at once."""

    def answer(self) -> Arrays:
        """The result in clear. First party only."""


def loopback_bytes() -> int:
    """Bytes that this machine's loopback device has carried."""
    for line in Path("/proc/net/dev").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == "lo":
            return int(rest.split()[8])
    return 0


def clock() -> float:
    """Seconds; the same clock in every process of the machine."""
    return time.perf_counter()


def barrier_file(folder: str, name: str, seconds: float = 60.0) -> bytes:
    """Wait for a file of the folder to be there, and read it."""
    path = Path(folder) / name
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.01)
    return path.read_bytes()


def publish_file(folder: str, name: str, content: bytes) -> None:
    """Write a file that another process waits for, whole or not at all."""
    path = Path(folder) / name
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(content)
    temporary.rename(path)


def serve(make: Callable[[Place], Party]) -> None:
    """Obey jobs until the input ends. ``sys.argv[1]`` is the place as JSON. An exception ends the process."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to the log
    fields = json.loads(sys.argv[1])
    place = Place(fields["rank"], tuple(fields["ports"]), fields["folder"])

    def say(content: Json) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        party = make(place)
        say({"ready": True})
        for line in sys.stdin:
            say(_obey(party, json.loads(line)))
    except BaseException as error:
        say({"failed": f"{type(error).__name__}: {error}"})
        traceback.print_exc()
        raise


def _obey(party: Party, command: Json) -> Json:
    job = Job(**command["job"])
    match command["do"]:
        case "build":
            party.build(job)
        case "prepare":
            release_memory()
            party.prepare(job)
            forget_peak()
        case "run":
            return {**asdict(party.run()), "peak": peak_bytes()}
        case "gather":
            party.gather()
        case "answer":
            np.savez(Path(job.folder) / JOB_ANSWER, **party.answer())
    return {"done": command["do"]}


def release_memory() -> None:
    """Return freed memory to the machine, so that one job's peak does not stand in another's."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def forget_peak() -> None:
    """Start the kernel's record of this process' highest memory anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes() -> int:
    """Highest resident memory of this process since ``forget_peak``."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
