"""Three processes of one engine, as the command sees them: jobs out, answers back, an end after a time limit."""

import contextlib
import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arrays import Arrays
from benchmarks.party import JOB_ANSWER, JOB_INPUTS, Job

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT = 120.0


class EngineFailure(Exception):
    """A party ended, said that it failed, or took longer than the limit."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of all three parties."""

    seconds: float
    """From the first party's start after the barrier to the last party's end."""
    bytes_per_party: float | None
    rounds: int | None
    loopback: int | None
    peak: tuple[int, ...]
    """Highest resident bytes of each party since its inputs were shared."""


class Cluster:
    """Start three processes of ``module`` with an interpreter; close it in the end."""

    def __init__(self, name: str, python: Path, module: str, logs: Path) -> None:
        self.name = name
        logs.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="consortia-benchmark-"))
        self._processes: list[subprocess.Popen[str]] = []
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
            "JAX_PLATFORMS": "cpu",
            "GLOO_SOCKET_IFNAME": "lo",
        }
        ports = _free_ports(3)
        for rank in range(3):
            place = json.dumps({"rank": rank, "ports": ports, "folder": str(self._folder)})
            with (logs / f"{name}-{rank}.log").open("w") as log:
                self._processes.append(
                    subprocess.Popen(
                        [str(python), "-m", module, place],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                        text=True, cwd=ROOT, env=environment,
                    )
                )  # fmt: skip
        try:
            self._answers(range(3), START_LIMIT)
        except EngineFailure:
            self.close()
            raise

    def prepare(self, workload: str, n: int, setting: str, inputs: Arrays, limit: float, *, counting: bool) -> Job:
        """Share the inputs among the parties."""
        folder = self._folder / "job"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        np.savez(folder / JOB_INPUTS, **inputs)
        job = Job(workload, n, setting, str(folder), counting)
        self._do("build", job, (0,), limit)
        self._do("prepare", job, range(3), limit)
        return job

    def run(self, job: Job, limit: float) -> Timing:
        """One timed run."""
        found = self._do("run", job, range(3), limit)
        seconds = max(answer["ended"] for answer in found) - min(answer["began"] for answer in found)
        sent = [answer["sent"] for answer in found]
        counted = None if None in sent else sum(sent) / 3
        # what a neighbour sends meanwhile can only add to it
        moved = [answer["loopback"] for answer in found]
        return Timing(
            seconds,
            counted,
            found[0]["rounds"],
            None if None in moved else min(moved),
            tuple(answer["peak"] for answer in found),
        )

    def answer(self, job: Job, limit: float) -> Arrays:
        """The last run's result in clear."""
        self._do("gather", job, range(3), limit)
        self._do("answer", job, (0,), limit)
        with np.load(Path(job.folder) / JOB_ANSWER) as file:
            return dict(file)

    def close(self) -> None:
        """End the processes and remove their folder."""
        for process in self._processes:
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        for process in self._processes:
            try:
                process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _do(self, what: str, job: Job, ranks: range | tuple[int, ...], limit: float) -> list[dict[str, Any]]:
        line = json.dumps({"do": what, "job": asdict(job)}) + "\n"
        for rank in ranks:
            stdin = self._processes[rank].stdin
            try:
                if stdin is not None:
                    stdin.write(line)
                    stdin.flush()
            except OSError as error:
                raise EngineFailure(f"{self.name}: party {rank} is gone") from error
        return self._answers(ranks, limit)

    def _answers(self, ranks: range | tuple[int, ...], limit: float) -> list[dict[str, Any]]:
        deadline = time.monotonic() + limit
        found: dict[int, dict[str, Any]] = {}
        with selectors.DefaultSelector() as waiting:
            for rank in ranks:
                waiting.register(self._processes[rank].stdout, selectors.EVENT_READ, rank)  # type: ignore[arg-type]  # a pipe
            while len(found) < len(ranks):
                ready = waiting.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise EngineFailure(f"no answer within {limit:.0f} s")
                for key, _ in ready:
                    line = key.fileobj.readline()  # type: ignore[union-attr]  # a pipe
                    content = json.loads(line) if line else {"failed": f"party {key.data} ended"}
                    if "failed" in content:
                        raise EngineFailure(content["failed"])
                    found[key.data] = content
                    waiting.unregister(key.fileobj)
        return [found[rank] for rank in ranks]


def summary(timings: list[Timing]) -> tuple[float, float | None, int | None, str]:
    """Median seconds, bytes per party, rounds of several runs, and how the bytes were counted."""
    seconds = statistics.median(timing.seconds for timing in timings)
    rounds = timings[-1].rounds
    counted = [timing.bytes_per_party for timing in timings if timing.bytes_per_party is not None]
    if counted:
        return seconds, counted[-1], rounds, "payload, by the engine"
    moved = [timing.loopback for timing in timings if timing.loopback is not None]
    # the least of all runs: a neighbour's traffic can only add
    return seconds, (min(moved) / 3 if moved else None), rounds, "loopback device"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [int(sock.getsockname()[1]) for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
