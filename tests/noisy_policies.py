"""Policies with noise, and queries compiled under them, for tests."""

from consortia.execution.estimate import estimate
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.policies.world import PolicyWorld
from tests import fixtures_catalogue as fixtures
from tests.policies_world import loaded, make_world

AMOUNT = "amount_minor: {class: sensitive, operations: [filter, sum, compare"
QUERY = (
    "SELECT country, COUNT(DISTINCT customer_key) AS n, SUM(amount_minor) AS total, AVG(amount_minor) AS mean"
    " FROM deposits WHERE currency = 'EUR' GROUP BY country"
)


def noise(**fields: object) -> tuple[str, str]:
    section = {"rho-per-release": "1/10", "rho-per-period": "1/2", "cells-per-unit": 2, "rows-per-cell": 5}
    section |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "noise: off", "noise: {" + ", ".join(f"{key}: {value}" for key, value in section.items()) + "}"


def clip(lo: int, hi: int) -> tuple[str, str]:
    return AMOUNT + "]}", AMOUNT + f"], clip: {{lo: {lo}, hi: {hi}}}}}"


def world_of(**by_owner: tuple[tuple[str, str], ...]) -> PolicyWorld:
    standard = (noise(), clip(-100, 50_000))
    return make_world(*(loaded(owner, *by_owner.get(owner[-1], standard)) for owner in fixtures.BANKS))


def compiled(sql: str = QUERY, world: PolicyWorld | None = None) -> Compiled:
    return compile_analysis(
        sql, fixtures.PURPOSE, "ana@bank-a", fixtures.AS_OF, world or world_of(), estimate, fixtures.AS_OF
    )
