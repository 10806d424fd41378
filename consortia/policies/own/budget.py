"""How much privacy loss is left: charges add up for each privacy unit over the policy's period, as a filter.

A plan with noise costs the same at every owner (``policies.accounting``). Every owner notes the cost for each privacy
unit of its tables in the plan; a policy whose ``noise`` is on limits the sum over any ``period-days`` days in a row.
Answers that were reserved count like those that were given. Exact answers cost nothing here: they have other rules.
"""

from datetime import timedelta
from decimal import Decimal

from consortia.plans.catalogue import Catalogue
from consortia.plans.model import Plan, Release, Scan
from consortia.plans.tables import find_table
from consortia.plans.zcdp import DELTA_PARTS, RHO_PARTS
from consortia.policies.accounting import NOTHING, Charge, Grant, admits, charge_of, grant_of, total
from consortia.policies.language.model import Policy
from consortia.policies.own.case import OwnCase, OwnFinding


def units_of(plan: Plan, owner: str, policy: Policy, catalogue: Catalogue) -> tuple[str, ...]:
    """The privacy units of ``owner``'s tables in ``plan``, sorted."""
    scanned = {step.table for step in plan.steps if isinstance(step, Scan) and step.at == f"owner:{owner}"}
    return tuple(sorted({unit_of(table, policy, catalogue) for table in scanned & policy.data.tables.keys()}))


def unit_of(table: str, policy: Policy, catalogue: Catalogue) -> str:
    """The privacy unit of one of the policy's tables: the domain of its key, else ``table.column``.

    Tables that name their customers by the same kind of key have one budget: a customer of both is one.
    """
    name = policy.data.tables[table].privacy_unit
    column = next((each for each in find_table(catalogue, table).columns if each.name == name), None)
    return column.type.domain if column is not None and column.type.kind == "key" else f"{table}.{name}"


def charges_of(plan: Plan, owner: str, policy: Policy, catalogue: Catalogue) -> dict[str, Charge]:
    """What ``plan`` costs ``owner``, by privacy unit; empty if it costs nothing."""
    charge = charge_of(plan)
    return dict.fromkeys(units_of(plan, owner, policy, catalogue), charge) if charge != NOTHING else {}


def grants_of(plan: Plan, policy: Policy) -> tuple[Grant, ...]:
    """What the policy grants to each kind of output that the plan releases and that has noise."""
    kinds = sorted({step.output_kind for step in plan.steps if isinstance(step, Release)})
    return tuple(grant_of(noise) for kind in kinds if (noise := policy.noise(kind)) is not None)


def spent(case: OwnCase, unit: str, days: int) -> Charge:
    """What is reserved and spent of ``unit`` in the last ``days`` days."""
    since = case.now - timedelta(days=days, seconds=1)  # the ledger's times are cut to whole seconds
    return total(past.charge for past in case.standing.charges if past.unit == unit and past.at > since)


def within_budget(case: OwnCase) -> OwnFinding | None:
    """Deny what would exceed the budget of a privacy unit."""
    needed = charges_of(case.plan, case.owner, case.policy, case.catalogue)
    for grant in grants_of(case.plan, case.policy):
        for unit, charge in needed.items():
            before = spent(case, unit, grant.period_days)
            if not charge.within(grant.per_release) or not admits(grant.per_period, before, charge):
                return OwnFinding(
                    "deny",
                    "policies/budget",
                    f"the query costs {shown(charge)} of `{unit}`; of {shown(grant.per_period)} in any"
                    f" {grant.period_days} days {shown(before.left(grant.per_period))} is left, and one release may"
                    f" cost {shown(grant.per_release)}",
                    "ask with a larger error, or wait: `consortia budget show` says when room comes back",
                )
    return None


def shown(charge: Charge) -> str:
    """A charge in words: rho, and delta where there is some."""
    delta = f" and delta {Decimal(charge.delta) / DELTA_PARTS:f}" if charge.delta else ""
    return f"rho {Decimal(charge.rho) / RHO_PARTS:f}{delta}"
