"""A whole run in one process: a thread for each computer, and one for each owner that does not compute.

The same plan, executor, engine and parts as between nodes, over channels in memory. What it gives beside the
results is what was measured, in the shape of the declared cost, so that the two can be compared with ``==``.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from consortia.errors import PeerError
from consortia.execution.decode import decode, finish
from consortia.execution.encode import encode
from consortia.execution.estimate import declared
from consortia.execution.executor import Inputs, run_shared
from consortia.execution.noise import Draws, drawn
from consortia.execution.schedule import overlapping
from consortia.parties.cast import cast_of
from consortia.parties.release import ResultPart, opened, release
from consortia.plans.cost import Estimate
from consortia.plans.model import Plan, Share
from consortia.protocols.clear.engine import ClearEngine
from consortia.protocols.memory import MemoryNetwork
from consortia.protocols.shares import Words
from consortia.protocols.sharing.opening import RECIPIENT
from consortia.protocols.transcript import Transcript

Frames = Mapping[str, pl.DataFrame]
"""The local stage's results, by id of the share step."""
Results = Mapping[tuple[str, str], pl.DataFrame]
"""What each recipient gets, by release step and recipient (person, else member)."""


@dataclass(frozen=True)
class SimulatedRun:
    """``measured`` is counted where frames are sent; ``parts`` are the computers' parts of every output."""

    results: Results
    measured: Estimate
    parts: tuple[tuple[ResultPart, ...], ...]


def run_clear(plan: Plan, frames: Frames, draws: Draws | None = None) -> Results:
    """The plan on plain values: the oracle of what the shared steps mean. ``draws`` are fresh if none are given."""
    if draws is None:
        draws = drawn(plan, plan.computers)
    inputs: Inputs = {step.id: encode(step, frames[step.id]) for step in plan.steps if isinstance(step, Share)}
    engine = ClearEngine()
    return {
        (table.step, table.recipient_name): finish(plan, table.step, opened(engine, table))
        for table in run_shared(plan, engine, inputs, draws=draws)
    }


def simulate(plan: Plan, frames: Frames, *, silence: float = 60.0, draws: Draws | None = None) -> SimulatedRun:
    """Run ``plan`` on shares; ``silence`` is the longest wait for a message in seconds, ``draws`` noise to be used.

    Raises what the first failing party raised.
    """
    owners = [step.owner for step in plan.steps if isinstance(step, Share)]
    outside = [owner for owner in dict.fromkeys(owners) if owner not in plan.computers]
    network = MemoryNetwork((*plan.computers, *outside), silence=silence)
    transcripts = [Transcript() for _ in plan.computers]
    cast = cast_of(plan, network.channels, transcripts)
    parts: dict[str, tuple[ResultPart, ...]] = {}

    def compute(rank: int, member: str) -> None:
        engine = cast.engines[rank]
        inputs = _own_inputs(plan, member, frames)
        own = drawn(plan, (member,)) if draws is None else {key: draws[key] for key in draws if key[1] == member}
        parts[member] = release(engine, run_shared(plan, engine, inputs, schedule=overlapping, draws=own))

    def send(member: str) -> None:
        for step_id, values in _own_inputs(plan, member, frames).items():
            step = plan.step(step_id)
            if values is not None and isinstance(step, Share):
                cast.send(member, step, values)

    tasks: dict[str, Callable[[], None]] = {}
    for rank, member in enumerate(plan.computers):
        tasks[member] = lambda rank=rank, member=member: compute(rank, member)  # type: ignore[misc]  # bound now
    for member in outside:
        tasks[member] = lambda member=member: send(member)  # type: ignore[misc]  # bound now
    _run_all(tasks, network)
    ordered = tuple(parts[member] for member in plan.computers)
    return SimulatedRun(_results(plan, ordered), _measured(plan, network, transcripts), ordered)


def _own_inputs(plan: Plan, member: str, frames: Frames) -> dict[str, Sequence[Words] | None]:
    return {
        step.id: encode(step, frames[step.id])
        for step in plan.steps
        if isinstance(step, Share) and step.owner == member
    }


def _run_all(tasks: Mapping[str, Callable[[], None]], network: MemoryNetwork) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            tasks[name]()
        except BaseException as error:  # noqa: BLE001  raised again below, in the caller's thread
            failures.append(error)
            network.close(name)

    threads = [threading.Thread(target=work, args=(name,), name=name, daemon=True) for name in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        # others fail because the first one closed its channels: raise the cause
        raise next((error for error in failures if not isinstance(error, PeerError)), failures[0])


def _results(plan: Plan, parts: Sequence[Sequence[ResultPart]]) -> Results:
    return {
        (of_output[0].step, of_output[0].recipient): decode(
            plan, of_output[0].step, [part.payload for part in of_output]
        )
        for of_output in zip(*parts, strict=True)
    }


def _measured(plan: Plan, network: MemoryNetwork, transcripts: Sequence[Transcript]) -> Estimate:
    """Bytes counted at the channels, rounds and openings as the computers recorded them (the same at all)."""
    sent: Counter[tuple[str, str]] = Counter()
    for member, channels in network.channels.items():
        for channel in channels.values():
            for path, count in channel.sent.items():
                sent[path, member] += count
    own = transcripts[0]
    inside = [opening for opening in own.opened if opening.to != (RECIPIENT,)]
    return declared(plan, own.rounds, sent, [(each.step, each.what, each.elements, each.to) for each in inside])
