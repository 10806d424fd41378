"""What the example's specs find over rows that somebody holds, in plain Python: accounts on patterns, and risk."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from examples.aml import plain
from examples.aml.recall import Findings

RISK, CYCLES, SCATTER = (plain.Spec.read(name) for name in ("risk", "cycles", "scatter_gather"))
PATTERNS = {"cycles": CYCLES, "scatter-gather": SCATTER}
_FIND = {"cycles": plain.cycles, "scatter-gather": plain.scatter_gather}
Rows = Mapping[str, Mapping[str, float | None]]
"""By bank, what it is told: an account, with a score or, for an alert, nothing."""


def over(rows: duckdb.DuckDBPyConnection, patterns: Mapping[str, plain.Spec] = PATTERNS) -> Findings:
    """What ``plain.held`` rows show: ``patterns`` by analysis, and the risk of the accounts that the holder keeps."""
    return Findings(
        {name: frozenset(_FIND[name](plain.payments(rows, spec), spec)) for name, spec in patterns.items()},
        plain.risk(plain.scores(rows, RISK), plain.payments(rows, RISK), int(RISK.fields["iterations"])),
    )


def found_alone(data: Path, bank: str) -> Findings:
    """What one bank finds by the same rules over its own rows, with the scores of its own accounts."""
    return over(plain.held(data, bank))


def unsuspected(data: Path, bank: str) -> set[str]:
    """The bank's accounts that it has not reported yet."""
    found = plain.held(data, bank).execute("SELECT account_id FROM accounts WHERE NOT sar_flag").fetchall()
    return {account for (account,) in found}


def difference(told: Rows, expected: Rows) -> float:
    """Alerts: how many are too many or too few. Scores: the largest difference, infinite if an account lacks one."""
    largest = 0.0
    for bank, wanted in expected.items():
        rows = told[bank]
        if any(score is None for score in (*rows.values(), *wanted.values())):
            largest += len(rows.keys() ^ wanted.keys())
        elif rows.keys() != wanted.keys():
            return float("inf")
        else:
            apart = (abs((score or 0) - (wanted[name] or 0)) for name, score in rows.items())
            largest = max(largest, max(apart, default=0.0))
    return largest
