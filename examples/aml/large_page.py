"""The page of the large runs; every number in it comes from the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from benchmarks.machine import described
from examples.aml.asked import Timing
from examples.aml.markdown import table

BUSY = 1.0
"""Processes that wanted to run in the minute before the start, beside which times are those of a shared machine."""
HEAD = """\
# The analyses at the sizes of a market

Made by `make gains-large`: don't edit, the run writes it, every number in it is the run's own.

Three banks, a coordinator and an analyst as separate processes on one machine, with generated data and a catalogue that
states its sizes. Structuring is asked over all transactions of the three banks: each bank picks its own cash deposits
out of them and adds them up by customer before anything is shared, so what is computed together grows with the
customers and not with the transactions. Risk is propagated twice over payments between banks alone, added up by
payer and payee at the bank of the payer. Seconds on shares begin with the first frame of shared input.
"""
RUN = """\
Run on {processor}, {cores} cores, {memory}, {system}. {shared}
"""
REST = """\
`rows` are those that the analysis is over: of structuring, all in the banks' books, where a payment between two banks
stands twice. `kept` are those of them that its conditions keep. Seconds in all are those of the analyst's whole
command: plan, approvals, the local stages, shares, results.
"""


@dataclass(frozen=True)
class Measured:
    """One workload: rows, those within its conditions, customers a bank, its goal in seconds, and what was measured.

    ``difference`` is that of the answers to plain ones, ``memory`` a node's peak in bytes, ``load`` that of the machine
    before and after.
    """

    name: str
    n: int
    kept: int
    customers: int
    bound: float | None
    timing: Timing
    memory: int
    difference: float
    begun: datetime
    load: tuple[float, float]

    @property
    def within(self) -> bool:
        """Whether the goal was reached, or there is none."""
        return self.bound is None or self.timing.seconds <= self.bound


def page(measured: Sequence[Measured]) -> str:
    """The whole page."""
    busy = [each for each in measured if each.load[0] > BUSY]
    shared = (
        "Where the load before a run (of the last minute) is above 1, the machine was shared with other work, and "
        "seconds are upper bounds."
        if busy
        else "Nothing else ran."
    )
    rows = [
        (
            each.name,
            f"{each.n:,}",
            f"{each.kept:,}",
            f"{each.customers:,}",
            f"{each.timing.seconds:.1f}",
            "-" if each.bound is None else f"{each.bound:g}",
            f"{each.timing.wall_seconds:.1f}",
            f"{max(each.timing.bytes_per_party.values()) / 1e6:,.1f}",
            f"{each.timing.rounds:,}",
            f"{each.memory / 2**20:,.0f}",
            f"{each.difference:.2g}",
            f"{each.begun:%Y-%m-%d %H:%M}",
            f"{each.load[0]:.1f}",
        )
        for each in measured
    ]
    head = (
        "analysis", "rows", "kept", "customers a bank", "s on shares", "goal", "s in all", "MB a party", "rounds",
        "MiB a node", "off by", "begun, UTC", "load before",
    )  # fmt: skip
    lines = [HEAD, RUN.format(shared=shared, **described()), *table(head, rows), "", REST]
    missed = [each for each in measured if not each.within]
    if missed:
        lines.append(f"Over the goal: {'; '.join(each.name for each in missed)}.\n")
    return "\n".join(lines)
