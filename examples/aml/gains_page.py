"""The report of a run, as numbers and as a page in Markdown; every number in it comes from the run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from examples.aml.asked import Timing
from examples.aml.attempts_report import Attempts
from examples.aml.generator.parameters import Parameters
from examples.aml.joint_model import Models
from examples.aml.markdown import listed, shown, table
from examples.aml.recall import Counted, Gain, together

ALL_RINGS = "all rings"
BUSY = 0.5
"""Processes that wanted to run in the minute before the start, beside which times are those of a shared machine."""
HEAD = """\
# What joining gains

Made by `make gains`: don't edit, the run writes it, every number in it is the run's own.

Three banks, a coordinator and an analyst ask six questions as separate processes on one machine: who structures cash
over several banks, which risk money carries, who is central, who is on a cycle, who scatters and gathers, and who
resembles those whom banks have reported. Each bank reads what it is told about its own accounts, and then looks into a
fixed number of alerts. Alone, it applies the same rules to its own rows: payments that touch its accounts, scores of
its own accounts. The data is [generated](aml-data.md) and its truth known.
"""
HOW = """\
A target is an account on a planted ring that its own bank does not suspect yet (`sar_flag`); alerts go to such
accounts only, those on patterns first, then by propagated risk. Targets of structuring are customers, each counted at
every bank that has it. `best bank alone` is the highest recall that one of
the banks has of the targets among its own accounts; `all banks alone` and `consortium` are recalls of all targets by
all banks at the same budgets, so these two are what joining changes. `seen whole` counts rings of which one bank holds
every payment; structuring plants no rings.
"""
PRIVACY = """\
Alerts and scores go to the bank that keeps the account, without noise: scores differ from plain numbers by rounding
alone (below). So none of the six is charged to a privacy budget, as the last column says, which is no privacy loss of
0. What a bank learns is what its officers signed: which of its own accounts are on a pattern, and their scores.
"""


SIZES = """\
A node used at most {memory:.0f} MiB. Sizes are padded to what the catalogue and the specs state, so traffic and rounds
are those of that size whatever the banks hold. Seconds on shares are those of the slowest node's log, bytes and rounds
those that the nodes sealed.
"""
COMPARED = """\
Alerts: how many are too many or too few. Scores: the largest difference, on a scale of 100 for the generated data's
risk and of 1 for all else.
"""
RUN = """\
Run on {begun:%Y-%m-%d at %H:%M} UTC: {processor}, {cores} cores, {memory}, {system}. {busy}

{banks} banks, each with {customers:,} customers and {transactions:,} transactions, seed {seed}; {suspects:.0%} of the
accounts on rings are suspects of their own bank. Alerts are {share:.1%} of a bank's accounts: {budgets}.
"""
HUBS = """\
One bank's book shows every ring of {names} (the bank of a hub sees all of the hub's payments): a rule on that bank's
own rows could find them without anybody's help; none was run. What the consortium adds there is only the suspicion
that payers at other banks carry.
"""
RISK = """\
Propagated risk alone, with no patterns before it, finds {all_banks_alone_recall} of all targets at the same budgets
where each bank stands alone, and {consortium_recall} together: much ordinary money has touched a risky account too, so
the order by risk fills a budget with others.
"""
SUMS = """\
Structuring is found by a threshold on the sum, and no sum at one bank reaches it. Yet banks that had no threshold and
looked into their largest sums until the budget is used up would find {recall} of their structuring customers in this
data, where little other cash is as large. What the consortium gives is certainty that the threshold is reached, with
no alert on anybody else.
"""


@dataclass(frozen=True)
class Report:
    """What a run found and measured; loads are the machine's before and after, memory is a node's peak in bytes."""

    begun: datetime
    machine: Mapping[str, str]
    load: tuple[float, float]
    parameters: Parameters
    share: float
    budgets: Mapping[str, int]
    gains: Mapping[str, Gain]
    overall: Gain
    risk_alone: Gain
    precision: Mapping[str, Mapping[str, float | None]]
    seen_whole: Mapping[str, tuple[int, int]]
    largest_sums: Counted
    timings: Mapping[str, Timing]
    conformance: Mapping[str, float]
    public: str
    attempts: Attempts
    models: Models
    cases: Mapping[str, int]
    memory: int

    def numbers(self) -> dict[str, object]:
        """For ``gains.json``."""
        return {
            "typologies": {name: gain.row() for name, gain in self.gains.items()},
            "timings": {name: asdict(timing) for name, timing in self.timings.items()},
            "conformance": {**self.conformance, **self.models.conformance},
            "joint_model": self.models.numbers(),
            "conformance_of_public_networks": self.public,
            "amlworld": self.attempts.numbers(),
            "all_rings": self.overall.row(),
            "all_rings_by_risk_alone": self.risk_alone.row(),
            "average_precision": {name: dict(row) for name, row in self.precision.items()},
            "alert_budgets": dict(self.budgets),
            "rings_seen_whole_by_one_bank": {name: whole for name, (whole, _) in self.seen_whole.items()},
            "structuring_by_largest_sums_alone": self.largest_sums.recall,
            "cases": dict(self.cases),
            "peak_memory_bytes": self.memory,
            "begun": self.begun.isoformat(timespec="seconds"),
            "machine": dict(self.machine),
            "load_before_and_after": list(self.load),
        }


def markdown_page(report: Report) -> str:
    """The whole page."""
    parts = (
        HEAD,
        _run(report),
        "## Recall at a fixed number of alerts",
        "",
        HOW,
        *recall_table(report),
        "",
        *_where_not(report),
        "## Average precision",
        "",
        "Over all typologies and the whole order of a bank's accounts. It is low where few accounts are on rings.",
        "",
        *table(
            ("bank", "alone", "consortium"),
            [(bank, shown(row["alone"]), shown(row["consortium"])) for bank, row in report.precision.items()],
        ),
        "",
        *report.models.section(),
        *report.attempts.section(),
        "## What it cost",
        "",
        *cost_table(report),
        "",
        SIZES.format(memory=report.memory / 2**20),
        PRIVACY,
        "## Compared with plain Python on the pooled files",
        "",
        COMPARED,
        *table(
            ("data set", "largest difference"), [(name, f"{apart:.2g}") for name, apart in report.conformance.items()]
        ),
        "",
        f"Public networks: {report.public}.",
        "",
        "## Case files",
        "",
        f"{', '.join(f'{bank} {count}' for bank, count in report.cases.items())}: see [case files](case-files.md).",
    )
    return "\n".join(parts) + "\n"


def _run(report: Report) -> str:
    before, after = report.load
    parameters = report.parameters
    busy = (
        f"The machine was shared with other work (load {before:.1f} before, {after:.1f} after): times are upper bounds."
        if before > BUSY
        else f"Nothing else ran (load {before:.1f} before the start)."
    )
    return RUN.format(
        **report.machine,
        begun=report.begun,
        busy=busy,
        banks=len(parameters.banks),
        customers=parameters.customers_per_bank,
        transactions=parameters.transactions_per_bank,
        seed=parameters.seed,
        suspects=parameters.suspects,
        share=report.share,
        budgets=", ".join(f"{bank} {budget}" for bank, budget in report.budgets.items()),
    )


def recall_table(report: Report) -> list[str]:
    """By typology: recalls, and how many rings one bank sees whole; a dash where there are no rings."""
    rows = []
    every = tuple(sum(counts) for counts in zip(*report.seen_whole.values(), strict=True))
    seen_whole = {**report.seen_whole, ALL_RINGS: every}
    for name, gain in (*report.gains.items(), (ALL_RINGS, report.overall)):
        joint = together(list(gain.joint.values()))
        whole = seen_whole.get(name)
        rows.append(
            (
                name,
                str(joint.targets),
                shown(gain.best_single),
                shown(together(list(gain.alone.values())).recall),
                shown(joint.recall),
                f"{whole[0]} of {whole[1]}" if whole else "-",
            )
        )
    return table(("typology", "targets", "best bank alone", "all banks alone", "consortium", "seen whole"), rows)


def cost_table(report: Report) -> list[str]:
    """By analysis: rows, seconds, bytes, rounds, what a privacy budget was charged."""
    rows = [
        (
            name,
            f"{timing.n:,}",
            f"{timing.seconds:.1f}",
            f"{timing.wall_seconds:.1f}",
            f"{max(timing.bytes_per_party.values()) / 1e6:,.1f}",
            f"{timing.rounds:,}",
            f"epsilon {timing.epsilon:g}" if timing.epsilon else "without noise",
        )
        for name, timing in report.timings.items()
    ]
    return table(("analysis", "rows", "s on shares", "s in all", "MB a party", "rounds", "budget charged"), rows)


def _where_not(report: Report) -> list[str]:
    """Where joining changes little or nothing, from the run's own numbers."""
    seen = [name for name, (whole, rings) in report.seen_whole.items() if whole == rings]
    flat = [name for name, gain in report.gains.items() if _change(gain) <= 0]
    lines = ["### Where it does not gain", ""]
    if seen:
        lines.append(HUBS.format(names=listed(seen)))
    if flat:
        lines += [f"No more was found together than by all banks alone for {listed(flat)}.", ""]
    risk = report.risk_alone.row()
    lines.append(RISK.format(**{name: shown(value) for name, value in risk.items()}))
    return [*lines, SUMS.format(recall=shown(report.largest_sums.recall))]


def _change(gain: Gain) -> int:
    return together(list(gain.joint.values())).found - together(list(gain.alone.values())).found
