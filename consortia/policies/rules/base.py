"""What a rule is: a pure function from a case to findings.

A rule that finds nothing has not permitted: every rule must say `permit` or `forbid` at least once, and one `forbid`
outweighs everything. So forgetting a branch denies.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from consortia.plans.catalogue import CatalogueTable
from consortia.plans.model import Plan
from consortia.policies.language.model import Policy, PolicyTable
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.language.reader import Path
from consortia.policies.lineage import Flow
from consortia.policies.world import PolicyWorld

TOLERANCE = timedelta(seconds=300)
"""By how much the clocks of the parties may differ."""


@dataclass(frozen=True, slots=True)
class Case:
    """One owner's policy and the plan that it must decide."""

    owner: str
    loaded: LoadedPolicy
    plan: Plan
    flow: Flow
    world: PolicyWorld
    now: datetime

    @property
    def policy(self) -> Policy:
        """The policy itself."""
        return self.loaded.policy

    def tables(self) -> tuple[str, ...]:
        """Tables that the owner's part of the plan reads, sorted."""
        return tuple(sorted(self.flow.tables.get(self.owner, ())))

    def policy_table(self, name: str) -> PolicyTable | None:
        """The policy's entry for a table."""
        return self.policy.data.tables.get(name)

    def catalogue_table(self, name: str) -> CatalogueTable | None:
        """The catalogue's entry for a table."""
        return next((table for table in self.world.catalogue.tables if table.name == name), None)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found. ``path`` is the place in the policy's file."""

    effect: Literal["permit", "forbid"]
    rule: str
    path: Path
    text: str
    remedy: str = ""
    step: str = ""
    column: str = ""
    trail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """``ids`` are the rule ids that its findings carry; each id must be found at least once to permit."""

    ids: tuple[str, ...]
    check: Callable[[Case], Iterable[Finding]]


def permit(rule: str, path: Path, text: str) -> Finding:
    """A finding that permits."""
    return Finding("permit", rule, path, text)


def forbid(
    rule: str,
    path: Path,
    text: str,
    remedy: str,
    *,
    step: str = "",
    column: str = "",
    trail: tuple[str, ...] = (),
) -> Finding:
    """A finding that forbids."""
    return Finding("forbid", rule, path, text, remedy, step, column, trail)


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: sorted, in backticks; `nobody` for none."""
    return ", ".join(f"`{name}`" for name in sorted(names)) or "nobody"
