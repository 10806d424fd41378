"""Noise at the owners: files, DuckDB, bounds and noise in clear, shares, and the released frame."""

import random
from collections import Counter
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from consortia.errors import RequestError
from consortia.parties.local.protect import protected
from consortia.parties.local.statement import chain_after
from consortia.parties.simulation import simulate
from consortia.plans.accuracy import accuracies, wanted_of
from consortia.plans.build import build_plan
from consortia.plans.model import Share
from consortia.plans.obligations import ClipBounds, NoiseTerms, Obligations
from consortia.plans.sql import bind
from consortia.plans.steps_of_noise import Bound, Noise
from consortia.plans.zcdp import RHO_PARTS
from consortia.policies.accounting import charge_of
from tests.fixtures_catalogue import AS_OF, BANKS, CUSTOMER, DATE, INT, column, environment
from tests.pooled_banks import Banks
from tests.unit.protocols.test_noise_gaussian import chi_square, limit_of, probabilities

HI, ROWS = 100, 2
QUERY = "SELECT x, SUM(y) AS total, COUNT(*) AS k, AVG(y) AS mean FROM t GROUP BY x ORDER BY x"


def obligations(cells: int = 3, rho: int = RHO_PARTS) -> Obligations:
    clips = (ClipBounds(table="t", column="y", lo=0, hi=HI),)
    terms = NoiseTerms(rho=rho, cells=cells, rows=ROWS, at_owners=True, clips=clips)
    return Obligations(entity="c", noise=terms)


@pytest.fixture
def banks(tmp_path: Path) -> Banks:
    made = Banks(
        tmp_path, column("c", CUSTOMER), column("x", INT, 0, 1, nullable=True),
        column("y", INT, -50, 500, nullable=True), column("day", DATE), max_rows=30,
    )  # fmt: skip
    draw = random.Random(1)
    for bank in BANKS[:2]:  # the third has no row
        rows = [
            ",".join(
                (
                    f"{draw.randrange(6):03}",
                    draw.choice(["0", "1", ""]),
                    draw.choice(["", "-20", "30", "400"]),
                    f"2026-11-0{draw.randrange(1, 4)}",
                )
            )
            for _ in range(25)
        ]
        made.csv(bank, "\n".join(["c,x,y,day", *rows]) + "\n")
    made.csv(BANKS[2], "c,x,y,day\n")
    return made


def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No noise, so that what lies below it can be compared."""
    monkeypatch.setattr("consortia.parties.local.protect.gaussians", lambda variance, count, below: [0] * count)


def pooled(banks: Banks) -> dict[int | None, tuple[int, int]]:
    """Clipped sums and counts by x: every customer is bounded at each bank alone."""
    found: dict[int | None, list[int]] = {0: [0, 0], 1: [0, 0], None: [0, 0]}
    for bank in BANKS[:2]:
        text = (banks.desks[bank].folder / "t.csv").read_text().splitlines()[1:]
        parts: dict[tuple[str, str], list[int]] = {}
        for line in text:
            c, x, y, _ = line.split(",")
            part = parts.setdefault((c, x), [0, 0])
            part[0] += int(y or 0)
            part[1] += 1
        for (_, x), (total, rows) in parts.items():
            cell = found[int(x) if x else None]
            cell[0] += max(0, min(total, HI))
            cell[1] += min(rows, ROWS)
    return {x: (total, rows) for x, (total, rows) in found.items()}


def test_without_the_noise_the_answer_is_the_clipped_one_over_the_whole_domain(
    banks: Banks, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet(monkeypatch)
    frame = banks.ask(QUERY, obligations())  # at the declared cost
    assert {row["x"]: (row["total"], row["k"]) for row in frame.rows(named=True)} == pooled(banks)
    assert frame["x"].to_list() == [0, 1, None]


def test_the_engine_for_colluding_computers_adds_up_what_owners_protect(
    banks: Banks, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet(monkeypatch)
    plan = banks.plan(QUERY, obligations()).model_copy(update={"engine": "shamir"})
    (frame,) = simulate(plan, banks.frames(plan)).results.values()
    assert {row["x"]: (row["total"], row["k"]) for row in frame.rows(named=True)} == pooled(banks)


def test_a_customer_counts_in_as_many_cells_as_it_may(banks: Banks, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet(monkeypatch)
    sql = "SELECT day, COUNT(*) AS k FROM t WHERE day BETWEEN DATE '2026-11-01' AND DATE '2026-11-03' GROUP BY day"
    plan = banks.plan(sql, obligations(cells=1))
    chain = chain_after(plan, next(step.id for step in plan.steps if isinstance(step, Share)), Bound)
    assert chain[0].cells == 1
    kept: Counter[int] = Counter()
    key = [bytes([customer]) * 12 for customer in range(40)]
    days = pl.Series("day", [d for _ in key for d in (0, 1, 2)], dtype=pl.Int32) + 20_758
    rows = pl.DataFrame({"day": days.cast(pl.Date), "c": [k for k in key for _ in range(3)], "rows": [1] * 120})
    for seed in range(10):
        made = protected(rows, chain, random.Random(seed).randrange)
        assert made["rows"].sum() == len(key)  # one cell each
        kept.update({day: k for day, k in zip(made["day"].to_list(), made["rows"].to_list(), strict=True) if k})
    assert len(kept) == 3
    assert all(80 < number < 190 for number in kept.values())  # 133 each of 400


def test_every_owner_is_charged_for_all_parts_of_a_customer(banks: Banks) -> None:
    plan = banks.plan(QUERY, obligations())
    steps = [step for step in plan.steps if isinstance(step, Noise)]
    assert [step.at for step in steps] == [f"owner:{bank}" for bank in BANKS]
    assert 0.98 * RHO_PARTS < charge_of(plan).rho <= RHO_PARTS
    one = Fraction(steps[0].noised[0].sensitivity, 2 * steps[0].noised[0].variance)
    assert one < Fraction(1, 2 * 3)  # a third of the half that the number gets
    total = next(each for each in accuracies(plan) if each.output == "total")
    assert float(total.deviation) == pytest.approx((3 * steps[0].noised[0].variance) ** 0.5, rel=0.01)


def test_a_wanted_error_is_kept_by_the_noise_of_all_owners(banks: Banks) -> None:
    surroundings = environment(banks.catalogue, entities={"t": "c"}, errors=wanted_of({"k": "40"}))
    plan = build_plan(bind(QUERY, banks.catalogue, AS_OF), surroundings, obligations())
    assert next(each.error for each in accuracies(plan) if each.output == "k") <= 40


def test_the_noise_of_an_owner_has_the_exact_distribution(banks: Banks) -> None:
    plan = banks.plan("SELECT x, COUNT(*) AS k FROM t GROUP BY x", obligations(rho=RHO_PARTS * 2))
    chain = chain_after(plan, next(step.id for step in plan.steps if isinstance(step, Share)), Bound)
    variance = chain[-1].noised[0].variance
    empty = pl.DataFrame(schema={"x": pl.Int64, "c": pl.Binary, "rows": pl.Int64})
    counts: Counter[int] = Counter()
    for seed in range(200):
        counts.update(protected(empty, chain, random.Random(seed).randrange)["rows"].to_list())
    statistic, degrees = chi_square(counts, probabilities(Fraction(variance), 60), 200 * 3)
    assert statistic < limit_of(degrees)


def test_contributors_over_all_members_are_not_counted_so(banks: Banks) -> None:
    with pytest.raises(RequestError, match="number of contributors"):
        banks.plan("SELECT x, COUNT(DISTINCT c) AS n FROM t GROUP BY x", obligations())
