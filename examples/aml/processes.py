"""Coordinator, nodes and clients of the example as processes of their own, and what is measured of them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consortia.parties.store import Store
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Seal
from examples.aml.consortium import BANKS, HOST, Consortium

COMMAND = (sys.executable, "-m", "consortia.cli")
READY_SECONDS = 180.0
CLIENT_SECONDS = 120.0
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


class DemoError(Exception):
    """The demo can't go on, or showed something else than it should."""


@dataclass(frozen=True)
class Answer:
    """What one client command printed: its JSON object, its exit code, and how long it took."""

    value: dict[str, Any]
    code: int
    seconds: float


@dataclass
class Running:
    """The processes of the servers; ``pids`` are of all that took part over the network."""

    consortium: Consortium
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start the coordinator or the node of a bank; its log is ``ROOT/NAME.log``."""
        health = f"{HOST}:{self.consortium.health[name]}"
        arguments = (
            ("coordinator", "serve", "--coordinator-home", str(self.consortium.coordinator.path), "--health", health)
            if name == "coordinator"
            else ("party", "serve", "--config", str(self.consortium.homes[name].path / "party.yaml"))
        )
        with self.log(name).open("wb") as log:
            process = subprocess.Popen((*COMMAND, *arguments), stdout=log, stderr=log, env=os.environ | _ENVIRONMENT)
        self.servers[name] = process
        self.pids[name] = process.pid

    def log(self, name: str) -> Path:
        """The log file of a server."""
        return self.consortium.root / f"{name}.log"

    def wait_ready(self) -> None:
        """Until every server says that it is ready: the coordinator serves, the nodes are connected to it."""
        deadline = time.monotonic() + READY_SECONDS
        for name, process in self.servers.items():
            url = f"http://{HOST}:{self.consortium.health[name]}/readyz"
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DemoError(f"{name} does not get ready:\n{self.log(name).read_text(errors='replace')[-2000:]}")
                time.sleep(0.05)

    def ask(self, person: str, *arguments: str, network: bool = True, within: float = CLIENT_SECONDS) -> Answer:
        """Run one command of ``person`` as a process of its own, for at most ``within`` seconds, and read its JSON."""
        started = time.monotonic()
        command = (*COMMAND, *arguments, "--profile", str(self.consortium.profile(person)), "--json")
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | _ENVIRONMENT, text=True
        )
        if network:
            self.pids[f"{person} {arguments[0]} #{len(self.pids)}"] = process.pid
        try:
            out, err = process.communicate(timeout=within)
        except BaseException:
            process.kill()
            raise
        if not out and not err.lstrip().startswith("{"):
            raise DemoError(f"`consortia {' '.join(arguments)}` exited with {process.returncode}:\n{err}")
        return Answer(json.loads(out) if out else {}, process.returncode, time.monotonic() - started)

    def seals(self, session: str) -> dict[str, Seal]:
        """What each node signed at the end: the traffic that its own channels sealed, by step."""
        found = {}
        for bank in BANKS:
            store = Store(self.consortium.homes[bank].path / "node.sqlite")
            with store.begin() as transaction:
                entries = store.journal.entries(transaction, session)
            store.close()
            payload = next(payload for leaf, payload in entries if leaf.kind == "seal" and payload is not None)
            found[bank] = Seal.parse(Envelope.from_bytes(payload).payload_bytes())
        return found

    def secure_seconds(self, session: str) -> float:
        """From the first frame of shared input to the last share of a result, at the slowest node, by its own log."""
        times = [
            event["seconds"]
            for bank in BANKS
            for event in _events(self.log(bank))
            if event.get("event") == "secure-part" and event.get("session") == session
        ]
        if len(times) != len(BANKS):
            raise DemoError(f"{len(times)} of {len(BANKS)} nodes logged the secure part of session {session}")
        return float(max(times))

    def peak_memory(self) -> int:
        """The largest resident set that any running node has had, in bytes."""
        return max(_peak(self.servers[bank].pid) for bank in BANKS)

    def stop(self) -> None:
        """End all servers, kindly first."""
        for process in self.servers.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self.servers.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def running(consortium: Consortium) -> Iterator[Running]:
    """All servers, ready; ended when the block is left, whatever happens in it."""
    servers = Running(consortium)
    try:
        for name in ("coordinator", *BANKS):
            servers.start(name)
        servers.wait_ready()
        yield servers
    finally:
        servers.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310  # an address on this host
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _events(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("{"):
            with contextlib.suppress(json.JSONDecodeError):
                yield json.loads(line)


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        raise DemoError("peak memory is read from /proc, which this system does not have; use Linux")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
