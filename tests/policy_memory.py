"""What an owner's own part says of a query, from what it remembers: quotas, privacy budget, earlier answers.

Each asks bank-a's own part under an edit of the full policy (``policy_variants``), and what recipients may keep.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from consortia.execution.estimate import estimate
from consortia.plans.zcdp import RHO_PARTS
from consortia.policies.accounting import Charge
from consortia.policies.compiling import compile_analysis
from consortia.policies.decide import decide
from consortia.policies.history import ReleasedQuery
from consortia.policies.language.parse import parse_policy
from consortia.policies.own import Standing
from consortia.policies.own.case import PastCharge
from consortia.policies.retention import retention_of
from consortia.policies.world import PolicyWorld
from consortia.trust.sessions import SnapshotRoot
from tests.fixtures_catalogue import AS_OF, PURPOSE, STATISTICS
from tests.policies_world import NOW, draft_of, own_verdict
from tests.policy_variants import COUNT_QUERY, MODEL, changed, data_of, edit, full, permissive, put

COUNTERS = (("analyst_today", 20), ("today", 50), ("period", 1000))


def queries_denied_at(tree: dict[str, Any], counter: str, counted: int) -> str:
    """What bank-a's own part says when its ledger has ``counted`` queries on one counter."""
    world = permissive(parse_policy(data_of(tree)))
    plan = draft_of(STATISTICS, world)
    return own_verdict(plan, decide(plan, world, NOW), world, standing=Standing(**{counter: counted}))


NOISY = {
    "count": COUNT_QUERY, "aggregate": "SELECT country, COUNT(*) AS n FROM deposits GROUP BY country", "model": MODEL,
}  # fmt: skip
NOISE = {"rho-per-release": "1/10", "rho-per-period": "1/2"}


def noisy(kind: str, sql: str = "", clip: Any = "off", **changes: Any) -> tuple[PolicyWorld, Any]:
    """A query whose output of ``kind`` has noise by all policies, compiled.

    The edit is ``changes`` of the section on noise, or else ``clip``, or else the section itself.
    """
    tree = full()
    path = f"outputs.{kind}.noise"
    (put if changes or clip != "off" else edit)(tree, path, dict(NOISE))
    for name, value in changes.items():
        edit(tree, f"{path}.{name.replace('_', '-')}", value)
    edit(tree, "data.tables.*.columns.*.clip", clip)
    world = permissive(parse_policy(data_of(tree)))
    sql = sql or NOISY[kind]
    return world, compile_analysis(sql, PURPOSE, "ana@bank-a", AS_OF, world, estimate, NOW)


def terms(kind: str, **changes: Any) -> str:
    return repr(noisy(kind, **changes)[1].decision.obligations.noise)


def clipped(clip: Any) -> str:
    """What becomes of a sum whose column has such bounds."""
    sql = "SELECT SUM(amount_minor) AS s FROM deposits WHERE currency = 'EUR'"
    _, found = noisy("aggregate", sql, clip)
    rules = {reason.rule for _, reason in found.decision.denials()}
    return ", ".join(sorted(rules)) or repr(found.decision.obligations.noise)


SPENT = Charge(RHO_PARTS)
"""Rho 1: more than any period has here."""


def over_budget(kind: str, days_ago: int, charge: Charge = SPENT, **changes: Any) -> str:
    """What bank-a's own part says of a release when one of ``charge`` was so many days ago."""
    world, found = noisy(kind, **changes)
    before = PastCharge(NOW - timedelta(days=days_ago), "customer", charge)
    standing = Standing(charges=(before,) if days_ago else ())
    return own_verdict(found.plan, found.decision, world, standing=standing)


def selected(per_period: str) -> str:
    """What bank-a's own part says of groups that are shown at the cost of a delta, of which a period grants so much."""
    tree = full()
    put(tree, "outputs.aggregate.noise", NOISE | {"delta-per-release": "1/1000000"})
    edit(tree, "outputs.aggregate.noise.delta-per-period", per_period)
    put(tree, "outputs.aggregate.maximum-rows", "off")
    tree["data"]["tables"]["deposits"]["columns"]["ts"]["operations"] += ["group"]
    world = permissive(parse_policy(data_of(tree)))
    sql = "SELECT ts, COUNT(*) AS n FROM deposits GROUP BY ts"
    found = compile_analysis(sql, PURPOSE, "ana@bank-a", AS_OF, world, estimate, NOW)
    return own_verdict(found.plan, found.decision, world)


def of_noise(kind: str) -> dict[str, tuple[Callable[[], str], str]]:
    path = f"outputs.{kind}.noise"
    return {
        path: (lambda: str("NoiseTerms" in terms(kind)), "True"),
        f"{path}.mechanism": (lambda: terms(kind, mechanism="local-discrete-gaussian"), "at_owners=True"),
        f"{path}.rho-per-release": (lambda: terms(kind, rho_per_release="1/20"), "NoiseTerms(rho=50000000"),
        f"{path}.cells-per-unit": (lambda: terms(kind, cells_per_unit=7), "cells=7"),
        f"{path}.rows-per-cell": (lambda: terms(kind, rows_per_cell=3), "rows=3"),
        f"{path}.delta-per-release": (lambda: terms(kind, delta_per_release="1/1000000"), "delta=1000000000"),
        f"{path}.delta-per-period": (
            # A count has no groups to select, so what is seen is that its period's delta was spent.
            lambda: selected("1/1000") if kind == "aggregate" else over_budget(
                kind, 1, Charge(0, 1), delta_per_period="1/1000"), "permit"),
        f"{path}.rho-per-period": (lambda: over_budget(kind, 0, rho_per_period="1/11"), "policies/budget"),
        f"{path}.period-days": (lambda: over_budget(kind, 40, period_days=39), "permit"),
    }  # fmt: skip


def of_noise_on_model() -> dict[str, tuple[Callable[[], str], str]]:
    path = "outputs.model.noise"
    return {
        f"{path}.rho-per-release": (lambda: terms("model", rho_per_release="1/20"), "NoiseTerms(rho=50000000"),
        f"{path}.rho-per-period": (lambda: over_budget("model", 0, rho_per_period="1/11"), "policies/budget"),
        f"{path}.period-days": (lambda: over_budget("model", 40, period_days=39), "permit"),
    }


def subtracted(kind: str, value: Any, *, before: Any = "off", same: bool = False, **memory: Any) -> str:
    """What bank-a's own part says of a query whose rows overlap with those of an earlier one.

    The edit is that the guard is ``value`` and not ``before``.
    """
    tree = full()
    put(tree, f"outputs.{kind}.differencing", before)
    edit(tree, f"outputs.{kind}.differencing", value)
    world = permissive(parse_policy(data_of(tree)))
    asked = {"count": COUNT_QUERY, "aggregate": STATISTICS}[kind]
    other = f"{asked} WHERE country = 'DE'" if kind == "count" else asked.replace("'EUR'", "'EUR' AND country = 'DE'")
    plan = draft_of(asked if same else other, world)
    roots = tuple(SnapshotRoot(table=table, root="0" * 64) for table in ("accounts", "transactions"))
    earlier = ReleasedQuery(
        session="0" * 32, plan=draft_of(asked, world), recipients=("ana@bank-a",),
        **{"snapshots": roots, "at": NOW} | memory,
    )  # fmt: skip
    return own_verdict(plan, decide(plan, world, NOW), world, history=(earlier,))


def after_a_week(kind: str, days: int, others: int = 1, *, same: bool = False) -> str:
    older = tuple(SnapshotRoot(table=table, root="1" * 64) for table in ("accounts", "transactions"))
    guard, before = ({"new-data-days": new, "other-rows-days": other} for new, other in ((days, others), (1, 1)))
    return subtracted(kind, guard, before=before, same=same, snapshots=older, at=NOW - timedelta(days=7))


def kept(path: str, sql: str) -> str:
    """For how many days recipients may keep the answer if the owners say 7."""
    world = permissive(parse_policy(data_of(changed(path, 7))))
    found = retention_of(draft_of(sql, world), [loaded.policy for loaded in world.policies])
    return ", ".join(str(days) for days in found.values())
