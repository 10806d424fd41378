"""Which laundering attempts of AMLworld the banks find, alone and together, over generated background.

The attempts are laid over the background a hundred at a time (``amlworld``), so that they stay a small part of the
rows. A bank's alerts are accounts of its own that it does not suspect yet: those on patterns first, then by risk, as
many as its budget allows. An attempt is found if at least half of its accounts that their banks do not suspect yet are
alerted: by the bank alone, which is also credited with the accounts of other banks on the patterns that its own rows
show; or by all banks with the consortium's answers. An attempt of suspects only is none to find, and is not counted.
"""

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from examples.aml import plain
from examples.aml.amlworld import Attempt, lay_over
from examples.aml.findings import PATTERNS, over, unsuspected
from examples.aml.generator.parameters import Parameters
from examples.aml.generator.planted import RingTruth
from examples.aml.recall import Findings

AT_A_TIME = 100
AS_IN_GAINS, BY_TIME = "rules of the specs", "times alone"
TIME_WINDOW = "5 days"


def by_time(spec: plain.Spec) -> plain.Spec:
    """The spec with a window of five days and every amount the same: a payment follows another by its time alone."""
    payments = spec.fields["payments"].replace("amount_minor AS amount", "1 AS amount")
    return replace(spec, fields={**spec.fields, "window": TIME_WINDOW, "payments": payments})


RULES: Mapping[str, Mapping[str, plain.Spec]] = {
    AS_IN_GAINS: PATTERNS,
    BY_TIME: {name: by_time(spec) for name, spec in PATTERNS.items()},
}


@dataclass(frozen=True)
class Judged:
    """One attempt: its place in the file, its pattern, which banks see every payment, who finds it by which rules."""

    number: int
    typology: str
    seen_whole: bool
    alone: Mapping[str, frozenset[str]]
    together: Mapping[str, bool]


@dataclass(frozen=True)
class Row:
    """The attempts of one pattern, by one set of rules."""

    attempts: int
    seen_whole: int
    by_bank: Mapping[str, int]
    any_bank: int
    consortium: int
    only_together: tuple[int, ...]

    @property
    def best_bank(self) -> int:
        """How many the bank that finds most of them finds."""
        return max(self.by_bank.values())

    def numbers(self) -> dict[str, object]:
        """For ``gains.json``."""
        return {
            "attempts": self.attempts,
            "seen_whole_by_one_bank": self.seen_whole,
            "best_single_bank": self.best_bank,
            "any_bank_alone": self.any_bank,
            "consortium": self.consortium,
            "only_consortium": len(self.only_together),
            "only_consortium_attempts": list(self.only_together),
        }


def judged(background: Path, attempts: Sequence[Attempt], parameters: Parameters, share: float) -> list[Judged]:
    """Every attempt to find, a hundred at a time over the same ``background``; ``share`` of its accounts is a budget.

    Two processes share the work.
    """
    parts = [attempts[place : place + AT_A_TIME] for place in range(0, len(attempts), AT_A_TIME)]
    same = [(background, parameters, share)] * len(parts)
    # Spawned, not forked: a fork of a process whose libraries run threads can hang.
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        return [one for part in pool.map(_part, parts, same) for one in part]


def _part(attempts: Sequence[Attempt], given: tuple[Path, Parameters, float]) -> list[Judged]:
    background, parameters, share = given
    with tempfile.TemporaryDirectory() as folder:
        truth = lay_over(background, attempts, parameters, Path(folder))
        return judge(Path(folder), truth, parameters.banks, share)


def judge(data: Path, truth: Sequence[RingTruth], banks: Sequence[str], share: float) -> list[Judged]:
    """Who finds which of the attempts that ``data`` holds."""
    free = {bank: unsuspected(data, bank) for bank in banks}
    held = {bank: plain.held(data, bank) for bank in banks}
    pooled = plain.held(data)
    numbers = {
        bank: {row[0] for row in held[bank].execute("SELECT tx_id FROM transactions").fetchall()} for bank in banks
    }
    alone: dict[str, dict[str, set[str]]] = {}
    together: dict[str, set[str]] = {}
    for name, patterns in RULES.items():
        joint, alone[name], together[name] = over(pooled, patterns), {}, set()
        for bank in banks:
            own = over(held[bank], patterns)
            budget = round(share * len(own.risk))
            alone[name][bank] = _alerts(own, free[bank], budget) | _of_others(own)
            together[name] |= _alerts(joint, free[bank], budget)
    everybody = set().union(*free.values())
    made = []
    for ring in truth:
        wanted = {account for _, account, _ in ring.accounts} & everybody
        if wanted:
            whole = any(numbers[bank].issuperset(ring.transactions) for bank in banks)
            by_bank = {
                name: frozenset(bank for bank in banks if found(wanted, alerts[bank])) for name, alerts in alone.items()
            }
            jointly = {name: found(wanted, alerts) for name, alerts in together.items()}
            made.append(Judged(ring.ring, ring.typology, whole, by_bank, jointly))
    return made


def found(wanted: set[str], alerted: set[str]) -> bool:
    """At least half of the accounts are alerted."""
    return 2 * len(wanted & alerted) >= len(wanted)


def _alerts(findings: Findings, free: set[str], budget: int) -> set[str]:
    return set(findings.of(free).order()[:budget])


def _of_others(own: Findings) -> set[str]:
    """Accounts on the patterns that a bank's rows show which it does not keep: it has no score of theirs."""
    return set().union(*own.patterns.values()) - own.risk.keys()


def counted(attempts: Sequence[Judged], banks: Sequence[str]) -> dict[str, dict[str, Row]]:
    """By rules and pattern, in alphabetical order of the patterns."""
    return {
        name: {
            typology: _row([one for one in attempts if one.typology == typology], name, banks)
            for typology in sorted({one.typology for one in attempts})
        }
        for name in RULES
    }


def all_of(rows: Mapping[str, Row]) -> Row:
    """The rows of all patterns added up; the best bank is the one that finds most of all."""
    every = list(rows.values())
    banks = every[0].by_bank
    return Row(
        sum(row.attempts for row in every),
        sum(row.seen_whole for row in every),
        {bank: sum(row.by_bank[bank] for row in every) for bank in banks},
        sum(row.any_bank for row in every),
        sum(row.consortium for row in every),
        tuple(sorted(number for row in every for number in row.only_together)),
    )


def _row(attempts: Sequence[Judged], rules: str, banks: Sequence[str]) -> Row:
    return Row(
        len(attempts),
        sum(one.seen_whole for one in attempts),
        {bank: sum(bank in one.alone[rules] for one in attempts) for bank in banks},
        sum(bool(one.alone[rules]) for one in attempts),
        sum(one.together[rules] for one in attempts),
        tuple(one.number for one in attempts if one.together[rules] and not one.alone[rules]),
    )
