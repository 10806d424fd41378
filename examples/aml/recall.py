"""How much of what is planted an investigator finds among a fixed number of alerts, alone and with the others' help.

A bank's alerts are accounts of its own that it does not suspect yet: first those on patterns, then by risk, until the
budget is used up. A target is an account on a ring that its bank does not suspect yet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Findings:
    """What detectors tell about accounts: those on each pattern, and the risk of each account."""

    patterns: Mapping[str, frozenset[str]]
    risk: Mapping[str, float]

    def of(self, accounts: Collection[str]) -> "Findings":
        """What they tell about these accounts."""
        kept = frozenset(accounts)
        return Findings(
            {name: found & kept for name, found in self.patterns.items()},
            {account: risk for account, risk in self.risk.items() if account in kept},
        )

    def order(self) -> list[str]:
        """All accounts: on patterns first, on more of them before fewer, then by risk; ties by their numbers."""

        def key(account: str) -> tuple[int, float, str]:
            return -sum(account in found for found in self.patterns.values()), -self.risk[account], account

        return sorted(self.risk, key=key)

    def why(self, account: str) -> str:
        """The patterns that an account is on, or else its risk."""
        return " and ".join(name for name, found in self.patterns.items() if account in found) or "risk-propagation"


@dataclass(frozen=True)
class Counted:
    """How many of the targets are among the alerts."""

    found: int
    targets: int

    @property
    def recall(self) -> float | None:
        """The part that was found; None where there was nothing to find."""
        return self.found / self.targets if self.targets else None


def counted(alerts: Collection[str], targets: Collection[str]) -> Counted:
    """Targets among alerts."""
    return Counted(len(set(alerts) & set(targets)), len(set(targets)))


def together(parts: Sequence[Counted]) -> Counted:
    """The banks' counts added up."""
    return Counted(sum(part.found for part in parts), sum(part.targets for part in parts))


def average_precision(order: Sequence[str], targets: Collection[str]) -> float | None:
    """The mean, over the targets, of the precision of the list down to each; None without targets.

    A target that is not on the list counts with 0.
    """
    wanted, hits, total = set(targets), 0, 0.0
    for place, account in enumerate(order, start=1):
        if account in wanted:
            hits += 1
            total += hits / place
    return total / len(wanted) if wanted else None


@dataclass(frozen=True)
class Bank:
    """One bank's unsuspected accounts, its budget, its targets by typology, and what it finds alone and together."""

    budget: int
    targets: Mapping[str, frozenset[str]]
    alone: Findings
    joint: Findings

    def alerts(self, findings: Findings) -> list[str]:
        """As many accounts as the budget allows."""
        return findings.order()[: self.budget]


@dataclass(frozen=True)
class Gain:
    """One typology's recall: of each bank alone, and of all with the consortium's answers, at the same budgets."""

    alone: Mapping[str, Counted]
    joint: Mapping[str, Counted]

    @property
    def best_single(self) -> float | None:
        """The best that one bank alone finds of the targets among its own accounts."""
        recalls = [count.recall for count in self.alone.values() if count.recall is not None]
        return max(recalls, default=None)

    def row(self) -> dict[str, float | int | None]:
        """For ``gains.json``."""
        return {
            "best_single_bank_recall": self.best_single,
            "all_banks_alone_recall": together(list(self.alone.values())).recall,
            "consortium_recall": together(list(self.joint.values())).recall,
            "targets": together(list(self.joint.values())).targets,
        }


def gains(banks: Mapping[str, Bank], typologies: Sequence[str]) -> dict[str, Gain]:
    """Every typology's gain; each bank's alerts are ordered once, over all typologies."""
    alone = {name: bank.alerts(bank.alone) for name, bank in banks.items()}
    joint = {name: bank.alerts(bank.joint) for name, bank in banks.items()}
    return {
        typology: Gain(
            {name: counted(alone[name], bank.targets[typology]) for name, bank in banks.items()},
            {name: counted(joint[name], bank.targets[typology]) for name, bank in banks.items()},
        )
        for typology in typologies
    }


def overall(banks: Mapping[str, Bank]) -> Gain:
    """The gain over the targets of all typologies."""
    everything = {
        name: replace(bank, targets={"all": frozenset().union(*bank.targets.values())}) for name, bank in banks.items()
    }
    return gains(everything, ("all",))["all"]


def by_risk(banks: Mapping[str, Bank]) -> dict[str, Bank]:
    """The banks as if they looked for no patterns: their alerts go by risk alone."""
    return {
        name: replace(bank, alone=Findings({}, bank.alone.risk), joint=Findings({}, bank.joint.risk))
        for name, bank in banks.items()
    }
