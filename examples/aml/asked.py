"""The six analyses, asked by an analyst of one bank through the commands; each bank fetches its own part."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consortia.policies.language.parse import read_policy
from examples.aml.consortium import BANKS, PURPOSE
from examples.aml.plain import SPECS
from examples.aml.processes import Answer, DemoError, Running

ANALYST = "ana@bank-a"
TRACING = "money-tracing"
MODELS = "joint-models"
RUN_SECONDS = 900.0
"""Patterns take minutes on a machine that is shared."""
STRUCTURING = "structuring"
_QUERY = SPECS.parent / "queries" / f"{STRUCTURING}.sql"
ANALYSES = {
    STRUCTURING: (_QUERY, PURPOSE),
    "risk-propagation": (SPECS / "risk.yaml", TRACING),
    "pagerank": (SPECS / "pagerank.yaml", TRACING),
    "cycles": (SPECS / "cycles.yaml", TRACING),
    "scatter-gather": (SPECS / "scatter_gather.yaml", TRACING),
    "joint-model": (SPECS / "model.yaml", MODELS),
}
"""File and purpose of each."""


@dataclass(frozen=True)
class Timing:
    """What an analysis took, as the nodes sealed it, over ``n`` rows.

    ``epsilon`` is what a privacy budget was charged, 0 for an answer without noise, which is no privacy loss of 0.
    ``seconds`` are those of the secure part at the slowest node, ``wall_seconds`` those of the analyst's whole command.
    """

    n: int
    seconds: float
    bytes_per_party: Mapping[str, int]
    rounds: int
    wall_seconds: float
    epsilon: float


@dataclass(frozen=True)
class Asked:
    """One analysis: its session, plan and policies, each bank's rows (identifier, and a score or nothing), its cost."""

    analysis: str
    session: str
    plan: str
    policies: Mapping[str, str]
    rows: Mapping[str, Mapping[str, float | None]]
    timing: Timing


def ask(run: Running, analysis: str, n: int, tell: Callable[[str], None], other: Path | None = None) -> Asked:
    """Explain, run exactly that plan, and let every bank read its own part; ``other`` is a file for the analysis's."""
    file, purpose = ANALYSES[analysis]
    file = other or file
    plan = run.consortium.root / f"{analysis}.plan"
    tell(f"$ consortia explain -f {file.name} --purpose {purpose} --out {plan.name}; consortia run {plan.name}")
    explained = run.ask(ANALYST, "explain", "-f", str(file), "--purpose", purpose, "--out", str(plan), network=False)
    if explained.code:
        raise DemoError(f"{analysis}: every owner should permit it: {explained.value.get('verdicts')}")
    answer = run.ask(ANALYST, "run", str(plan), within=RUN_SECONDS)
    if answer.code:
        raise DemoError(f"{analysis}: the run exited with {answer.code}: {answer.value}")
    session = str(answer.value["session"])
    parts = {bank: _own_part(run, bank, session) for bank in BANKS}
    seals = run.seals(session)
    (rounds,) = {sum(int(step.rounds) for step in seal.traffic) for seal in seals.values()}
    (digest,) = {seal.plan for seal in seals.values()}
    return Asked(
        analysis,
        session,
        digest,
        {bank: _policy(run, bank, purpose) for bank in BANKS},
        {bank: _rows(part) for bank, part in parts.items()},
        Timing(
            n,
            run.secure_seconds(session),
            {bank: sum(int(step.bytes) for step in seal.traffic) for bank, seal in seals.items()},
            rounds,
            answer.seconds,
            max(float((part.value["noise"] or {"epsilon": 0})["epsilon"]) for part in parts.values()),
        ),
    )


def _own_part(run: Running, bank: str, session: str) -> Answer:
    """What ``session results`` prints for the bank: the analyst's own, or the member's, who asked nothing."""
    person = f"ana@{bank}"
    answer = run.ask(person, "session", "results", session, *(() if person == ANALYST else ("--member",)))
    if answer.code:
        raise DemoError(f"{bank} can't read its part of session {session}: exit code {answer.code}")
    return answer


def _rows(part: Answer) -> dict[str, float | None]:
    """Identifiers with their scores; an alert has none."""
    (result,) = part.value["results"].values()
    columns: list[str] = result["columns"]
    (identifier,) = (place for place, name in enumerate(columns) if name.endswith(".identifier"))
    scores = [place for place, name in enumerate(columns) if name in ("risk", "rank", "score")]
    return {str(row[identifier]): _score(row, scores) for row in result["rows"]}


def _score(row: list[Any], places: list[int]) -> float | None:
    return float(row[places[0]]) if places else None


def _policy(run: Running, bank: str, purpose: str) -> str:
    """Id, version and digest of the bank's signed policy."""
    loaded = read_policy(run.consortium.exchange.policy(bank, purpose).payload_bytes())
    identity = loaded.policy.identity
    return f"{identity.id} version {identity.version}, SHA-256 {loaded.digest}"
