"""What an owner's own part of a verdict is decided from, and what a rule of it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan
from consortia.policies.accounting import Charge
from consortia.policies.history import ReleasedQuery
from consortia.policies.language.model import Policy
from consortia.policies.language.parse import LoadedPolicy


@dataclass(frozen=True, slots=True)
class PastCharge:
    """What an earlier query costs a privacy unit: reserved or spent."""

    at: datetime
    unit: str
    charge: Charge


@dataclass(frozen=True, slots=True)
class Standing:
    """What is reserved or spent for the plan's purpose: queries of its submitter today, of all today, in the period.

    ``charges`` are those of at least the longest period that a policy can name.
    """

    analyst_today: int = 0
    today: int = 0
    period: int = 0
    charges: tuple[PastCharge, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnCase:
    """What ``owner`` alone knows when it decides a plan that all policies permit.

    ``loaded`` is its policy in force for the plan's purpose; ``registered`` are its tables with the root of the
    snapshot in use, ``standing`` what the ledger says, ``history`` what was answered from its
    data before. Nothing here is made from rows: what follows from a case may
    be told.
    """

    owner: str
    loaded: LoadedPolicy
    plan: Plan
    catalogue: Catalogue
    registered: Mapping[str, str]
    now: datetime
    standing: Standing = Standing()
    history: tuple[ReleasedQuery, ...] = ()

    @property
    def policy(self) -> Policy:
        """The owner's policy."""
        return self.loaded.policy


@dataclass(frozen=True, slots=True)
class OwnFinding:
    """What a rule found that stands in the way: the plan is denied, or held until an officer has looked at it.

    Others learn ``code``; ``text`` and ``remedy`` stay with the owner.
    """

    effect: Literal["deny", "hold"]
    code: str
    text: str
    remedy: str


OwnRule = Callable[[OwnCase], OwnFinding | None]
"""A pure rule; None if nothing stands in the way by it."""
