"""``--simulate``: every party of a plan in this process, on the members' homes; for trying out and for comparing.

Local stages, engine and results are those of a real run; what is left out is the network, the approvals and the
separation: this process sees everybody's rows, so it is for homes of one's own.
"""

from pathlib import Path

from consortia.cli.frames import print_results
from consortia.cli.output import note
from consortia.errors import InternalError
from consortia.execution.estimate import estimate
from consortia.parties.data.snapshots import SnapshotStore
from consortia.parties.local.stage import committed_snapshots, run_local
from consortia.parties.simulation import SimulatedRun, simulate
from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Share
from consortia.trust.home import Home


def simulated_run(plan: Plan, homes: Path) -> SimulatedRun:
    """Run ``plan`` on the snapshots in ``homes/MEMBER``; raises as the local stage and the simulation do."""
    frames = {}
    for step in plan.steps:
        if isinstance(step, Share):
            home = Home(homes / step.owner)
            catalogue = Catalogue.parse(home.trust.catalogue().payload_bytes())
            store = SnapshotStore(home.path / "snapshots")
            roots = committed_snapshots(store, plan, step.owner, catalogue)
            frames[step.id] = run_local(plan, step.id, store, roots, catalogue)
    return simulate(plan, frames)


def simulated(plan: Plan, homes: Path, out: Path | None, *, json: bool) -> None:
    """Print the results of a simulated run, by step and recipient, and what it sent.

    Raises InternalError ``cli/undeclared-cost`` if that is not exactly what was declared.
    """
    run = simulated_run(plan, homes)
    declared = estimate(plan)
    if run.measured != declared:
        raise InternalError("cli/undeclared-cost", "the run did not send what its cost declares")
    results = {f"{step} to {recipient}": frame for (step, recipient), frame in run.results.items()}
    sent = {entry.member: entry.sent for entry in run.measured.bytes_by_party}
    note(f"simulated in one process: {run.measured.rounds} rounds, bytes sent {sent}, as declared")
    extra = {"rounds": run.measured.rounds, "bytes_by_party": sent}
    print_results("simulated", results, extra, out, json=json, plan=plan)
