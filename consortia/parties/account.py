"""An owner's account for people: what its ledger has used of each policy's quotas and privacy budgets. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consortia.parties.ledger import Entry, LedgerRow
from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan
from consortia.policies.accounting import Charge, Grant, grant_of, total
from consortia.policies.language.model import Policy
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.own import OwnCase, PastCharge, Standing
from consortia.policies.own.budget import charges_of, unit_of, within_budget
from consortia.policies.own.rates import within_rates
from consortia.policies.rules.standing import interval

CHARGED = ("count", "aggregate", "model")


@dataclass(frozen=True, slots=True)
class Quota:
    """Queries that count against one limit; ``limit`` None if the policy sets none."""

    name: str
    used: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The privacy budget of one unit and kind of output; ``room_at`` is when the oldest charge stops to count."""

    unit: str
    kind: str
    grant: Grant
    reserved: Charge
    spent: Charge
    room_at: datetime | None

    @property
    def left(self) -> Charge:
        """What may still be reserved."""
        return (self.reserved + self.spent).left(self.grant.per_period)


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that one policy limits over several queries. ``quotas`` of analysts are of those who asked today."""

    policy: str
    purpose: str
    quotas: tuple[Quota, ...]
    budgets: tuple[Budget, ...]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a plan would cost each unit, and the codes and texts of what stands in its way; none if it fits."""

    charges: Mapping[str, Charge]
    obstacles: tuple[tuple[str, str], ...]


def account_of(policy: Policy, catalogue: Catalogue, rows: Sequence[LedgerRow], now: datetime) -> Account:
    """The account of ``policy`` by the ledger's ``rows``, of whatever purpose they are."""
    counted = _counted(policy, rows)
    quotas, budgets = _quotas(policy, counted, now), _budgets(policy, catalogue, counted, now)
    return Account(policy.identity.id, policy.purpose.code, quotas, budgets)


def what_if(loaded: LoadedPolicy, plan: Plan, catalogue: Catalogue, rows: Sequence[LedgerRow], now: datetime) -> WhatIf:
    """Whether ``plan`` would fit now by quotas and budget; its other rules are not looked at."""
    policy = loaded.policy
    counted = _counted(policy, rows)
    today, begin = now.astimezone(UTC).date(), interval(policy.validity)[0]
    standing = Standing(
        analyst_today=sum(row.at.date() >= today for row in counted if row.analyst == plan.submitter),
        today=sum(row.at.date() >= today for row in counted),
        period=sum(row.at >= begin for row in counted),
        charges=tuple(PastCharge(row.at, unit, charge) for row in counted for unit, charge in row.charges.items()),
    )
    owner = policy.identity.owner
    case = OwnCase(owner, loaded, plan, catalogue, {}, now, standing)
    found = [finding for rule in (within_rates, within_budget) if (finding := rule(case)) is not None]
    return WhatIf(charges_of(plan, owner, policy, catalogue), tuple((finding.code, finding.text) for finding in found))


def _counted(policy: Policy, rows: Sequence[LedgerRow]) -> list[LedgerRow]:
    return [row for row in rows if row.purpose == policy.purpose.code and row.state is not Entry.REFUNDED]


def _quotas(policy: Policy, counted: Sequence[LedgerRow], now: datetime) -> tuple[Quota, ...]:
    rates, today = policy.rates, now.astimezone(UTC).date()
    of_today = [row for row in counted if row.at.date() >= today]
    begin = interval(policy.validity)[0]
    return (
        *(
            Quota(
                f"{analyst} today",
                sum(row.analyst == analyst for row in of_today),
                _limit(rates.queries_per_analyst_and_day),
            )
            for analyst in sorted({row.analyst for row in of_today})
        ),
        Quota("all today", len(of_today), _limit(rates.queries_per_day)),
        Quota(
            f"since {policy.validity.not_before.isoformat()}",
            sum(row.at >= begin for row in counted),
            _limit(rates.queries_per_period),
        ),
    )


def _budgets(policy: Policy, catalogue: Catalogue, counted: Sequence[LedgerRow], now: datetime) -> tuple[Budget, ...]:
    units = sorted({unit_of(table, policy, catalogue) for table in policy.data.tables})
    found = []
    for kind in CHARGED:
        noise = policy.noise(kind)
        if noise is None:
            continue
        grant = grant_of(noise)
        days = timedelta(days=grant.period_days)
        within = [row for row in counted if row.at > now - days]
        for unit in units:
            charged = [row for row in within if unit in row.charges]
            found.append(
                Budget(
                    unit,
                    kind,
                    grant,
                    total(row.charges[unit] for row in charged if row.state is Entry.RESERVED),
                    total(row.charges[unit] for row in charged if row.state is Entry.COMMITTED),
                    min((row.at + days for row in charged), default=None),
                )
            )
    return tuple(found)


def _limit(value: int | str) -> int | None:
    return value if isinstance(value, int) else None
