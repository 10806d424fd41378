"""Noise from a signed policy to a released frame: real nodes, real policies, real noise of three computers."""

from collections import defaultdict
from pathlib import Path

import pytest

from consortia.client.noise import noise_dict
from consortia.errors import ConsortiaError
from consortia.plans.steps_of_noise import Noise
from consortia.policies.accounting import charge_of
from tests.e2e_cluster import COUNTRIES, PURPOSE, Cluster, prepare
from tests.packs import nodes

HI, ROWS = 400, 2
NOISE = f"    noise: {{rho-per-release: 1/2, rho-per-period: 4/5, cells-per-unit: 4, rows-per-cell: {ROWS}}}"
CLIP = ("operations: [filter, sum, count, compare, rank]}", "operations: [filter, sum, count, compare, rank], clip: ")
EDITS = (("    noise: off", NOISE), (CLIP[0], f"{CLIP[1]}{{lo: 0, hi: {HI}}}}}"))
SQL = (
    "SELECT country, COUNT(DISTINCT person) AS n, SUM(amount) AS total, COUNT(*) AS k FROM visits"
    " GROUP BY country ORDER BY country"
)


def exact(cluster: Cluster) -> dict[str, tuple[int, int, int]]:
    parts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for _, (person, amount, country, _) in cluster.pooled:
        parts[country, person][0] += amount or 0
        parts[country, person][1] += 1
    found = dict.fromkeys(COUNTRIES, (0, 0, 0))
    for (country, _), (amount, rows) in parts.items():
        n, total, k = found[country]
        found[country] = (n + 1, total + max(0, min(amount, HI)), k + min(rows, ROWS))
    return found


@pytest.mark.processes
def test_a_session_releases_noisy_numbers_that_say_so_until_the_budget_is_spent(tmp_path: Path) -> None:
    cluster = prepare(tmp_path, count=40, edits=EDITS)
    with nodes(cluster):
        asked = cluster.client().sql(
            SQL, purpose=PURPOSE, errors={"n": "15"}
        )  # the rest of the release's share is spent
        plan = asked.compiled.plan
        outcome = asked.consortium.run(asked.saved())
        (frame,) = outcome.results.values()
        said = noise_dict(asked.consortium.plan(outcome.session))
        with pytest.raises(ConsortiaError) as refused:
            asked.consortium.run(asked.consortium.sql(SQL, purpose=PURPOSE).saved())
    assert frame.columns == ["country", "n", "total", "k"]  # no cell is suppressed
    assert sorted(frame["country"].to_list()) == sorted(COUNTRIES)
    assert said is not None
    errors = {each["output"]: float(each["error_95"]) for each in said["outputs"]}
    assert 14 < errors["n"] <= 15
    wanted = exact(cluster)
    differences = []
    for row in frame.rows(named=True):
        plain = dict(zip(("n", "total", "k"), wanted[row["country"]], strict=True))
        differences += [abs(row[name] - plain[name]) / errors[name] for name in plain]
    assert max(differences) < 5  # about ten standard deviations
    assert sum(difference < 1 for difference in differences) >= len(differences) / 2
    assert any(difference > 0 for difference in differences)
    noise = next(step for step in plan.steps if isinstance(step, Noise))
    assert noise.rows == len(COUNTRIES)
    assert charge_of(plan).rho > 4 * 10**8
    assert "budget" in f"{refused.value.code} {refused.value.message}"


@pytest.mark.slow
@pytest.mark.processes
def test_noise_at_the_owners_and_noisy_medians_run_in_sessions(tmp_path: Path) -> None:
    at_owners = NOISE.replace("{", "{mechanism: local-discrete-gaussian, ", 1)
    with_quantile = EDITS[1][1].replace("rank]", "rank, quantile]")
    sums = "SELECT country, SUM(amount) AS total, COUNT(*) AS k FROM visits GROUP BY country ORDER BY country"
    median = "SELECT MEDIAN(amount) AS m FROM visits"
    for name, edits, sql in (
        ("owners", ((EDITS[0][0], at_owners), EDITS[1]), sums),
        ("median", (EDITS[0], (CLIP[0], with_quantile)), median),
    ):
        cluster = prepare(tmp_path / name, count=40, edits=edits)
        with nodes(cluster):
            asked = cluster.client().sql(sql, purpose=PURPOSE)
            (frame,) = asked.consortium.run(asked.saved()).results.values()
        if name == "owners":
            assert {step.at for step in asked.compiled.plan.steps if isinstance(step, Noise)} == {
                f"owner:{member}" for member in cluster.world.members
            }
            assert sorted(frame["country"].to_list()) == sorted(COUNTRIES)
        else:
            assert frame.shape == (1, 1)
            assert frame["m"][0] is None or 0 <= frame["m"][0] <= HI
